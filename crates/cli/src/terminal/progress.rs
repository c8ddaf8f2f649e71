//! Progress of a cycle: one line on a terminal, five times a second; elsewhere a line every half minute.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use instep_core::progress::{Event, Observer, Phase};

use super::Terminal;
use crate::render::{bytes, number};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgressMode {
    /// A line that moves on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// Plain lines.
    Plain,
    /// Nothing.
    None,
}

/// A phase that lasts less is never shown.
const QUIET_FOR: Duration = Duration::from_millis(700);
const PLAIN_EVERY: Duration = Duration::from_secs(30);
const JSON_EVERY: Duration = Duration::from_secs(1);

/// Whether a moving line stands on the terminal now.
static LINE_SHOWN: AtomicBool = AtomicBool::new(false);

/// Takes the moving line away, so that something else can be printed.
pub fn clear_line() {
    if LINE_SHOWN.swap(false, Ordering::Relaxed) {
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
    }
}

/// Where progress goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Nowhere,
    Line,
    Lines,
    Json,
}

/// Hears a cycle and shows how far it is.
pub struct Progress<'a> {
    terminal: &'a Terminal,
    sink: Sink,
    every: Duration,
    state: Mutex<State>,
}

/// How far the present phase is.
#[derive(Debug)]
struct State {
    phase: Option<Phase>,
    began: Instant,
    shown: Instant,
    files: u64,
    bytes: u64,
    files_all: Option<u64>,
    bytes_all: Option<u64>,
}

impl<'a> Progress<'a> {
    /// Prepares to show the progress of one act. `lines` says whether the command prints JSON lines.
    pub fn new(terminal: &'a Terminal, json_lines: bool) -> Self {
        let sink = match terminal.progress {
            ProgressMode::None => Sink::Nowhere,
            _ if terminal.json => {
                if json_lines {
                    Sink::Json
                } else {
                    Sink::Nowhere
                }
            }
            _ if terminal.quiet => Sink::Nowhere,
            ProgressMode::Auto if std::io::stderr().is_terminal() => Sink::Line,
            ProgressMode::Auto | ProgressMode::Plain => Sink::Lines,
        };
        let every = match sink {
            Sink::Line => frame(std::env::var("INSTEP_PROGRESS_FPS").ok().as_deref()),
            Sink::Json => JSON_EVERY,
            Sink::Lines | Sink::Nowhere => PLAIN_EVERY,
        };
        let now = Instant::now();
        let state = State {
            phase: None,
            began: now,
            shown: now,
            files: 0,
            bytes: 0,
            files_all: None,
            bytes_all: None,
        };
        Progress { terminal, sink, every, state: Mutex::new(state) }
    }

    fn show(&self, state: &mut State) {
        let now = Instant::now();
        let first = match self.sink {
            Sink::Line => QUIET_FOR,
            _ => self.every,
        };
        let due = now.duration_since(state.began) >= first && now.duration_since(state.shown) >= self.every;
        let (true, Some(phase)) = (due, state.phase) else { return };
        state.shown = now;
        match self.sink {
            Sink::Nowhere => {}
            Sink::Line => {
                LINE_SHOWN.store(true, Ordering::Relaxed);
                let _ = write!(std::io::stderr().lock(), "\r{}\x1b[K", line(state, phase, now));
            }
            Sink::Lines => self.terminal.say(&line(state, phase, now)),
            Sink::Json => self.terminal.object(&json(state, phase)),
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        clear_line();
    }
}

impl Observer for Progress<'_> {
    fn observe(&self, event: Event) {
        let Ok(mut state) = self.state.lock() else { return };
        match event {
            Event::Began { phase, files, bytes } => {
                let now = Instant::now();
                *state = State {
                    phase: Some(phase),
                    began: now,
                    shown: state.shown,
                    files: 0,
                    bytes: 0,
                    files_all: files,
                    bytes_all: bytes,
                };
            }
            Event::Advanced { phase, files, bytes } => {
                if state.phase == Some(phase) {
                    state.files += files;
                    state.bytes += bytes;
                    self.show(&mut state);
                }
            }
            Event::Ended { .. } => state.phase = None,
            Event::Retrying { why, wait_ms } => {
                let wait = crate::render::duration(wait_ms);
                drop(state);
                self.terminal.warn(&format!("{} Trying again in {wait}.", crate::failure::sentence(&why)));
            }
            Event::Notice(text) => {
                drop(state);
                self.terminal.warn(&crate::failure::sentence(&text));
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        crate::interrupt::is_asked()
    }
}

/// How long a frame lasts; five a second unless the environment says otherwise.
fn frame(per_second: Option<&str>) -> Duration {
    let per_second =
        per_second.and_then(|text| text.parse::<f64>().ok()).filter(|fps| (0.1..=60.0).contains(fps));
    Duration::from_secs_f64(1.0 / per_second.unwrap_or(5.0))
}

fn words(phase: Phase) -> (&'static str, usize) {
    match phase {
        Phase::Scan => ("Looking here", 1),
        Phase::History => ("Reading kept versions", 1),
        Phase::Ask => ("Asking the remote", 2),
        Phase::Receive => ("Receiving", 3),
        Phase::Plan => ("Deciding", 4),
        Phase::Send => ("Sending", 5),
        Phase::Apply => ("Changing files here", 6),
        Phase::Record => ("Writing it down", 7),
    }
}

/// `[5/7] Sending   63%   3.8 KB of 6.0 KB   1.2 MB/s   ETA 0:01`.
fn line(state: &State, phase: Phase, now: Instant) -> String {
    let (word, at) = words(phase);
    let seconds = now.duration_since(state.began).as_secs_f64();
    let mut parts = vec![format!("[{at}/7] {word}")];
    let share = match (state.bytes_all, state.files_all) {
        (Some(all), _) if all > 0 => Some(state.bytes as f64 / all as f64),
        (_, Some(all)) if all > 0 => Some(state.files as f64 / all as f64),
        _ => None,
    };
    if let Some(share) = share {
        parts.push(format!("{:.0}%", (share * 100.0).min(100.0)));
    }
    match state.bytes_all {
        Some(all) => parts.push(format!("{} of {}", bytes(state.bytes), bytes(all))),
        None if state.bytes > 0 => parts.push(bytes(state.bytes)),
        None => {}
    }
    if state.files > 0 {
        let of = state.files_all.map(|all| format!(" of {}", number(all))).unwrap_or_default();
        parts.push(format!("{}{of} files", number(state.files)));
    }
    if state.bytes > 0 && seconds > 0.0 {
        parts.push(format!("{}/s", bytes((state.bytes as f64 / seconds) as u64)));
    }
    if let Some(share) = share.filter(|share| *share > 0.01 && *share < 1.0) {
        let left = (seconds / share - seconds) as u64;
        parts.push(format!("ETA {}:{:02}", left / 60, left % 60));
    }
    parts.join("   ")
}

fn json(state: &State, phase: Phase) -> serde_json::Value {
    serde_json::json!({
        "type": "progress",
        "phase": phase.word(),
        "files": state.files,
        "files_all": state.files_all,
        "bytes": state.bytes,
        "bytes_all": state.bytes_all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_share_bytes_rate_and_time_left() {
        let began = Instant::now();
        let state = State {
            phase: Some(Phase::Send),
            began,
            shown: began,
            files: 1,
            bytes: 3_800,
            files_all: Some(3),
            bytes_all: Some(6_000),
        };
        assert_eq!(
            line(&state, Phase::Send, began + Duration::from_secs(2)),
            "[5/7] Sending   63%   3.8 KB of 6.0 KB   1 of 3 files   1.9 KB/s   ETA 0:01"
        );
    }

    #[test]
    fn a_frame_rate_that_makes_no_sense_is_left_aside() {
        assert_eq!(frame(Some("10")), Duration::from_millis(100));
        assert_eq!(frame(Some("0")), Duration::from_millis(200));
        assert_eq!(frame(None), Duration::from_millis(200));
    }
}
