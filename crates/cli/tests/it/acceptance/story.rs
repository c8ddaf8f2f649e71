//! What happens on one side of a scenario: a column of text becomes acts.
//!
//! A column is a tree, or words about one: `A moved into D`, `x=1 then deleted`, `(no root)`, `8 touched`. Words that
//! nobody knows make the row unreadable; a remark in parentheses that means nothing here is listed with the result.

use instep_testkit::drawing::disk::Times;
use instep_testkit::drawing::{Body, Drawing, is_within};

/// One thing that happens on one side.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The tree becomes this, by renames and edits of a person.
    Become(Drawing),
    /// All files get another time.
    Touch,
    /// A pattern is excluded on this machine.
    Exclude(String),
    /// A pattern is excluded for all machines.
    ExcludeForAll(String),
    /// A pattern takes part again.
    Include(String),
    /// Both machines sync until nothing changes.
    Sync,
    /// The folder goes.
    DropRoot,
    /// A file stands where the folder was.
    FileForRoot,
    /// A folder of another origin stands where the folder was, and holds this.
    ReplaceRoot(Drawing),
    /// The state database is lost.
    LoseState,
    /// The repository is put back to where it was before the last change.
    Rewind,
}

/// All that happens on one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// In order.
    pub acts: Vec<Act>,
    /// When the files that it changes are modified.
    pub times: Times,
    /// A person empties the folder on purpose.
    pub deletes_all: bool,
    /// Remarks that nothing follows from.
    pub remarks: Vec<String>,
}

/// Why a column becomes no story.
#[derive(Debug, Clone, PartialEq)]
pub enum NoStory {
    /// Nobody knows what it means.
    Unreadable(String),
    /// It can't be done here.
    NotHere(String),
}

/// Remarks that say what is the case anyway.
const MEANINGLESS: [&str; 5] = ["synced", "resolved locally", "root exists", "unscanned", "uncommitted"];

/// Reads a column. `other` is the other side's text.
pub fn read(text: &str, base: &Drawing, other: &str) -> Result<Story, NoStory> {
    let mut story = Story { acts: Vec::new(), times: Times::USUAL, deletes_all: false, remarks: Vec::new() };
    let (words, remarks) = split_remarks(text);
    let mut root = None;
    for remark in remarks {
        story.take_remark(&remark, &mut root);
    }
    let mut tree = base.clone();
    match words.as_str() {
        "" => {}
        "root is a file" => root = Some(Act::FileForRoot),
        words if words.contains("older head") => story.acts.push(Act::Rewind),
        words => story.take_words(words, base, &mut tree, other)?,
    }
    match root {
        Some(Act::ReplaceRoot(_)) => story.acts = vec![Act::ReplaceRoot(tree)],
        Some(act) => story.acts = vec![act],
        None => {}
    }
    Ok(story)
}

/// The text without what stands in parentheses.
pub fn without_remarks(text: &str) -> String {
    split_remarks(text).0
}

/// Takes the parts in parentheses out.
fn split_remarks(text: &str) -> (String, Vec<String>) {
    let (mut words, mut remarks) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        words.push_str(before);
        let (remark, after) = after.split_once(')').unwrap_or((after, ""));
        remarks.push(remark.trim().to_owned());
        rest = after;
    }
    words.push_str(rest);
    (words.trim().to_owned(), remarks)
}

impl Story {
    fn take_remark(&mut self, remark: &str, root: &mut Option<Act>) {
        match remark {
            "newer" | "later" => self.times = Times::LATER,
            "older" | "earlier" | "other mtime" => self.times = Times::EARLIER,
            "mtime restored" => self.times = Times::BASE,
            "no root" => *root = Some(Act::DropRoot),
            "new root id" => *root = Some(Act::ReplaceRoot(Drawing::default())),
            remark => match remark.strip_prefix("exclude ").and_then(|rest| rest.strip_suffix(" added")) {
                Some(pattern) => self.acts.push(Act::ExcludeForAll(pattern.to_owned())),
                None if MEANINGLESS.contains(&remark) => {}
                None => self.remarks.push(remark.to_owned()),
            },
        }
    }

    fn take_words(
        &mut self,
        words: &str,
        base: &Drawing,
        tree: &mut Drawing,
        other: &str,
    ) -> Result<(), NoStory> {
        let words = words.replace(" then ", ", ");
        for (number, clause) in words.split(", ").map(str::trim).enumerate() {
            let first = number == 0;
            match clause.split(' ').collect::<Vec<_>>()[..] {
                [.., "root", "emptied"] => {
                    *tree = Drawing::default();
                    self.acts.push(Act::Become(Drawing::default()));
                }
                ["delete" | "deleted"] => self.delete_drawn(base, tree),
                ["index", "deleted"] | ["state", "wiped"] => self.acts.push(Act::LoseState),
                [path, "deleted"] => self.delete(path, tree, other)?,
                [path, "ignored"] => self.acts.push(Act::Exclude(format!("/{path}"))),
                ["un-ignored"] => self.include_again(),
                ["touched"] | [_, "touched"] => self.acts.push(Act::Touch),
                [path, "moved", "into", folder] | [path, "into", folder] => {
                    self.move_into(path, folder, tree)
                }
                [count, "files"] if count.parse::<u32>().is_ok() => {
                    *tree = files(count);
                    self.acts.push(Act::Become(tree.clone()));
                }
                [_] => self.become_drawn(clause, first, base, tree)?,
                _ => return Err(NoStory::Unreadable(format!("nobody knows what {clause:?} means"))),
            }
        }
        Ok(())
    }

    fn become_drawn(
        &mut self,
        clause: &str,
        first: bool,
        base: &Drawing,
        tree: &mut Drawing,
    ) -> Result<(), NoStory> {
        let drawing = Drawing::parse(clause, base).map_err(|error| NoStory::Unreadable(error.to_string()))?;
        if !first {
            self.acts.push(Act::Sync);
        }
        *tree = if draws_part(&drawing, base) { base.union(&drawing) } else { drawing }.settled(&[base]);
        self.acts.push(Act::Become(tree.clone()));
        Ok(())
    }

    /// What was drawn, or was excluded, just before goes.
    fn delete_drawn(&mut self, base: &Drawing, tree: &mut Drawing) {
        self.acts.push(Act::Sync);
        match self.acts.iter().rev().find(|act| !matches!(act, Act::Sync)) {
            Some(Act::Exclude(pattern)) => _ = tree.remove(pattern.trim_start_matches('/').as_bytes()),
            _ => {
                *tree = base.clone();
                self.deletes_all = base.0.is_empty();
            }
        }
        self.acts.push(Act::Become(tree.clone()));
    }

    fn delete(&mut self, path: &str, tree: &mut Drawing, other: &str) -> Result<(), NoStory> {
        if !tree.remove(path.as_bytes()) {
            let folded = other.to_lowercase().contains(&path.to_lowercase())
                || tree.0.keys().any(|at| at.eq_ignore_ascii_case(path.as_bytes()));
            let why = "needs a folder that takes upper and lower case for the same";
            return Err(match folded {
                true => NoStory::NotHere(why.to_owned()),
                false => NoStory::Unreadable(format!("{path} is deleted but was not there")),
            });
        }
        self.acts.push(Act::Become(tree.clone()));
        Ok(())
    }

    fn include_again(&mut self) {
        let excluded = self.acts.iter().rev().find_map(|act| match act {
            Act::Exclude(pattern) => Some(pattern.clone()),
            _ => None,
        });
        self.acts.push(Act::Sync);
        self.acts.extend(excluded.map(Act::Include));
    }

    fn move_into(&mut self, path: &str, folder: &str, tree: &mut Drawing) {
        let (from, name) = (path.as_bytes(), path.rsplit('/').next().unwrap_or(path));
        if !is_within(folder.as_bytes(), from) {
            tree.rename(from, format!("{folder}/{name}").as_bytes());
        }
        self.acts.push(Act::Become(tree.clone()));
    }
}

/// Where base is nothing but a row of files that does not draw their contents, a side may draw only what it changes.
fn draws_part(drawing: &Drawing, base: &Drawing) -> bool {
    let plain = |path: &[u8]| matches!(base.body(path), Some(Body::File { content, .. }) if *content == path);
    let row = base.0.len() > 1 && base.0.keys().all(|path| plain(path));
    row && drawing.0.len() < base.0.len() && drawing.0.keys().any(|path| base.0.contains_key(path))
}

/// So many files with contents of their own.
pub fn files(count: &str) -> Drawing {
    let text = format!("f1..f{count}");
    Drawing::parse(&text, &Drawing::default()).map(|drawing| drawing.settled(&[])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(text: &str) -> Drawing {
        Drawing::parse(text, &Drawing::default()).unwrap()
    }

    fn acts(text: &str, base: &str) -> Vec<Act> {
        read(text, &drawing(base), "-").unwrap().acts
    }

    fn becomes(text: &str) -> Act {
        Act::Become(drawing(text))
    }

    #[test]
    fn words_become_acts() {
        assert_eq!(acts("^", "a=1"), [becomes("a=1")]);
        assert_eq!(acts("x=1 then deleted", "-"), [becomes("x=1"), Act::Sync, becomes("-")]);
        assert_eq!(acts("A moved into D", "A/;D/"), [becomes("D/A/")]);
        assert_eq!(acts("(no root)", "a=1"), [Act::DropRoot]);
        assert_eq!(acts("- (root exists)", "a=1"), [becomes("-")]);
        assert_eq!(acts("other=9 (new root id)", "a=1"), [Act::ReplaceRoot(drawing("other=9"))]);
        assert_eq!(acts("file2=x, index deleted", "file1=1"), [becomes("file2=x"), Act::LoseState]);
        assert_eq!(
            acts("^ (exclude *.log added)", "a=1"),
            [Act::ExcludeForAll("*.log".into()), becomes("a=1")]
        );
        let ignored = Act::Exclude("/x".into());
        let again = Act::Include("/x".into());
        assert_eq!(
            acts("x ignored, deleted, un-ignored", "x=1"),
            [ignored, Act::Sync, becomes("-"), Act::Sync, again]
        );
    }

    #[test]
    fn a_remark_may_set_the_time() {
        let story = read("f1=L (newer) (a guess)", &drawing("f1=1"), "-").unwrap();
        assert_eq!((story.times, story.remarks), (Times::LATER, vec!["a guess".to_owned()]));
    }

    #[test]
    fn a_side_may_draw_only_what_it_changes_in_a_row_of_files() {
        assert_eq!(acts("file1=x", "file1=file1;file2=file2"), [becomes("file1=x;file2=file2")]);
        assert_eq!(acts("f=x", "f=1;g=1"), [becomes("f=x")]);
    }

    #[test]
    fn what_nobody_knows_is_no_story() {
        assert!(matches!(read("baz/cat without baz", &drawing("-"), "-"), Err(NoStory::Unreadable(_))));
        assert!(matches!(read("FILE deleted", &drawing("file=1"), "^"), Err(NoStory::NotHere(_))));
        assert!(matches!(read("Foo deleted", &drawing("-"), "foo=1"), Err(NoStory::NotHere(_))));
    }
}
