//! In which order items stand that two sides put, removed and moved.
//!
//! What both know keeps its order, and what is new stays behind what it was put behind. Where only one side put, removed
//! or moved anything, that side's order is taken as it is; where both did, new neighbours are sorted, so that three
//! machines come to the same order whoever meets whom first.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::node::{PerSide, Side};

/// Names for items: small numbers, equal for what is the same item in any version.
pub(super) type Key = u32;

/// The items of a side as if it had removed none of those that are kept: each behind what it stood behind before.
pub(super) fn put_back(base: &[Key], side: &[Key], kept: &[bool]) -> Vec<Key> {
    let mut order = side.to_vec();
    let mut is_there = vec![false; kept.len()];
    side.iter().for_each(|key| is_there[*key as usize] = true);
    for (at, key) in base.iter().enumerate() {
        if kept[*key as usize] && !is_there[*key as usize] {
            let before = base[..at].iter().rev().find(|before| order.contains(before));
            let place = before.and_then(|before| order.iter().position(|there| there == before));
            order.insert(place.map_or(0, |place| place + 1), *key);
        }
    }
    order
}

/// Orders the items that are kept.
///
/// `rank` compares two keys that both are new; it must be a total order.
pub(super) fn arrange(
    base: &[Key],
    sides: PerSide<&[Key]>,
    kept: &[bool],
    rank: &dyn Fn(Key, Key) -> Ordering,
) -> Vec<Key> {
    let is_kept = |key: &Key| kept[*key as usize];
    let all = |keys: &[Key]| keys.iter().copied().filter(is_kept).collect::<Vec<_>>();
    if sides.local == base || sides.local == sides.remote {
        return all(sides.remote);
    }
    if sides.remote == base {
        return all(sides.local);
    }
    let mut known = vec![false; kept.len()];
    base.iter().for_each(|key| known[*key as usize] = true);
    let is_old = |key: &Key| is_kept(key) && known[*key as usize];
    let old = |keys: &[Key]| keys.iter().copied().filter(is_old).collect::<Vec<_>>();
    let (before, local, remote) = (old(base), old(sides.local), old(sides.remote));
    let is_moved = local != before || remote != before;
    let order = match () {
        () if local == before => remote,
        () if remote == before || local == remote => local,
        () => local.min(remote),
    };
    // How many of the old ones stand before each new one; if both put it, the lesser number.
    let mut gaps: HashMap<Key, usize> = HashMap::new();
    for side in Side::BOTH {
        let mut gap = 0;
        for key in sides[side].iter().filter(|key| is_kept(key)) {
            if known[*key as usize] {
                gap += 1;
            } else {
                // Where somebody moved what both know, places mean nothing to the other side.
                let here = if is_moved { order.len() } else { gap };
                gaps.entry(*key).and_modify(|known| *known = here.min(*known)).or_insert(here);
            }
        }
    }
    let mut new: Vec<(usize, Key)> = gaps.into_iter().map(|(key, gap)| (gap, key)).collect();
    new.sort_by(|(gap, key), (other_gap, other)| gap.cmp(other_gap).then_with(|| rank(*key, *other)));
    let mut new = new.into_iter().peekable();
    let mut arranged = Vec::new();
    for gap in 0..=order.len() {
        while let Some((_, key)) = new.next_if(|(place, _)| *place == gap) {
            arranged.push(key);
        }
        arranged.extend(order.get(gap));
    }
    arranged
}
