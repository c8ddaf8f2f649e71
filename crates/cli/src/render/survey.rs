//! What a folder holds, in words: before anybody has decided what of it should travel.

use instep_core::path::escape;

use super::{bytes, count};
use crate::survey::{Amount, Survey};

/// How many patterns are named of those that leave something out.
const NAMED_MAX: usize = 4;

/// `214 files, 1.9 MB`.
pub fn amount(amount: Amount) -> String {
    format!("{}, {}", count(amount.files, "file"), bytes(amount.bytes))
}

/// What travels by the usual rules, and what they leave out.
pub fn usual(found: &Survey) -> String {
    let more = if found.is_part { "more than " } else { "" };
    let mut text = format!("{more}{}", amount(found.usual));
    let named: Vec<String> = found
        .left_out
        .iter()
        .take(NAMED_MAX)
        .map(|(pattern, amount)| format!("{} {}", escape(pattern.as_bytes()), bytes(amount.bytes)))
        .collect();
    if !named.is_empty() {
        let others = if found.left_out.len() > NAMED_MAX { ", and others" } else { "" };
        text.push_str(&format!("; left out: {}{others}", named.join(", ")));
    }
    text
}
