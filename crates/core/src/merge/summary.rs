//! What a merge did, for people.

use std::fmt;

use crate::node::{PerSide, Side};

/// What a person would want to know of a merge that needed no decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// How many records each side brought: new ones, and ones it changed. None where nothing is a record.
    pub records: Option<PerSide<usize>>,
    /// How many of them both brought alike, and stand in the result once.
    pub duplicates: usize,
    /// What both sides changed differently, and the newer value won.
    pub clashes: Vec<Clash>,
}

/// One value that both sides changed, of which one was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The way to it: `editor.fontSize`, `[id 7].title`.
    pub key: String,
    /// What stands in the result, as written; may be a secret.
    pub kept: Vec<u8>,
    /// What does not, as written; may be a secret. Empty if it was removed.
    pub dropped: Vec<u8>,
    /// Whose value lost.
    pub loser: Side,
    /// What both had before, as written; may be a secret. Empty if they had none.
    pub base: Vec<u8>,
}

impl fmt::Display for Summary {
    /// Keys are named, values are not: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(PerSide { local, remote }) = self.records {
            parts.push(format!("{local} + {remote} record{} joined", plural(local + remote)));
        }
        if self.duplicates > 0 {
            parts.push(format!("{} duplicate{} dropped", self.duplicates, plural(self.duplicates)));
        }
        let is_outlived = |clash: &&Clash| clash.dropped.is_empty() && !clash.base.is_empty();
        let (outlived, won): (Vec<&Clash>, Vec<&Clash>) = self.clashes.iter().partition(is_outlived);
        for (words, clashes) in [("the newer value won", won), ("changed, so not removed", outlived)] {
            let keys: Vec<&str> = clashes.iter().map(|clash| &clash.key[..]).collect();
            if !keys.is_empty() {
                parts.push(format!("{words}: {}", keys.join(", ")));
            }
        }
        f.write_str(&parts.join(", "))
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_numbers_and_keys_and_no_values() {
        let clash = |key: &str| Clash {
            key: key.to_owned(),
            kept: b"secret".to_vec(),
            dropped: b"secret".to_vec(),
            loser: Side::Local,
            base: b"secret".to_vec(),
        };
        let one = Summary {
            records: Some(PerSide { local: 3, remote: 2 }),
            duplicates: 1,
            clashes: vec![clash("a.b"), clash("c")],
        };
        let words = "3 + 2 records joined, 1 duplicate dropped, the newer value won: a.b, c";
        assert_eq!(one.to_string(), words);
        let outlived = Clash { dropped: Vec::new(), ..clash("[7]") };
        let two = Summary { clashes: vec![outlived, clash("c")], ..Summary::default() };
        assert_eq!(two.to_string(), "the newer value won: c, changed, so not removed: [7]");
        assert_eq!(Summary::default().to_string(), "");
    }
}
