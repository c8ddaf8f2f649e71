//! When a record says it is from: dates as people and programs write them into their data.

/// A moment in nanoseconds since 1970; without a zone it counts as UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i128);

const SECOND_NS: i128 = 1_000_000_000;

impl Moment {
    /// From a number since 1970, in seconds, or in parts of them if it is as large as that.
    pub fn of_number(number: &str) -> Option<Self> {
        let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite())?;
        let unit = match number.abs() {
            size if size < 1e11 => 1e9,
            size if size < 1e14 => 1e6,
            size if size < 1e17 => 1e3,
            _ => 1.0,
        };
        Some(Moment((number * unit) as i128))
    }

    /// From `2026-02-08T10:02:03.5+01:00`; from the day alone, too.
    pub fn of_text(text: &[u8]) -> Option<Self> {
        Self::at_start(text).filter(|(_, length)| *length == text.len()).map(|(moment, _)| moment)
    }

    /// From a text that starts with a moment, and how long that is.
    pub fn at_start(text: &[u8]) -> Option<(Self, usize)> {
        let mut at = Cursor { text, at: 0 };
        let (year, month, day) = (at.number(4)?, at.after(b"-")?.number(2)?, at.after(b"-")?.number(2)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let mut ns = days_since_1970(year, month, day) * 86_400 * SECOND_NS;
        if at.after(b"Tt ").is_some() {
            let (hour, minute) = (at.number(2)?, at.after(b":")?.number(2)?);
            let second = if at.after(b":").is_some() { at.number(2)? } else { 0 };
            if hour > 24 || minute > 59 || second > 60 {
                return None;
            }
            ns += (hour * 3_600 + minute * 60 + second) * SECOND_NS + at.fraction();
            ns -= at.zone()? * 60 * SECOND_NS;
        }
        Some((Moment(ns), at.at))
    }
}

fn days_since_1970(year: i128, month: i128, day: i128) -> i128 {
    // Years begin in March, so that the day a leap year has more is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
}

impl Cursor<'_> {
    fn after(&mut self, one_of: &[u8]) -> Option<&mut Self> {
        let is_there = self.text.get(self.at).is_some_and(|byte| one_of.contains(byte));
        self.at += usize::from(is_there);
        is_there.then_some(self)
    }

    fn number(&mut self, digits: usize) -> Option<i128> {
        let text = self.text.get(self.at..self.at + digits)?;
        self.at += digits;
        text.iter()
            .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i128::from(byte - b'0')))
    }

    /// Parts of a second, in nanoseconds; what is finer is dropped.
    fn fraction(&mut self) -> i128 {
        let (mut ns, mut unit) = (0, SECOND_NS / 10);
        if self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) && self.after(b".,").is_some() {
            while let Some(digit) = self.number(1) {
                ns += digit * unit;
                unit /= 10;
            }
            self.at = self.at.min(self.text.len());
            while self.at > 0 && !self.text[self.at - 1].is_ascii_digit() {
                self.at -= 1;
            }
        }
        ns
    }

    /// How many minutes the zone is ahead of UTC; 0 if none is named.
    fn zone(&mut self) -> Option<i128> {
        if self.after(b"Zz").is_some() {
            return Some(0);
        }
        let sign = match self.text.get(self.at) {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Some(0),
        };
        self.at += 1;
        let hours = self.number(2)?;
        self.after(b":");
        Some(sign * (hours * 60 + self.number(2)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        for (text, seconds) in [
            ("1970-01-01", Some(0)),
            ("1970-01-01T00:00:01Z", Some(1)),
            ("2000-02-29 12:00", Some(951_825_600)),
            ("2026-02-08T10:02:03+01:00", Some(1_770_541_323)),
            ("2026-02-08T09:02:03.999Z", Some(1_770_541_323)),
            ("2026-02-08T04:02:03-0500", Some(1_770_541_323)),
            ("1969-12-31T23:59:59Z", Some(-1)),
            ("2026-13-01", None),
            ("2026-02-08T10", None),
            ("2026-02-08T10:02:03Zx", None),
            ("soon", None),
            ("", None),
        ] {
            let moment = Moment::of_text(text.as_bytes()).map(|moment| moment.0.div_euclid(SECOND_NS));
            assert_eq!(moment, seconds, "{text}");
        }
        for number in
            ["1770541323", "1770541323000", "1770541323000000", "1.770541323e9", "1770541323000000000"]
        {
            assert_eq!(Moment::of_number(number), Some(Moment(1_770_541_323 * SECOND_NS)), "{number}");
        }
        assert_eq!(Moment::of_number("1e400"), None);
        assert_eq!(Moment::at_start(b"2026-02-08T09:02:03.25 x").unwrap().1, 22);
        assert!(Moment::of_text(b"2026-02-08T09:02:03.2Z") < Moment::of_text(b"2026-02-08T09:02:03.25Z"));
    }
}
