//! The ways to break a run that take more than one act: chains of kills, calls that fail, a person who saves or swaps a
//! folder for a link in between.

use std::io;

use nix::errno::Errno;

use super::{Kind, Seen, check_end, said, traced};
use crate::calls::Effect;
use crate::machine::Machine;
use crate::meddler::{Flipper, Writer};
use crate::scenes::{Scene, Start, World};
use crate::tracer::{self, Act, Call, Left, Watch};

/// How far apart the kills of a chain are.
const CHAIN_STRIDE: u64 = 9;

/// Kills the run, then those that are to recover from it, each a bit further on, until one comes to its end.
pub(super) fn chain(
    scene: &Scene,
    machine: &Machine,
    words: &[String],
    point: u64,
    seen: &mut Seen,
) -> Result<Left, String> {
    let mut kill_at = |words: &[String], point: u64| {
        let ended = traced(tracer::run_fast, machine, words, Watch::Changes, &mut |call| {
            if call.number == point { Act::KillAll } else { Act::Pass }
        })?;
        let killed = !ended.hit.is_empty();
        seen.take(&ended);
        Ok::<_, String>((killed, ended))
    };
    kill_at(words, point)?;
    let sync = ["sync".to_owned()];
    let again = if scene.start == Start::Agreed { &sync[..] } else { words };
    let mut at = 1 + point % CHAIN_STRIDE;
    loop {
        let (killed, ended) = kill_at(again, at)?;
        if !killed {
            check_end(machine, &ended)?;
            break;
        }
        at += CHAIN_STRIDE;
    }
    Ok(Left::default())
}

/// Lets calls fail and looks at how the run takes it.
pub(super) fn failing(
    world: &mut World,
    scene: &Scene,
    machine: &Machine,
    words: &[String],
    (kind, point, choice): (Kind, u64, u64),
    seen: &mut Seen,
) -> Result<Left, String> {
    let mut error = None;
    let mut not_durable: Vec<String> = Vec::new();
    let ended = traced(tracer::run_fast, machine, words, kind.watch(), &mut |call| {
        if call.number == point {
            let fitting: Vec<Errno> =
                ERRORS.iter().copied().filter(|error| fits(*error, call, kind)).collect();
            error = fitting.get((choice % fitting.len().max(1) as u64) as usize).copied();
        }
        let here = call.number == point || kind == Kind::FailOn && call.number > point;
        match error.filter(|error| here && fits(*error, call, kind)) {
            Some(error) => {
                // SQLite passes over a folder of its own that can't be synced, and over a copy of its log into the
                // database that came to nothing when it closes: the log is kept. A commit that fails is told.
                let spared = call.about.ends_with("/.instep") || call.about.contains("/.instep/state.db");
                if call.effect == Effect::Syncs && call.by_program && !spared {
                    not_durable.push(call.about.clone());
                }
                Act::Fail(error)
            }
            None => {
                if call.effect == Effect::Syncs && call.by_program {
                    not_durable.retain(|about| *about != call.about && call.name != "syncfs");
                }
                Act::Pass
            }
        }
    })?;
    seen.take(&ended);
    seen.error = error;
    check_end(machine, &ended)?;
    if ended.code == 0 && !not_durable.is_empty() {
        return Err(format!("it said success, but {not_durable:?} never became durable: {}", said(machine)));
    }
    if ended.code == 0 && words == ["sync"] && scene.start == Start::Agreed {
        let before = world.pair.bare.refs();
        let output = machine.run(["sync"]);
        if world.pair.bare.refs() != before || output.code == 0 && output.mentions("Done in") {
            return Err(format!(
                "it said success, and left this to do: {output}; it had said: {}",
                said(machine)
            ));
        }
    }
    Ok(ended.left)
}

/// Lets somebody save while the run is under way: what they saved last must stand where they saved it.
pub(super) fn saving(
    world: &mut World,
    machine: &Machine,
    words: &[String],
    (point, choice): (u64, u64),
    seen: &mut Seen,
) -> Result<Left, String> {
    let failed = |error: io::Error| format!("the harness failed: {error}");
    let mut writer = Writer::new(machine.folder(), choice).map_err(failed)?;
    let later = point + 1 + choice % 40;
    let mut trouble = None;
    let ended = traced(tracer::run_fast, machine, words, Watch::Own, &mut |call| {
        let answer = match call.number {
            number if number == point => writer.save(),
            number if number == later => writer.finish().and_then(|()| writer.save()),
            _ => Ok(()),
        };
        trouble = trouble.take().or(answer.err());
        Act::Pass
    })?;
    writer.finish().map_err(failed)?;
    match trouble {
        // What was listed may be moved before it is opened.
        Some(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    seen.take(&ended);
    seen.note = format!("{:?}, again at call {later}", writer.done);
    if ended.calls >= point {
        seen.count = 1;
    }
    world.note_saved(&writer.saved, &writer.destroyed);
    check_end(machine, &ended)?;
    Ok(ended.left)
}

/// Lets somebody swap folders for links while the run is under way: nothing outside may be touched.
pub(super) fn flipping(
    machine: &Machine,
    words: &[String],
    (point, choice): (u64, u64),
    seen: &mut Seen,
) -> Result<Left, String> {
    let mut flipper =
        Flipper::new(machine.folder(), choice).map_err(|error| format!("the harness failed: {error}"))?;
    let later = point + 1 + choice % 60;
    let mut back = Ok(());
    let ended = traced(tracer::run_fast, machine, words, Watch::Own, &mut |call| {
        if call.number == point {
            flipper.flip();
        } else if call.number == later {
            back = flipper.flip_back();
        }
        Act::Pass
    })?;
    back.and_then(|()| flipper.flip_back())?;
    seen.take(&ended);
    seen.count = 1;
    check_end(machine, &ended)?;
    flipper.harm()?;
    Ok(ended.left)
}

/// The errors with which calls fail.
pub(super) const ERRORS: [Errno; 7] =
    [Errno::EIO, Errno::ENOSPC, Errno::EDQUOT, Errno::EROFS, Errno::EMFILE, Errno::EACCES, Errno::EINTR];

/// Answers whether a call can fail in this way.
pub(super) fn fits(error: Errno, call: &Call, kind: Kind) -> bool {
    let opens = call.name.starts_with("open") || call.name == "creat" || call.name == "pipe2";
    let by_path = !matches!(call.name, "read" | "write" | "pread64" | "pwrite64" | "fstat" | "getdents64");
    match error {
        Errno::EIO => true,
        Errno::ENOSPC | Errno::EDQUOT => {
            matches!(call.effect, Effect::Grows | Effect::Syncs) || call.name.starts_with("rename")
        }
        Errno::EROFS => {
            matches!(call.effect, Effect::Changes | Effect::Grows) && by_path && call.name != "execve"
        }
        Errno::EMFILE => opens,
        Errno::EACCES => by_path && call.effect != Effect::Syncs && call.name != "pipe2",
        Errno::EINTR => {
            kind != Kind::FailOn
                && matches!(call.name, "read" | "write" | "openat" | "openat2" | "flock" | "fsync")
        }
        _ => false,
    }
}
