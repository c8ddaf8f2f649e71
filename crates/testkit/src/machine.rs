//! The program as a person runs it: a [`Machine`] with a home, a state folder and a workspace folder of its own.
//!
//! Nothing of the real user's environment reaches the program but `PATH`. A [`Pair`] is two machines around one bare
//! repository, all in one temporary area that goes when the pair does.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use crate::bare::Bare;

/// Names the planted fault that is switched on, in a program that was built for that.
pub const MUTANT: &str = "INSTEP_MUTANT";

/// A run that takes longer than this many seconds is ended, with exit code 124.
const SECONDS_MAX: &str = "120";

/// The user that a machine runs as where the tests run as root and a row is about permissions.
pub const NOBODY: u32 = 65534;

/// What a run of the program said.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; 128 and the signal's number if a signal ended it.
    pub code: i32,
    /// What it wrote for programs and people to read.
    pub stdout: String,
    /// Progress, warnings, hints, errors.
    pub stderr: String,
}

impl Output {
    /// Answers whether either stream holds the text.
    pub fn mentions(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.trim().is_empty() {
                write!(f, "\n  {name}: {}", text.trim_end().replace('\n', "\n    "))?;
            }
        }
        Ok(())
    }
}

/// One computer with one workspace folder.
#[derive(Debug, Clone)]
pub struct Machine {
    name: String,
    program: PathBuf,
    home: PathBuf,
    folder: PathBuf,
    user: Option<u32>,
}

impl Machine {
    /// Makes the folders of a machine inside an area.
    pub fn new(program: &Path, area: &Path, name: &str) -> Self {
        let home = area.join(format!("{name}-home"));
        let folder = area.join(name);
        fs::create_dir_all(&home).expect("a home can be made");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let identity = format!("[user]\n\tname = {name}\n\temail = {name}@example.org\n");
        fs::write(home.join(".gitconfig"), identity).expect("git's settings can be written");
        Machine { name: name.to_owned(), program: program.to_owned(), home, folder, user: None }
    }

    /// The machine's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The workspace's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where settings, state and keys of the user lie.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The same machine with its workspace in another folder.
    pub fn at(&self, folder: &Path) -> Self {
        Machine { folder: folder.to_owned(), ..self.clone() }
    }

    /// Runs the program in the workspace folder, to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.run_with(&[], arguments)
    }

    /// Starts the program in a process group of its own, and does not wait for it. It says nothing.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Child {
        let mut command = Command::new(&self.program);
        self.prepare(&mut command, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0).spawn().expect("the program can be started")
    }

    /// What starts the program in the workspace folder, for others to run.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.program);
        self.prepare(&mut command, arguments);
        command
    }

    /// Runs the program with one more environment variable.
    pub fn run_with<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &OsStr)],
        arguments: impl IntoIterator<Item = S>,
    ) -> Output {
        let mut command = Command::new("timeout");
        command.args(["-k", "5", SECONDS_MAX]).arg(&self.program);
        self.prepare(&mut command, arguments);
        for (name, value) in variables {
            command.env(name, value);
        }
        let output = command.stdin(Stdio::null()).output().expect("timeout(1) can be started");
        Output {
            code: exit_code(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn prepare<S: AsRef<OsStr>>(&self, command: &mut Command, arguments: impl IntoIterator<Item = S>) {
        command.arg("-C").arg(&self.folder).args(arguments).current_dir(&self.home).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.home).env("INSTEP_HOME", self.home.join("state"));
        command.env("INSTEP_NO_INPUT", "1").env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        if let Some(mutant) = std::env::var_os(MUTANT) {
            command.env(MUTANT, mutant);
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
    }

    /// Makes this folder a workspace on the repository and syncs it.
    pub fn connect(&self, bare: &Bare) -> Output {
        self.init(bare, &[])
    }

    /// Makes this folder a workspace on the repository, with more flags.
    pub fn init(&self, bare: &Bare, flags: &[&str]) -> Output {
        let address = bare.path().to_str().expect("because the area's path is plain");
        let usual = ["init", "--yes", "--name", &self.name, "--remote", address];
        self.run(usual.into_iter().chain(flags.iter().copied()))
    }
}

/// The code of a status, with signals as shells show them.
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// The program under test: what `INSTEP_PROGRAM` names, else what cargo built beside the test.
pub fn program(built: Option<&str>) -> PathBuf {
    let named = std::env::var_os("INSTEP_PROGRAM").map(PathBuf::from);
    let path = named.or_else(|| built.map(PathBuf::from));
    let path = path.expect("INSTEP_PROGRAM names the program, or cargo built it");
    path.canonicalize().expect("the program is there")
}

/// Two machines around one bare repository.
#[derive(Debug)]
pub struct Pair {
    /// The one that a drawing calls local.
    pub left: Machine,
    /// The other one.
    pub right: Machine,
    /// What both sync with.
    pub bare: Bare,
    area: TempDir,
}

impl Pair {
    /// Makes two machines with empty folders, and an empty repository.
    pub fn new(program: &Path) -> Self {
        Pair::new_in(program, &std::env::temp_dir())
    }

    /// The same, in a folder of a certain disk.
    pub fn new_in(program: &Path, folder: &Path) -> Self {
        let area = tempfile::Builder::new().prefix("instep-pair-").tempdir_in(folder);
        let area = area.expect("an area can be made");
        let bare = Bare::create(&area.path().join("remote.git"));
        let left = Machine::new(program, area.path(), "left");
        let right = Machine::new(program, area.path(), "right");
        Pair { left, right, bare, area }
    }

    /// Makes two machines that run as a user for whom permissions count. As root, that is nobody; else the user.
    pub fn unprivileged(program: &Path) -> Self {
        let mut pair = Pair::new(program);
        if !rustix::process::geteuid().is_root() {
            return pair;
        }
        let copy = pair.area.path().join("instep");
        fs::copy(program, &copy).expect("the program can be copied");
        for machine in [&mut pair.left, &mut pair.right] {
            machine.program = copy.clone();
            machine.user = Some(NOBODY);
        }
        pair.hand_over();
        pair
    }

    /// Gives all that was built to the user that the machines run as.
    pub fn hand_over(&self) {
        if self.left.user == Some(NOBODY) {
            hand_over(self.area.path());
        }
    }

    /// Left and right.
    pub fn machines(&self) -> [&Machine; 2] {
        [&self.left, &self.right]
    }

    /// Makes both folders workspaces on the repository, left first, and syncs them.
    pub fn connect(&self) {
        for machine in self.machines() {
            let output = machine.connect(&self.bare);
            assert!(output.code == 0, "init on {} failed: {output}", machine.name());
        }
    }

    /// Adds a machine to the two.
    pub fn third(&self) -> Machine {
        Machine::new(&self.left.program, self.area.path(), "third")
    }

    /// The folder that holds everything.
    pub fn area(&self) -> &Path {
        self.area.path()
    }

    /// Leaves everything on disk for a person to look at.
    pub fn keep(self) -> PathBuf {
        self.area.keep()
    }
}

fn hand_over(path: &Path) {
    let kind = fs::symlink_metadata(path).expect("what was built is there").file_type();
    if kind.is_symlink() {
        return;
    }
    chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give away");
    if kind.is_dir() {
        for entry in fs::read_dir(path).expect("a folder can be listed") {
            hand_over(&entry.expect("a folder can be listed").path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(area: &Path, text: &str) -> PathBuf {
        let path = area.join("program");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_machine_sees_only_its_own_world() {
        let area = tempfile::tempdir().unwrap();
        let program = script(area.path(), "echo $# $2 $HOME $USER.; echo oops >&2; exit 4");
        let machine = Machine::new(&program, area.path(), "laptop");
        let output = machine.run(["sync"]);
        assert_eq!(output.code, 4);
        let (folder, home) = (machine.folder().display(), machine.home().display());
        assert_eq!(output.stdout, format!("3 {folder} {home} .\n"));
        assert_eq!(output.stderr, "oops\n");
    }

    #[test]
    fn a_killed_program_answers_as_in_a_shell() {
        let area = tempfile::tempdir().unwrap();
        let machine = Machine::new(&script(area.path(), "kill -9 $$"), area.path(), "laptop");
        assert_eq!(exit_code(machine.start(["sync"]).wait().unwrap()), 137);
    }
}
