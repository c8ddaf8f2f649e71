//! In which order items stand that two sides put, removed and moved.
//!
//! What both know keeps its order. What is new stays behind what it was put behind; where both sides put something at
//! one place, all of it is sorted, so that three machines come to the same order whoever meets whom first.

use crate::node::{PerSide, Side};

/// Names for items: small numbers, equal for what is the same item in any version.
pub(super) type Key = u32;

/// Orders the items that are kept.
///
/// `rank` compares two keys that both are new; it must be a total order.
pub(super) fn arrange(
    base: &[Key],
    sides: PerSide<&[Key]>,
    kept: &[bool],
    rank: &dyn Fn(Key, Key) -> std::cmp::Ordering,
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
    let new = |key: &Key| !known[*key as usize];
    let old = |keys: &[Key]| keys.iter().copied().filter(|key| is_kept(key) && !new(key)).collect::<Vec<_>>();
    let (before, local, remote) = (old(base), old(sides.local), old(sides.remote));
    if local == before && remote == before {
        return by_gaps(&before, sides, &|key| is_kept(&key), &|key| new(&key), rank);
    }
    // Somebody moved what both know: places mean nothing to the other side.
    let mut order = match () {
        () if local == before => remote,
        () if remote == before || local == remote => local,
        () => local.min(remote),
    };
    let mut added = [all(sides.local), all(sides.remote)].concat();
    added.retain(new);
    order.extend(sorted(added, rank));
    order
}

/// What is new, by how many of the old ones stand before it.
struct Gaps {
    keys: Vec<Vec<Key>>,
    /// Whether something that is removed stood in the midst of it.
    mixed: Vec<bool>,
}

fn by_gaps(
    old: &[Key],
    sides: PerSide<&[Key]>,
    is_kept: &dyn Fn(Key) -> bool,
    is_new: &dyn Fn(Key) -> bool,
    rank: &dyn Fn(Key, Key) -> std::cmp::Ordering,
) -> Vec<Key> {
    let mut gaps = Side::BOTH.map(|side| gaps_of(sides[side], old.len() + 1, is_kept, is_new));
    drop_later_twins(&mut gaps);
    let [local, remote] = gaps;
    let mut order = Vec::new();
    for gap in 0..=old.len() {
        let (here, there) = (&local.keys[gap], &remote.keys[gap]);
        let one = if here.is_empty() { there } else { here };
        let is_one =
            (here.is_empty() || there.is_empty() || here == there) && !local.mixed[gap] && !remote.mixed[gap];
        match is_one {
            true => order.extend(one),
            false => order.extend(sorted([&here[..], there].concat(), rank)),
        }
        order.extend(old.get(gap));
    }
    order
}

fn gaps_of(keys: &[Key], count: usize, is_kept: &dyn Fn(Key) -> bool, is_new: &dyn Fn(Key) -> bool) -> Gaps {
    let mut gaps = Gaps { keys: vec![Vec::new(); count], mixed: vec![false; count] };
    let (mut gap, mut passed) = (0, false);
    for &key in keys {
        if is_new(key) {
            if is_kept(key) {
                gaps.mixed[gap] |= passed && !gaps.keys[gap].is_empty();
                gaps.keys[gap].push(key);
                passed = false;
            }
        } else if is_kept(key) {
            gap += 1;
            passed = false;
        } else {
            passed = true;
        }
    }
    gaps
}

/// What both put at different places stands at the earlier one.
fn drop_later_twins(gaps: &mut [Gaps; 2]) {
    let mut first = std::collections::HashMap::new();
    for side in gaps.iter() {
        for (gap, keys) in side.keys.iter().enumerate() {
            for key in keys {
                let place = first.entry(*key).or_insert(gap);
                *place = gap.min(*place);
            }
        }
    }
    for side in gaps {
        for (gap, keys) in side.keys.iter_mut().enumerate() {
            keys.retain(|key| first[key] == gap);
        }
    }
}

fn sorted(mut keys: Vec<Key>, rank: &dyn Fn(Key, Key) -> std::cmp::Ordering) -> Vec<Key> {
    keys.sort_by(|a, b| rank(*a, *b));
    keys.dedup();
    keys
}
