//! A disk in a file, which can be put back to a moment with every inode and time as it was: what is costly to set up is
//! set up once, and begins from the very same state each time.
//!
//! Linux only; it needs root and a loop device. What is mounted is seen by the thread that asked for it and by what that
//! one starts, and is gone with them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

/// The file system's length. Only what is written takes room.
const BYTES: u64 = 8 << 30;
/// How many names it holds at most.
const INODES: &str = "120000";
/// How often a disk that is still busy is asked to let go, and how long is waited between.
const UNMOUNTS_MAX: usize = 100;
const UNMOUNT_WAIT: Duration = Duration::from_millis(20);

/// The disk. Whoever made it drops what lies on it first.
#[derive(Debug)]
pub struct Image {
    folder: TempDir,
}

impl Image {
    /// Makes an empty disk and mounts it; says why where that is refused.
    pub fn new() -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        unshare(CloneFlags::CLONE_NEWNS).map_err(|error| format!("a mount namespace: {error}"))?;
        run("mount", &["--make-rprivate".as_ref(), "/".as_ref()])?;
        let folder = tempfile::Builder::new().prefix("instep-image-").tempdir().map_err(failed)?;
        let image = Image { folder };
        std::fs::create_dir(image.at()).map_err(failed)?;
        let file = std::fs::File::create(image.file("now")).map_err(failed)?;
        file.set_len(BYTES).map_err(failed)?;
        let words =
            ["-q", "-m", "0", "-N", INODES, "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard"];
        let now = image.file("now");
        run("mkfs.ext4", &words.iter().map(Path::new).chain([&*now]).collect::<Vec<_>>())?;
        image.mount()?;
        Ok(image)
    }

    /// Where its files are.
    pub fn at(&self) -> PathBuf {
        self.file("disk")
    }

    /// Keeps this moment.
    pub fn keep(&self) -> Result<(), String> {
        self.unmount()?;
        self.copy("now", "then")?;
        self.mount()
    }

    /// Puts it back to the moment that was kept.
    pub fn put_back(&self) -> Result<(), String> {
        self.unmount()?;
        self.copy("then", "now")?;
        self.mount()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), String> {
        run("cp", &["--sparse=always".as_ref(), &self.file(from), &self.file(to)])
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &["-o".as_ref(), "loop,noatime".as_ref(), &self.file("now"), &self.at()])
    }

    fn unmount(&self) -> Result<(), String> {
        let mut last = Ok(());
        for _ in 0..UNMOUNTS_MAX {
            last = run("umount", &[&self.at()]);
            if last.is_ok() {
                break;
            }
            thread::sleep(UNMOUNT_WAIT);
        }
        last
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        _ = self.unmount();
    }
}

fn run(program: &str, words: &[&Path]) -> Result<(), String> {
    let output = Command::new(program).args(words).output().map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{program}: {}", said.trim())) }
}
