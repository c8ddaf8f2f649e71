//! The one door to other programs that this crate starts: pager, editor, merge tool, the command that tells of news, and git for its version.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::interrupt;

/// Shows text in the person's pager; answers false if there is none that starts.
pub fn page(text: &str) -> bool {
    let pager = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
    let pager = pager.unwrap_or_else(|| "less".to_owned());
    let mut command = shell(&pager);
    if std::env::var_os("LESS").is_none() {
        // Leave short text on the screen, take colours, don't clear it afterwards.
        command.env("LESS", "FRX");
    }
    let Ok(mut child) = command.stdin(Stdio::piped()).spawn() else { return false };
    if let Some(mut pipe) = child.stdin.take() {
        // A person who leaves the pager early has seen enough.
        let _ = pipe.write_all(text.as_bytes());
    }
    child.wait().is_ok_and(|status| status.code() != Some(127))
}

/// Opens a file in the person's editor and waits until it is closed.
pub fn edit(file: &Path) -> io::Result<ExitStatus> {
    let chosen = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|set| !set.is_empty()));
    let editor = chosen.unwrap_or_else(|| "vi".to_owned());
    shell(&format!("{editor} \"$1\"")).arg("instep").arg(file).status()
}

/// Runs a merge tool that a person named on the command line, with the files in its environment.
pub fn merge_tool(tool: &str, files: &[(&str, &Path)]) -> io::Result<ExitStatus> {
    let mut command = shell(tool);
    command.envs(files.iter().map(|(name, path)| (OsStr::new(name), path.as_os_str())));
    command.stdout(io::stderr()).status()
}

/// Runs a program that shows the differences of two files. Its words are parted at spaces, no shell reads them, and the
/// files come last.
pub fn difference_tool(tool: &str, old: &Path, new: &Path) -> io::Result<ExitStatus> {
    let mut words = tool.split_whitespace();
    let program = words.next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    Command::new(program).args(words).arg(old).arg(new).status()
}

/// Runs the command by which a person is told of something, in a folder, with a document to read and variables; its
/// output is dropped. One that takes too long is ended, with all it started: then there is no status.
pub fn notify(
    command: &str,
    folder: &Path,
    variables: &[(&str, &str)],
    document: String,
    limit: Duration,
) -> io::Result<Option<ExitStatus>> {
    const LOOKED_AT_EVERY: Duration = Duration::from_millis(20);
    let mut shell = shell(command);
    // What was meant for us is not handed on: neither secrets nor options. Only where our state lies stays.
    let ours = std::env::vars_os().map(|(name, _)| name);
    ours.filter(|name| name.as_encoded_bytes().starts_with(b"INSTEP_") && name != "INSTEP_HOME").for_each(
        |name| {
            shell.env_remove(name);
        },
    );
    shell.current_dir(folder).envs(variables.iter().copied()).process_group(0);
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // One that reads none of it must not hold us up.
        std::thread::spawn(move || pipe.write_all(document.as_bytes()));
    }
    let started = Instant::now();
    while started.elapsed() < limit && !interrupt::is_asked() {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        interrupt::pause(LOOKED_AT_EVERY);
    }
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait()?;
    Ok(None)
}

/// The version of the git program, if there is one.
pub fn git_version() -> Option<String> {
    let output = Command::new("git").arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().strip_prefix("git version ").map(str::to_owned)
}

/// Answers whether git would take up a file that stands in a folder: that lies in a work tree of git, and no rule there
/// ignores the file. The repository is asked for nothing else, and runs nothing.
pub fn git_would_take(folder: &Path, file: &str) -> bool {
    let mut git = Command::new("git");
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    git.arg("-C").arg(folder).args(["-c", "core.fsmonitor=false", "check-ignore", "--no-index", "-q", "--"]);
    let status = git.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.code() == Some(1))
}

/// The person's own words, read as a shell reads them. No path or text from elsewhere is ever part of them.
fn shell(words: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(words);
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    #[test]
    fn a_command_that_takes_too_long_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let ended = |command: &str, limit| {
            let variables = [("WORD", "$(touch here)")];
            notify(command, folder.path(), &variables, "x".repeat(1 << 20), limit).unwrap()
        };
        let soon = Duration::from_millis(200);
        assert!(ended("mkfifo pipe; sh -c 'exec cat pipe' & wait", soon).is_none());
        // Nobody has the pipe open any more, or this would wait for a reader that is there.
        let opened = std::fs::OpenOptions::new()
            .write(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(&pipe);
        // Who was ended may be a moment in dying: the pipe says when its last reader is gone.
        if let Ok(pipe) = opened {
            let mut readers = [PollFd::new(&pipe, PollFlags::empty())];
            let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
            assert_eq!(poll(&mut readers, Some(&patience)), Ok(1));
            assert!(readers[0].revents().contains(PollFlags::ERR));
        }
        // One that reads nothing is not waited for, and a value is no part of what the shell reads.
        assert!(
            ended("echo $WORD; exit 3", Duration::from_secs(60))
                .is_some_and(|status| status.code() == Some(3))
        );
        assert!(!folder.path().join("here").exists());
    }
}
