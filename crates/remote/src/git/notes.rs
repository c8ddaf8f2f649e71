//! Notes of machines: for each a ref of ours that nobody else looks at, `refs/instep/notes/MACHINE`. It names a folder: the
//! text as `note`, and each content under its name.
//!
//! As with parts, no commit is made of it: what a folder holds that the host names is known to be there, and does not go
//! again with the next note. The refs are asked for together with the head, and brought only when one is new.

use instep_core::content::ContentId;
use instep_core::note::{CONTENTS_MAX, NOTES_MAX, Note, Notes, TEXT_BYTES_MAX, is_author};
use instep_core::progress::Silent;
use instep_core::remote::{OfferedContent, RemoteError, RemoteErrorKind, Source};

use super::objects::{Kind, Objects, Oid};
use super::pack::Pack;
use super::parts::push_of;
use super::program::Program;
use super::push::refusal;
use super::tree::body_of_files;
use super::{GitRemote, contents, failure, local, locked, locks};

/// Where they stand at the host.
pub(super) const FOLDER: &str = "refs/instep/notes/";
/// The same, as `ls-remote` takes it.
pub(super) const PATTERN: &str = "refs/instep/notes/*";
/// What the text is called in its folder.
const TEXT: &str = "note";
/// The largest folder that is read.
const FOLDER_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Which notes there are: author and folder, in order of author.
pub(super) type Listed = Vec<(String, Oid)>;

impl GitRemote {
    /// Keeps what a question for the head told of notes.
    pub(super) fn note_listed<'a>(&self, refs: impl Iterator<Item = (&'a str, Oid)>) {
        *locked(&self.listed) = Some(listed(refs));
    }

    /// The notes, if they are not those of the mark.
    pub(super) fn notes_since(&self, known: Option<&str>) -> Result<Option<Notes>, RemoteError> {
        if locked(&self.listed).is_none() {
            self.found_head()?;
        }
        let listed = locked(&self.listed).clone().unwrap_or_default();
        let mark = mark(&listed);
        if known == Some(&mark) {
            return Ok(None);
        }
        let notes = self.mended(|| read(&self.program, &listed, |authors| self.bring_notes(authors)))?;
        Ok(Some(Notes { mark, notes }))
    }

    /// Brings all notes that were last seen, though they were here before.
    pub(super) fn bring_listed_notes(&self) -> Result<(), RemoteError> {
        let listed = locked(&self.listed).clone().unwrap_or_default();
        let authors: Vec<&str> = listed.iter().map(|(author, _)| author.as_str()).collect();
        if authors.is_empty() { Ok(()) } else { self.bring_notes(&authors) }
    }

    fn bring_notes(&self, authors: &[&str]) -> Result<(), RemoteError> {
        let ours = self.noted.replacen("head", "notes", 1);
        let refs = authors.iter().map(|author| format!("+{FOLDER}{author}:{ours}/{author}"));
        self.bring(&[], &refs.collect::<Vec<_>>())
    }
}

/// Picks the notes out of refs.
pub(super) fn listed<'a>(refs: impl Iterator<Item = (&'a str, Oid)>) -> Listed {
    let ours = refs.filter_map(|(name, oid)| Some((name.strip_prefix(FOLDER)?, oid)));
    let mut listed: Listed =
        ours.filter(|(author, _)| is_author(author)).map(|(author, oid)| (author.to_owned(), oid)).collect();
    listed.sort();
    listed.truncate(NOTES_MAX);
    listed
}

/// Stands for exactly these notes; nothing for none.
pub(super) fn mark(listed: &Listed) -> String {
    if listed.is_empty() {
        String::new()
    } else {
        ContentId::of(format!("{listed:?}").as_bytes()).to_string()
    }
}

/// Reads notes; `bring` gets those that are not here, by author. What makes no sense is left out.
pub(super) fn read(
    program: &Program,
    listed: &Listed,
    bring: impl FnOnce(&[&str]) -> Result<(), RemoteError>,
) -> Result<Vec<Note>, RemoteError> {
    let mut notes = Vec::new();
    let mut absent = Vec::new();
    for (author, folder) in listed {
        match read_one(program, author, *folder)? {
            Found::Note(note) => notes.push(note),
            Found::Absent => absent.push((author.as_str(), *folder)),
            Found::Nonsense => {}
        }
    }
    if !absent.is_empty() {
        bring(&absent.iter().map(|(author, _)| *author).collect::<Vec<_>>())?;
        for (author, folder) in absent {
            if let Found::Note(note) = read_one(program, author, folder)? {
                notes.push(note);
            }
        }
        notes.sort_by(|a, b| a.author.cmp(&b.author));
    }
    Ok(notes)
}

enum Found {
    Note(Note),
    Absent,
    Nonsense,
}

fn read_one(program: &Program, author: &str, folder: Oid) -> Result<Found, RemoteError> {
    match try_read(program, author, folder) {
        // Another's note is nothing that this machine could not do without.
        Err(error) if error.kind == RemoteErrorKind::Corrupt => Ok(Found::Nonsense),
        other => other,
    }
}

fn try_read(program: &Program, author: &str, folder: Oid) -> Result<Found, RemoteError> {
    let mut objects = Objects::of(program);
    let Some(raw) = objects.read(folder, Kind::Tree, FOLDER_BYTES_MAX)? else { return Ok(Found::Absent) };
    let Some(entries) = parse(&raw) else { return Ok(Found::Nonsense) };
    let Some((_, text)) = entries.iter().find(|(name, _)| *name == TEXT) else { return Ok(Found::Nonsense) };
    let Some(text) = objects.read(*text, Kind::Blob, TEXT_BYTES_MAX)? else { return Ok(Found::Absent) };
    let contents = entries.iter().filter_map(|(name, oid)| Some((ContentId::parse(name)?, (*oid).into())));
    let contents = contents.take(CONTENTS_MAX).collect();
    Ok(Found::Note(Note { author: author.to_owned(), text, contents }))
}

/// The files of a folder.
fn parse(mut raw: &[u8]) -> Option<Vec<(&str, Oid)>> {
    let mut entries = Vec::new();
    while !raw.is_empty() {
        let end = raw.iter().position(|&byte| byte == 0)?;
        let (mode, name) = std::str::from_utf8(&raw[..end]).ok()?.split_once(' ')?;
        let oid = Oid(raw.get(end + 1..end + 21)?.try_into().ok()?);
        if mode == "100644" {
            entries.push((name, oid));
        }
        raw = &raw[end + 21..];
    }
    Some(entries)
}

/// Lays down a note; answers false if the host takes no such ref.
pub(super) fn lay_down(
    program: &Program,
    git_dir: Option<&std::path::Path>,
    author: &str,
    (text, contents): (&[u8], &[ContentId]),
    from: &dyn Source,
) -> Result<bool, RemoteError> {
    if !is_author(author) {
        return Err(failure::protocol("A machine's id can't be the name of a ref", author.as_bytes()));
    }
    let folder = write(program, text, contents, from)?;
    let mut push = push_of(program, &format!("+{folder}:{FOLDER}{author}"))?;
    let mut outcome = push.run(&[])?;
    if let (false, Some(git_dir)) = (outcome.status.success(), git_dir) {
        // Nobody else writes there: what stands in the way is left from a push of ours that was killed.
        let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
        if locks::remove_named_within(&said, git_dir, &git_dir.join(FOLDER)) {
            outcome = push.run(&[])?;
        }
    }
    if outcome.status.success() {
        git_dir.map_or(Ok(()), super::program::sync_file_system)?;
        return Ok(true);
    }
    match refusal(&outcome.stdout) {
        Some(reason) if !local::is_passing(&reason) => Ok(false),
        _ => Err(failure::of(&outcome)),
    }
}

/// Writes a note into our repository; answers its folder.
fn write(
    program: &Program,
    text: &[u8],
    offered: &[ContentId],
    from: &dyn Source,
) -> Result<Oid, RemoteError> {
    let mut all = vec![ContentId::of(text)];
    all.extend(offered.iter().filter(|content| **content != all[0]).copied().collect::<Vec<_>>());
    let sent = contents::send(program, &all, &WithText { text, others: from }, &Silent)?;
    let names = std::iter::once(TEXT.to_owned()).chain(all[1..].iter().map(ContentId::to_string));
    let mut rows: Vec<(String, Oid)> = Vec::with_capacity(all.len());
    for (name, object) in names.zip(&sent.named) {
        rows.push((name, Oid::of(object)?));
    }
    if offered.contains(&all[0]) {
        rows.push((all[0].to_string(), rows[0].1));
    }
    rows.sort();
    rows.dedup();
    let files = rows.iter().map(|(name, oid)| (name.as_str(), *oid));
    let mut pack = Pack::new();
    let folder = pack.add(Kind::Tree, &body_of_files(files, None))?;
    pack.take_in(program)?;
    Ok(folder)
}

/// The text, beside the contents that another source has.
struct WithText<'a> {
    text: &'a [u8],
    others: &'a dyn Source,
}

impl Source for WithText<'_> {
    fn open(&self, content: ContentId) -> Result<OfferedContent, RemoteError> {
        if content != ContentId::of(self.text) {
            return self.others.open(content);
        }
        let bytes = Box::new(std::io::Cursor::new(self.text.to_vec()));
        Ok(OfferedContent { size: self.text.len() as u64, bytes })
    }
}
