//! One folder: list it, decide who takes part, and look at each that does.

use std::io::Read;

use instep_core::content::ContentId;
use instep_core::filter::{Decision, FolderFiles, FolderRules, GitignoreMode};
use instep_core::path::{DEPTH_MAX, Name, PATH_BYTES_MAX, TreePath};
use instep_core::policy::Links;
use instep_core::tree::{Entry, Leaf, LeafKind, NewEntry, Unknown};

use super::ScanCounts;
use super::walk::{Trouble, UnreadFile, Walk, unknown};
use crate::cycle::rules::Arriving;
use crate::folder::disk::STATE;
use crate::folder::{DiskKind, Folder, FolderError, Metadata};

/// How often a folder is listed that keeps changing.
const TRIES: usize = 3;
/// How long an ignore file may be.
const IGNORE_BYTES_MAX: u64 = 1 << 20;

/// What was seen in a folder, with what is left to do.
pub struct Looked {
    /// In order of name.
    pub entries: Vec<NewEntry>,
    /// The folders among them that are to be entered.
    pub folders: Vec<LookedFolder>,
    /// The files among them that are to be read.
    pub unread: Vec<UnreadFile>,
    /// The rules that hold inside.
    pub rules: FolderRules,
    /// How much was settled at once.
    pub counts: ScanCounts,
    /// Its `.instepignore` and its `.gitignore`, where it has one that counts.
    pub ignore: (Option<Vec<u8>>, Option<Vec<u8>>),
}

/// A folder to be entered.
pub struct LookedFolder {
    /// Where it stands among the entries.
    pub at: u32,
    /// It takes part only if something in it does.
    pub passage: bool,
    /// What the file system said of it.
    pub seen: Metadata,
}

/// A name, and its kind if the listing told.
type Listed = (Name, Option<DiskKind>);

/// Looks into an open folder that was `seen` from above; `above` are the rules there and its name, unless it is the
/// workspace.
pub fn look<F: Folder>(
    walk: &Walk<'_, F>,
    dir: &F::Dir,
    seen: &Metadata,
    above: Option<(&FolderRules, &Name)>,
) -> Result<Looked, Trouble> {
    let names = list(walk.folder, dir, seen)?;
    if above.is_some() && is_workspace(walk.folder, dir, &names)? {
        return Err(Trouble::Unknown(Unknown::Foreign("another workspace".to_owned())));
    }
    let filter = walk.options.filter;
    let instepignore = ignore_file(walk, dir, &names, b".instepignore")?;
    let gitignore = match filter.gitignore_mode() {
        GitignoreMode::Off => None,
        _ => ignore_file(walk, dir, &names, b".gitignore")?,
    };
    let path = above.map_or_else(TreePath::root, |(rules, name)| rules.path().join(name));
    let mut files = FolderFiles {
        instepignore: instepignore.as_deref(),
        contested: None,
        gitignore: gitignore.as_deref(),
    };
    match walk.options.rules.ignore_of(&path) {
        Some(Arriving::Text(text)) => files.instepignore = Some(text),
        Some(Arriving::Gone) => files.instepignore = None,
        Some(Arriving::Contested(text)) => files.contested = Some(text),
        None => {}
    }
    let rules = match above {
        Some((rules, name)) => rules.enter(name, files),
        None => filter.root(files),
    };
    let looked = Looked {
        entries: Vec::with_capacity(names.len()),
        folders: Vec::new(),
        unread: Vec::new(),
        rules,
        counts: ScanCounts { folders: 1, ..ScanCounts::default() },
        ignore: (instepignore, gitignore),
    };
    let mut look = Look { walk, dir, depth: looked.rules.path().depth(), looked };
    for (name, kind) in names {
        look.at(name, kind);
    }
    Ok(look.looked)
}

/// All names, in order. A folder that changes while it is listed may hide what was only renamed: it is listed again.
fn list<F: Folder>(folder: &F, dir: &F::Dir, seen: &Metadata) -> Result<Vec<Listed>, Trouble> {
    let mut before = *seen;
    let mut tries = 0;
    loop {
        let listing = folder.list(dir)?;
        let after = folder.folder_metadata(dir)?;
        if after.key != seen.key {
            return Err(Trouble::Unknown(Unknown::Changing));
        }
        tries += 1;
        if after.same_content(&before) || tries == TRIES {
            let kinds = listing.kinds.into_iter().chain(std::iter::repeat(None));
            let mut names: Vec<Listed> = listing.names.into_iter().zip(kinds).collect();
            names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            names.dedup_by(|a, b| a.0 == b.0);
            return Ok(names);
        }
        before = after;
    }
}

fn find<'n>(names: &'n [Listed], name: &[u8]) -> Option<&'n Listed> {
    let at = names.binary_search_by(|listed| listed.0.as_bytes().cmp(name)).ok()?;
    Some(&names[at])
}

fn is_workspace<F: Folder>(folder: &F, dir: &F::Dir, names: &[Listed]) -> Result<bool, FolderError> {
    match find(names, STATE.as_bytes()) {
        None => Ok(false),
        Some((_, Some(kind))) => Ok(*kind == DiskKind::Folder),
        Some((name, None)) => {
            Ok(folder.metadata(dir, name)?.is_some_and(|metadata| metadata.kind == DiskKind::Folder))
        }
    }
}

/// The bytes of an ignore file. One that is there and can't be read whole may hide what must not leave: then nothing
/// is known of the folder. A link is not followed, and counts as none.
fn ignore_file<F: Folder>(
    walk: &Walk<'_, F>,
    dir: &F::Dir,
    names: &[Listed],
    name: &[u8],
) -> Result<Option<Vec<u8>>, Trouble> {
    let Some((name, _)) = find(names, name) else { return Ok(None) };
    let changing = || Trouble::Unknown(Unknown::Changing);
    let seen = walk.folder.metadata(dir, name)?.ok_or_else(changing)?;
    if seen.kind != DiskKind::File {
        return Ok(None);
    }
    if seen.size > IGNORE_BYTES_MAX {
        let why = format!("{name} is longer than {IGNORE_BYTES_MAX} bytes");
        return Err(Trouble::Unknown(Unknown::Unreadable(why)));
    }
    let mut file = walk.patience.open(|| walk.folder.open(dir, name))?;
    let mut bytes = Vec::with_capacity(seen.size as usize);
    (&mut file as &mut dyn Read)
        .take(IGNORE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| FolderError::new("read", name.as_bytes(), error))?;
    if bytes.len() as u64 != seen.size || !file.metadata()?.same_content(&seen) {
        return Err(changing());
    }
    Ok(Some(bytes))
}

/// Looks at the names of one folder.
struct Look<'l, 'w, F: Folder> {
    walk: &'l Walk<'w, F>,
    dir: &'l F::Dir,
    depth: usize,
    looked: Looked,
}

impl<F: Folder> Look<'_, '_, F> {
    fn at(&mut self, name: Name, hint: Option<DiskKind>) {
        let mut seen = None;
        if hint.is_none() {
            match self.walk.folder.metadata(self.dir, &name) {
                Ok(Some(metadata)) => seen = Some(metadata),
                Ok(None) => return,
                Err(error) => return self.push(name, Entry::Unknown(unknown(&error)), None),
            }
        }
        let kind = hint.or(seen.map(|metadata| metadata.kind));
        let is_folder = kind == Some(DiskKind::Folder);
        let decision = self.looked.rules.decide(&name, is_folder);
        if let Some(left_out) = self.left_out(&name, &decision) {
            return self.push(name, Entry::Unknown(left_out), seen.as_ref());
        }
        // Only what takes part is worth the look.
        let seen =
            match seen.map_or_else(|| self.walk.folder.metadata(self.dir, &name), |seen| Ok(Some(seen))) {
                Ok(Some(metadata)) => metadata,
                Ok(None) => return,
                Err(error) => return self.push(name, Entry::Unknown(unknown(&error)), None),
            };
        if is_folder != (seen.kind == DiskKind::Folder) {
            return self.push(name, Entry::Unknown(Unknown::Changing), Some(&seen));
        }
        match seen.kind {
            DiskKind::Folder => self.folder(name, &seen, decision == Decision::Passage),
            DiskKind::File => self.file(name, &seen),
            DiskKind::Link => {
                let entry = self.link(&name);
                if let Entry::Leaf(leaf) = &entry {
                    self.looked.counts.files += 1;
                    self.looked.counts.bytes += leaf.size;
                }
                self.push(name, entry, Some(&seen));
            }
            DiskKind::Special => self.push(name, Entry::Unknown(Unknown::Special), Some(&seen)),
        }
    }

    fn left_out(&self, name: &Name, decision: &Decision) -> Option<Unknown> {
        let length = self.looked.rules.path().as_bytes().len() + 1 + name.as_bytes().len();
        match decision {
            Decision::Reserved => Some(Unknown::Reserved),
            Decision::Excluded { by, here_only: false } => Some(Unknown::Excluded(by.to_string())),
            Decision::Excluded { by, here_only: true } => Some(Unknown::ExcludedHere(by.to_string())),
            _ if self.depth >= DEPTH_MAX => Some(Unknown::Unfit {
                code: "E-PATH-DEEP",
                why: format!("it lies more than {DEPTH_MAX} folders deep"),
            }),
            _ if length > PATH_BYTES_MAX => Some(Unknown::Unfit {
                code: "E-PATH-DEEP",
                why: format!("its path is longer than {PATH_BYTES_MAX} bytes"),
            }),
            Decision::Included | Decision::Passage => name
                .leads_elsewhere_on_windows()
                .map(|(code, why)| Unknown::Unfit { code, why: why.to_owned() }),
        }
    }

    fn folder(&mut self, name: Name, seen: &Metadata, passage: bool) {
        if seen.key.device != self.walk.root.device {
            let foreign = Unknown::Foreign("another file system".to_owned());
            return self.push(name, Entry::Unknown(foreign), Some(seen));
        }
        let at = self.looked.entries.len() as u32;
        self.looked.folders.push(LookedFolder { at, passage, seen: *seen });
        self.push(name, Entry::Folder, Some(seen));
    }

    fn file(&mut self, name: Name, seen: &Metadata) {
        let digests = self.walk.options.digests;
        let known = digests.place(seen.key);
        if let Some(place) = known {
            self.walk.meet(place);
        }
        let path = self.looked.rules.path().join(&name);
        if let Some(refused) = (self.walk.options.refuses)(&path, seen.size) {
            return self.push(name, Entry::Unknown(refused), Some(seen));
        }
        match known.and_then(|place| digests.content_at(place, seen)) {
            Some(content) => {
                self.looked.counts.files += 1;
                self.looked.counts.bytes += seen.size;
                self.push(name, Entry::Leaf(file_leaf(seen, content)), Some(seen));
            }
            None => {
                let at = self.looked.entries.len() as u32;
                self.looked.unread.push(UnreadFile { at, name: name.clone(), seen: *seen });
                self.push(name, Entry::Unknown(Unknown::Changing), Some(seen));
            }
        }
    }

    fn link(&self, name: &Name) -> Entry {
        let links = self.walk.options.links;
        if links == Links::Skip {
            return Entry::Unknown(Unknown::Excluded("symlinks: skip".to_owned()));
        }
        match self.walk.folder.read_link(self.dir, name) {
            Ok(target) if links.carries(&target, self.depth) => Entry::Leaf(Leaf {
                kind: LeafKind::Link,
                content: ContentId::of(&target),
                size: target.len() as u64,
                exec: false,
            }),
            Ok(_) => Entry::Unknown(Unknown::LinkOutside),
            Err(error) => Entry::Unknown(unknown(&error)),
        }
    }

    fn push(&mut self, name: Name, entry: Entry, seen: Option<&Metadata>) {
        let has_content = seen.is_some_and(|seen| seen.kind != DiskKind::Folder);
        self.looked.entries.push(NewEntry {
            name,
            entry,
            key: seen.map(|seen| seen.key),
            modified: seen.filter(|_| has_content).map(|seen| seen.modified),
        });
    }
}

/// The leaf of a file with this content.
pub fn file_leaf(metadata: &Metadata, content: ContentId) -> Leaf {
    Leaf { kind: LeafKind::File, content, size: metadata.size, exec: metadata.exec() }
}
