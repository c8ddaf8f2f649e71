//! Values become text and JSON. Nothing here prints, asks the time or reads a setting: a [`Look`] brings all of it.

pub mod audit;
pub mod bundle;
pub mod checks;
pub mod conflict;
pub mod difference;
pub mod explanation;
pub mod log;
pub mod outcome;
pub mod overview;
pub mod places;
pub mod plan;
pub mod settings;
pub mod status;
pub mod survey;
pub mod verify;

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use instep_core::clock::Timestamp;
use instep_core::path::TreePath;
use jiff::tz::TimeZone;

/// How text is to look, and the moment that "ago" counts from.
#[derive(Debug, Clone)]
pub struct Look {
    /// Whether colours are wanted.
    pub color: bool,
    /// Whether the reader's terminal shows more than ASCII.
    pub unicode: bool,
    /// Whether to show all of a long list.
    pub verbose: bool,
    /// The present moment.
    pub now: Timestamp,
    /// Where the reader's clock stands; asked when a time is shown, since the answer may take reading many folders.
    pub zone: fn() -> TimeZone,
}

/// What a piece of text means; the colour follows from it and never says more than the words do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Needs a person.
    Attention,
    /// Something failed.
    Problem,
    /// Goes out or comes in.
    Moving,
    /// Of less weight.
    Quiet,
    /// A title.
    Strong,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Attention => AnsiColor::Yellow.on_default(),
            Tone::Problem => AnsiColor::Red.on_default(),
            Tone::Moving => AnsiColor::Cyan.on_default(),
            Tone::Quiet => Style::new().dimmed(),
            Tone::Strong => Style::new().bold(),
        }
    }
}

/// The signs that stand before words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// Both sides agree.
    InSync,
    /// Another process is at work.
    Working,
    /// Goes to the remote.
    Up,
    /// Comes here.
    Down,
    /// Both changes became one.
    Merged,
    /// A conflict, or something else that needs a person.
    NeedsYou,
    /// Something failed.
    Problem,
    /// Takes no part, or waits.
    NotSynced,
    /// Switched off.
    Paused,
}

impl Icon {
    fn forms(self) -> (&'static str, &'static str) {
        match self {
            Icon::InSync => ("✓", "ok"),
            Icon::Working => ("⟳", "~"),
            Icon::Up => ("↑", "->"),
            Icon::Down => ("↓", "<-"),
            Icon::Merged => ("⇄", "<>"),
            Icon::NeedsYou => ("⚠", "!"),
            Icon::Problem => ("✗", "x"),
            Icon::NotSynced => ("○", "o"),
            Icon::Paused => ("⏸", "||"),
        }
    }

    fn tone(self) -> Tone {
        match self {
            Icon::InSync => Tone::Good,
            Icon::Working | Icon::Up | Icon::Down | Icon::Merged => Tone::Moving,
            Icon::NeedsYou => Tone::Attention,
            Icon::Problem => Tone::Problem,
            Icon::NotSynced | Icon::Paused => Tone::Quiet,
        }
    }
}

impl Look {
    /// Colours a text by what it means.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        self.styled(tone.style(), text)
    }

    /// Colours a text, and makes it stand out among others of its tone.
    pub fn mark(&self, tone: Tone, text: &str) -> String {
        self.styled(tone.style().bold().underline(), text)
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The form of a sign that this reader's terminal can show.
    pub fn icon(&self, icon: Icon) -> String {
        let (unicode, ascii) = icon.forms();
        self.paint(icon.tone(), if self.unicode { unicode } else { ascii })
    }

    /// The dot between facts on one line.
    pub fn dot(&self) -> &'static str {
        if self.unicode { "·" } else { "-" }
    }

    /// The sign for "and so on".
    pub fn dots(&self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// The sign between an old and a new place.
    pub fn arrow(&self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }

    /// How long ago something was, in words.
    pub fn ago(&self, then: Timestamp) -> String {
        let seconds = self.now.seconds().saturating_sub(then.seconds());
        match seconds {
            i64::MIN..=4 => "just now".to_owned(),
            5..=59 => format!("{seconds} s ago"),
            60..=3_599 => format!("{} min ago", seconds / 60),
            3_600..=86_399 => format!("{} h ago", seconds / 3_600),
            86_400..=172_799 => "yesterday".to_owned(),
            172_800..=1_209_599 => format!("{} days ago", seconds / 86_400),
            _ => self.moment(then),
        }
    }

    /// A moment as short as it stays clear: `10:02` today, `4 Feb 18:40` this year, `4 Feb 2024` before.
    pub fn moment(&self, then: Timestamp) -> String {
        let (Some(then), Some(now)) = (self.local(then), self.local(self.now)) else {
            return "unknown".to_owned();
        };
        let form = match (then.date() == now.date(), then.year() == now.year()) {
            (true, _) => "%H:%M",
            (false, true) => "%-d %b %H:%M",
            (false, false) => "%-d %b %Y",
        };
        then.strftime(form).to_string()
    }

    fn local(&self, moment: Timestamp) -> Option<jiff::Zoned> {
        let moment = jiff::Timestamp::from_nanosecond(i128::from(moment.ns())).ok()?;
        Some(moment.to_zoned((self.zone)()))
    }
}

/// A moment for programs: RFC 3339 in UTC, to the second.
pub fn rfc3339(moment: Timestamp) -> Option<String> {
    jiff::Timestamp::from_second(moment.seconds()).ok().map(|moment| moment.to_string())
}

/// A number with its thousands apart: `1,412`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something: `1 file`, `2 files`.
pub fn count(how_many: u64, of: &str) -> String {
    let plural = if how_many == 1 { "" } else { "s" };
    format!("{} {of}{plural}", number(how_many))
}

/// A length in bytes for people: `840 B`, `1.1 KB`, `212 MB`.
pub fn bytes(length: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if length < 1_000 {
        return format!("{length} B");
    }
    let mut value = length as f64 / 1_000.0;
    let mut unit = 0;
    // 999.95 would show as 1000.0.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    let digits = usize::from(value < 99.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A span of time for people: `0.4 s`, `2 min 5 s`, `1 h 4 min`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..=59_949 => format!("{:.1} s", ms as f64 / 1_000.0),
        59_950..=3_599_999 => format!("{} min {} s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

/// A path's two fields for programs: readable always, exact where the bytes are not UTF-8.
pub fn path_fields(path: &TreePath, fields: &mut serde_json::Map<String, serde_json::Value>) {
    match std::str::from_utf8(path.as_bytes()) {
        Ok(text) => {
            fields.insert("path".into(), text.into());
        }
        Err(_) => {
            fields.insert("path".into(), path.to_string().into());
            fields.insert("path_base64".into(), base64(path.as_bytes()).into());
        }
    }
}

/// An object with the fields of another added.
pub fn joined(whole: &serde_json::Value, part: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    let mut object = whole.clone();
    if let (Value::Object(object), Value::Object(part)) = (&mut object, part) {
        object.extend(part);
    }
    object
}

/// An object for programs that begins with a path.
pub fn path_object(path: &TreePath, rest: serde_json::Value) -> serde_json::Value {
    let mut fields = serde_json::Map::new();
    path_fields(path, &mut fields);
    if let serde_json::Value::Object(rest) = rest {
        fields.extend(rest);
    }
    fields.into()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word =
            three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { digit as char } else { '=' });
        }
    }
    text
}

/// Lines with columns that stand one below the other; the last column is not padded.
#[derive(Debug, Default)]
pub struct Columns {
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

#[derive(Debug)]
struct Cell {
    text: String,
    width: usize,
}

impl Columns {
    /// Starts with no lines, each to be indented.
    pub fn indented(indent: usize) -> Self {
        Columns { rows: Vec::new(), indent }
    }

    /// Adds a line of plain cells.
    pub fn row(&mut self, look: &Look, cells: &[(Option<Tone>, &str)]) {
        let cell = |(tone, text): &(Option<Tone>, &str)| Cell {
            width: text.chars().count(),
            text: tone.map_or_else(|| (*text).to_owned(), |tone| look.paint(tone, text)),
        };
        self.rows.push(cells.iter().map(cell).collect());
    }

    /// The text. A cell that is much wider than the others does not push them all away.
    pub fn finish(&self) -> String {
        const WIDTH_MAX: usize = 48;
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let widths = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width);
            widths.filter(|width| *width <= WIDTH_MAX).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(self.indent);
            for (cell, width) in row.iter().zip(&widths) {
                let space = width.saturating_sub(cell.width) + 2;
                let _ = write!(line, "{}{:space$}", cell.text, "");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// `3 workspaces, 12 scenarios`: what people count in; `None` where there is nothing of it.
pub fn units(counts: &[(String, u64)]) -> Option<String> {
    let word = |(name, how_many): &(String, u64)| {
        let name = if *how_many == 1 { name.strip_suffix('s').unwrap_or(name) } else { name };
        format!("{} {name}", number(*how_many))
    };
    (!counts.is_empty()).then(|| counts.iter().map(word).collect::<Vec<_>>().join(", "))
}

/// The same for programs.
pub fn units_json(counts: &[(String, u64)]) -> serde_json::Value {
    counts.iter().map(|(name, how_many)| (name.clone(), serde_json::Value::from(*how_many))).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// How tests see: no colours, 10:03 on 8 February 2026 in UTC.
    pub fn plain() -> Look {
        Look {
            color: false,
            unicode: true,
            verbose: false,
            now: Timestamp::from_seconds(1_770_544_980),
            zone: || TimeZone::UTC,
        }
    }

    /// A moment some seconds before the tests' present.
    pub fn before(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_770_544_980 - seconds)
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(
            [number(7), number(999), number(1412), number(1_000_000)],
            ["7", "999", "1,412", "1,000,000"]
        );
        assert_eq!(
            [bytes(0), bytes(999), bytes(1_100), bytes(99_940), bytes(212_000_000), bytes(999_600)],
            ["0 B", "999 B", "1.1 KB", "99.9 KB", "212 MB", "1.0 MB"]
        );
        assert_eq!(
            [duration(400), duration(125_000), duration(3_840_000)],
            ["0.4 s", "2 min 5 s", "1 h 4 min"]
        );
        assert_eq!([count(1, "file"), count(0, "file")], ["1 file", "0 files"]);
    }

    #[test]
    fn moments_are_as_short_as_they_stay_clear() {
        let look = plain();
        assert_eq!(look.moment(before(60)), "10:02");
        assert_eq!(look.moment(before(86_400 * 4)), "4 Feb 10:03");
        assert_eq!(look.moment(before(86_400 * 400)), "4 Jan 2025");
        assert_eq!([look.ago(before(0)), look.ago(before(180))], ["just now", "3 min ago"]);
        assert_eq!(look.ago(before(-50)), "just now");
    }

    #[test]
    fn a_path_that_is_not_text_travels_as_base64() {
        let path = TreePath::new(b"a\xff").unwrap();
        let object = path_object(&path, serde_json::json!({"size": 1}));
        assert_eq!(object.to_string(), r#"{"path":"a\\xff","path_base64":"Yf8=","size":1}"#);
        assert_eq!([base64(b"abc"), base64(b"a"), base64(b"")], ["YWJj", "YQ==", ""]);
    }

    #[test]
    fn columns_stand_below_each_other() {
        let look = plain();
        let mut columns = Columns::indented(2);
        columns.row(&look, &[(None, "a"), (None, "one")]);
        columns.row(&look, &[(None, "long"), (Some(Tone::Quiet), "two")]);
        assert_eq!(columns.finish(), "  a     one\n  long  two\n");
    }
}
