//! Which paths take part: rules as values, and the answer for each name on the way through a folder tree.
//!
//! The order, lowest first: what is built in, the `.gitignore` files if the settings ask for them, the `exclude` lists
//! (shared, then this machine's), the `.instepignore` files (outermost first). The last match wins, `!` takes back.
//! Then a disabled group leaves out, and `include` narrows; last, what the remote holds narrows all of it. Names that never travel are left out before any rule.
//!
//! An excluded folder excludes all below it, as in git: a walk does not enter it. Nothing here reads a file: whoever
//! walks hands in the ignore files of each folder.

pub mod explain;
mod folder;
mod glob;
mod group;
pub mod pattern;
pub mod rule;

use std::sync::Arc;

use crate::content::{ContentHasher, ContentId};
use crate::path::TreePath;

pub use explain::{Explanation, IgnoreFiles};
pub use folder::{FolderFiles, FolderRules};
pub use group::{Groups, Staying, UnitCounts, Units, Values};
pub use rule::{GlobError, GlobFault, RulePlace, RuleRef, RuleText};

use group::Sets;
use rule::{Kind, Rule};

/// What is left out everywhere, unless a rule takes it back.
const BUILT_IN: [&str; 6] = ["node_modules/", ".venv/", "venv/", "__pycache__/", ".DS_Store", "Thumbs.db"];

/// What is left out everywhere, unless a rule of this machine takes it back: what travels must not be able to make
/// another machine give these away.
const PROTECTED: [&str; 3] = [".ssh/", "*.local", "*.local.*"];

/// What the `.gitignore` files inside the workspace mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GitignoreMode {
    /// Nothing.
    #[default]
    Off,
    /// What git ignores takes no part.
    Respect,
    /// Only what git ignores takes part.
    OnlyIgnored,
}

impl GitignoreMode {
    /// The word in settings.
    pub const fn word(self) -> &'static str {
        match self {
            GitignoreMode::Off => "off",
            GitignoreMode::Respect => "respect",
            GitignoreMode::OnlyIgnored => "only-ignored",
        }
    }
}

/// A named set of paths, as far as it decides who takes part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupRules {
    /// Its name.
    pub name: String,
    /// Its paths.
    pub paths: Vec<RuleText>,
    /// Whether they take part. A path belongs to the last group that names it.
    pub enabled: bool,
}

/// The rules as the settings give them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilterRules {
    /// What the `.gitignore` files mean.
    pub gitignore: GitignoreMode,
    /// What takes no part, the shared list first, then this machine's.
    pub exclude: Vec<RuleText>,
    /// If not empty, only this takes part. This machine's list narrows what the shared one leaves.
    pub include: Vec<RuleText>,
    /// The groups, in order.
    pub groups: Vec<GroupRules>,
    /// If not empty, only this takes part, whatever it is: what a remote holds that does not hold everything.
    pub within: Vec<RuleText>,
}

impl FilterRules {
    /// Adds to each rule others that mean the same, right after it.
    pub fn also(&mut self, others: &dyn Fn(&str) -> Vec<String>) {
        let groups = self.groups.iter_mut().map(|group| &mut group.paths);
        for rules in [&mut self.exclude, &mut self.include, &mut self.within].into_iter().chain(groups) {
            let with = |rule: &RuleText| {
                let place = rule.place.clone();
                let others =
                    others(&rule.text).into_iter().map(move |text| RuleText { text, place: place.clone() });
                std::iter::once(rule.clone()).chain(others).collect::<Vec<_>>()
            };
            *rules = rules.iter().flat_map(with).collect();
        }
    }
}

/// Whether a path takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It does.
    Included,
    /// A folder that takes part only as the way to something inside: walk into it, and leave it out if nothing in it
    /// takes part.
    Passage,
    /// It does not; a folder is not to be entered.
    Excluded {
        /// The rule that decided.
        by: RuleRef,
        /// Without the rules of this machine alone it would take part.
        here_only: bool,
    },
    /// Its name never travels.
    Reserved,
}

impl Decision {
    /// The stricter of two.
    fn and(self, other: Decision) -> Decision {
        let rank = |decision: &Decision| match decision {
            Decision::Included => 0,
            Decision::Passage => 1,
            Decision::Excluded { here_only: true, .. } => 2,
            Decision::Excluded { here_only: false, .. } => 3,
            Decision::Reserved => 4,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }

    /// Answers whether a walk goes on into the folder.
    pub fn is_entered(&self) -> bool {
        matches!(self, Decision::Included | Decision::Passage)
    }
}

/// Rules, ready to decide. Clones share them.
#[derive(Debug, Clone)]
pub struct Filter {
    rules: Arc<Rules>,
    /// The other version, while two are in conflict: what takes part must take part by both.
    other: Option<Arc<Rules>>,
}

/// All rules but those of ignore files.
#[derive(Debug)]
struct Rules {
    gitignore: GitignoreMode,
    /// In order: the last match wins.
    built_in: Vec<Arc<Rule>>,
    protected: Vec<Arc<Rule>>,
    exclude: Vec<Arc<Rule>>,
    /// The shared list and this machine's, and what the remote holds.
    include: [Vec<Arc<Rule>>; 3],
    groups: Sets,
    /// Which groups take part.
    enabled: Vec<bool>,
    /// What stands for "git does not ignore it".
    not_ignored: Arc<Rule>,
    hash: ContentId,
}

impl Filter {
    /// Reads the rules; the first that is no pattern is the error.
    pub fn new(rules: &FilterRules) -> Result<Self, GlobError> {
        let read = |texts: &[RuleText], kind: Kind| -> Result<Vec<Arc<Rule>>, GlobError> {
            texts.iter().map(|text| Ok(Arc::new(Rule::parse(text, kind.clone())?))).collect()
        };
        let include = read(&rules.include, Kind::Include)?;
        let (here, shared) = include.into_iter().partition(|rule| rule.place.here);
        let groups = rules.groups.iter().map(|group| (group.name.as_str(), &group.paths[..]));
        let built_in = |list: &[&str]| list.iter().map(|text| Arc::new(Rule::built_in(text))).collect();
        let rules = Rules {
            gitignore: rules.gitignore,
            built_in: built_in(&BUILT_IN),
            protected: built_in(&PROTECTED),
            exclude: read(&rules.exclude, Kind::Exclude)?,
            include: [shared, here, read(&rules.within, Kind::Within)?],
            groups: Sets::read(groups)?,
            enabled: rules.groups.iter().map(|group| group.enabled).collect(),
            not_ignored: Arc::new(Rule::not_ignored()),
            hash: hash(rules),
        };
        Ok(Filter { rules: Arc::new(rules), other: None })
    }

    /// Both of two versions of the rules that are in conflict: a path takes part only if it does by either.
    pub fn and(&self, other: &Filter) -> Filter {
        let differ = self.rules.hash != other.rules.hash;
        Filter { rules: self.rules.clone(), other: differ.then(|| other.rules.clone()) }
    }

    /// The rules for what stands in the workspace itself.
    pub fn root(&self, files: FolderFiles<'_>) -> FolderRules {
        FolderRules::root(self, files)
    }

    /// Decides for a whole path, folder by folder from the root. For many paths, walk with [`Filter::root`].
    pub fn decide_path(&self, path: &TreePath, is_folder: bool, files: &IgnoreFiles) -> Decision {
        self.walk(path, is_folder, files).decision
    }

    /// Names a set of rules: equal rules, equal hash. Ignore files are no part of it: they are contents of the tree.
    pub fn rules_hash(&self) -> ContentId {
        let Some(other) = &self.other else { return self.rules.hash };
        let mut hasher = ContentHasher::new();
        hasher.update(self.rules.hash.as_bytes());
        hasher.update(other.hash.as_bytes());
        hasher.finish()
    }

    /// What the `.gitignore` files mean: unless `Off`, whoever walks must read them.
    pub fn gitignore_mode(&self) -> GitignoreMode {
        let other = self.other.as_ref().map_or(GitignoreMode::Off, |other| other.gitignore);
        if self.rules.gitignore == GitignoreMode::Off { other } else { self.rules.gitignore }
    }
}

impl Default for Filter {
    fn default() -> Self {
        Filter::new(&FilterRules::default()).expect("because the built-in patterns are valid")
    }
}

fn hash(rules: &FilterRules) -> ContentId {
    let mut hasher = ContentHasher::new();
    let mut field = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    field("filter rules 1");
    field(rules.gitignore.word());
    let mut list = |kind: &str, texts: &[RuleText]| {
        field(kind);
        field(&texts.len().to_string());
        for rule in texts {
            field(if rule.place.here { "here" } else { "shared" });
            field(&rule.text);
        }
    };
    list("exclude", &rules.exclude);
    list("include", &rules.include);
    if !rules.within.is_empty() {
        list("within", &rules.within);
    }
    for group in &rules.groups {
        list(if group.enabled { "on" } else { "off" }, &group.paths);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
