//! A bare repository to try things on, and machines that reach it.

use std::any::Any;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use instep_core::clock::{Clock, Timestamp};
use instep_core::remote::{Remote, RemoteError, Revision};
use instep_remote::address::{Address, Typed};
use instep_remote::git::{Environment, GitOptions, GitRemote};
use instep_testkit::git_host::{HttpHost, SshHost};
use instep_testkit::remote_suite::Bench;
use tempfile::TempDir;

/// A moment that does not move.
pub struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }

    fn random(&self) -> u64 {
        7
    }
}

/// A bare repository in a folder of its own, with a home that holds no settings.
pub struct Lab {
    pub folder: Arc<TempDir>,
    pub environment: Environment,
    pub address: String,
    host: Option<Box<dyn Any + Send + Sync>>,
    machines: AtomicU64,
}

impl Lab {
    /// Reached by its path.
    pub fn by_path() -> Self {
        // In memory where that is possible: each push waits for the disk.
        let in_memory = tempfile::tempdir_in("/dev/shm");
        let folder = Arc::new(in_memory.or_else(|_| tempfile::tempdir()).unwrap());
        let address = folder.path().join("place.git").display().to_string();
        let environment = environment(folder.path());
        let lab = Lab { environment, address, host: None, machines: AtomicU64::new(0), folder };
        lab.git(["init", "-q", "--bare", "--initial-branch=main", "place.git"]);
        lab.git_place(["config", "http.receivepack", "true"], b"");
        lab
    }

    /// Reached over HTTP.
    pub fn by_http() -> Self {
        let mut lab = Lab::by_path();
        let host = HttpHost::serve(lab.folder.path());
        lab.address = host.url("place.git");
        lab.host = Some(Box::new(host));
        lab
    }

    /// Reached over HTTP by whoever sends this `Authorization` header.
    pub fn by_http_with(authorization: &str) -> Self {
        let mut lab = Lab::by_path();
        let host = HttpHost::serve_to(lab.folder.path(), authorization);
        lab.address = host.url("place.git");
        lab.host = Some(Box::new(host));
        lab
    }

    /// Reached over ssh.
    pub fn by_ssh() -> Self {
        let mut lab = Lab::by_path();
        let host = SshHost::prepare(&lab.folder.path().join("ssh"));
        lab.address = format!("ssh://place{}", lab.place().display());
        lab.set("core.sshCommand", &host.command());
        lab.host = Some(Box::new(host));
        lab
    }

    /// The ssh host, for labs that have one.
    pub fn ssh(&self) -> &SshHost {
        self.host.as_ref().unwrap().downcast_ref().unwrap()
    }

    /// Sets a value of the person's own configuration.
    pub fn set(&self, name: &str, value: &str) {
        self.git(["config", "--global", name, value]);
    }

    /// The repository.
    pub fn place(&self) -> PathBuf {
        self.folder.path().join("place.git")
    }

    /// Opens it for one more machine.
    pub fn open(&self) -> GitRemote {
        self.try_open("main", false).unwrap()
    }

    /// Opens a branch of it for one more machine.
    pub fn try_open(&self, branch: &str, create: bool) -> Result<GitRemote, RemoteError> {
        let number = self.machines.fetch_add(1, Ordering::Relaxed);
        self.try_open_in(&format!("machine{number}.git"), branch, create)
    }

    /// Opens it with our own repository in a folder that may be there already.
    pub fn try_open_in(&self, directory: &str, branch: &str, create: bool) -> Result<GitRemote, RemoteError> {
        let typed =
            Typed { text: &self.address, kind: None, cwd: Path::new("/"), root: None, allow_http: true };
        let options = GitOptions {
            directory: self.folder.path().join(directory),
            branch: branch.to_owned(),
            create,
            slot: None,
            environment: self.environment.clone(),
            clock: Arc::new(Still),
        };
        GitRemote::open(&Address::parse(&typed)?, options)
    }

    /// Runs git as a person would, in the lab's folder; answers what it printed.
    pub fn git<S: Into<OsString>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        git_in(self.folder.path(), self.folder.path(), arguments, b"")
    }

    /// Runs git in the repository itself, with something to read.
    pub fn git_place<S: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> String {
        git_in(self.folder.path(), &self.place(), arguments, input)
    }

    /// The lab as a bench of the suite.
    pub fn bench(self) -> Bench {
        let lab = Arc::new(self);
        let (opener, owner) = (Arc::clone(&lab), Arc::clone(&lab));
        Bench {
            open: Box::new(move || Box::new(opener.open()) as Box<dyn Remote>),
            put_back: Box::new(move |to: Option<&Revision>| {
                match to {
                    Some(to) => owner.git_place(["update-ref", "refs/heads/main", &to.0], b""),
                    None => owner.git_place(["update-ref", "-d", "refs/heads/main"], b""),
                };
            }),
            keep: Box::new(lab),
        }
    }
}

/// What git may see: a home of its own.
pub fn environment(folder: &Path) -> Environment {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Environment::default().with("PATH", path).with("HOME", folder).with("GIT_CONFIG_NOSYSTEM", "1")
}

fn git_in<S: Into<OsString>>(
    home: &Path,
    folder: &Path,
    arguments: impl IntoIterator<Item = S>,
    input: &[u8],
) -> String {
    use std::io::Write as _;
    let mut command = Command::new("git");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ann").env(format!("GIT_{role}_EMAIL"), "ann@example");
    }
    command.env("GIT_CONFIG_NOSYSTEM", "1").current_dir(folder);
    command.args(arguments.into_iter().map(Into::into)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
