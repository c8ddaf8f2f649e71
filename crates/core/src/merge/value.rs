//! What a settings file says, apart from how it is written; and whether a merge says what it should.
//!
//! The merges of texts are judged by this, and share nothing with it but the rules: a result that says something else
//! than the values merged by themselves is not taken.

use std::collections::{BTreeMap, BTreeSet};

use super::{Judge, text};
use crate::node::{PerSide, Side};

/// A value as a program would read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// A word or sentence.
    Text(String),
    /// Anything else that has no parts: a number, a date, nothing.
    Other(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// They are texts, each there once.
    Itself,
    /// They are records; this field is each one's own.
    Field(&'static str),
}

/// Fields that tell records apart, and whether the order of such records means something.
const FIELDS: [(&str, bool); 2] = [("id", false), ("name", true)];

impl Identity {
    /// What all these lists have in common, if anything: the three versions of one list.
    pub(super) fn of(lists: &[&[Value]]) -> Option<Identity> {
        let distinct = |identity: Identity| {
            lists.iter().all(|list| {
                let mut seen = BTreeSet::new();
                list.iter().all(|item| identity.name(item).is_some_and(|name| seen.insert(name)))
            })
        };
        let fields = FIELDS.iter().map(|(field, _)| Identity::Field(field));
        std::iter::once(Identity::Itself).chain(fields).find(|&identity| distinct(identity))
    }

    /// What tells an item from the others.
    pub(super) fn name(self, item: &Value) -> Option<&str> {
        match (self, item) {
            // Arguments come in an order, often in pairs.
            (Identity::Itself, Value::Text(text)) => Some(&text[..]).filter(|text| !text.starts_with('-')),
            (Identity::Field(field), Value::Map(entries)) => match entries.get(field) {
                Some(Value::Text(text) | Value::Other(text)) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Answers whether the order of such items may mean something.
    pub(super) fn is_ordered(self) -> bool {
        matches!(self, Identity::Field(field) if FIELDS.contains(&(field, true)))
    }
}

/// Answers whether `it` is what three values make together. Where both sides changed one value differently it must be
/// one that the judge allows.
pub(super) fn agrees(
    it: Option<&Value>,
    base: Option<&Value>,
    sides: PerSide<Option<&Value>>,
    judge: Judge<'_>,
) -> bool {
    let PerSide { local, remote } = sides;
    if local == remote || base == remote {
        return it == local;
    }
    if base == local {
        return it == remote;
    }
    let (Some(local), Some(remote), Some(it)) = (local, remote, it) else {
        // One removed what the other changed.
        return matches!(judge, Judge::Person(_)) && (it == local || it == remote);
    };
    match (base, local, remote, it) {
        (None | Some(Value::Map(_)), Value::Map(local), Value::Map(remote), Value::Map(it)) => {
            let base = match base {
                Some(Value::Map(base)) => base,
                _ => &BTreeMap::new(),
            };
            return maps_agree(it, base, PerSide { local, remote }, judge);
        }
        (Some(Value::List(base)), Value::List(local), Value::List(remote), Value::List(it))
            if lists_agree(it, base, PerSide { local, remote }, judge) =>
        {
            return true;
        }
        _ => {}
    }
    judge.allows(it, PerSide { local, remote })
}

fn maps_agree(
    it: &BTreeMap<String, Value>,
    base: &BTreeMap<String, Value>,
    sides: PerSide<&BTreeMap<String, Value>>,
    judge: Judge<'_>,
) -> bool {
    let names: BTreeSet<&String> =
        [it, base, sides.local, sides.remote].into_iter().flat_map(BTreeMap::keys).collect();
    names.into_iter().all(|name| {
        agrees(it.get(name), base.get(name), PerSide::from_fn(|side| sides[side].get(name)), judge)
    })
}

fn lists_agree(it: &[Value], base: &[Value], sides: PerSide<&Vec<Value>>, judge: Judge<'_>) -> bool {
    let Some(identity) = Identity::of(&[base, sides.local, sides.remote]) else {
        return weave(base, sides.local, sides.remote).is_some_and(|woven| woven == it);
    };
    let named = |list: &[Value]| -> BTreeMap<String, Value> {
        list.iter().filter_map(|item| Some((identity.name(item)?.to_owned(), item.clone()))).collect()
    };
    let [of_it, of_base, local, remote] = [it, base, sides.local, sides.remote].map(named);
    let of_sides = PerSide { local: &local, remote: &remote };
    // Who did not move what was there before has a say in the order of all that is there now.
    let order = |list: &[Value], with: &[Value]| -> Vec<String> {
        let with = named(with);
        let names = list.iter().filter_map(|item| identity.name(item));
        names.filter(|name| with.contains_key(*name)).map(str::to_owned).collect()
    };
    let moved = |side: Side| order(sides[side], base) != order(base, sides[side]);
    of_it.len() == it.len()
        && maps_agree(&of_it, &of_base, of_sides, judge)
        && Side::BOTH
            .iter()
            .all(|&side| moved(side.other()) || order(it, sides[side]) == order(sides[side], it))
}

/// Merges three sequences as texts are merged line by line; none if changes meet.
pub(super) fn weave<T: Ord + Clone>(base: &[T], local: &[T], remote: &[T]) -> Option<Vec<T>> {
    let kinds: BTreeSet<&T> = [base, local, remote].into_iter().flatten().collect();
    let kinds: Vec<&T> = kinds.into_iter().collect();
    let lines = |items: &[T]| -> Option<String> {
        items.iter().map(|item| Some(format!("{}\n", kinds.binary_search(&item).ok()?))).collect()
    };
    let [base, local, remote] = [lines(base)?, lines(local)?, lines(remote)?];
    let woven = text::merge(base.as_bytes(), local.as_bytes(), remote.as_bytes()).ok()?;
    let woven = String::from_utf8(woven).ok()?;
    woven.lines().map(|line| kinds.get(line.parse::<usize>().ok()?).copied().cloned()).collect()
}
