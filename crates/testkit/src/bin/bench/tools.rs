//! The tools that are compared, and how each brings one folder to another.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::data::Workload;
use crate::measure::{self, Cost};

/// One of the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Instep,
    Git,
    Unison,
    Rsync,
}

impl Tool {
    /// All, ours first: the others are measured by it.
    pub const ALL: [Tool; 4] = [Tool::Instep, Tool::Git, Tool::Unison, Tool::Rsync];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Instep => "instep",
            Tool::Git => "git",
            Tool::Unison => "unison",
            Tool::Rsync => "rsync",
        }
    }
}

/// What is compared, in one line.
pub fn versions(program: &Path) -> io::Result<String> {
    let mut versions = Vec::new();
    for (name, flag) in [
        (program.as_os_str(), "--version"),
        ("git".as_ref(), "--version"),
        ("unison".as_ref(), "-version"),
        ("rsync".as_ref(), "--version"),
    ] {
        let output = Command::new(name).arg(flag).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        versions.push(text.lines().next().unwrap_or_default().trim().to_owned());
    }
    Ok(versions.join(" · "))
}

/// Two folders and what a tool needs around them.
pub struct World {
    tool: Tool,
    program: PathBuf,
    area: TempDir,
    started: bool,
}

impl World {
    /// Makes two empty folders.
    pub fn new(tool: Tool, program: &Path) -> io::Result<Self> {
        let area = tempfile::Builder::new().prefix("instep-bench-").tempdir()?;
        for name in ["left", "home", "home/left", "home/right"] {
            fs::create_dir_all(area.path().join(name))?;
        }
        let identity = "[user]\n\tname = bench\n\temail = bench@example.org\n";
        fs::write(area.path().join("home/.gitconfig"), identity)?;
        Ok(World { tool, program: program.to_owned(), area, started: false })
    }

    /// The folder that changes.
    pub fn left(&self) -> PathBuf {
        self.area.path().join("left")
    }

    fn right(&self) -> PathBuf {
        self.area.path().join("right")
    }

    fn repository(&self) -> PathBuf {
        self.area.path().join("remote.git")
    }

    /// Brings what changed on the left to the right, and measures it.
    pub fn transfer(&mut self, workload: Workload) -> io::Result<Cost> {
        let first = !std::mem::replace(&mut self.started, true);
        let before = if self.repository().exists() { measure::size(&self.repository())? } else { 0 };
        let mut cost = match (self.tool, first) {
            (Tool::Instep, true) => self.instep_first()?,
            (Tool::Instep, false) => self.instep("left", &["sync"])?.then(self.instep("right", &["sync"])?),
            (Tool::Git, true) => self.git_first()?,
            (Tool::Git, false) => self.git_again(workload)?,
            (Tool::Unison, _) => self.unison()?,
            (Tool::Rsync, _) => self.rsync()?,
        };
        if self.repository().exists() {
            cost.sent = Some(measure::size(&self.repository())?.saturating_sub(before));
        }
        Ok(cost)
    }

    /// Both folders must hold the same.
    pub fn check(&self) -> io::Result<()> {
        let mut command = Command::new("diff");
        command.args([
            "--recursive",
            "--brief",
            "--exclude=.git",
            "--exclude=.instep",
            "--exclude=instep.local.yaml",
        ]);
        let output = command.arg(self.left()).arg(self.right()).output()?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let shown: Vec<_> = text.lines().take(5).collect();
        Err(io::Error::other(format!(
            "{} left the folders different:\n{}",
            self.tool.name(),
            shown.join("\n")
        )))
    }

    fn run(&self, mut command: Command, fine: &[i32]) -> io::Result<(Cost, String)> {
        let home = self.area.path().join("home");
        command.env("HOME", &home).env("UNISON", home.join("unison")).env("LC_ALL", "C.UTF-8");
        measure::run(&command, fine, self.area.path())
    }

    fn instep(&self, machine: &str, words: &[&str]) -> io::Result<Cost> {
        let mut command = Command::new(&self.program);
        command.arg("-C").arg(self.area.path().join(machine)).args(words);
        command.env("INSTEP_HOME", self.area.path().join("home").join(machine)).env("INSTEP_NO_INPUT", "1");
        Ok(self.run(command, &[0])?.0)
    }

    fn instep_first(&self) -> io::Result<Cost> {
        self.make_repository()?;
        fs::create_dir(self.right())?;
        let repository = self.repository().display().to_string();
        let connect =
            |machine| self.instep(machine, &["init", "--yes", "--name", machine, "--remote", &repository]);
        Ok(connect("left")?.then(connect("right")?))
    }

    fn make_repository(&self) -> io::Result<()> {
        let mut command = Command::new("git");
        command.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(self.repository());
        self.run(command, &[0]).map(drop)
    }

    fn git(&self, folder: &Path, words: &[&str]) -> io::Result<Cost> {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(words);
        // A commit with nothing to say ends with 1.
        Ok(self.run(command, &[0, 1])?.0)
    }

    fn git_first(&self) -> io::Result<Cost> {
        self.make_repository()?;
        let (left, right) = (self.left(), self.right().display().to_string());
        let repository = self.repository().display().to_string();
        let steps: [&[&str]; 5] = [
            &["init", "--quiet", "--initial-branch=main"],
            &["remote", "add", "origin", &repository],
            &["add", "--all"],
            &["commit", "--quiet", "--message=first"],
            &["push", "--quiet", "--set-upstream", "origin", "main"],
        ];
        let mut cost = Cost::default();
        for step in steps {
            cost = cost.then(self.git(&left, step)?);
        }
        let address = format!("file://{repository}");
        Ok(cost.then(self.git(self.area.path(), &["clone", "--quiet", &address, &right])?))
    }

    fn git_again(&self, workload: Workload) -> io::Result<Cost> {
        let message = format!("--message={}", workload.name());
        let steps: [&[&str]; 3] = [&["add", "--all"], &["commit", "--quiet", &message], &["push", "--quiet"]];
        let mut cost = Cost::default();
        for step in steps {
            cost = cost.then(self.git(&self.left(), step)?);
        }
        Ok(cost.then(self.git(&self.right(), &["pull", "--quiet", "--ff-only"])?))
    }

    fn unison(&self) -> io::Result<Cost> {
        fs::create_dir_all(self.right())?;
        let mut command = Command::new("unison");
        command
            .args(["-batch", "-auto", "-silent", "-confirmbigdel=false"])
            .arg(self.left())
            .arg(self.right());
        Ok(self.run(command, &[0])?.0)
    }

    fn rsync(&self) -> io::Result<Cost> {
        let mut command = Command::new("rsync");
        // Between local folders rsync copies whole files unless it is told to look for what is equal.
        command.args(["--archive", "--delete", "--stats", "--no-whole-file"]);
        command.arg(self.left().join("")).arg(self.right());
        let (mut cost, text) = self.run(command, &[0])?;
        let sent = text.lines().find_map(|line| line.strip_prefix("Total bytes sent: "));
        cost.sent = sent.and_then(|number| number.replace(',', "").parse().ok());
        Ok(cost)
    }
}
