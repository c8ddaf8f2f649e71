//! A pile of jobs that several workers share: last in, first out, and over when it is empty and nobody is at work.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The jobs that wait.
#[derive(Debug)]
pub struct Pile<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<J> {
    jobs: Vec<J>,
    busy: usize,
}

/// A job at hand. Until it is dropped, more may be put on the pile.
#[derive(Debug)]
pub struct Taken<'p, J> {
    pile: &'p Pile<J>,
}

impl<J> Pile<J> {
    /// Starts empty.
    pub fn new() -> Self {
        Pile { state: Mutex::new(State { jobs: Vec::new(), busy: 0 }), changed: Condvar::new() }
    }

    /// Puts jobs on top, so that they are taken in this order.
    pub fn put(&self, jobs: impl DoubleEndedIterator<Item = J>) {
        let mut state = self.lock();
        let before = state.jobs.len();
        state.jobs.extend(jobs.rev());
        if state.jobs.len() > before {
            self.changed.notify_all();
        }
    }

    /// Takes the job on top; waits for one while others may still bring some.
    pub fn take(&self) -> Option<(J, Taken<'_, J>)> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop() {
                state.busy += 1;
                return Some((job, Taken { pile: self }));
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Throws away what waits.
    pub fn clear(&self) {
        self.lock().jobs.clear();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// A worker that panicked leaves the pile as it was.
    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Drop for Taken<'_, J> {
    fn drop(&mut self) {
        let mut state = self.pile.lock();
        state.busy -= 1;
        if state.busy == 0 {
            self.pile.changed.notify_all();
        }
    }
}
