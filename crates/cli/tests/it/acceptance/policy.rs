//! Policies of a scenario, and what each machine types for them.

use super::story::NoStory;

/// How conflicts are decided in a scenario, seen from the left machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Undecided conflicts are recorded.
    Safe,
    /// The left side wins.
    Local,
    /// The right side wins.
    Remote,
    /// The later modification wins.
    Newest,
    /// Both are kept, side by side.
    Both,
    /// The right side keeps the name, the left one's version stands beside it.
    Numbered,
    /// The left side only sends.
    Push,
    /// The right side is made equal to the left one.
    Mirror,
}

const ALL: [Policy; 7] =
    [Policy::Safe, Policy::Local, Policy::Remote, Policy::Newest, Policy::Both, Policy::Push, Policy::Mirror];

/// Words for policies. What other tools call otherwise is what comes closest.
const WORDS: [(&str, Policy); 14] = [
    ("safe", Policy::Safe),
    ("atomic .git", Policy::Safe),
    ("dry-run", Policy::Safe),
    ("resync path1", Policy::Safe),
    ("fastcheckUNSAFE", Policy::Safe),
    ("local", Policy::Local),
    ("remote", Policy::Remote),
    ("remote+num", Policy::Numbered),
    ("newest", Policy::Newest),
    ("newest+delete", Policy::Newest),
    ("both", Policy::Both),
    ("variants", Policy::Both),
    ("mirror-safe", Policy::Push),
    ("mirror", Policy::Mirror),
];

/// Policies that Instep does not have, and why.
const ABSENT: [(&str, &str); 4] = [
    ("merge \"", "merge programs are for `resolve --tool`; a sync never starts one"),
    ("check-access", "access markers are not a setting; the identity of the root does this"),
    ("fix-case", "needs a folder that takes upper and lower case for the same"),
    ("exclude x", "access markers are not a setting; the identity of the root does this"),
];

/// Reads the policy column.
pub fn read(text: &str) -> Result<Vec<Policy>, NoStory> {
    if text == "ALL" {
        return Ok(ALL.to_vec());
    }
    if let Some((_, why)) = ABSENT.iter().find(|(word, _)| text.contains(word)) {
        return Err(NoStory::NotHere((*why).to_owned()));
    }
    let mut policies = Vec::new();
    for word in text.split(',').map(str::trim) {
        let Some((_, policy)) = WORDS.iter().find(|(known, _)| *known == word) else {
            return Err(NoStory::Unreadable(format!("nobody knows the policy {word:?}")));
        };
        if !policies.contains(policy) {
            policies.push(*policy);
        }
    }
    Ok(policies)
}

impl Policy {
    /// Answers whether exchanging the sides exchanges the result.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Policy::Safe | Policy::Newest | Policy::Both)
    }

    /// Answers whether the version that loses stands beside the other.
    pub fn copies(self) -> bool {
        matches!(self, Policy::Both | Policy::Numbered)
    }

    /// What the left machine types.
    pub fn left(self) -> &'static [&'static str] {
        match self {
            Policy::Safe => &["sync", "--strategy", "ask-user"],
            Policy::Local => &["sync", "--strategy", "keep-local"],
            Policy::Remote => &["sync", "--strategy", "keep-remote"],
            Policy::Newest => &["sync", "--strategy", "last-write-wins"],
            Policy::Both | Policy::Numbered => &["sync", "--strategy", "both"],
            Policy::Push => &["push", "--strategy", "ask-user"],
            Policy::Mirror => &["push", "--mirror"],
        }
    }

    /// What the right machine types: the mirror image.
    pub fn right(self) -> &'static [&'static str] {
        match self {
            Policy::Local => Policy::Remote.left(),
            Policy::Remote => Policy::Local.left(),
            Policy::Push | Policy::Mirror => Policy::Safe.left(),
            symmetric => symmetric.left(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_tools_are_known() {
        assert_eq!(read("safe,mirror-safe"), Ok(vec![Policy::Safe, Policy::Push]));
        assert_eq!(read("safe, atomic .git"), Ok(vec![Policy::Safe]));
        assert_eq!(read("ALL").unwrap().len(), 7);
        assert!(matches!(read("check-access, exclude x"), Err(NoStory::NotHere(_))));
        assert!(matches!(read("whatever"), Err(NoStory::Unreadable(_))));
    }
}
