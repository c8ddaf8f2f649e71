//! What to do when too many files are open: wait for the other workers, one at a time, instead of giving up the path.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use instep_core::progress::{Event, Observer};

use crate::folder::{FolderError, FolderFailure};

/// How long to wait between two tries, in milliseconds.
const WAITS_MS: [u64; 5] = [1, 2, 8, 32, 64];

/// Shared by all workers of one scan.
pub struct Patience<'a> {
    observer: &'a dyn Observer,
    /// There are others to wait for.
    useful: bool,
    one_at_a_time: Mutex<()>,
    said: AtomicBool,
}

impl<'a> Patience<'a> {
    /// For so many workers.
    pub fn new(observer: &'a dyn Observer, workers: usize) -> Self {
        Patience {
            observer,
            useful: workers > 1,
            one_at_a_time: Mutex::new(()),
            said: AtomicBool::new(false),
        }
    }

    /// Opens something, and waits for the others to close theirs if there are no more handles to be had.
    pub fn open<T>(&self, open: impl Fn() -> Result<T, FolderError>) -> Result<T, FolderError> {
        let first = open();
        if !is_exhausted(&first) {
            return first;
        }
        if !self.said.swap(true, Ordering::Relaxed) {
            let text = "Too many files are open; the scan goes on with less at a time.";
            self.observer.observe(Event::Notice(text.to_owned()));
        }
        if !self.useful {
            return first;
        }
        let _alone = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        for wait in WAITS_MS {
            std::thread::sleep(Duration::from_millis(wait));
            let again = open();
            if !is_exhausted(&again) {
                return again;
            }
        }
        first
    }
}

fn is_exhausted<T>(result: &Result<T, FolderError>) -> bool {
    result.as_ref().is_err_and(|error| error.failure() == FolderFailure::Exhausted)
}
