//! The walk: folders and files as jobs on one pile, taken from the top by every worker.
//!
//! What a folder leads to comes before its siblings, so that the pile stays small and few folders stand open. A folder
//! that waits keeps its parent open while there are not too many such; else it is found again from the workspace down,
//! and must be the one that was seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use instep_core::clock::Timestamp;
use instep_core::filter::{FolderRules, IgnoreFiles};
use instep_core::mutant;
use instep_core::path::Name;
use instep_core::progress::{Event, Phase};
use instep_core::tree::{Key, NewEntry, Unknown};

use super::look::{Looked, look};
use super::patience::{KeptOpen, Patience, is_exhausted};
use super::pile::Pile;
use super::read::{Reader, Reading};
use super::{ScanCounts, ScanOptions};
use crate::digest::Digest;
use crate::failure::EngineError;
use crate::folder::{Folder, FolderError, FolderFailure, Metadata};

/// How much one job reads.
const FILES_PER_JOB: usize = 64;
const BYTES_PER_JOB: u64 = 8 << 20;
/// How much is done between two words about it.
const FILES_PER_EVENT: u64 = 1_000;
const BYTES_PER_EVENT: u64 = 8 << 20;

/// All that the workers found, in no order.
pub struct Walked {
    /// The identity of the workspace.
    pub root: Key,
    /// Each folder that was entered.
    pub folders: Vec<FolderFound>,
    /// Each file that was read.
    pub files: Vec<FileRead>,
    /// How much there is.
    pub counts: ScanCounts,
    /// The ignore files that were met.
    pub ignore: IgnoreFiles,
    /// One bit for each known digest: its file was met.
    pub met: Vec<u64>,
}

/// What is in a folder.
pub struct FolderFound {
    /// The number that the walk gave it; the workspace has 0, and a folder a greater one than its parent.
    pub id: u32,
    /// What is inside, or why that is not known.
    pub inside: Result<Inside, Unknown>,
}

/// The entries of a folder.
pub struct Inside {
    /// In order of name. What is still to be read stands here as changing.
    pub entries: Vec<NewEntry>,
    /// Those of them that are entered.
    pub folders: Vec<Inner>,
}

/// A folder in a folder.
pub struct Inner {
    /// Where it stands among the entries.
    pub at: u32,
    /// Its number.
    pub id: u32,
    /// It takes part only if something in it does.
    pub passage: bool,
}

/// What came of reading a file.
pub struct FileRead {
    /// The number of the folder it is in.
    pub folder: u32,
    /// Where it stands among the entries.
    pub at: u32,
    /// Its content, or why that is not known.
    pub digest: Result<Digest, Unknown>,
    /// It is a database.
    pub database: bool,
}

/// A unit of work.
enum Job<D> {
    Folder(FolderJob<D>),
    Files(FilesJob<D>),
}

struct FolderJob<D> {
    id: u32,
    above: Arc<Above<D>>,
    name: Name,
    seen: Metadata,
}

/// The folder that several waiting folders and files are in.
struct Above<D> {
    kept: Option<Arc<KeptOpen<D>>>,
    rules: FolderRules,
}

struct FilesJob<D> {
    folder: u32,
    above: Arc<Above<D>>,
    files: Vec<UnreadFile>,
}

/// A file that no digest vouches for.
pub struct UnreadFile {
    /// Where it stands among the entries of its folder.
    pub at: u32,
    /// Its name.
    pub name: Name,
    /// What the file system said of it.
    pub seen: Metadata,
}

/// Why a folder can't be looked into.
pub enum Trouble {
    /// The disk failed.
    Failed(FolderError),
    /// It takes no part.
    Unknown(Unknown),
}

impl From<FolderError> for Trouble {
    fn from(error: FolderError) -> Self {
        Trouble::Failed(error)
    }
}

impl Trouble {
    fn into_unknown(self) -> Unknown {
        match self {
            Trouble::Failed(error) => unknown(&error),
            Trouble::Unknown(unknown) => unknown,
        }
    }
}

/// What an entry is that the disk fails on.
pub fn unknown(error: &FolderError) -> Unknown {
    use rustix::io::Errno;
    if error.source.raw_os_error() == Some(Errno::XDEV.raw_os_error()) {
        return Unknown::Foreign("another file system".to_owned());
    }
    match error.failure() {
        FolderFailure::Missing | FolderFailure::Raced => Unknown::Changing,
        FolderFailure::Denied => Unknown::Unreadable("permission denied".to_owned()),
        _ => Unknown::Unreadable(format!("{} {error}: {}", error.code(), error.source)),
    }
}

/// What all workers share.
pub struct Walk<'w, F: Folder> {
    /// The folder.
    pub folder: &'w F,
    /// How to scan it.
    pub options: &'w ScanOptions<'w>,
    /// The identity of the workspace.
    pub root: Key,
    /// What to do when too many files are open.
    pub patience: Patience<'w, F::Dir>,
    started: Timestamp,
    met: Vec<AtomicU64>,
    next_id: AtomicU32,
}

impl<F: Folder> Walk<'_, F> {
    /// Notes that a file with a known digest is still there.
    pub fn meet(&self, place: usize) {
        self.met[place / 64].fetch_or(1 << (place % 64), Ordering::Relaxed);
    }
}

/// Walks the whole folder.
pub fn walk<F: Folder>(
    folder: &F,
    options: &ScanOptions<'_>,
    started: Timestamp,
) -> Result<Walked, EngineError> {
    let seen = folder.folder_metadata(&folder.root())?;
    let walk = Walk {
        folder,
        options,
        root: seen.key,
        patience: Patience::new(options.observer),
        started,
        met: (0..options.digests.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
        next_id: AtomicU32::new(1),
    };
    let pile = Pile::new();
    let start = || Worker::new(&walk, &pile);
    let mut first = start();
    first.look_into_root(&seen)?;
    // A tree of a few folders is done before a thread has started.
    let helpers = options.workers.saturating_sub(1).min(pile.len() / 2);
    let workers = std::thread::scope(|scope| {
        let start = &start;
        let spawn = |_| {
            let helper = walk.patience.helper();
            std::thread::Builder::new().spawn_scoped(scope, move || {
                let _until_done = helper;
                start().run()
            })
        };
        // A thread that can't be had is one worker less.
        let helpers: Vec<_> = (0..helpers).map(spawn).filter_map(Result::ok).collect();
        let first = first.run();
        let mut done = vec![first];
        for helper in helpers {
            done.push(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    if options.observer.is_cancelled() || workers.iter().any(|found| found.cancelled) {
        return Err(EngineError::Cancelled);
    }
    let mut walked = Walked {
        root: walk.root,
        folders: Vec::with_capacity(walk.next_id.load(Ordering::Relaxed) as usize),
        files: Vec::new(),
        counts: ScanCounts::default(),
        ignore: IgnoreFiles::default(),
        met: walk.met.iter().map(|bits| bits.load(Ordering::Relaxed)).collect(),
    };
    for mut found in workers {
        walked.ignore.instepignore.append(&mut found.ignore.instepignore);
        walked.ignore.gitignore.append(&mut found.ignore.gitignore);
        walked.folders.extend(found.folders);
        walked.files.extend(found.files);
        walked.counts.add(found.counts);
    }
    Ok(walked)
}

/// What one worker found.
#[derive(Default)]
struct Found {
    folders: Vec<FolderFound>,
    files: Vec<FileRead>,
    counts: ScanCounts,
    ignore: IgnoreFiles,
    cancelled: bool,
}

struct Worker<'w, F: Folder> {
    walk: &'w Walk<'w, F>,
    pile: &'w Pile<Job<F::Dir>>,
    reader: Reader<'w, F>,
    found: Found,
    /// What was already told to the observer.
    told: ScanCounts,
}

impl<'w, F: Folder> Worker<'w, F> {
    fn new(walk: &'w Walk<'w, F>, pile: &'w Pile<Job<F::Dir>>) -> Self {
        let reader = Reader::new(walk.folder, walk.options.observer, &walk.patience, walk.started);
        Worker { walk, pile, reader, found: Found::default(), told: ScanCounts::default() }
    }

    fn run(mut self) -> Found {
        while let Some((job, _taken)) = self.pile.take() {
            if self.walk.options.observer.is_cancelled() {
                self.found.cancelled = true;
                self.pile.clear();
                break;
            }
            let left = match job {
                Job::Folder(job) => self.look_into(job).map(Job::Folder),
                Job::Files(job) => self.read(job).map(Job::Files),
            };
            self.pile.put(left.into_iter());
            if self.walk.patience.should_retire() {
                break;
            }
            self.tell(FILES_PER_EVENT, BYTES_PER_EVENT);
        }
        self.tell(1, 1);
        self.found
    }

    /// A workspace that can't be listed is no empty one: that ends the scan.
    fn look_into_root(&mut self, seen: &Metadata) -> Result<(), EngineError> {
        let dir = self.walk.folder.root();
        let inside = match look(self.walk, &dir, seen, None) {
            Ok(looked) => Ok(self.take_in(0, dir, looked)),
            Err(_) if mutant::is_on("unlisted-root-is-empty") => {
                Ok(Inside { entries: Vec::new(), folders: Vec::new() })
            }
            Err(Trouble::Failed(error)) => return Err(EngineError::Folder(error)),
            Err(Trouble::Unknown(unknown)) => {
                return Err(EngineError::Refused(format!("the workspace can't be read: {unknown:?}")));
            }
        };
        self.found.folders.push(FolderFound { id: 0, inside });
        Ok(())
    }

    /// Answers the job if it is to be done by another.
    fn look_into(&mut self, job: FolderJob<F::Dir>) -> Option<FolderJob<F::Dir>> {
        let looked = self.open(&job).and_then(|dir| {
            let looked = look(self.walk, &dir, &job.seen, Some((&job.above.rules, &job.name)))?;
            Ok((dir, looked))
        });
        let inside = match looked {
            Ok((dir, looked)) => Ok(self.take_in(job.id, dir, looked)),
            Err(Trouble::Failed(error)) if self.should_leave(&error) => return Some(job),
            Err(_) if mutant::is_on("unreadable-is-empty") => {
                Ok(Inside { entries: Vec::new(), folders: Vec::new() })
            }
            Err(trouble) => Err(trouble.into_unknown()),
        };
        self.found.folders.push(FolderFound { id: job.id, inside });
        None
    }

    /// Answers whether a failure is none: there is no room for this worker, and another one will succeed.
    fn should_leave(&self, error: &FolderError) -> bool {
        is_exhausted(error) && self.walk.patience.should_retire()
    }

    fn open(&self, job: &FolderJob<F::Dir>) -> Result<F::Dir, Trouble> {
        Ok(self.open_in(&self.enter(&job.above)?, &job.name)?)
    }

    /// The folder that something waits in, where it was kept open, or by its path.
    fn enter(&self, above: &Above<F::Dir>) -> Result<F::Dir, FolderError> {
        if let Some(dir) = above.kept.as_ref().and_then(|kept| kept.get()) {
            return Ok(dir);
        }
        above.rules.path().names().try_fold(self.walk.folder.root(), |dir, name| self.open_in(&dir, &name))
    }

    fn open_in(&self, dir: &F::Dir, name: &Name) -> Result<F::Dir, FolderError> {
        self.walk.patience.open(|| self.walk.folder.open_folder(dir, name))
    }

    /// Puts what there is still to do on the pile, files first: they need this folder only, which is open.
    fn take_in(&mut self, id: u32, dir: F::Dir, looked: Looked) -> Inside {
        self.found.counts.add(looked.counts);
        let (instepignore, gitignore) = looked.ignore;
        if let Some(bytes) = instepignore {
            self.found.ignore.instepignore.insert(looked.rules.path().clone(), bytes);
        }
        if let Some(bytes) = gitignore {
            self.found.ignore.gitignore.insert(looked.rules.path().clone(), bytes);
        }
        let count = looked.folders.len() as u32;
        let first_id = self.walk.next_id.fetch_add(count, Ordering::Relaxed);
        let mut folders = Vec::with_capacity(looked.folders.len());
        let mut jobs: Vec<Job<F::Dir>> = Vec::new();
        if count > 0 || !looked.unread.is_empty() {
            let kept = self.walk.patience.keep(dir, !looked.unread.is_empty());
            let above = Arc::new(Above { kept, rules: looked.rules });
            for files in batches(looked.unread) {
                jobs.push(Job::Files(FilesJob { folder: id, above: above.clone(), files }));
            }
            for (found, id) in looked.folders.into_iter().zip(first_id..) {
                folders.push(Inner { at: found.at, id, passage: found.passage });
                let (above, name) = (above.clone(), looked.entries[found.at as usize].name.clone());
                jobs.push(Job::Folder(FolderJob { id, above, name, seen: found.seen }));
            }
        }
        self.pile.put(jobs.into_iter());
        Inside { entries: looked.entries, folders }
    }

    /// Answers what is left of the job if it is to be done by another.
    fn read(&mut self, mut job: FilesJob<F::Dir>) -> Option<FilesJob<F::Dir>> {
        let dir = match self.enter(&job.above) {
            Ok(dir) => dir,
            Err(error) if self.should_leave(&error) => return Some(job),
            Err(error) => {
                let gone = job.files.into_iter().map(|file| FileRead {
                    folder: job.folder,
                    at: file.at,
                    digest: Err(unknown(&error)),
                    database: false,
                });
                self.found.files.extend(gone);
                return None;
            }
        };
        let mut files = std::mem::take(&mut job.files).into_iter();
        while let Some(file) = files.next() {
            let digest = match self.reader.read(&dir, &file.name, file.seen) {
                Reading::Read(digest) => {
                    self.found.counts.hashed_files += 1;
                    self.found.counts.hashed_bytes += digest.metadata.size;
                    self.found.counts.files += 1;
                    self.found.counts.bytes += digest.metadata.size;
                    Ok(digest)
                }
                Reading::Changing => Err(Unknown::Changing),
                Reading::Failed(error) if self.should_leave(&error) => {
                    job.files = std::iter::once(file).chain(files).collect();
                    return Some(job);
                }
                Reading::Failed(error) => Err(unknown(&error)),
            };
            let database = self.reader.met_database();
            self.found.files.push(FileRead { folder: job.folder, at: file.at, digest, database });
            if self.walk.options.observer.is_cancelled() {
                return None;
            }
            self.tell(FILES_PER_EVENT, BYTES_PER_EVENT);
        }
        None
    }

    /// Tells the observer what was done since the last time, if it is that much.
    fn tell(&mut self, files_min: u64, bytes_min: u64) {
        let files = self.found.counts.files - self.told.files;
        let bytes = self.found.counts.bytes - self.told.bytes;
        if files >= files_min || bytes >= bytes_min {
            self.told = self.found.counts;
            self.walk.options.observer.observe(Event::Advanced { phase: Phase::Scan, files, bytes });
        }
    }
}

/// Cuts the work so that several workers get a part, and a file of many gigabytes does not hold up small ones.
fn batches(files: Vec<UnreadFile>) -> impl DoubleEndedIterator<Item = Vec<UnreadFile>> {
    let mut batches: Vec<Vec<UnreadFile>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        bytes += file.seen.size;
        match batches.last_mut() {
            Some(batch) if batch.len() < FILES_PER_JOB && bytes <= BYTES_PER_JOB => batch.push(file),
            _ => {
                bytes = file.seen.size;
                batches.push(vec![file]);
            }
        }
    }
    batches.into_iter()
}
