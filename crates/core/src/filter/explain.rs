//! Why a path takes part or not: the decision with the rules that had a say.

use std::collections::BTreeMap;

use super::{Decision, Filter, FolderFiles, FolderRules, RuleRef};
use crate::path::TreePath;

/// The ignore files of a tree, as bytes, by folder.
#[derive(Debug, Clone, Default)]
pub struct IgnoreFiles {
    /// The `.instepignore` of each folder that has one.
    pub instepignore: BTreeMap<TreePath, Vec<u8>>,
    /// The `.gitignore` of each folder that has one; needed only if the gitignore mode is not `Off`.
    pub gitignore: BTreeMap<TreePath, Vec<u8>>,
    /// The other version of an `.instepignore`, while two are in conflict.
    pub contested: BTreeMap<TreePath, Vec<u8>>,
}

impl IgnoreFiles {
    /// The files of one folder.
    pub fn of(&self, folder: &TreePath) -> FolderFiles<'_> {
        FolderFiles {
            instepignore: self.instepignore.get(folder).map(Vec::as_slice),
            contested: self.contested.get(folder).map(Vec::as_slice),
            gitignore: self.gitignore.get(folder).map(Vec::as_slice),
        }
    }
}

/// Why a path takes part or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it takes part.
    pub decision: Decision,
    /// The path itself, or the folder above it that is excluded with all below.
    pub at: TreePath,
    /// The rules that match there, lowest first: those that were overruled too.
    pub rules: Vec<RuleRef>,
}

impl Filter {
    /// Says why a path takes part or not.
    pub fn explain(&self, path: &TreePath, is_folder: bool, files: &IgnoreFiles) -> Explanation {
        self.walk(path, is_folder, files)
    }

    pub(super) fn walk(&self, path: &TreePath, is_folder: bool, files: &IgnoreFiles) -> Explanation {
        let open = |rules: Option<&FolderRules>, folder: &TreePath| match (rules, folder.name()) {
            (Some(rules), Some(name)) => rules.enter(&name, files.of(folder)),
            _ => self.root(files.of(folder)),
        };
        let mut rules = open(None, &TreePath::root());
        let mut answer =
            Explanation { decision: Decision::Included, at: TreePath::root(), rules: Vec::new() };
        for name in path.names() {
            let at = answer.at.join(&name);
            let is_last = at == *path;
            let folder_here = is_folder || !is_last;
            let decision = rules.decide(&name, folder_here);
            answer = Explanation { decision, rules: rules.all_matches(&name, folder_here), at };
            if !answer.decision.is_entered() {
                break;
            }
            if !is_last {
                rules = open(Some(&rules), &answer.at);
            }
        }
        answer
    }
}
