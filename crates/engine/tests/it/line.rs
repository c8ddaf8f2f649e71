//! A machine's line to its remote: it can be cut, and something may happen elsewhere in the moment of a commit.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use instep_core::content::ContentId;
use instep_core::note::Notes;
use instep_core::path::TreePath;
use instep_core::progress::Observer;
use instep_core::remote::{
    Committed, Description, Draft, Lineage, ObjectId, Refusal, Remote, RemoteError, RemoteErrorKind,
    Revision, Sink, Snapshot, Source,
};
use instep_remote::memory::MemoryRemote;

type Event = Box<dyn FnOnce() + Send>;

/// The way to a remote in memory.
pub struct Line {
    inner: MemoryRemote,
    address: &'static str,
    cut: AtomicBool,
    before_upload: Mutex<Option<Event>>,
    before_commit: Mutex<Option<Event>>,
    after_commit: AtomicBool,
    instead_of_commit: AtomicBool,
}

impl Line {
    pub fn to(inner: MemoryRemote) -> Self {
        Line::at("memory:", inner)
    }

    /// The way to a remote at another address.
    pub fn at(address: &'static str, inner: MemoryRemote) -> Self {
        Line {
            inner,
            address,
            cut: AtomicBool::new(false),
            before_upload: Mutex::default(),
            before_commit: Mutex::default(),
            after_commit: AtomicBool::default(),
            instead_of_commit: AtomicBool::default(),
        }
    }

    /// Cuts the line, or mends it.
    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }

    /// Lets something happen once, right before the next contents are read.
    pub fn before_upload(&self, event: impl FnOnce() + Send + 'static) {
        *self.before_upload.lock().unwrap() = Some(Box::new(event));
    }

    /// Lets something happen once, right before the next commit.
    pub fn before_commit(&self, event: impl FnOnce() + Send + 'static) {
        *self.before_commit.lock().unwrap() = Some(Box::new(event));
    }

    /// The next commit is taken, and nobody hears of it: as if the program were killed then.
    pub fn die_after_commit(&self) {
        self.after_commit.store(true, Ordering::Relaxed);
    }

    /// The line is cut right before the next commit.
    pub fn die_before_commit(&self) {
        self.instead_of_commit.store(true, Ordering::Relaxed);
    }

    /// Mends it, and forgets what was to happen to the next commit.
    pub fn forgive(&self) {
        self.cut(false);
        self.after_commit.store(false, Ordering::Relaxed);
        self.instead_of_commit.store(false, Ordering::Relaxed);
    }

    fn ask(&self) -> Result<&MemoryRemote, RemoteError> {
        if self.cut.load(Ordering::Relaxed) {
            return Err(away());
        }
        Ok(&self.inner)
    }
}

fn away() -> RemoteError {
    RemoteError::new(RemoteErrorKind::Offline, "E-NET-OFFLINE", "The line is cut.")
}

impl Remote for Line {
    fn describe(&self) -> Description {
        Description { address: self.address.to_owned(), ..self.inner.describe() }
    }

    fn head(&self) -> Result<Option<Revision>, RemoteError> {
        self.ask()?.head()
    }

    fn lineage(&self, known: &Revision, head: &Revision) -> Result<Lineage, RemoteError> {
        self.ask()?.lineage(known, head)
    }

    fn snapshot(&self, at: &Revision, known: Option<&Revision>) -> Result<Snapshot, RemoteError> {
        self.inner.snapshot(at, known)
    }

    fn fetch(
        &self,
        wanted: &[ObjectId],
        into: &mut dyn Sink,
        observer: &dyn Observer,
    ) -> Result<(), RemoteError> {
        self.ask()?.fetch(wanted, into, observer)
    }

    fn upload(
        &self,
        offered: &[ContentId],
        from: &dyn Source,
        observer: &dyn Observer,
    ) -> Result<Vec<ObjectId>, RemoteError> {
        let event = self.before_upload.lock().unwrap().take();
        if let Some(event) = event {
            event();
        }
        self.inner.upload(offered, from, observer)
    }

    fn prepare(&self, expected: Option<&Revision>, draft: &Draft) -> Result<Revision, RemoteError> {
        self.inner.prepare(expected, draft)
    }

    fn commit(&self, expected: Option<&Revision>, prepared: &Revision) -> Result<(), RemoteError> {
        let event = self.before_commit.lock().unwrap().take();
        if let Some(event) = event {
            event();
        }
        if self.instead_of_commit.swap(false, Ordering::Relaxed) {
            return Err(away());
        }
        let answer = self.ask()?.commit(expected, prepared);
        if self.after_commit.swap(false, Ordering::Relaxed) {
            return Err(away());
        }
        answer
    }

    fn history(&self, limit: usize) -> Result<Vec<Committed>, RemoteError> {
        self.inner.history(limit)
    }

    fn lay_down(
        &self,
        author: &str,
        text: &[u8],
        contents: &[ContentId],
        from: &dyn Source,
    ) -> Result<bool, RemoteError> {
        self.ask()?.lay_down(author, text, contents, from)
    }

    fn notes(&self, known: Option<&str>) -> Result<Option<Notes>, RemoteError> {
        self.ask()?.notes(known)
    }

    fn refuses(&self, path: &TreePath, size: u64) -> Option<Refusal> {
        self.inner.refuses(path, size)
    }
}
