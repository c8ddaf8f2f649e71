//! Which kept contents may go: by the time at which this machine put them away, never by what another clock said.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::content::ContentId;
use crate::mutant;
use crate::node::NodeId;

/// Nothing younger goes, whatever the settings: a program that still has the file open may write to it.
pub const LEAST_AGE: Duration = Duration::from_secs(24 * 3_600);

/// How long history is kept. What any line keeps, stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// So many versions of each file, the newest ones.
    pub keep_last: u64,
    /// All versions that were displaced within this time.
    pub keep_within: Duration,
    /// The last content of what was deleted, for this time.
    pub deleted: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |count: u64| Duration::from_secs(count * 24 * 3_600);
        Retention { keep_last: 20, keep_within: days(90), deleted: days(30) }
    }
}

/// One content that history keeps, and why it was put there. A content that was displaced several times has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kept {
    /// The content.
    pub content: ContentId,
    /// The file whose version it was.
    pub node: NodeId,
    /// When this machine put it away.
    pub displaced: Timestamp,
    /// It was the last content: the file was deleted, not replaced.
    pub last: bool,
    /// It must stay: an open conflict, a held path or an unsent version needs it.
    pub pinned: bool,
}

/// Names the contents that may go, in order. A content stays as long as any reason for it does.
pub fn expired(kept: &[Kept], retention: &Retention, now: Timestamp) -> Vec<ContentId> {
    let mut newest_first: Vec<&Kept> = kept.iter().collect();
    newest_first.sort_by(|a, b| b.displaced.cmp(&a.displaced).then(b.cmp(a)));
    let mut newer: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut stays: BTreeMap<ContentId, bool> = BTreeMap::new();
    for one in newest_first {
        let rank = newer.entry(one.node).or_default();
        let stay = keeps(one, *rank, retention, now);
        *rank += 1;
        *stays.entry(one.content).or_default() |= stay;
    }
    stays.into_iter().filter(|(_, stay)| !stay).map(|(content, _)| content).collect()
}

/// Answers whether one reason still holds; `newer` versions of the same file were put away after it.
fn keeps(one: &Kept, newer: u64, retention: &Retention, now: Timestamp) -> bool {
    let within = |time: Duration| is_younger(one.displaced, now, time);
    (one.pinned && !mutant::is_on("retention-drops-pinned"))
        || within(LEAST_AGE)
        || if one.last {
            within(retention.deleted)
        } else {
            newer < retention.keep_last || within(retention.keep_within)
        }
}

/// What lies in the future is young: a clock that was set back must not let history go.
fn is_younger(then: Timestamp, now: Timestamp, time: Duration) -> bool {
    let age = i128::from(now.ns()) - i128::from(then.ns());
    let age = if mutant::is_on("future-is-old") { age.abs() } else { age };
    age < i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;
    const DAY: i64 = 24 * HOUR;

    /// One kept version from `content node age-in-days [last] [pinned]`.
    fn kept(line: &str) -> Kept {
        let words: Vec<&str> = line.split_whitespace().collect();
        let age: f64 = words[2].parse().unwrap();
        Kept {
            content: ContentId::of(words[0].as_bytes()),
            node: NodeId(words[1].parse().unwrap()),
            displaced: Timestamp::from_seconds(1_000 * DAY - (age * DAY as f64) as i64),
            last: words.contains(&"last"),
            pinned: words.contains(&"pinned"),
        }
    }

    fn check(retention: Retention, lines: &str, expected: &str) {
        let list: Vec<Kept> = lines.lines().map(kept).collect();
        let mut expected: Vec<ContentId> =
            expected.split_whitespace().map(|name| ContentId::of(name.as_bytes())).collect();
        expected.sort();
        assert_eq!(expired(&list, &retention, Timestamp::from_seconds(1_000 * DAY)), expected, "{lines}");
    }

    fn days(count: f64) -> Duration {
        Duration::from_secs_f64(count * DAY as f64)
    }

    #[test]
    fn what_any_line_keeps_stays() {
        let strict = Retention { keep_last: 1, keep_within: days(2.0), deleted: days(3.0) };
        check(strict, "a 1 1\nb 1 5\nc 1 9", "b c");
        check(strict, "a 1 5\nb 1 6", "b");
        check(strict, "a 1 5\nb 2 6", "");
        check(strict, "a 1 2.5 last\nb 2 4 last", "b");
        check(strict, "a 1 1\nb 1 9 pinned", "");
        check(Retention::default(), "a 1 80\nb 2 31 last\nc 3 200", "b");
    }

    #[test]
    fn nothing_young_goes() {
        let none = Retention { keep_last: 0, keep_within: days(0.0), deleted: days(0.0) };
        check(none, "a 1 0.9\nb 2 0.9 last\nc 3 1.1\nd 4 1.1 last\nfuture 5 -400", "c d");
    }

    #[test]
    fn a_content_with_one_good_reason_stays() {
        let none = Retention { keep_last: 0, keep_within: days(2.0), deleted: days(0.0) };
        check(none, "a 1 50\na 2 1.5\nb 1 50", "b");
    }

    #[test]
    fn order_does_not_matter() {
        let strict = Retention { keep_last: 1, keep_within: days(2.0), deleted: days(3.0) };
        check(strict, "c 1 9\na 1 1\nb 1 5", "b c");
    }
}
