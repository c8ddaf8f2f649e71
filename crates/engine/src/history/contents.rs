//! Kept contents: a folder of whole files in our state folder, each under the name of its content.
//!
//! It is filled by renaming what was displaced, so keeping costs no copy. A program that had a file open may still write
//! to it there; so a content is hashed again whenever it is used, and what a conflict names is kept in a copy of its own.
//! So is what has other names, hard links, under which anybody may write to it.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use instep_core::content::{ContentHasher, ContentId};
use instep_core::mutant;
use instep_core::path::Name;
use instep_core::remote::{OfferedContent, RemoteError, RemoteErrorKind, Source};

use crate::folder::{DiskKind, Folder, FolderError, FolderFailure, Metadata};

/// How many files may stand under one content's name before we give up: each but the first ends in `.1`, `.2` ….
const TWINS_MAX: u32 = 10_000;

/// The kept contents of one workspace.
pub struct Contents<'a, F: Folder> {
    folder: &'a F,
    dir: F::Dir,
}

impl<'a, F: Folder> Contents<'a, F> {
    /// Opens the folder of kept contents.
    pub fn open(folder: &'a F) -> Result<Self, FolderError> {
        let dir = folder.open_folder(&folder.state(), &name("history"))?;
        Ok(Contents { folder, dir })
    }

    /// Takes a file or link that was displaced into the staging folder: renames it to its content's name.
    pub fn keep(&self, from: (&F::Dir, &Name), content: ContentId) -> Result<(), FolderError> {
        let found = self.folder.metadata(from.0, from.1)?;
        if found.is_some_and(|found| found.has_other_names()) && !mutant::is_on("other-names-forgotten") {
            self.copy_apart(from, content)?;
        }
        for twin in 0..TWINS_MAX {
            match self.folder.place(from, (&self.dir, &twin_name(content, twin))) {
                Err(error) if error.failure() == FolderFailure::Taken => {
                    if mutant::is_on("kept-once-is-kept") {
                        return self.folder.remove_file(from.0, from.1);
                    }
                }
                answer => return answer,
            }
        }
        self.folder.place(from, (&self.dir, &twin_name(content, TWINS_MAX)))
    }

    /// Takes a copy that we wrote, which no program has open. One is enough of each content.
    pub fn keep_own(&self, from: (&F::Dir, &Name), content: ContentId) -> Result<(), FolderError> {
        match self.folder.place(from, (&self.dir, &own_name(content))) {
            Err(error) if error.failure() == FolderFailure::Taken => match self.holds_own(content)? {
                true => self.folder.remove_file(from.0, from.1),
                false => self.keep(from, content),
            },
            answer => answer,
        }
    }

    /// Copies a file, unless somebody wrote to it just now, and waits for the disk.
    fn copy_apart(&self, (dir, from): (&F::Dir, &Name), content: ContentId) -> Result<(), FolderError> {
        if self.holds_own(content)? {
            return Ok(());
        }
        let copy = name(&format!("c-{content}"));
        match self.folder.remove_file(dir, &copy) {
            Err(error) if error.failure() != FolderFailure::Missing => return Err(error),
            _ => {}
        }
        let mut file = self.folder.create(dir, &copy)?;
        let found = content_of(self.folder, dir, from, &mut file)?;
        self.folder.copy_attributes((dir, from), (dir, &copy))?;
        file.finish(true)?;
        if found != content {
            return self.folder.remove_file(dir, &copy);
        }
        self.keep_own((dir, &copy), content)?;
        self.sync()
    }

    /// Answers whether a copy of a content is kept that [we wrote](Self::keep_own), and is whole; reads it.
    pub fn holds_own(&self, content: ContentId) -> Result<bool, FolderError> {
        if mutant::is_on("displaced-is-own") {
            return self.holds(content);
        }
        let name = own_name(content);
        let is_there = self.folder.metadata(&self.dir, &name)?.is_some();
        Ok(is_there && content_of(self.folder, &self.dir, &name, &mut std::io::sink())? == content)
    }

    /// Answers whether a content is kept; looks at its name only.
    pub fn has(&self, content: ContentId) -> Result<bool, FolderError> {
        Ok(self.look(content)?.is_some())
    }

    /// Answers whether a whole copy of a content is kept; reads it.
    pub fn holds(&self, content: ContentId) -> Result<bool, FolderError> {
        Ok(self.sound_twin(content)?.is_some())
    }

    /// Looks at the file in which a content is kept, by its name only.
    pub fn look(&self, content: ContentId) -> Result<Option<Metadata>, FolderError> {
        match self.folder.metadata(&self.dir, &own_name(content))? {
            None => self.folder.metadata(&self.dir, &twin_name(content, 0)),
            found => Ok(found),
        }
    }

    /// Copies a kept content; answers false, with nothing or something else written, if no whole copy of it is kept.
    pub fn copy_to(&self, content: ContentId, out: &mut dyn Write) -> Result<bool, FolderError> {
        let Some(twin) = self.sound_twin(content)? else { return Ok(false) };
        Ok(content_of(self.folder, &self.dir, &twin, out)? == content || mutant::is_on("kept-is-believed"))
    }

    /// Gives a file the mode, owner and attributes of the file in which a content is kept; of several the one that the
    /// fewest may read. Nothing is hidden by the mode of an empty one.
    pub fn lend_attributes(&self, content: ContentId, to: (&F::Dir, &Name)) -> Result<(), FolderError> {
        let mut files = Vec::new();
        for twin in self.twins(content)? {
            let found = self.folder.metadata(&self.dir, &twin)?;
            if let Some(found) = found.filter(|found| found.kind == DiskKind::File && found.size > 0) {
                files.push(((found.mode & 0o077).count_ones(), twin));
            }
        }
        match files.into_iter().min() {
            Some((_, strictest)) => self.folder.copy_attributes((&self.dir, &strictest), to),
            None => Ok(()),
        }
    }

    /// The name under which a content is kept, unchanged since.
    fn sound_twin(&self, content: ContentId) -> Result<Option<Name>, FolderError> {
        for name in self.twins(content)? {
            let found = content_of(self.folder, &self.dir, &name, &mut std::io::sink())?;
            if found == content || mutant::is_on("kept-is-believed") {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Answers whether a content may be let go: a copy of it is kept and is what its name says, or none is kept at all.
    /// What a program wrote to after it was displaced is not ours to drop.
    pub fn may_drop(&self, content: ContentId) -> Result<bool, FolderError> {
        Ok(!self.has(content)? || self.sound_twin(content)?.is_some())
    }

    /// Drops every copy of a kept content that still is what its name says; what a program wrote to meanwhile stays,
    /// unless it has other names.
    pub fn drop_content(&self, content: ContentId) -> Result<(), FolderError> {
        for twin in self.twins(content)?.into_iter().rev() {
            let found = content_of(self.folder, &self.dir, &twin, &mut std::io::sink())?;
            let stands_elsewhere = self.file(&twin)?.is_some_and(|found| found.has_other_names());
            if found == content || stands_elsewhere || mutant::is_on("retention-does-not-look") {
                self.folder.remove_file(&self.dir, &twin)?;
            }
        }
        Ok(())
    }

    /// The names of all copies that were kept of a content, our own first. The first free number ends them; from the last
    /// one down they are dropped, so that none is cut off if that is interrupted.
    fn twins(&self, content: ContentId) -> Result<Vec<Name>, FolderError> {
        let own = self.folder.metadata(&self.dir, &own_name(content))?;
        let mut twins: Vec<Name> = own.map(|_| own_name(content)).into_iter().collect();
        for twin in 0..TWINS_MAX {
            let name = twin_name(content, twin);
            if self.folder.metadata(&self.dir, &name)?.is_none() {
                break;
            }
            twins.push(name);
        }
        Ok(twins)
    }

    /// All kept files, by the content that each should hold. What is named otherwise is not ours.
    pub fn all(&self) -> Result<BTreeMap<ContentId, Vec<Name>>, FolderError> {
        let mut all: BTreeMap<ContentId, Vec<Name>> = BTreeMap::new();
        for name in self.folder.list(&self.dir)?.names {
            let text = std::str::from_utf8(name.as_bytes()).unwrap_or_default();
            if let Some(content) = text.split('.').next().and_then(ContentId::parse) {
                all.entry(content).or_default().push(name);
            }
        }
        Ok(all)
    }

    /// Looks at a kept file, by its name in the folder.
    pub fn file(&self, name: &Name) -> Result<Option<Metadata>, FolderError> {
        self.folder.metadata(&self.dir, name)
    }

    /// What a kept file holds now, by its name in the folder.
    pub fn read(&self, name: &Name) -> Result<ContentId, FolderError> {
        content_of(self.folder, &self.dir, name, &mut std::io::sink())
    }

    /// Makes the names durable.
    pub fn sync(&self) -> Result<(), FolderError> {
        self.folder.sync_folder(&self.dir)
    }
}

/// Copies what a file or link holds, and names it.
pub fn content_of<F: Folder>(
    folder: &F,
    dir: &F::Dir,
    name: &Name,
    out: &mut dyn Write,
) -> Result<ContentId, FolderError> {
    let failed = |verb| move |source| FolderError { verb, path: name.to_string(), source };
    let is_link = folder.metadata(dir, name)?.is_some_and(|found| found.kind == DiskKind::Link);
    if is_link {
        let target = folder.read_link(dir, name)?;
        out.write_all(&target).map_err(failed("copy"))?;
        return Ok(ContentId::of(&target));
    }
    read_through(&mut folder.open(dir, name)?, name, out)
}

/// Copies what is left of an open file, and names it.
pub fn read_through(
    file: &mut impl Read,
    name: &Name,
    out: &mut dyn Write,
) -> Result<ContentId, FolderError> {
    let failed = |verb| move |source| FolderError { verb, path: name.to_string(), source };
    let mut hasher = ContentHasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut buffer).map_err(failed("read"))?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..count]);
        out.write_all(&buffer[..count]).map_err(failed("copy"))?;
    }
}

fn twin_name(content: ContentId, twin: u32) -> Name {
    if twin == 0 { name(&content.to_string()) } else { name(&format!("{content}.{twin}")) }
}

/// The name of the copy that we wrote.
fn own_name(content: ContentId) -> Name {
    name(&format!("{content}.own"))
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).expect("because names of ours are valid")
}

/// Kept contents, on their way out again.
pub(crate) struct Kept<'f, F: Folder> {
    /// Where they are.
    pub contents: Contents<'f, F>,
}

impl<F: Folder> Source for Kept<'_, F> {
    fn open(&self, content: ContentId) -> Result<OfferedContent, RemoteError> {
        let mut bytes = Vec::new();
        let missing = |why: String| RemoteError::new(RemoteErrorKind::Local, "E-HISTORY-MISSING", why);
        match self.contents.copy_to(content, &mut bytes) {
            Ok(true) => {
                Ok(OfferedContent { size: bytes.len() as u64, bytes: Box::new(std::io::Cursor::new(bytes)) })
            }
            Ok(false) => {
                Err(missing("a version that is to come back is not in the history any more".to_owned()))
            }
            Err(error) => Err(missing(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::folder::disk::DiskFolder;

    #[test]
    fn what_was_written_to_a_kept_file_under_another_name_of_it_goes_with_its_version() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(home.path()).unwrap();
        let (contents, id) = (Contents::open(&folder).unwrap(), ContentId::of(b"old"));
        fs::write(home.path().join("f"), "old").unwrap();
        fs::hard_link(home.path().join("f"), home.path().join("g")).unwrap();
        contents.keep((&folder.root(), &name("f")), id).unwrap();
        fs::write(home.path().join("g"), "written to later").unwrap();
        let mut bytes = Vec::new();
        assert!(contents.copy_to(id, &mut bytes).unwrap());
        assert_eq!(bytes, b"old");
        contents.drop_content(id).unwrap();
        assert_eq!(fs::read_dir(home.path().join(".instep/history")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(home.path().join("g")).unwrap(), "written to later");
    }

    #[test]
    fn what_a_program_wrote_to_a_kept_file_is_neither_taken_for_its_content_nor_dropped() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(home.path()).unwrap();
        let contents = Contents::open(&folder).unwrap();
        let id = ContentId::of(b"old");
        let put = || {
            fs::write(home.path().join("f"), "old").unwrap();
            contents.keep((&folder.root(), &name("f")), id).unwrap();
        };
        put();
        let history = home.path().join(".instep/history");
        fs::write(history.join(id.to_string()), "written to later").unwrap();
        put();
        assert_eq!(fs::read_dir(&history).unwrap().count(), 2);
        let mut bytes = Vec::new();
        assert!(contents.copy_to(id, &mut bytes).unwrap());
        assert_eq!(bytes, b"old");
        contents.drop_content(id).unwrap();
        assert!(!contents.copy_to(id, &mut Vec::new()).unwrap());
        let left: Vec<_> = fs::read_dir(&history).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(
            left.iter().map(|file| fs::read_to_string(file).unwrap()).collect::<String>(),
            "written to later"
        );
    }
}
