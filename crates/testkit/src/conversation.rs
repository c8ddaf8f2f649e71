//! The program at a terminal, with somebody who answers its questions.
//!
//! Only the input is a terminal: what the program writes, to either stream, is one text in the order of writing.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::machine::{Machine, Output, exit_code};

/// Ends the input, as Ctrl-D does.
const END_OF_INPUT: u8 = 4;

/// Runs the program and types the answers, a line each; then the input ends. All that it wrote is in `stdout`.
pub fn converse<S: AsRef<OsStr>>(
    machine: &Machine,
    arguments: impl IntoIterator<Item = S>,
    answers: &[&str],
) -> Output {
    let (mut person, terminal) = open();
    for answer in answers {
        writeln!(person, "{answer}").expect("a terminal holds a few lines");
    }
    person.write_all(&[END_OF_INPUT]).expect("a terminal holds one more byte");
    let mut said = tempfile::tempfile().expect("a file can be made");
    let stream = || Stdio::from(said.try_clone().expect("a file can be shared"));
    let mut command = machine.command(arguments);
    let status = command
        .env_remove("INSTEP_NO_INPUT")
        .stdin(Stdio::from(terminal))
        .stdout(stream())
        .stderr(stream())
        .status()
        .expect("the program can be started");
    // The terminal lasts until the program has read all of it.
    drop(person);
    let mut stdout = String::new();
    said.rewind().and_then(|()| said.read_to_string(&mut stdout)).expect("what was said is text");
    Output { code: exit_code(status), stdout, stderr: String::new() }
}

/// Both ends of a new terminal: the person's, and the program's.
fn open() -> (File, OwnedFd) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal can be made");
    grantpt(&person).and_then(|()| unlockpt(&person)).expect("it is ours");
    let name = ptsname(&person, Vec::new()).expect("it has a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = rustix::fs::open(name, flags, Mode::empty()).expect("its other end can be opened");
    (File::from(person), terminal)
}
