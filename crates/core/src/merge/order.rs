//! One order of three: where each name stands when both sides added, removed or moved some.
//!
//! What both still have keeps its order. What a side added stays behind the name it was added behind, or behind the one
//! before it if that is gone. Where both added behind the same name, the runs are shuffled by one rule that does not
//! care who merges with whom first: each added name hangs from the nearest greater name before it in its run, and names
//! that hang from the same one stand sorted. A run alone stays as it is; two runs keep their own order; and the rule is a
//! minimum, so three runs give the same in any order.

use std::collections::{BTreeMap, BTreeSet};

/// A name, and whether its place among the others means something.
pub(super) trait Place: Ord + Clone {
    /// Answers whether what stands before and after it changes what it says.
    fn is_fixed(&self) -> bool;
}

/// Where an added name stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spot<N> {
    /// Behind how many of the names that stay; of no meaning where it hangs from another.
    gap: usize,
    /// The nearest greater name before it in its run.
    under: Option<N>,
}

/// The names added behind one name, as one side wrote them.
struct Run<N> {
    gap: usize,
    names: Vec<N>,
}

/// Puts the names of both sides in one order. Names are distinct in each sequence; those of the base that either side
/// lacks are left out. None if no order can be sure: both sides moved names, or one did and the other added some, or the
/// order means something and both sides added at one place.
pub(super) fn merge<N: Place>(base: &[N], sides: [&[N]; 2]) -> Option<Vec<N>> {
    let old: BTreeSet<&N> = base.iter().collect();
    let held = sides.map(|side| side.iter().collect::<BTreeSet<&N>>());
    let stays = |name: &N| old.contains(name) && held.iter().all(|held| held.contains(name));
    let staying = |names: &[N]| names.iter().filter(|name| stays(name)).cloned().collect::<Vec<N>>();
    let fixed = base.iter().chain(sides[0]).chain(sides[1]).any(Place::is_fixed);

    let moved = [0, 1].map(|at| {
        let common = sides[at].iter().filter(|name| old.contains(name));
        !common.eq(base.iter().filter(|name| held[at].contains(name)))
    });
    let mover = match moved {
        [false, false] => None,
        [true, true] if staying(sides[0]) == staying(sides[1]) => None,
        [true, true] => return None,
        [first, _] => Some(usize::from(!first)),
    };
    let spine = staying(mover.map_or(if moved[0] { sides[0] } else { base }, |mover| sides[mover]));
    let gaps: BTreeMap<&N, usize> = spine.iter().zip(1..).collect();
    let mut runs = sides.map(|side| runs(side, &old, &gaps));
    if let Some(mover) = mover {
        // A place among what was moved means nothing to the other side.
        let other = sides[1 - mover];
        let adds = other.iter().any(|name| !old.contains(name));
        if adds || (fixed && other != base) {
            return None;
        }
        runs[1 - mover].clear();
    }
    if fixed && is_contested(&runs) {
        return None;
    }
    let mut spots: BTreeMap<N, Spot<N>> = BTreeMap::new();
    for run in runs.iter().flatten() {
        for (name, under) in hang(&run.names) {
            let spot = Spot { gap: run.gap, under };
            match spots.get_mut(&name) {
                None => drop(spots.insert(name, spot)),
                Some(known) if known.gap != spot.gap && fixed => return None,
                Some(known) => nearer(known, spot),
            }
        }
    }
    Some(write(&spine, &spots))
}

fn runs<N: Place>(side: &[N], old: &BTreeSet<&N>, gaps: &BTreeMap<&N, usize>) -> Vec<Run<N>> {
    let mut runs = vec![Run { gap: 0, names: Vec::new() }];
    for name in side {
        let last = runs.len() - 1;
        if old.contains(name) {
            let gap = gaps.get(name).copied().unwrap_or(runs[last].gap);
            runs.push(Run { gap, names: Vec::new() });
        } else {
            runs[last].names.push(name.clone());
        }
    }
    runs.retain(|run| !run.names.is_empty());
    runs
}

/// Answers whether at some place more than one run stands, and a name whose place means something.
fn is_contested<N: Place>(runs: &[Vec<Run<N>>; 2]) -> bool {
    let mut at: BTreeMap<usize, Vec<&[N]>> = BTreeMap::new();
    for run in runs.iter().flatten() {
        let there = at.entry(run.gap).or_default();
        if !there.contains(&&run.names[..]) {
            there.push(&run.names);
        }
    }
    at.values().any(|runs| runs.len() > 1 && runs.iter().any(|run| run.iter().any(Place::is_fixed)))
}

/// From what each name of a run hangs.
fn hang<N: Place>(names: &[N]) -> Vec<(N, Option<N>)> {
    let mut greater: Vec<&N> = Vec::new();
    names
        .iter()
        .map(|name| {
            while greater.last().is_some_and(|last| *last < name) {
                greater.pop();
            }
            let under = greater.last().map(|last| (*last).clone());
            greater.push(name);
            (name.clone(), under)
        })
        .collect()
}

/// Both added it: the nearer of the names it hangs from, the earlier place.
fn nearer<N: Place>(known: &mut Spot<N>, other: Spot<N>) {
    known.gap = known.gap.min(other.gap);
    known.under = match (known.under.take(), other.under) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
}

fn write<N: Place>(spine: &[N], spots: &BTreeMap<N, Spot<N>>) -> Vec<N> {
    let mut hanging: BTreeMap<&N, Vec<&N>> = BTreeMap::new();
    let mut first: BTreeMap<usize, Vec<&N>> = BTreeMap::new();
    for (name, spot) in spots.iter().rev() {
        match &spot.under {
            Some(under) => hanging.entry(under).or_default().push(name),
            None => first.entry(spot.gap).or_default().push(name),
        }
    }
    let mut order = Vec::with_capacity(spine.len() + spots.len());
    for gap in 0..=spine.len() {
        order.extend(gap.checked_sub(1).map(|at| spine[at].clone()));
        let mut open = first.remove(&gap).unwrap_or_default();
        while let Some(name) = open.pop() {
            order.push(name.clone());
            open.extend(hanging.remove(name).unwrap_or_default());
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Place for char {
        /// Upper case letters are.
        fn is_fixed(&self) -> bool {
            self.is_uppercase()
        }
    }

    fn merged(base: &str, local: &str, remote: &str) -> Option<String> {
        let [base, local, remote] = [base, local, remote].map(|text| text.chars().collect::<Vec<char>>());
        merge(&base, [&local, &remote]).map(String::from_iter)
    }

    #[test]
    fn names_find_their_place() {
        for (base, local, remote, expected) in [
            ("", "", "", Some("")),
            ("ab", "ab", "ab", Some("ab")),
            ("ab", "axb", "aby", Some("axby")),
            ("ab", "b", "a", Some("")),
            ("abc", "acb", "abc", Some("acb")),
            // Where one side moved names, a name that both added has no place that both know.
            ("abc", "acxb", "abx", None),
            ("abc", "acb", "abcd", None),
            ("abc", "acb", "acb", Some("acb")),
            ("abc", "acb", "bac", None),
            // The same once; the earlier place counts.
            ("ab", "xab", "abx", Some("xab")),
            // Runs at one place keep their own order.
            ("a", "azb", "am", Some("amzb")),
            ("a", "axyz", "axqz", Some("axqyz")),
            // The name it stood behind is gone.
            ("ab", "abx", "a", Some("ax")),
            ("ab", "abx", "ay", Some("axy")),
            // Where the order means something.
            ("aB", "aBx", "yaB", Some("yaBx")),
            ("aB", "aBx", "aBy", Some("aBxy")),
            ("a", "aX", "ay", None),
            ("a", "aX", "aX", Some("aX")),
            ("aB", "Ba", "aBc", None),
            ("aB", "Ba", "aB", Some("Ba")),
            ("aB", "xaB", "aBx", None),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(merged(base, local, remote), expected, "{base} {local} {remote}");
            assert_eq!(merged(base, remote, local), expected, "{base} {remote} {local}");
        }
    }

    #[test]
    fn a_long_run_is_no_deep_one() {
        let names: Vec<char> = ('\u{4e00}'..'\u{9fff}').rev().collect();
        assert_eq!(merge(&[], [&names, &['a']]).map(|order| order.len()), Some(names.len() + 1));
    }

    fn additions() -> impl Strategy<Value = String> {
        prop::sample::subsequence(('a'..='j').collect::<Vec<char>>(), 0..6)
            .prop_shuffle()
            .prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn three_runs_give_the_same_in_any_order(a in additions(), b in additions(), c in additions()) {
            let ab = merged("", &a, &b).unwrap();
            let bc = merged("", &b, &c).unwrap();
            let ac = merged("", &a, &c).unwrap();
            prop_assert_eq!(&merged("", &b, &a).unwrap(), &ab);
            let all = merged("", &ab, &c).unwrap();
            prop_assert_eq!(&merged("", &a, &bc).unwrap(), &all);
            prop_assert_eq!(&merged("", &ac, &b).unwrap(), &all);
            prop_assert_eq!(merged("", &a, &a).unwrap(), a);
        }

        #[test]
        fn strangers_keep_their_own_order(a in additions(), b in additions()) {
            let b: String = b.chars().map(|letter| (letter as u8 + 10) as char).collect();
            let both = merged("", &a, &b).unwrap();
            let only = |of: &str| both.chars().filter(|&name| of.contains(name)).collect::<String>();
            prop_assert_eq!(only(&a), a);
            prop_assert_eq!(only(&b), b);
        }
    }
}
