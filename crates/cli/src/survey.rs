//! What a folder holds, told before anything of it travels: how much by the usual rules, how much of what git ignores, and
//! what is left out.
//!
//! Names and lengths are looked at, nothing is read but ignore files. What can't be looked at is passed over: the first
//! sync says why.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use instep_core::filter::{
    Decision, Filter, FilterRules, FolderFiles, FolderRules, GitignoreMode, RulePlace, RuleText,
};
use instep_core::path::Name;

use crate::preset::Preset;

/// How many names are looked at; of a folder with more, nobody waits for the sum.
const NAMES_MAX: u64 = 200_000;

/// A number of files, and their length in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub files: u64,
    /// How long they are together.
    pub bytes: u64,
}

/// What there is.
#[derive(Debug, Default)]
pub struct Survey {
    /// What the usual rules let travel.
    pub usual: Amount,
    /// What git ignores, and would travel if only that did.
    pub ignored: Amount,
    /// What the usual rules leave out, by the pattern that does, the most first.
    pub left_out: Vec<(String, Amount)>,
    /// There is more than was looked at.
    pub is_part: bool,
}

/// Looks around in a folder. Of what git ignores, what a preset leaves out does not count.
pub fn survey(root: &Path, preset: &Preset) -> Survey {
    let place = RulePlace { file: preset.name.into(), line: None, here: false };
    let rule = |text: &str| RuleText { text: text.to_owned(), place: place.clone() };
    let only = FilterRules {
        gitignore: GitignoreMode::OnlyIgnored,
        exclude: preset.excludes.iter().copied().flatten().map(|text| rule(text)).collect(),
        ..FilterRules::default()
    };
    let only = Filter::new(&only).expect("because the patterns of presets are good ones");
    let files = IgnoreTexts::read(root);
    let rules = [Filter::default(), only].map(|filter| Some(filter.root(files.as_given())));
    let mut walk = Walk { survey: Survey::default(), left_out: BTreeMap::new(), names: 0 };
    walk.folder(root, &rules, None);
    let mut left_out: Vec<(String, Amount)> = walk.left_out.into_iter().collect();
    left_out.sort_by_key(|(_, amount)| std::cmp::Reverse(amount.bytes));
    Survey { left_out, is_part: walk.names >= NAMES_MAX, ..walk.survey }
}

struct Walk {
    survey: Survey,
    left_out: BTreeMap<String, Amount>,
    names: u64,
}

impl Walk {
    /// `rules` are those of the folder, where it is entered by them; `by` is the pattern that left it out.
    fn folder(&mut self, folder: &Path, rules: &[Option<FolderRules>; 2], by: Option<&str>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            self.names += 1;
            if self.names >= NAMES_MAX {
                return;
            }
            let (Ok(kind), Ok(name)) = (entry.file_type(), Name::new(entry.file_name().as_bytes())) else {
                continue;
            };
            let decisions =
                rules.each_ref().map(|rules| rules.as_ref().map(|rules| rules.decide(&name, kind.is_dir())));
            if matches!(decisions[0], Some(Decision::Reserved)) || name.is_reserved() {
                continue;
            }
            let left_out = match &decisions[0] {
                Some(Decision::Excluded { by, .. }) => Some(by.text()),
                Some(_) => None,
                None => by.map(str::to_owned),
            };
            if kind.is_dir() {
                let path = entry.path();
                let files = IgnoreTexts::read(&path);
                let enter = |at: usize| {
                    let entered = decisions[at].as_ref().is_some_and(Decision::is_entered);
                    rules[at].as_ref().filter(|_| entered).map(|rules| rules.enter(&name, files.as_given()))
                };
                self.folder(&path, &[enter(0), enter(1)], left_out.as_deref());
                continue;
            }
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            let add = |amount: &mut Amount| {
                amount.files += 1;
                amount.bytes += bytes;
            };
            match left_out {
                Some(pattern) => add(self.left_out.entry(pattern).or_default()),
                None => add(&mut self.survey.usual),
            }
            if matches!(decisions[1], Some(Decision::Included)) {
                add(&mut self.survey.ignored);
            }
        }
    }
}

/// The ignore files of a folder.
struct IgnoreTexts {
    instepignore: Option<Vec<u8>>,
    gitignore: Option<Vec<u8>>,
}

impl IgnoreTexts {
    fn read(folder: &Path) -> Self {
        let text = |name| fs::read(folder.join(name)).ok();
        IgnoreTexts { instepignore: text(".instepignore"), gitignore: text(".gitignore") }
    }

    fn as_given(&self) -> FolderFiles<'_> {
        FolderFiles {
            instepignore: self.instepignore.as_deref(),
            gitignore: self.gitignore.as_deref(),
            ..FolderFiles::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travels_and_what_is_left_out_is_counted_by_the_rules_of_a_sync() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, length: usize| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x".repeat(length)).unwrap();
        };
        fs::write(home.path().join(".gitignore"), ".env\nbuild/\ndata/\n").unwrap();
        for (path, length) in [
            ("src/a", 10),
            (".env", 5),
            ("build/out", 1_000),
            ("data/input", 100),
            ("node_modules/p/index", 300),
            ("node_modules/p/.env", 7),
            (".git/config", 50),
            ("here.local", 20),
        ] {
            write(path, length);
        }
        let found = survey(home.path(), crate::preset::find("secrets").unwrap());
        assert_eq!(found.usual, Amount { files: 5, bytes: 18 + 10 + 5 + 1_000 + 100 });
        assert_eq!(found.ignored, Amount { files: 2, bytes: 105 });
        let left_out: Vec<(&str, u64)> =
            found.left_out.iter().map(|(pattern, amount)| (pattern.as_str(), amount.bytes)).collect();
        assert_eq!(left_out, [("node_modules/", 307), ("*.local", 20)]);
        assert!(!found.is_part);
    }
}
