//! What to do when too many files are open: let go of what is open only to save time, then do less at a time.
//!
//! The helpers among the workers put their job back and end; the worker of the caller's thread waits for them, and
//! gives up a path only when it is alone and still can't open it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

use instep_core::progress::{Event, Observer};

use crate::folder::{FolderError, FolderFailure};

/// How many folders stay open only because something in them waits.
const KEPT_OPEN_MAX: usize = 16;

/// Shared by all workers of one scan.
pub struct Patience<'a, D> {
    observer: &'a dyn Observer,
    owner: ThreadId,
    helpers: AtomicUsize,
    strained: AtomicBool,
    kept: Mutex<Vec<Weak<KeptOpen<D>>>>,
}

/// A folder that stays open to save the way to it, as long as there is no strain.
pub struct KeptOpen<D>(Mutex<Option<D>>);

/// A worker on a thread of its own, until it is dropped.
pub struct Helper<'p>(&'p AtomicUsize);

impl<'a, D: Clone> Patience<'a, D> {
    /// For a scan whose first worker runs on this thread.
    pub fn new(observer: &'a dyn Observer) -> Self {
        Patience {
            observer,
            owner: thread::current().id(),
            helpers: AtomicUsize::new(0),
            strained: AtomicBool::new(false),
            kept: Mutex::new(Vec::new()),
        }
    }

    /// Counts a helper in.
    pub fn helper(&self) -> Helper<'_> {
        self.helpers.fetch_add(1, Ordering::SeqCst);
        Helper(&self.helpers)
    }

    /// Answers whether this thread is a helper's that should end, so that the others find room.
    pub fn should_retire(&self) -> bool {
        self.strained.load(Ordering::SeqCst) && thread::current().id() != self.owner
    }

    /// Opens something, and makes room for it if there is none.
    pub fn open<T>(&self, open: impl Fn() -> Result<T, FolderError>) -> Result<T, FolderError> {
        let first = open();
        if !first.as_ref().is_err_and(is_exhausted) {
            return first;
        }
        self.strain();
        loop {
            let is_last = self.should_retire() || self.helpers.load(Ordering::SeqCst) == 0;
            let again = open();
            if is_last || !again.as_ref().is_err_and(is_exhausted) {
                return again;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Keeps a folder open, if there is room; one that is `next` in any case, as long as there is no strain.
    pub fn keep(&self, dir: D, next: bool) -> Option<Arc<KeptOpen<D>>> {
        let mut all = lock(&self.kept);
        all.retain(|kept| kept.strong_count() > 0);
        if !next && all.len() >= KEPT_OPEN_MAX || self.strained.load(Ordering::SeqCst) {
            return None;
        }
        let kept = Arc::new(KeptOpen(Mutex::new(Some(dir))));
        all.push(Arc::downgrade(&kept));
        Some(kept)
    }

    fn strain(&self) {
        if !self.strained.swap(true, Ordering::SeqCst) {
            let text = "Too many files are open; the scan goes on with less at a time.";
            self.observer.observe(Event::Notice(text.to_owned()));
        }
        for kept in lock(&self.kept).drain(..).filter_map(|kept| kept.upgrade()) {
            lock(&kept.0).take();
        }
    }
}

impl<D: Clone> KeptOpen<D> {
    /// The folder, if it was not let go.
    pub fn get(&self) -> Option<D> {
        lock(&self.0).clone()
    }
}

impl Drop for Helper<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers whether a failure says that too many files are open.
pub fn is_exhausted(error: &FolderError) -> bool {
    error.failure() == FolderFailure::Exhausted
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
