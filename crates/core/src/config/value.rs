//! The kinds of value that settings have, and how each is read and written.

use std::fmt;
use std::time::Duration;

/// Which values a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, nothing else.
    Bool,
    /// Any text on one line.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// How often something happens: 5 seconds to 7 days; a bare number is minutes.
    Interval,
    /// How long something is kept: an hour to a hundred years.
    Span,
    /// How long something is waited for: a second to an hour.
    Wait,
    /// A number of bytes.
    Size,
    /// A number of bytes a second.
    Rate,
    /// A share, above 0 and up to 100 %.
    Percent,
    /// A whole number in these limits.
    Count(u64, u64),
    /// A list of texts.
    List,
    /// A list of patterns in the syntax of `.gitignore`.
    Patterns,
    /// A text that is never shown.
    Secret,
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A text or a word.
    Text(String),
    /// A length of time.
    Time(Duration),
    /// Bytes, or bytes a second.
    Bytes(u64),
    /// A share in percent.
    Percent(f64),
    /// A whole number.
    Count(u64),
    /// A list of texts with the line of each, where there is one.
    List(Vec<(String, Option<u32>)>),
    /// A text that is never shown.
    Secret(Secret),
}

/// A text that neither a message nor a log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hands it out, to be used and not to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a text is no value of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Type,
    Range,
}

const MINUTE: f64 = 60.0;
const DAY: f64 = 24.0 * 60.0 * MINUTE;

impl Kind {
    /// What it takes, in words that follow "is".
    pub fn expected(&self) -> String {
        match self {
            Kind::Bool => "either true or false".to_owned(),
            Kind::Text => "a text on one line".to_owned(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Interval => {
                "a time between 5 s and 7 days, such as 15m; a bare number is minutes".to_owned()
            }
            Kind::Span => "a time between 1h and 36500d, with its unit (h, d, w)".to_owned(),
            Kind::Wait => "a time between 1s and 1h, with its unit (s, m, h)".to_owned(),
            Kind::Size => "a size, such as 100MB or 1.5 GiB".to_owned(),
            Kind::Rate => "a size a second, such as 2MB/s".to_owned(),
            Kind::Percent => "a share above 0% and up to 100%, such as 25%".to_owned(),
            Kind::Count(least, most) => format!("a whole number from {least} to {most}"),
            Kind::List | Kind::Patterns => "a list".to_owned(),
            Kind::Secret => "a text".to_owned(),
        }
    }

    /// Reads a single text; `plain` if it stands without quotes, or has no way to be quoted.
    pub(super) fn read(&self, text: &str, plain: bool) -> Result<Value, Fault> {
        let trimmed = text.trim();
        match self {
            Kind::Bool => match text {
                "true" if plain => Ok(Value::Bool(true)),
                "false" if plain => Ok(Value::Bool(false)),
                _ => Err(Fault::Type),
            },
            Kind::Text if text.chars().any(char::is_control) || trimmed.is_empty() => Err(Fault::Range),
            Kind::Text => Ok(Value::Text(text.to_owned())),
            Kind::Word(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Kind::Word(_) => Err(Fault::Range),
            Kind::Interval => {
                let bare = if plain { Some(MINUTE) } else { None };
                parse_time(trimmed, bare, 5.0, 7.0 * DAY).map(Value::Time)
            }
            Kind::Span => parse_time(trimmed, None, 3_600.0, 36_500.0 * DAY).map(Value::Time),
            Kind::Wait => parse_time(trimmed, None, 1.0, 3_600.0).map(Value::Time),
            Kind::Size => parse_size(trimmed).map(Value::Bytes),
            Kind::Rate => parse_size(trimmed.strip_suffix("/s").unwrap_or(trimmed)).map(Value::Bytes),
            Kind::Percent => parse_percent(trimmed).map(Value::Percent),
            Kind::Count(least, most) => parse_count(trimmed, plain, *least, *most).map(Value::Count),
            Kind::Secret => Ok(Value::Secret(Secret(text.to_owned()))),
            Kind::List | Kind::Patterns => {
                let items = text.split(['\n', ',']).map(str::trim).filter(|item| !item.is_empty());
                Ok(Value::List(items.map(|item| (item.to_owned(), None)).collect()))
            }
        }
    }
}

/// Reads `15m`, `1h30m`, `1.5 h`; a number without a unit only where `bare` gives it one, in seconds.
fn parse_time(text: &str, bare: Option<f64>, least: f64, most: f64) -> Result<Duration, Fault> {
    let seconds = match (text.parse::<f64>(), bare) {
        (Ok(number), Some(unit)) => number * unit,
        (Ok(_), None) => return Err(Fault::Range),
        (Err(_), _) => sum_of_times(text)?,
    };
    if seconds >= least && seconds <= most { Ok(Duration::from_secs_f64(seconds)) } else { Err(Fault::Range) }
}

fn sum_of_times(text: &str) -> Result<f64, Fault> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let unit = match &after[..end] {
            "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => MINUTE,
            "h" | "hour" | "hours" => 60.0 * MINUTE,
            "d" | "day" | "days" => DAY,
            "w" | "week" | "weeks" => 7.0 * DAY,
            _ => return Err(Fault::Range),
        };
        seconds += number * unit;
        rest = after[end..].trim_start();
    }
    Ok(seconds)
}

/// Reads `100MB`, `1.5 GiB`, `100M`, `4096`.
fn parse_size(text: &str) -> Result<u64, Fault> {
    let (number, unit) = leading_number(text)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1_024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        "tib" => 1_099_511_627_776.0,
        _ => return Err(Fault::Range),
    };
    let bytes = (number * factor).round();
    if (1.0..=1e18).contains(&bytes) { Ok(bytes as u64) } else { Err(Fault::Range) }
}

fn parse_percent(text: &str) -> Result<f64, Fault> {
    let (number, unit) = leading_number(text)?;
    if unit == "%" && number > 0.0 && number <= 100.0 { Ok(number) } else { Err(Fault::Range) }
}

fn parse_count(text: &str, plain: bool, least: u64, most: u64) -> Result<u64, Fault> {
    if !plain {
        return Err(Fault::Type);
    }
    let looks_like_number = text.parse::<f64>().is_ok();
    let number =
        text.parse::<u64>().map_err(|_| if looks_like_number { Fault::Range } else { Fault::Type })?;
    if (least..=most).contains(&number) { Ok(number) } else { Err(Fault::Range) }
}

/// A number at the start, without sign or exponent, and what follows it without the space between.
fn leading_number(text: &str) -> Result<(f64, &str), Fault> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = text[..end].parse().map_err(|_| Fault::Range)?;
    Ok((number, text[end..].trim_start()))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Secret(_) => f.write_str("[redacted]"),
            Value::Bool(answer) => write!(f, "{answer}"),
            Value::Text(text) => f.write_str(&crate::path::escape(text.as_bytes())),
            Value::Time(time) => write_time(f, *time),
            Value::Bytes(bytes) => write_size(f, *bytes),
            Value::Percent(percent) => write!(f, "{percent}%"),
            Value::Count(count) => write!(f, "{count}"),
            Value::List(items) => {
                let quoted: Vec<String> = items.iter().map(|(item, _)| format!("{item:?}")).collect();
                write!(f, "[{}]", quoted.join(", "))
            }
        }
    }
}

fn write_time(f: &mut fmt::Formatter<'_>, time: Duration) -> fmt::Result {
    let seconds = time.as_secs();
    match [(86_400, "d"), (3_600, "h"), (60, "m")].into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit))
    {
        Some((unit, name)) if time.subsec_nanos() == 0 => write!(f, "{}{name}", seconds / unit),
        _ => write!(f, "{}s", time.as_secs_f64()),
    }
}

fn write_size(f: &mut fmt::Formatter<'_>, bytes: u64) -> fmt::Result {
    let units = [
        (1 << 40, "TiB"),
        (1_000_000_000_000, "TB"),
        (1 << 30, "GiB"),
        (1_000_000_000, "GB"),
        (1 << 20, "MiB"),
        (1_000_000, "MB"),
        (1 << 10, "KiB"),
        (1_000, "KB"),
    ];
    match units.into_iter().find(|(unit, _)| bytes.is_multiple_of(*unit) && bytes > 0) {
        Some((unit, name)) => write!(f, "{}{name}", bytes / unit),
        None => write!(f, "{bytes}"),
    }
}
