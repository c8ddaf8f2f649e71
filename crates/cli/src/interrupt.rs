//! Ctrl-C: the first one asks the engine to stop between two units of work; the second one ends the program at once.
//! Both are safe, because every act on a workspace is journaled.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use instep_engine::registry::Registry;

use crate::failure::Exit;

static ASKED: AtomicBool = AtomicBool::new(false);
static TRACES: Mutex<Vec<Trace>> = Mutex::new(Vec::new());
static ASKING: AtomicBool = AtomicBool::new(false);

/// Answers whether the person asked to stop.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Waits so long, or until the person asks to stop.
pub fn pause(wait: Duration) {
    const ASKED_EVERY: Duration = Duration::from_millis(100);
    let started = Instant::now();
    while !is_asked() && started.elapsed() < wait {
        std::thread::sleep(ASKED_EVERY.min(wait));
    }
}

/// Listens from now on. Without it Ctrl-C ends the program at once, which is safe too.
pub fn listen() {
    let _ = ctrlc::set_handler(|| {
        let again = ASKED.swap(true, Ordering::Relaxed);
        if again || ASKING.load(Ordering::Relaxed) {
            remove_traces();
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

/// One thing that is taken away again.
#[derive(Debug)]
enum Trace {
    /// A file or folder.
    Path(PathBuf),
    /// A workspace in the list of those that are known.
    Known { home: PathBuf, root: PathBuf },
}

/// What a command made and takes away again unless it comes to its end.
#[derive(Debug)]
pub struct Traces(());

impl Traces {
    /// Starts with nothing to take away.
    pub fn begin() -> Self {
        Traces(())
    }

    /// Remembers something that this command is about to make; what is there already is never taken away.
    pub fn remember(&self, path: PathBuf) {
        if path.symlink_metadata().is_err()
            && let Ok(mut traces) = TRACES.lock()
        {
            traces.push(Trace::Path(path));
        }
    }

    /// Remembers a workspace that is about to become known.
    pub fn remember_known(&self, home: &Path, root: &Path) {
        let is_known =
            Registry::load(home).is_ok_and(|known| known.workspaces().iter().any(|one| one.path == root));
        if !is_known && let Ok(mut traces) = TRACES.lock() {
            traces.push(Trace::Known { home: home.to_path_buf(), root: root.to_path_buf() });
        }
    }

    /// Lets everything stay.
    pub fn keep(&self) {
        if let Ok(mut traces) = TRACES.lock() {
            traces.clear();
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        remove_traces();
    }
}

/// Takes away what was made, the newest first. Only our own names are ever in the list.
fn remove_traces() {
    let Ok(mut traces) = TRACES.lock() else { return };
    for trace in traces.drain(..).rev() {
        match trace {
            Trace::Path(path) => remove(&path),
            Trace::Known { home, root } => {
                let _ = Registry::load(&home).and_then(|mut known| known.forget(&root));
            }
        }
    }
}

fn remove(path: &Path) {
    let _ = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => Ok(()),
    };
}
