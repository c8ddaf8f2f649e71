//! The ways in which a run is disturbed.

use crate::tracer::{Call, Watch};

/// How a run is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// All its processes are killed at once, before any call that changes something.
    Kill,
    /// The process that would make the call is killed; the others go on.
    KillOne,
    /// The program is killed while a process that it started makes a call; that one goes on beside the next run.
    Orphan,
    /// The same, but what it started stands still until the next run has ended, and goes on then.
    Late,
    /// All is killed, then the next run further on, and so on until one comes to its end.
    Chain,
    /// A call of the program fails, once.
    Fail,
    /// From one call on, all calls of the program fail that can fail this way.
    FailOn,
    /// A call of any process fails, once.
    FailAny,
    /// Somebody saves a file before a call of the program, and again some calls later.
    Save,
    /// Somebody swaps a folder for a link that leads outside, and swaps it back some calls later.
    Flip,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 10] = [
        Kind::Kill,
        Kind::KillOne,
        Kind::Orphan,
        Kind::Late,
        Kind::Chain,
        Kind::Fail,
        Kind::FailOn,
        Kind::FailAny,
        Kind::Save,
        Kind::Flip,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Kill => "kill",
            Kind::KillOne => "kill-one",
            Kind::Orphan => "orphan",
            Kind::Late => "late",
            Kind::Chain => "chain",
            Kind::Fail => "fail",
            Kind::FailOn => "fail-on",
            Kind::FailAny => "fail-any",
            Kind::Save => "save",
            Kind::Flip => "flip",
        }
    }

    pub(super) fn watch(self) -> Watch {
        match self {
            Kind::Fail | Kind::FailOn | Kind::Save | Kind::Flip => Watch::Own,
            Kind::FailAny => Watch::All,
            _ => Watch::Changes,
        }
    }

    pub(super) fn fails(self) -> bool {
        matches!(self, Kind::Fail | Kind::FailOn | Kind::FailAny)
    }

    /// Answers whether a call is a point of this kind.
    pub(super) fn takes(self, call: &Call) -> bool {
        match self {
            // Before it is another program, a process holds what the program held open.
            Kind::Orphan | Kind::Late => !call.by_program && call.name != "execve",
            _ => true,
        }
    }
}
