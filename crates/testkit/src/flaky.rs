//! A remote that fails on cue: at one call of a run, before it happened or after.
//!
//! A test runs its scenario once to count the calls, then once for each of them with that call failing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use instep_core::content::ContentId;
use instep_core::note::Notes;
use instep_core::path::TreePath;
use instep_core::progress::Observer;
use instep_core::remote::{
    Committed, Description, Draft, Lineage, ObjectId, Refusal, Remote, RemoteError, RemoteErrorKind,
    Revision, Sink, Snapshot, Source,
};

/// Whether the call that fails had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// It never reached the remote.
    Before,
    /// It did; only the answer was lost.
    After,
}

/// Which call fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cue {
    /// The first call is number 1; 0 fails none.
    pub call: u64,
    /// How many calls fail from there on.
    pub count: u64,
    /// With or without its effect.
    pub when: When,
    /// What it says.
    pub kind: RemoteErrorKind,
}

impl Cue {
    /// One call fails as if the line were cut.
    pub fn cut(call: u64, when: When) -> Self {
        Cue { call, count: 1, when, kind: RemoteErrorKind::Offline }
    }

    /// None fails.
    pub fn never() -> Self {
        Cue::cut(0, When::Before)
    }
}

/// A remote that fails on cue.
pub struct Flaky {
    inner: Box<dyn Remote>,
    cue: Cue,
    calls: Arc<AtomicU64>,
}

impl Flaky {
    /// Wraps a remote.
    pub fn new(inner: Box<dyn Remote>, cue: Cue) -> Self {
        Flaky { inner, cue, calls: Arc::default() }
    }

    /// Counts the calls; several remotes may share one counter.
    pub fn counting_in(mut self, calls: Arc<AtomicU64>) -> Self {
        self.calls = calls;
        self
    }

    fn call<T>(&self, step: impl FnOnce() -> Result<T, RemoteError>) -> Result<T, RemoteError> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = self.cue.call > 0 && (self.cue.call..self.cue.call + self.cue.count).contains(&number);
        if !fails {
            return step();
        }
        if self.cue.when == When::After {
            step()?;
        }
        Err(RemoteError::new(self.cue.kind, "E-TEST-CUE", format!("Call {number} fails on cue.")))
    }
}

impl Remote for Flaky {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn head(&self) -> Result<Option<Revision>, RemoteError> {
        self.call(|| self.inner.head())
    }

    fn lineage(&self, known: &Revision, head: &Revision) -> Result<Lineage, RemoteError> {
        self.call(|| self.inner.lineage(known, head))
    }

    fn snapshot(&self, at: &Revision, known: Option<&Revision>) -> Result<Snapshot, RemoteError> {
        self.call(|| self.inner.snapshot(at, known))
    }

    fn fetch(
        &self,
        wanted: &[ObjectId],
        into: &mut dyn Sink,
        observer: &dyn Observer,
    ) -> Result<(), RemoteError> {
        self.call(|| self.inner.fetch(wanted, into, observer))
    }

    fn upload(
        &self,
        offered: &[ContentId],
        from: &dyn Source,
        observer: &dyn Observer,
    ) -> Result<Vec<ObjectId>, RemoteError> {
        self.call(|| self.inner.upload(offered, from, observer))
    }

    fn prepare(&self, expected: Option<&Revision>, draft: &Draft) -> Result<Revision, RemoteError> {
        self.call(|| self.inner.prepare(expected, draft))
    }

    fn commit(&self, expected: Option<&Revision>, prepared: &Revision) -> Result<(), RemoteError> {
        self.call(|| self.inner.commit(expected, prepared))
    }

    fn history(&self, limit: usize) -> Result<Vec<Committed>, RemoteError> {
        self.call(|| self.inner.history(limit))
    }

    fn lay_down(
        &self,
        author: &str,
        text: &[u8],
        contents: &[ContentId],
        from: &dyn Source,
    ) -> Result<bool, RemoteError> {
        self.call(|| self.inner.lay_down(author, text, contents, from))
    }

    fn notes(&self, known: Option<&str>) -> Result<Option<Notes>, RemoteError> {
        self.call(|| self.inner.notes(known))
    }

    fn refuses(&self, path: &TreePath, size: u64) -> Option<Refusal> {
        self.inner.refuses(path, size)
    }
}
