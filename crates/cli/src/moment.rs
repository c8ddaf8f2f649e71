//! Moments as people type them: `18:00`, `yesterday 18:00`, `2 days ago`, `2026-02-04`, `2026-02-04 18:00`.

use instep_core::clock::Timestamp;
use instep_core::path::escape;
use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Zoned};

use crate::failure::CommandError;
use crate::render::Look;

/// Understands a moment, counted from the reader's own present.
pub fn parse(look: &Look, typed: &str) -> Result<Timestamp, CommandError> {
    let unclear = || {
        CommandError::usage("This is no time that is understood.")
            .at(escape(typed.as_bytes()))
            .because("Such as `18:00`, `yesterday 18:00`, `2 days ago`, `2026-02-04` or `2026-02-04 18:00`.")
    };
    let now = jiff::Timestamp::from_nanosecond(i128::from(look.now.ns())).map_err(|_| unclear())?;
    let found = understand(&now.to_zoned((look.zone)()), typed.trim()).ok_or_else(unclear)?;
    i64::try_from(found.timestamp().as_nanosecond()).map(Timestamp::from_ns).map_err(|_| unclear())
}

fn understand(now: &Zoned, typed: &str) -> Option<Zoned> {
    if let Ok(exact) = typed.parse::<jiff::Timestamp>() {
        return Some(exact.to_zoned(now.time_zone().clone()));
    }
    if let Some(span) = typed.strip_suffix(" ago") {
        return now.checked_sub(span.trim().parse::<Span>().ok()?).ok();
    }
    let (day, time) = match typed.split_once(' ') {
        Some((day, time)) => (day, Some(time)),
        None => (typed, None),
    };
    let date = match day {
        "now" if time.is_none() => return Some(now.clone()),
        "today" => Some(now.date()),
        "yesterday" => Some(now.date().yesterday().ok()?),
        day => day.parse::<Date>().ok(),
    };
    let (date, time) = match (date, time) {
        (Some(date), Some(time)) => (date, clock(time)?),
        (Some(date), None) => (date, Time::midnight()),
        (None, None) => (now.date(), clock(day)?),
        (None, Some(_)) => {
            return typed.parse::<DateTime>().ok()?.to_zoned(now.time_zone().clone()).ok();
        }
    };
    date.to_datetime(time).to_zoned(now.time_zone().clone()).ok()
}

fn clock(text: &str) -> Option<Time> {
    text.parse::<Time>().ok().filter(|_| text.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::rfc3339;
    use crate::render::tests::plain;

    fn parsed(typed: &str) -> String {
        parse(&plain(), typed).ok().and_then(rfc3339).unwrap_or_else(|| "?".to_owned())
    }

    #[test]
    fn moments_are_understood_as_they_are_typed() {
        assert_eq!(parsed("09:30"), "2026-02-08T09:30:00Z");
        assert_eq!(parsed("yesterday 18:00"), "2026-02-07T18:00:00Z");
        assert_eq!(parsed("2 days ago"), "2026-02-06T10:03:00Z");
        assert_eq!(parsed("2026-02-04"), "2026-02-04T00:00:00Z");
        assert_eq!(parsed("2026-02-04 18:00"), "2026-02-04T18:00:00Z");
        assert_eq!(parsed("2026-02-04T18:00:00+01:00"), "2026-02-04T17:00:00Z");
        assert_eq!(["", "soon", "25:00", "1800", "7f3a"].map(parsed), ["?"; 5]);
    }
}
