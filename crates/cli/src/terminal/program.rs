//! The one door to other programs that this crate starts: pager, editor, merge tool, and git for its version.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

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

/// The version of the git program, if there is one.
pub fn git_version() -> Option<String> {
    let output = Command::new("git").arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().strip_prefix("git version ").map(str::to_owned)
}

/// The person's own words, read as a shell reads them. No path or text from elsewhere is ever part of them.
fn shell(words: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(words);
    command
}
