//! Ctrl-C: the first one asks the engine to stop between two units of work; the second one ends the program at once.
//! Both are safe, because every act on a workspace is journaled.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Exit;

static ASKED: AtomicBool = AtomicBool::new(false);
static ASKING: AtomicBool = AtomicBool::new(false);

/// Answers whether the person asked to stop.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Listens from now on. Without it Ctrl-C ends the program at once, which is safe too.
pub fn listen() {
    let _ = ctrlc::set_handler(|| {
        let again = ASKED.swap(true, Ordering::Relaxed);
        if again || ASKING.load(Ordering::Relaxed) {
            crate::terminal::print_early("\n", false);
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    });
}

/// Runs a question: nothing is under way, so one Ctrl-C is enough to leave.
pub fn while_asking<T>(ask: impl FnOnce() -> T) -> T {
    ASKING.store(true, Ordering::Relaxed);
    let answer = ask();
    ASKING.store(false, Ordering::Relaxed);
    answer
}
