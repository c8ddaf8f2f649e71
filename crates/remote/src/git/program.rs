//! The only door to the `git` program: what it is called with, what it may see, and how long it may take.
//!
//! Nothing of the caller's environment or configuration reaches it but what stands on a list here. The values of the
//! user's own configuration that are needed to reach a host (identity, credentials, proxies) are copied, once, into a
//! file of ours that every program started by git reads in place of the user's, so that a `git-receive-pack` on a local
//! path is as careful as we are. It does not know what the answers mean.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use instep_core::remote::{RemoteError, RemoteErrorKind};

use super::failure;
use super::locks;
use super::settings::UserSettings;

/// How much of what a program says on its error channel is kept: the end of it.
const STDERR_BYTES_MAX: usize = 64 * 1024;
/// How much a program may answer to one call.
const STDOUT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How many locks of dead programs one call may meet.
const LOCKS_MAX: u32 = 8;
/// How long a host may keep us waiting for nothing, unless a person said otherwise.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of it the last question always has: one over it, and no shorter time makes sense to a host far away.
const PATIENCE_LAST: u32 = 6;
/// How long what was asked to end may take to tidy up.
const TIDY_MAX: Duration = Duration::from_secs(3);

/// What of the caller's environment the program may see.
const PASSED: &[&str] = &[
    "ALL_PROXY",
    "DBUS_SESSION_BUS_ADDRESS",
    "GIT_CONFIG_NOSYSTEM",
    "GNUPGHOME",
    "GPG_TTY",
    "HOME",
    "HTTPS_PROXY",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What every call is told, over any file.
const FLAGS: &[&str] = &[
    "core.bigFileThreshold=16m",
    "core.fsmonitor=false",
    "core.fsync=all",
    "core.hooksPath=/dev/null",
    "gc.auto=0",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1",
    "maintenance.auto=false",
    "protocol.version=2",
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
    "transfer.credentialsInUrl=die",
    "transfer.fsckObjects=true",
];

/// Oddities of old or foreign histories that are harmless to us: nothing is checked out, and none of it is parsed.
/// Without this one odd file would refuse a whole fetch.
pub(super) const HARMLESS: &[&str] = &[
    "badDate",
    "badDateOverflow",
    "badTimezone",
    "gitattributesBlob",
    "gitattributesLarge",
    "gitattributesLineLength",
    "gitattributesMissing",
    "gitmodulesBlob",
    "gitmodulesLarge",
    "gitmodulesMissing",
    "gitmodulesName",
    "gitmodulesParse",
    "gitmodulesPath",
    "gitmodulesUpdate",
    "gitmodulesUrl",
    "missingSpaceBeforeDate",
    "zeroPaddedFilemode",
];

/// The ssh program as git calls it, unless the user's configuration names another.
const SSH_OPTIONS: &str = "-o BatchMode=yes -o StrictHostKeyChecking=yes -o ForwardAgent=no -o ForwardX11=no \
     -o ClearAllForwardings=yes -o PermitLocalCommand=no -o ServerAliveCountMax=3";

/// The variables that programs are started with, and who says that they are to stop.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    is_over: Option<fn() -> bool>,
    patience: Option<Duration>,
}

impl Environment {
    /// Takes from this process what the program may see.
    pub fn of_process() -> Self {
        let named = PASSED.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        Environment { variables: named.collect(), ..Environment::default() }
    }

    /// Asks this now and then: once it is true, what talks to a host is ended, and nothing that would talk is started.
    pub fn until(mut self, is_over: fn() -> bool) -> Self {
        self.is_over = Some(is_over);
        self
    }

    /// How long a host may keep us waiting for nothing, over all questions until it answers one.
    pub fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Where a program is found. One that is started by its whole path need not be searched for by a copy of this
    /// process, which is large where a workspace has many files.
    fn locate(&self, program: &str) -> Option<PathBuf> {
        let path = self.variables.get(OsStr::new("PATH"))?;
        let places = std::env::split_paths(path).take_while(|place| place.is_absolute());
        let mut found = places.map(|place| place.join(program));
        found.find(|file| file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok())
    }

    /// Sets one more variable.
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

/// Which repository and which configuration a call works with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// Our own repository, without the user's configuration.
    Ours,
    /// Our own repository, with what is needed to reach the remote.
    Talking,
    /// Our own repository, with nothing that says who the user is: no logins, no home, no certificates.
    Stranger,
    /// A repository on a local path, without the user's configuration.
    At(&'a Path),
}

/// The program, as one remote uses it.
#[derive(Debug)]
pub(super) struct Program {
    git: PathBuf,
    directory: PathBuf,
    environment: Environment,
    protocols: &'static str,
    url: String,
    settings: Mutex<Option<Arc<UserSettings>>>,
    patience: Patience,
    /// A reader of our repository with nothing to do.
    resting: Mutex<Option<Running>>,
}

impl Program {
    /// Takes our repository's directory, and the remote's address with the protocols that it may be reached by.
    pub fn new(directory: PathBuf, environment: Environment, url: String, protocols: &'static str) -> Self {
        let git = environment.locate("git").unwrap_or_else(|| PathBuf::from("git"));
        let most = environment.patience.unwrap_or(PATIENCE);
        Program {
            git,
            directory,
            environment,
            protocols,
            url,
            settings: Mutex::new(None),
            patience: Patience { most, spent: Arc::default() },
            resting: Mutex::new(None),
        }
    }

    /// Our own repository.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The remote's address, as git is to hear it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How long a host may keep us waiting for nothing.
    pub fn patience(&self) -> Duration {
        self.patience.most
    }

    /// Doubles the patience of a push: what the system took to be sent counts as sent, and on a slow line nothing comes
    /// back until it has arrived.
    pub fn patience_with_a_push(&self) -> [String; 2] {
        ["-c".to_owned(), format!("http.lowSpeedTime={}", self.patience.seconds() * 2)]
    }

    /// Begins a call: the command and its arguments are still to be given.
    pub fn call(&self, scope: Scope<'_>) -> Result<Call, RemoteError> {
        let mut command = self.bare();
        match scope {
            Scope::Ours => {
                command.arg("--git-dir").arg(&self.directory).env("GIT_CONFIG_GLOBAL", "/dev/null");
            }
            Scope::At(path) => {
                command.arg("--git-dir").arg(path).env("GIT_CONFIG_GLOBAL", "/dev/null");
            }
            Scope::Stranger => {
                command.arg("--git-dir").arg(&self.directory).env("GIT_CONFIG_GLOBAL", "/dev/null");
                // A folder that is not there holds no .netrc; an empty login would be a ticket of Kerberos.
                command.env("HOME", self.directory.join("nobody")).env_remove("XDG_CONFIG_HOME");
                command.args(["-c", "credential.helper=", "-c", "http.emptyAuth=false"]);
                command.args(["-c".to_owned(), self.patience.for_http()]);
            }
            Scope::Talking => {
                let settings = self.settings()?;
                command.arg("--git-dir").arg(&self.directory);
                command.env("GIT_CONFIG_GLOBAL", &settings.file);
                command.args(["-c".to_owned(), self.patience.for_http()]);
                let ssh = ssh_command(settings.ssh_command.as_deref(), &self.patience);
                command.env("GIT_SSH_COMMAND", ssh);
            }
        }
        let ours = match scope {
            Scope::At(_) => None,
            Scope::Ours | Scope::Talking | Scope::Stranger => Some(self.directory.clone()),
        };
        let talks = matches!(scope, Scope::Talking | Scope::Stranger);
        let is_over = self.environment.is_over.filter(|_| talks);
        let patience = talks.then(|| self.patience.clone());
        Ok(Call { command, patience, deadline: None, is_over, ours })
    }

    /// What the user's own configuration says, copied into our file at the first question.
    pub fn settings(&self) -> Result<Arc<UserSettings>, RemoteError> {
        let mut held = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settings) = &*held {
            return Ok(Arc::clone(settings));
        }
        let mut command = Command::new(&self.git);
        command.env_clear().envs(&self.environment.variables).env("LC_ALL", "C").current_dir(&self.directory);
        command.args(["config", "--list", "-z", "--show-scope"]);
        let listed = Call::local(command).answer()?;
        let settings = Arc::new(UserSettings::copy(&listed, &self.directory, &self.url)?);
        *held = Some(Arc::clone(&settings));
        Ok(settings)
    }

    /// Our repository is another one now: nothing that was read of it, and no copy of the user's configuration, is left.
    pub fn forget(&self) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.rested();
    }

    /// Takes the reader that has nothing to do, if there is one.
    pub fn rested(&self) -> Option<Running> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Lets a reader of our repository wait for its next questions.
    pub fn rest(&self, running: Running) {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    }

    /// The installed version, as `(2, 47)`.
    pub fn version(&self) -> Result<(u32, u32), RemoteError> {
        let mut call = Call::local(self.bare());
        call.args(["version"]);
        let text = String::from_utf8_lossy(&call.answer()?).into_owned();
        let mut numbers = text.trim_start_matches("git version ").split('.').map_while(|n| n.parse().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) => Ok((major, minor)),
            _ => Err(failure::protocol("git did not tell its version", text.as_bytes())),
        }
    }

    /// Creates a bare repository with an empty branch; changes nothing of one that exists.
    pub fn init(&self, path: &Path, branch: &str) -> Result<(), RemoteError> {
        let mut command = self.bare();
        command.env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.args(["init", "--quiet", "--bare", "--template=", "--object-format=sha1"]);
        command.arg(format!("--initial-branch={branch}")).arg("--").arg(path);
        Call::local(command).answer().map(drop)
    }

    fn bare(&self) -> Command {
        let mut command = Command::new(&self.git);
        command.env_clear().envs(&self.environment.variables);
        command.env("LC_ALL", "C").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        command.env("GIT_ALLOW_PROTOCOL", self.protocols).env("GIT_PROTOCOL_FROM_USER", "0");
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_REPLACE_OBJECTS", "1");
        // Git frees a large buffer for each small object; giving it back to the system each time takes half its time.
        command.env("MALLOC_TRIM_THRESHOLD_", "67108864").env("MALLOC_TOP_PAD_", "16777216");
        command.current_dir("/").arg("--no-pager");
        for flag in FLAGS {
            command.arg("-c").arg(flag);
        }
        command
    }
}

/// How long a host may keep us waiting for nothing, over all questions until it answers one: a sync asks several times,
/// and none of them is to wait as if it were the first.
#[derive(Debug, Clone)]
struct Patience {
    most: Duration,
    spent: Arc<Mutex<Duration>>,
}

impl Patience {
    fn left(&self) -> Duration {
        let spent = *self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        self.most.saturating_sub(spent).max(self.most / PATIENCE_LAST)
    }

    /// What is left of it in whole seconds, as other programs count.
    fn seconds(&self) -> u64 {
        self.left().as_secs().max(1)
    }

    fn for_http(&self) -> String {
        format!("http.lowSpeedTime={}", self.seconds())
    }

    fn for_ssh(&self) -> String {
        let seconds = self.seconds();
        let (between, connect) = ((seconds / 2).max(1), seconds.min(10));
        format!("-o ServerAliveInterval={between} -o ConnectTimeout={connect}")
    }

    /// Notes how a call went that took so long.
    fn note(&self, outcome: &Outcome, took: Duration) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.status.success() {
            *spent = Duration::ZERO;
        } else if outcome.timed_out.is_some() || failure::is_silence(&outcome.stderr) {
            *spent += took;
        }
    }
}

/// Adds our options to the user's own ssh command, where it is one.
fn ssh_command(user: Option<&str>, patience: &Patience) -> String {
    let command = user.unwrap_or("ssh");
    let program = command.split_whitespace().next().unwrap_or("");
    if program == "ssh" || program.ends_with("/ssh") {
        format!("{command} {SSH_OPTIONS} {}", patience.for_ssh())
    } else {
        command.to_owned()
    }
}

/// One call of the program.
#[derive(Debug)]
pub(super) struct Call {
    command: Command,
    /// It talks to a host.
    patience: Option<Patience>,
    deadline: Option<Duration>,
    is_over: Option<fn() -> bool>,
    /// Our own repository, if it is worked in.
    ours: Option<PathBuf>,
}

/// How a call ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// It took longer than it was allowed, this long, and was ended.
    pub timed_out: Option<Duration>,
}

impl Call {
    fn local(command: Command) -> Self {
        Call { command, patience: None, deadline: None, is_over: None, ours: None }
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable.
    pub fn env(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// It only asks a host: the program, and all that it started, is ended when our patience is.
    pub fn as_question(&mut self) -> &mut Self {
        self.deadline = self.patience.as_ref().map(Patience::left);
        self
    }

    /// Runs to the end and answers what was printed; any failure is an error.
    pub fn answer(&mut self) -> Result<Vec<u8>, RemoteError> {
        self.answer_to(&[])
    }

    /// As [`Call::answer`], with something to read.
    pub fn answer_to(&mut self, input: &[u8]) -> Result<Vec<u8>, RemoteError> {
        let outcome = self.run(input)?;
        if outcome.status.success() && outcome.timed_out.is_none() {
            return Ok(outcome.stdout);
        }
        Err(failure::of(&outcome))
    }

    /// Runs to the end, whatever it is. A lock in our own repository that a dead program left is removed on the way, and
    /// who is overtaken by a git that outlived its program tries again.
    pub fn run(&mut self, input: &[u8]) -> Result<Outcome, RemoteError> {
        let mut outcome = self.run_once(input)?;
        for _ in 0..LOCKS_MAX {
            let Some(ours) = self.ours.as_deref().filter(|_| !outcome.status.success()) else { break };
            let said = String::from_utf8_lossy(&outcome.stderr);
            if !locks::is_overtaken(&said) && !locks::remove_named(&said, ours) {
                break;
            }
            outcome = self.run_once(input)?;
        }
        Ok(outcome)
    }

    fn run_once(&mut self, input: &[u8]) -> Result<Outcome, RemoteError> {
        let is_over = || self.is_over.is_some_and(|is_over| is_over());
        if is_over() {
            return Err(failure::cancelled());
        }
        let is_watched = self.deadline.is_some() || self.is_over.is_some();
        if is_watched {
            self.command.process_group(0);
        }
        let started = Instant::now();
        let mut running = self.spawn(!input.is_empty())?;
        let watchdog = is_watched.then(|| Watchdog::start(running.child.id(), self.deadline, self.is_over));
        if let Some(mut stdin) = running.stdin.take() {
            // A program that ends early says why on its error channel.
            let _ = stdin.write_all(input);
        }
        let mut stdout = Vec::new();
        let read = (&mut running.stdout).take(STDOUT_BYTES_MAX).read_to_end(&mut stdout);
        let timed_out = self.deadline.filter(|_| watchdog.is_some_and(Watchdog::stop));
        let ended = running.finish()?;
        read.map_err(|error| failure::local("reading from git", error))?;
        if !ended.status.success() && self.is_over.is_some_and(|is_over| is_over()) {
            return Err(failure::cancelled());
        }
        let outcome = Outcome { status: ended.status, stdout, stderr: ended.stderr, timed_out };
        if let Some(patience) = &self.patience {
            patience.note(&outcome, started.elapsed());
        }
        Ok(outcome)
    }

    /// Starts it with pipes on both sides.
    pub fn start(&mut self) -> Result<Running, RemoteError> {
        self.spawn(true)
    }

    fn spawn(&mut self, reads: bool) -> Result<Running, RemoteError> {
        self.command.stdin(if reads { Stdio::piped() } else { Stdio::null() });
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(not_started)?;
        let stdout = child.stdout.take().expect("because it is piped");
        let stderr = child.stderr.take().expect("because it is piped");
        let stdin = child.stdin.take();
        let stderr = std::thread::spawn(move || tail(stderr));
        Ok(Running {
            child,
            stdin,
            stdout: BufReader::with_capacity(64 * 1024, stdout),
            stderr: Some(stderr),
        })
    }
}

fn not_started(error: io::Error) -> RemoteError {
    if error.kind() == io::ErrorKind::NotFound {
        return RemoteError::new(
            RemoteErrorKind::Local,
            "E-GIT-MISSING",
            "The program git is not installed.",
        )
        .hinted("install git 2.39 or newer");
    }
    failure::local("starting git", error)
}

/// A program that is talked to; ended when dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// Where it reads; closed by taking it.
    pub stdin: Option<ChildStdin>,
    /// What it answers.
    pub stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

/// How a program that was talked to ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub status: ExitStatus,
    pub stderr: Vec<u8>,
}

impl Ended {
    /// What its end means, if it did not succeed.
    pub fn failure(self) -> RemoteError {
        failure::of(&Outcome {
            status: self.status,
            stdout: Vec::new(),
            stderr: self.stderr,
            timed_out: None,
        })
    }
}

impl Running {
    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Closes its input and waits for its end.
    pub fn finish(&mut self) -> Result<Ended, RemoteError> {
        drop(self.stdin.take());
        let status = self.child.wait().map_err(|error| failure::local("waiting for git", error))?;
        let stderr = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        Ok(Ended { status, stderr })
    }

    /// Ends it and answers why it failed.
    pub fn fail(&mut self, error: io::Error) -> RemoteError {
        match self.finish() {
            Ok(ended) if !ended.status.success() => ended.failure(),
            _ => failure::local("talking to git", error),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.stderr.is_some() {
            drop(self.stdin.take());
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads to the end and keeps the last of it, so that a flood hides nothing and fills nothing.
fn tail(mut from: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 {
            break;
        }
        kept.extend_from_slice(&buffer[..length]);
        if kept.len() > 2 * STDERR_BYTES_MAX {
            kept.drain(..kept.len() - STDERR_BYTES_MAX);
        }
    }
    kept.drain(..kept.len().saturating_sub(STDERR_BYTES_MAX));
    kept
}

/// How often it is asked whether all is over.
const ASKED_EVERY: Duration = Duration::from_millis(100);

/// Ends a group of processes that takes too long, or that nobody waits for any more.
struct Watchdog {
    done: mpsc::Sender<()>,
    thread: JoinHandle<bool>,
}

impl Watchdog {
    fn start(leader: u32, deadline: Option<Duration>, is_over: Option<fn() -> bool>) -> Self {
        use rustix::process::Signal;
        let (done, over) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let started = Instant::now();
            let left = |deadline: Option<Duration>| {
                deadline.map_or(Duration::MAX, |deadline| deadline.saturating_sub(started.elapsed()))
            };
            let (mut until, mut is_asked) = (deadline, false);
            loop {
                let asks = is_over.is_some() && !is_asked;
                let wait = if asks { left(until).min(ASKED_EVERY) } else { left(until) };
                if over.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    return false;
                }
                if left(until).is_zero() {
                    end(leader, Signal::KILL);
                    return true;
                }
                if asks && is_over.is_some_and(|is_over| is_over()) {
                    // It tidies up and goes; a host that it waits for may keep it from that.
                    end(leader, Signal::TERM);
                    is_asked = true;
                    until = Some(started.elapsed() + TIDY_MAX);
                }
            }
        });
        Watchdog { done, thread }
    }

    /// Answers whether it had to act.
    fn stop(self) -> bool {
        drop(self.done);
        self.thread.join().unwrap_or(false)
    }
}

fn end(leader: u32, signal: rustix::process::Signal) {
    if let Some(group) = rustix::process::Pid::from_raw(leader as i32) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// Writes a file of ours that only this user may read: whole, or not at all.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), RemoteError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let fresh = path.with_extension("new");
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|error| failure::at_path("writing", path, error))
}

/// Waits until all that was written to the file system of a path is on the disk.
pub(super) fn sync_file_system(path: &Path) -> Result<(), RemoteError> {
    let sync = || -> io::Result<()> {
        let directory = fs::File::open(path)?;
        rustix::fs::syncfs(&directory)?;
        Ok(())
    };
    sync().map_err(|error| failure::at_path("writing to the disk at", path, error))
}
