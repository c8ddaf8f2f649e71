//! Tries again what failed in passing: a remote around a remote.
//!
//! Everything before a commit may be repeated as it is. A commit whose outcome is not known is not: the head says first
//! whether it happened.

use std::collections::HashSet;
use std::io::Read;
use std::time::{Duration, Instant};

use instep_core::content::ContentId;
use instep_core::note::Notes;
use instep_core::path::TreePath;
use instep_core::progress::{Event, Observer, Silent};
use instep_core::remote::{
    Class, Committed, Description, Draft, Lineage, ObjectId, Refusal, Remote, RemoteError, Revision, Sink,
    Snapshot, Source,
};

/// How often and how soon.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many tries there are in all.
    pub tries_max: u32,
    /// How long to wait before the second one; each later wait is twice as long.
    pub first_wait: Duration,
    /// No wait is longer; a remote that asks for more is left alone, and the failure goes to the caller.
    pub wait_max: Duration,
    /// When tries have taken so long, there is no other one: a person would wait for a host that is silent.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let (second, half_a_minute) = (Duration::from_secs(1), Duration::from_secs(30));
        Pace { tries_max: 3, first_wait: second, wait_max: half_a_minute, patience: half_a_minute }
    }
}

/// A remote that tries again.
pub struct Retry {
    inner: Box<dyn Remote>,
    pace: Pace,
    pause: Box<dyn Fn(Duration) + Send + Sync>,
}

impl Retry {
    /// Wraps a remote; `pause` waits, in a simulation as it likes.
    pub fn new(inner: Box<dyn Remote>, pace: Pace, pause: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Retry { inner, pace, pause: Box::new(pause) }
    }

    fn again<T>(
        &self,
        observer: &dyn Observer,
        mut step: impl FnMut() -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let started = Instant::now();
        let mut tries = 1;
        loop {
            let error = match step() {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let Some(wait) = self.wait_after(&error, tries) else { return Err(error) };
            if observer.is_cancelled() || started.elapsed() + wait > self.pace.patience {
                return Err(error);
            }
            observer.observe(Event::Retrying { why: error.message, wait_ms: wait.as_millis() as u64 });
            (self.pause)(wait);
            tries += 1;
        }
    }

    fn wait_after(&self, error: &RemoteError, tries: u32) -> Option<Duration> {
        let Class::Retry(asked) = error.class() else { return None };
        let doubled = self.pace.first_wait.saturating_mul(1 << (tries - 1).min(16));
        let wait = asked.unwrap_or(doubled.min(self.pace.wait_max));
        (tries < self.pace.tries_max && wait <= self.pace.wait_max).then_some(wait)
    }
}

/// Notes what arrived, so that a second try asks only for the rest.
struct Noting<'a> {
    into: &'a mut dyn Sink,
    arrived: HashSet<ObjectId>,
}

impl Sink for Noting<'_> {
    fn receive(&mut self, object: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError> {
        self.into.receive(object, size, content)?;
        self.arrived.insert(object);
        Ok(())
    }
}

impl Remote for Retry {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn head(&self) -> Result<Option<Revision>, RemoteError> {
        self.again(&Silent, || self.inner.head())
    }

    fn lineage(&self, known: &Revision, head: &Revision) -> Result<Lineage, RemoteError> {
        self.again(&Silent, || self.inner.lineage(known, head))
    }

    fn snapshot(&self, at: &Revision, known: Option<&Revision>) -> Result<Snapshot, RemoteError> {
        self.again(&Silent, || self.inner.snapshot(at, known))
    }

    fn fetch(
        &self,
        wanted: &[ObjectId],
        into: &mut dyn Sink,
        observer: &dyn Observer,
    ) -> Result<(), RemoteError> {
        let mut noting = Noting { into, arrived: HashSet::new() };
        self.again(observer, || {
            let left: Vec<ObjectId> =
                wanted.iter().filter(|object| !noting.arrived.contains(object)).copied().collect();
            self.inner.fetch(&left, &mut noting, observer)
        })
    }

    fn upload(
        &self,
        offered: &[ContentId],
        from: &dyn Source,
        observer: &dyn Observer,
    ) -> Result<Vec<ObjectId>, RemoteError> {
        self.again(observer, || self.inner.upload(offered, from, observer))
    }

    fn prepare(&self, expected: Option<&Revision>, draft: &Draft) -> Result<Revision, RemoteError> {
        self.again(&Silent, || self.inner.prepare(expected, draft))
    }

    fn commit(&self, expected: Option<&Revision>, prepared: &Revision) -> Result<(), RemoteError> {
        let mut is_first = true;
        self.again(&Silent, || {
            if !std::mem::take(&mut is_first) && self.inner.head()?.as_ref() == Some(prepared) {
                return Ok(());
            }
            self.inner.commit(expected, prepared)
        })
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
        self.again(&Silent, || self.inner.lay_down(author, text, contents, from))
    }

    fn notes(&self, known: Option<&str>) -> Result<Option<Notes>, RemoteError> {
        self.again(&Silent, || self.inner.notes(known))
    }

    fn refuses(&self, path: &TreePath, size: u64) -> Option<Refusal> {
        self.inner.refuses(path, size)
    }
}
