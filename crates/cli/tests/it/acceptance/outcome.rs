//! What a scenario's outcome claims: text becomes [`Claim`]s that can be checked one by one.

/// A tree as an outcome names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    Local,
    Remote,
    Base,
    Union,
    Drawn(String),
}

/// One thing that must hold in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Both sides hold this.
    Both(Tree),
    /// The left side holds this.
    Left(Tree),
    /// The right side holds this.
    Right(Tree),
    /// A conflict is on record for this path.
    Conflict(String),
    /// It is the only one.
    OnlyConflict,
    /// A move met a move: one place stands, the other is on record, nothing is there twice.
    MoveRecorded,
    /// Nothing is touched.
    Noop,
    /// The cycle stops before it changes anything.
    Halt,
    /// The path is reported; the rest goes on.
    Problem,
    /// These contents can be restored.
    InHistory(Vec<String>),
    /// All contents can be restored.
    AllInHistory,
    /// What was renamed was renamed on the other side, not copied.
    Moved,
    /// Both sides hold the same, without a conflict.
    Agree,
    /// Both sides hold the same, and both versions of what was contested are in it.
    Copies,
    /// Both sides hold so many files.
    Count(usize),
    /// Both sides stay as they were, and somebody says so.
    Refused,
    /// Both sides stay as they were.
    Untouched,
    /// The other side gets all but what is excluded or has no part in a sync.
    Shared,
    /// Nothing is lost; what is shown is open.
    Kept,
    /// Each path as its side changed it; what both changed is in conflict or, with copies, there twice.
    PathByPath,
    /// A preview changes nothing; then as `PathByPath`.
    Preview,
}

/// Words that need more than whole trees before and after, and why.
const PHRASES: [(&str, Claim); 24] = [
    ("no file and no state changes", Claim::Preview),
    ("same results as RC", Claim::PathByPath),
    ("one move kept", Claim::MoveRecorded),
    ("no duplicate", Claim::MoveRecorded),
    ("edit beats delete", Claim::Both(Tree::Union)),
    ("byte-exact", Claim::Both(Tree::Union)),
    ("local wins", Claim::Both(Tree::Local)),
    ("with remove-empty-dirs", Claim::Both(Tree::Local)),
    ("left on both", Claim::Untouched),
    ("untouched", Claim::Untouched),
    ("untracked", Claim::Shared),
    ("moved with dir or left", Claim::Shared),
    ("conflict copy", Claim::Copies),
    ("copies", Claim::Copies),
    ("+ copy", Claim::Copies),
    ("as variant", Claim::Copies),
    ("no name vanishes", Claim::Copies),
    ("only file1 conflicts", Claim::Copies),
    ("neither lost", Claim::Kept),
    ("both kept", Claim::Kept),
    ("converge", Claim::Agree),
    ("equal", Claim::Agree),
    ("identical result", Claim::Agree),
    ("refused", Claim::Refused),
];

/// Reads an outcome. `tops` is how many entries stand at the top of base. Empty if nothing is understood.
pub fn read(text: &str, tops: usize) -> Vec<Claim> {
    let mut claims = Vec::new();
    let text = text.replace("newly ignored", "");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut since = 0;
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).copied().unwrap_or_default();
        let before = at.checked_sub(1).and_then(|at| words.get(at)).copied().unwrap_or_default();
        let bare = word.trim_end_matches([',', ';', ':']);
        let claim = match bare {
            "=" if next.trim_end_matches(';') == "history" => Some(Claim::AllInHistory),
            "=" if words.get(at + 2).is_some_and(|word| *word == "stays") => None,
            "=" if !next.is_empty() => Some(Claim::Both(tree(next))),
            "noop" => Some(Claim::Noop),
            "halt" if text.contains("if root guard applies") && tops < 2 => Some(Claim::Both(Tree::Remote)),
            "halt" => Some(Claim::Halt),
            "problem" | "error" => Some(Claim::Problem),
            "keeps" if before == "L" => Some(Claim::Left(tree(next))),
            "keeps" if before == "R" => Some(Claim::Right(tree(next))),
            "history" if before == "in" => Some(Claim::InHistory(contents(&words[since..at - 1]))),
            "move" if before.parse::<u32>().is_ok_and(|count| count > 0) => Some(Claim::Moved),
            "files" | "files:" => before.parse().ok().map(Claim::Count),
            "only" if before.starts_with("conf(") => Some(Claim::OnlyConflict),
            bare => named(bare),
        };
        if claim.is_some() {
            since = if bare == "=" { at + 2 } else { at + 1 };
        }
        claims.extend(claim);
    }
    add_phrases(&text, &mut claims);
    claims
}

fn named(word: &str) -> Option<Claim> {
    if word == "conf(move)" {
        return Some(Claim::MoveRecorded);
    }
    if let Some(path) = word.strip_prefix("conf(").and_then(|rest| rest.strip_suffix(')')) {
        return Some(Claim::Conflict(path.to_owned()));
    }
    if let Some(text) = word.strip_prefix("L:").filter(|text| !text.is_empty()) {
        return Some(Claim::Left(tree(text)));
    }
    word.strip_prefix("R:").filter(|text| !text.is_empty()).map(|text| Claim::Right(tree(text)))
}

/// Words that stand for a claim, unless a plainer one is there already.
fn add_phrases(text: &str, claims: &mut Vec<Claim>) {
    let solid = claims.iter().any(|claim| !matches!(claim, Claim::Count(_) | Claim::Problem | Claim::Moved));
    for (phrase, claim) in PHRASES {
        let settled = solid && !matches!(claim, Claim::Copies | Claim::MoveRecorded | Claim::Preview);
        if text.contains(phrase) && !settled && !claims.contains(&claim) {
            claims.push(claim);
            if claims.iter().any(|claim| matches!(claim, Claim::Preview | Claim::PathByPath)) {
                return;
            }
        }
    }
}

fn tree(word: &str) -> Tree {
    match word.trim_end_matches([',', ';']) {
        "local" => Tree::Local,
        "remote" => Tree::Remote,
        "base" => Tree::Base,
        "union" => Tree::Union,
        drawn => Tree::Drawn(drawn.to_owned()),
    }
}

/// `f=1`, `2 and 3`, `c/b`: contents as an outcome names them.
fn contents(words: &[&str]) -> Vec<String> {
    let trimmed = words.iter().map(|word| word.trim_end_matches([',', ';']));
    let kept: Vec<_> = trimmed.filter(|word| !word.is_empty() && *word != "and").map(str::to_owned).collect();
    // Only what stands directly before; earlier words belong to what was said before.
    kept.iter().rev().take_while(|word| word.len() < 12).cloned().collect()
}

impl Claim {
    /// The same for exchanged sides.
    pub fn swapped(&self) -> Claim {
        let tree = |tree: &Tree| match tree {
            Tree::Local => Tree::Remote,
            Tree::Remote => Tree::Local,
            other => other.clone(),
        };
        match self {
            Claim::Both(named) => Claim::Both(tree(named)),
            Claim::Left(named) => Claim::Right(tree(named)),
            Claim::Right(named) => Claim::Left(tree(named)),
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> Tree {
        Tree::Drawn(text.to_owned())
    }

    #[test]
    fn outcomes_become_claims() {
        for (text, claims) in [
            ("noop; base f=1", vec![Claim::Noop]),
            ("= local", vec![Claim::Both(Tree::Local)]),
            ("= remote; exactly 1 move, 0 bytes", vec![Claim::Both(Tree::Remote), Claim::Moved]),
            ("= f=1+x, no transfer", vec![Claim::Both(drawn("f=1+x"))]),
            ("= x=bazzz; old dir in store", vec![Claim::Both(drawn("x=bazzz"))]),
            ("L:- R:f=2, base -", vec![Claim::Left(drawn("-")), Claim::Right(drawn("f=2"))]),
            ("conf(d/f) only, d/ agreed", vec![Claim::Conflict("d/f".into()), Claim::OnlyConflict]),
            ("conf(x), x! untouched", vec![Claim::Conflict("x".into())]),
            ("R:d/, problem d/p", vec![Claim::Right(drawn("d/")), Claim::Problem]),
            ("= -; f=1 in history", vec![Claim::Both(drawn("-")), Claim::InHistory(vec!["f=1".into()])]),
            ("halt deletes", vec![Claim::Halt]),
            ("= history", vec![Claim::AllInHistory]),
            ("L keeps f=1; f reported as newly ignored", vec![Claim::Left(drawn("f=1"))]),
            ("one place, conf(move), no duplicate", vec![Claim::MoveRecorded]),
            ("one move kept, other recorded", vec![Claim::MoveRecorded]),
            ("4 files each (file1 + copy)", vec![Claim::Count(4), Claim::Copies]),
            ("= f5 stays (winner by rule) + record; no name vanishes", vec![Claim::Copies]),
            ("first contact: = union", vec![Claim::Both(Tree::Union)]),
            ("must converge", vec![Claim::Agree]),
            ("refused", vec![Claim::Refused]),
            ("conf(z), foo and bar both kept", vec![Claim::Conflict("z".into())]),
            ("name carried byte-exact", vec![Claim::Both(Tree::Union)]),
            ("no file and no state changes; later real run does all", vec![Claim::Preview]),
            ("something nobody ever said", vec![]),
        ] {
            assert_eq!(read(text, 2), claims, "{text}");
        }
    }

    #[test]
    fn the_guard_needs_two_entries_at_the_top() {
        let text = "halt if root guard applies (1 entry: guard off)";
        assert_eq!(read(text, 1), [Claim::Both(Tree::Remote)]);
        assert_eq!(read(text, 2), [Claim::Halt]);
    }
}
