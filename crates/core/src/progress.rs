//! What a person may want to see on the way: events, and the one [`Observer`] that hears them.

/// The phases of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Looking at the folder here.
    Scan,
    /// Reading the kept versions.
    History,
    /// Asking the remote.
    Ask,
    /// Receiving contents.
    Receive,
    /// Deciding.
    Plan,
    /// Sending contents.
    Send,
    /// Changing the folder here.
    Apply,
    /// Writing down what was done.
    Record,
}

impl Phase {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Scan => "scan",
            Phase::History => "history",
            Phase::Ask => "ask",
            Phase::Receive => "receive",
            Phase::Plan => "plan",
            Phase::Send => "send",
            Phase::Apply => "apply",
            Phase::Record => "record",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A phase begins; its size where that is known.
    Began {
        /// Which.
        phase: Phase,
        /// How many files it is about.
        files: Option<u64>,
        /// How many bytes.
        bytes: Option<u64>,
    },
    /// Files and bytes done in this phase, since the last event.
    Advanced {
        /// Which phase.
        phase: Phase,
        /// How many more files.
        files: u64,
        /// How many more bytes.
        bytes: u64,
    },
    /// A phase ended.
    Ended {
        /// Which.
        phase: Phase,
    },
    /// Something was tried and will be tried again.
    Retrying {
        /// One sentence: what failed.
        why: String,
        /// How long until the next try, in milliseconds.
        wait_ms: u64,
    },
    /// One sentence that a person should see, and that is no failure.
    Notice(String),
}

/// Hears what happens. Calls come from any thread, and must return at once.
pub trait Observer: Sync {
    /// Takes one event.
    fn observe(&self, event: Event);

    /// Answers whether the person asked to stop; looked at between units of work.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: Event) {}
}
