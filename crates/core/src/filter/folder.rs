//! The rules as they hold in one folder: what a walk carries along.

use std::sync::Arc;

use super::pattern::Probe;
use super::rule::Rule;
use super::{Decision, Filter, GitignoreMode, RuleRef, Rules};
use crate::path::{Name, TreePath};

/// The ignore files of one folder.
#[derive(Debug, Clone, Copy, Default)]
pub struct FolderFiles<'a> {
    /// Its `.instepignore`.
    pub instepignore: Option<&'a [u8]>,
    /// The other version of it, while two are in conflict.
    pub contested: Option<&'a [u8]>,
    /// Its `.gitignore`.
    pub gitignore: Option<&'a [u8]>,
}

/// The rules as they hold in one folder. Clones are cheap, and may go to other threads.
#[derive(Debug, Clone)]
pub struct FolderRules {
    rules: Arc<Rules>,
    /// The same folder by the other version of the rules, from where two are in conflict.
    other: Option<Arc<FolderRules>>,
    path: TreePath,
    instepignore: Option<Arc<Layer>>,
    gitignore: Option<Arc<Layer>>,
    /// Git ignores this folder, and so all below.
    ignored: bool,
    /// Which `include` lists name this folder or one above it: all below takes part, as far as they go.
    included: [bool; 3],
    /// The last group that names this folder or one above it.
    group: Option<usize>,
}

/// The ignore file of one folder, and those above it.
#[derive(Debug)]
struct Layer {
    above: Option<Arc<Layer>>,
    /// How many bytes of a path lead to the folder of this file.
    skip: usize,
    rules: Vec<Arc<Rule>>,
}

/// One name in question.
pub(super) struct Question<'a> {
    name: &'a Name,
    path: Vec<u8>,
    is_folder: bool,
}

/// The lists of [`Rules::include`].
const SHARED: usize = 0;
const HERE: usize = 1;
const WITHIN: usize = 2;

/// What the rules that exclude and take back say, before groups and `include`.
enum Verdict {
    Open,
    Passage,
    Excluded(Arc<Rule>),
}

impl FolderRules {
    pub(super) fn root(filter: &Filter, files: FolderFiles<'_>) -> Self {
        let blank = |rules: &Arc<Rules>| FolderRules {
            rules: rules.clone(),
            other: None,
            path: TreePath::root(),
            instepignore: None,
            gitignore: None,
            ignored: false,
            included: [false; 3],
            group: None,
        };
        let mut root = blank(&filter.rules);
        let other = filter.other.as_ref().map(blank);
        root.take_files(files, other);
        root
    }

    /// The folder's path.
    pub fn path(&self) -> &TreePath {
        &self.path
    }

    /// Steps into a folder that is not excluded, with the ignore files that stand in it.
    pub fn enter(&self, name: &Name, files: FolderFiles<'_>) -> FolderRules {
        let mut inner = self.step(name);
        let other = self.other.as_ref().map(|other| other.step(name));
        inner.take_files(files, other);
        inner
    }

    fn step(&self, name: &Name) -> FolderRules {
        let question = self.question(name, true);
        let rules = &self.rules;
        FolderRules {
            path: self.path.join(name),
            ignored: self.ignored || self.git_ignores(&question),
            included: [SHARED, HERE, WITHIN]
                .map(|list| self.included[list] || first(&rules.include[list], question.probe(0)).is_some()),
            group: self.group_of(&question),
            other: None,
            ..self.clone()
        }
    }

    /// Decides for one name in this folder.
    pub fn decide(&self, name: &Name, is_folder: bool) -> Decision {
        if name.is_reserved() {
            return Decision::Reserved;
        }
        let question = self.question(name, is_folder);
        let decision = self.decide_alone(&question);
        match &self.other {
            // The files in conflict stay in sight, so that the conflict can end.
            Some(other) if !self.carries_rules(&question) => decision.and(other.decide_alone(&question)),
            _ => decision,
        }
    }

    fn decide_alone(&self, question: &Question<'_>) -> Decision {
        match self.judge(question, true) {
            Verdict::Open => Decision::Included,
            Verdict::Passage => Decision::Passage,
            Verdict::Excluded(rule) => {
                // A shared rule that decides holds on every machine; only if one of ours decides can it be ours alone.
                let here_only =
                    rule.place.here && !matches!(self.judge(question, false), Verdict::Excluded(_));
                Decision::Excluded { by: RuleRef(rule), here_only }
            }
        }
    }

    /// Takes the ignore files of the folder: both versions, each on its side, where two are in conflict.
    fn take_files(&mut self, files: FolderFiles<'_>, other: Option<FolderRules>) {
        let other = other.or_else(|| files.contested.map(|_| FolderRules { other: None, ..self.clone() }));
        self.other = other.map(|mut other| {
            other.read_files(files.contested.or(files.instepignore), files.gitignore);
            Arc::new(other)
        });
        self.read_files(files.instepignore, files.gitignore);
    }

    fn read_files(&mut self, instepignore: Option<&[u8]>, gitignore: Option<&[u8]>) {
        let skip = if self.path.is_root() { 0 } else { self.path.as_bytes().len() + 1 };
        let layer = |above: &Option<Arc<Layer>>, file: &str, bytes: Option<&[u8]>| {
            let rules = Rule::read_file(&self.path, file, bytes.unwrap_or_default());
            if rules.is_empty() {
                above.clone()
            } else {
                Some(Arc::new(Layer { above: above.clone(), skip, rules }))
            }
        };
        let instepignore = layer(&self.instepignore, ".instepignore", instepignore);
        let gitignore = match self.rules.gitignore {
            GitignoreMode::Off => None,
            _ => layer(&self.gitignore, ".gitignore", gitignore),
        };
        self.instepignore = instepignore;
        self.gitignore = gitignore;
    }

    pub(super) fn question<'a>(&self, name: &'a Name, is_folder: bool) -> Question<'a> {
        let folder = self.path.as_bytes();
        let mut path = Vec::with_capacity(folder.len() + 1 + name.as_bytes().len());
        if !folder.is_empty() {
            path.extend_from_slice(folder);
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        Question { name, path, is_folder }
    }

    /// The whole answer; without the rules of this machine alone if `here` is false.
    fn judge(&self, question: &Question<'_>, here: bool) -> Verdict {
        let mut verdict = self.last_match(question, here);
        if !matches!(verdict, Verdict::Excluded(_)) && !self.carries_rules(question) {
            let lists = if here { &[SHARED, HERE][..] } else { &[SHARED] };
            verdict = verdict.and(self.judge_group(question)).and(self.narrow(question, lists));
        }
        verdict.and(self.narrow(question, &[WITHIN]))
    }

    /// The rules of which the last match wins.
    fn last_match(&self, question: &Question<'_>, here: bool) -> Verdict {
        let rules = &self.rules;
        let exclude = || rules.exclude.iter().rev().filter(|rule| here || !rule.place.here);
        let found = in_layers(&self.instepignore, question)
            .or_else(|| exclude().find(|rule| rule.pattern.matches(question.probe(0))));
        match found {
            Some(rule) if !rule.pattern.is_negated() => return Verdict::Excluded(rule.clone()),
            Some(_) => return self.guard(question, here, Verdict::Open),
            None => {}
        }
        let verdict = match rules.gitignore {
            GitignoreMode::Off => Verdict::Open,
            GitignoreMode::Respect => match in_layers(&self.gitignore, question) {
                Some(rule) if !rule.pattern.is_negated() => return Verdict::Excluded(rule.clone()),
                Some(_) => return self.guard(question, here, Verdict::Open),
                None => Verdict::Open,
            },
            GitignoreMode::OnlyIgnored => self.only_ignored(question),
        };
        match first(&rules.built_in, question.probe(0)) {
            Some(rule) => Verdict::Excluded(rule.clone()),
            None => self.guard(question, here, verdict),
        }
    }

    /// What is protected stays out, unless a rule of this machine takes it back.
    fn guard(&self, question: &Question<'_>, here: bool, verdict: Verdict) -> Verdict {
        let rules = &self.rules;
        if crate::mutant::is_on("secrets-may-go") {
            return verdict;
        }
        let Some(protected) = first(&rules.protected, question.probe(0)) else { return verdict };
        let taken_back = here
            && rules.exclude.iter().any(|rule| {
                rule.place.here && rule.pattern.is_negated() && rule.pattern.matches(question.probe(0))
            });
        if taken_back { verdict } else { Verdict::Excluded(protected.clone()) }
    }

    fn only_ignored(&self, question: &Question<'_>) -> Verdict {
        if self.ignored || self.git_ignores(question) || self.carries_rules(question) {
            Verdict::Open
        } else if question.is_folder {
            Verdict::Passage
        } else {
            Verdict::Excluded(self.rules.not_ignored.clone())
        }
    }

    /// Answers whether it is one of the files that carry the rules themselves. They travel unless a rule excludes them by
    /// name; `include`, groups and the gitignore mode, which speak of data, do not touch them.
    fn carries_rules(&self, question: &Question<'_>) -> bool {
        let name = question.name.as_bytes();
        !question.is_folder && (name == b".instepignore" || (name == b"instep.yaml" && self.path.is_root()))
    }

    fn git_ignores(&self, question: &Question<'_>) -> bool {
        in_layers(&self.gitignore, question).is_some_and(|rule| !rule.pattern.is_negated())
    }

    fn group_of(&self, question: &Question<'_>) -> Option<usize> {
        self.rules.groups.of(question.probe(0), self.group)
    }

    fn judge_group(&self, question: &Question<'_>) -> Verdict {
        let Rules { groups, enabled, .. } = &*self.rules;
        let Some(at) = self.group_of(question).filter(|&at| !enabled[at]) else { return Verdict::Open };
        let mut later = (at + 1..enabled.len()).filter(|&at| enabled[at]);
        let leads = |at| groups.rules(at).iter().any(|rule| question.could_lead_to(rule));
        if question.is_folder && later.any(leads) {
            return Verdict::Passage;
        }
        let rules = groups.rules(at);
        let rule = first(rules, question.probe(0)).or(rules.first());
        rule.map_or(Verdict::Open, |rule| Verdict::Excluded(rule.clone()))
    }

    fn narrow(&self, question: &Question<'_>, lists: &[usize]) -> Verdict {
        let lists = lists.iter().map(|&at| (&self.rules.include[at], self.included[at]));
        let verdicts = lists.map(|(list, included)| match list.first() {
            None => Verdict::Open,
            Some(_) if included || first(list, question.probe(0)).is_some() => Verdict::Open,
            Some(_) if question.is_folder && list.iter().any(|rule| question.could_lead_to(rule)) => {
                Verdict::Passage
            }
            Some(rule) => Verdict::Excluded(rule.clone()),
        });
        verdicts.reduce(Verdict::and).unwrap_or(Verdict::Open)
    }

    /// All rules that match, lowest first, for `explain`.
    pub(super) fn all_matches(&self, name: &Name, is_folder: bool) -> Vec<RuleRef> {
        let mut found = self.matches_alone(name, is_folder);
        for rule in self.other.iter().flat_map(|other| other.matches_alone(name, is_folder)) {
            if !found.contains(&rule) {
                found.push(rule);
            }
        }
        found
    }

    fn matches_alone(&self, name: &Name, is_folder: bool) -> Vec<RuleRef> {
        let question = self.question(name, is_folder);
        let rules = &self.rules;
        let mut found: Vec<Arc<Rule>> = Vec::new();
        let lists = [&rules.built_in, &rules.protected];
        let matching = |rule: &&Arc<Rule>| rule.pattern.matches(question.probe(0));
        found.extend(lists.into_iter().flatten().filter(matching).cloned());
        found.extend(all_in_layers(&self.gitignore, &question));
        found.extend(rules.exclude.iter().filter(matching).cloned());
        found.extend(all_in_layers(&self.instepignore, &question));
        found.extend(rules.groups.all().filter(matching).cloned());
        found.extend(rules.include.iter().flatten().filter(matching).cloned());
        found.into_iter().map(RuleRef).collect()
    }
}

impl Verdict {
    /// The stricter of two.
    fn and(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Excluded(rule), _) | (_, Verdict::Excluded(rule)) => Verdict::Excluded(rule),
            (Verdict::Passage, _) | (_, Verdict::Passage) => Verdict::Passage,
            (Verdict::Open, Verdict::Open) => Verdict::Open,
        }
    }
}

impl Question<'_> {
    /// The path as seen from a folder that many bytes deep.
    fn probe(&self, skip: usize) -> Probe<'_> {
        let name_at = self.path.len() - self.name.as_bytes().len() - skip;
        Probe { path: &self.path[skip..], name_at, is_folder: self.is_folder }
    }

    fn could_lead_to(&self, rule: &Rule) -> bool {
        rule.pattern.could_match_below(&self.path)
    }
}

fn first<'r>(rules: &'r [Arc<Rule>], probe: Probe<'_>) -> Option<&'r Arc<Rule>> {
    rules.iter().find(|rule| rule.pattern.matches(probe))
}

fn layers(innermost: &Option<Arc<Layer>>) -> impl Iterator<Item = &Layer> {
    std::iter::successors(innermost.as_deref(), |layer| layer.above.as_deref())
}

/// The match that wins: of the innermost file that has one, the last line.
fn in_layers<'r>(innermost: &'r Option<Arc<Layer>>, question: &Question<'_>) -> Option<&'r Arc<Rule>> {
    layers(innermost).find_map(|layer| {
        let mut matching =
            layer.rules.iter().rev().filter(|rule| rule.pattern.matches(question.probe(layer.skip)));
        if crate::mutant::is_on("first-rule-wins") { matching.next_back() } else { matching.next() }
    })
}

fn all_in_layers(innermost: &Option<Arc<Layer>>, question: &Question<'_>) -> Vec<Arc<Rule>> {
    let mut found: Vec<Arc<Rule>> = layers(innermost)
        .flat_map(|layer| layer.rules.iter().rev().map(move |rule| (layer.skip, rule)))
        .filter(|(skip, rule)| rule.pattern.matches(question.probe(*skip)))
        .map(|(_, rule)| rule.clone())
        .collect();
    found.reverse();
    found
}
