//! The other side of the plug: starts the guest, cuts its power at a random moment, starts it again.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::{STEPS, Step, note, steps};
use instep_core::generate::Random;

/// A world is thrown away after so many cuts, so that checking stays quick.
const CUTS_OF_A_WORLD: u64 = 20;
/// The longest time from the end of a check to the cut.
const WORK: Duration = Duration::from_millis(4000);
/// Whoever takes longer to check hangs.
const CHECK_MAX: Duration = Duration::from_secs(240);
const DISK_BYTES: u64 = 512 * 1024 * 1024;
const MEMORY: &str = "mem=512M";

/// A file system, and how it is made and mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filesystem {
    /// What a person calls it.
    pub name: &'static str,
    make: &'static [&'static str],
    kind: &'static str,
    options: &'static str,
}

/// All that are tried. The second is ext4 as careless as it can be set.
pub const FILESYSTEMS: [Filesystem; 4] = [
    Filesystem { name: "ext4", make: &["mkfs.ext4", "-q", "-F"], kind: "ext4", options: "defaults" },
    Filesystem {
        name: "ext4-writeback",
        make: &["mkfs.ext4", "-q", "-F"],
        kind: "ext4",
        options: "data=writeback,noauto_da_alloc",
    },
    Filesystem { name: "btrfs", make: &["mkfs.btrfs", "-q", "-f"], kind: "btrfs", options: "defaults" },
    Filesystem { name: "xfs", make: &["mkfs.xfs", "-q", "-f"], kind: "xfs", options: "defaults" },
];

/// What to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The program under test.
    pub program: PathBuf,
    /// This very tool, which the guest runs.
    pub tool: PathBuf,
    /// The kernel.
    pub kernel: PathBuf,
    /// On which file system.
    pub filesystem: Filesystem,
    /// How many cuts.
    pub cuts: u64,
    /// Where chance begins.
    pub seed: u64,
    /// Stop after this long, even if cuts are left.
    pub time_max: Option<Duration>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Power cuts.
    pub cuts: u64,
    /// Those that hit a check, which is a recovery.
    pub in_recovery: u64,
    /// Those that hit a running program.
    pub in_program: u64,
    /// Checks that went through.
    pub checks: u64,
    /// What must not be; at the first the harness stops.
    pub failures: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { cuts, in_recovery, in_program, checks, .. } = self;
        write!(f, "{cuts} power cuts, {in_program} in a running program, {in_recovery} in a recovery, ")?;
        write!(f, "{checks} checks, {} failures", self.failures.len())?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n  {failure}"))
    }
}

/// Runs until all cuts are done, time is over or something failed. Fails with `Unsupported` where the guest can't run.
pub fn run(request: &Request) -> io::Result<Report> {
    let began = Instant::now();
    let mut report = Report::default();
    let mut chance = Random::new(request.seed);
    let over = |report: &Report| {
        let late = request.time_max.is_some_and(|limit| began.elapsed() > limit);
        late || report.cuts >= request.cuts || !report.failures.is_empty()
    };
    while !over(&report) {
        let world = World::new(request)?;
        for _ in 0..CUTS_OF_A_WORLD {
            if over(&report) {
                break;
            }
            world.cut(&mut chance, &mut report)?;
        }
        // The last cut is checked too, and nothing is cut after it.
        if report.failures.is_empty() {
            world.last_check(&mut chance, &mut report)?;
        }
        if !report.failures.is_empty() {
            let area = world.area.keep();
            report.failures.push(format!("the disks are left in {}", area.display()));
        }
    }
    Ok(report)
}

struct World<'a> {
    request: &'a Request,
    area: TempDir,
}

impl<'a> World<'a> {
    fn new(request: &'a Request) -> io::Result<Self> {
        let area = tempfile::Builder::new().prefix("instep-cut-").tempdir()?;
        fs::copy(&request.program, area.path().join("instep"))?;
        fs::copy(&request.tool, area.path().join("powercut"))?;
        for disk in ["machines", "remote"] {
            let path = area.path().join(disk);
            File::create(&path)?.set_len(DISK_BYTES)?;
            let [make, flags @ ..] = request.filesystem.make else {
                unreachable!("because each has a program")
            };
            let made = Command::new(make).args(flags).arg(&path).stdout(Stdio::null()).status();
            let made = made.map_err(|error| io::Error::other(format!("{make}: {error}")))?;
            if !made.success() {
                return Err(io::Error::other(format!("{make} failed")));
            }
        }
        Ok(World { request, area })
    }

    /// Starts the guest, lets it check and work for a moment, and cuts.
    fn cut(&self, chance: &mut Random, report: &mut Report) -> io::Result<()> {
        let mut guest = self.start(chance.number())?;
        // Now and then the recovery is cut too.
        let early = chance.percent(20);
        let wait = Duration::from_millis(chance.number() % WORK.as_millis() as u64);
        let until = if early { Step::Checking } else { Step::Checked };
        if self.wait_for(&mut guest, &until, report)? {
            thread::sleep(wait);
        }
        cut(&mut guest.0)?;
        report.cuts += 1;
        let steps = steps(self.area.path())?;
        report.checks += u64::from(steps.contains(&Step::Checked));
        match steps.last() {
            Some(Step::Checking) => report.in_recovery += 1,
            Some(Step::Running(_)) => report.in_program += 1,
            Some(Step::Failed(why)) if report.failures.is_empty() => report.failures.push(why.clone()),
            _ => {}
        }
        Ok(())
    }

    fn last_check(&self, chance: &mut Random, report: &mut Report) -> io::Result<()> {
        let mut guest = self.start(chance.number())?;
        if self.wait_for(&mut guest, &Step::Checked, report)? {
            report.checks += 1;
        }
        cut(&mut guest.0)
    }

    /// Waits until the guest has come to a step; answers whether it has.
    fn wait_for(&self, guest: &mut Guest, step: &Step, report: &mut Report) -> io::Result<bool> {
        let began = Instant::now();
        loop {
            let steps = steps(self.area.path())?;
            if steps.contains(step) {
                return Ok(true);
            }
            if let Some(Step::Failed(why)) = steps.last() {
                report.failures.push(why.clone());
                return Ok(false);
            }
            let ended = guest.0.try_wait()?.is_some();
            if ended && report.cuts == 0 && steps.is_empty() {
                return Err(io::Error::new(ErrorKind::Unsupported, "user-mode Linux does not start here"));
            }
            if ended || began.elapsed() > CHECK_MAX {
                let what = if ended { "the guest stopped" } else { "the guest hangs" };
                report.failures.push(format!("{what} after {:?}", steps.last()));
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts the guest on the disks as they are.
    fn start(&self, seed: u64) -> io::Result<Guest> {
        let area = self.area.path();
        note(&area.join(STEPS), &[Step::Started.to_string()])?;
        let script = area.join("init");
        fs::write(&script, self.script(seed))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let console = File::create(area.join("console"))?;
        let shown = |path: &str| area.join(path).display().to_string();
        let child = Command::new(&self.request.kernel)
            .args([MEMORY, "root=none", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "con=null"])
            .args([
                "con0=fd:0,fd:1",
                &format!("ubda={}", shown("machines")),
                &format!("ubdb={}", shown("remote")),
            ])
            .arg(format!("init={}", shown("init")))
            .stdin(Stdio::null())
            .stdout(console.try_clone()?)
            .stderr(console)
            .process_group(0)
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", self.request.kernel.display())))?;
        Ok(Guest(child))
    }

    fn script(&self, seed: u64) -> String {
        let Filesystem { kind, options, .. } = self.request.filesystem;
        let area = self.area.path().display();
        let path = std::env::var("PATH").unwrap_or_default();
        format!(
            "#!/bin/sh\n\
             export PATH={path}\n\
             mount -t proc proc /proc\n\
             mount -t tmpfs tmpfs /mnt\n\
             mkdir /mnt/host /mnt/machines /mnt/remote\n\
             mount -t hostfs -o {area} none /mnt/host\n\
             mount -t tmpfs tmpfs /tmp\n\
             mount -t {kind} -o {options} /dev/ubda /mnt/machines\n\
             mount -t {kind} -o {options} /dev/ubdb /mnt/remote\n\
             exec /mnt/host/powercut guest {seed}\n"
        )
    }
}

struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        _ = cut(&mut self.0);
    }
}

/// Kills the kernel with all that runs in it.
fn cut(kernel: &mut Child) -> io::Result<()> {
    if kernel.try_wait()?.is_none() {
        let group = Pid::from_raw(kernel.id() as i32).expect("because a process has an id");
        kill_process_group(group, Signal::KILL)?;
    }
    kernel.wait()?;
    Ok(())
}

/// The kernel that Debian's package installs, if it is there.
pub fn kernel() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("linux.uml")).find(|path| is_file(path))
}

fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}
