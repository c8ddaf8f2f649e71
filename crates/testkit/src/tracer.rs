//! A run of the program with all that it starts, watched call by call: at any system call of any of its processes the
//! run can be killed (the program, one process, or all), held, or told that the call failed.
//!
//! All calls of all processes are counted in one row, so that a number names a point of the run: `strace` counts for
//! each process and call by itself, and can't reach the third write of the second child. It knows Linux on x86-64.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::calls::{self, Effect};

mod filter;

/// A run that takes longer is ended, and counts as one that hangs.
const SECONDS_MAX: u64 = 120;

/// Which calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watch {
    /// Those that change files, of all processes; what is written to a pipe changes none.
    Changes,
    /// Those that change or read anything, of the program itself.
    Own,
    /// Those that change or read anything, of all processes.
    All,
}

/// One call that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its number in the run, from 1.
    pub number: u64,
    /// What it is called.
    pub name: &'static str,
    /// What it does.
    pub effect: Effect,
    /// The program itself makes it, not one that it started.
    pub by_program: bool,
    /// The process: the program is 1, then those that it started, in order.
    pub process: usize,
    /// What it is about: a path or an open file.
    pub about: String,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is made.
    Pass,
    /// Everything is killed before it is made.
    KillAll,
    /// The process that would make it is killed; the others go on, and are waited for.
    KillOne,
    /// The program is killed; what it started goes on by itself.
    Orphan,
    /// The program is killed; what it started stands still until it is released.
    Hold,
    /// It is not made, and answers with this error.
    Fail(Errno),
}

/// How a watched run ended.
#[derive(Debug)]
pub struct Ended {
    /// The program's exit code; 128 and the signal's number if a signal ended it.
    pub code: i32,
    /// How many calls were counted.
    pub calls: u64,
    /// Those that were killed at, or failed.
    pub hit: Vec<Call>,
    /// The processes that still live.
    pub left: Left,
}

/// What the program started and what outlived it.
#[derive(Debug, Default)]
pub struct Left {
    held: Option<Tracer>,
    free: Vec<Pid>,
}

impl Left {
    /// Answers whether something outlived the program.
    pub fn is_any(&self) -> bool {
        self.held.as_ref().is_some_and(|tracer| !tracer.tasks.is_empty()) || !self.free.is_empty()
    }

    /// Lets everything go on and waits for its end.
    pub fn release(self) -> io::Result<()> {
        if let Some(mut tracer) = self.held {
            tracer.holds = false;
            for (pid, signal) in std::mem::take(&mut tracer.parked) {
                tracer.go_on(pid, signal)?;
            }
            tracer.run(&mut |_| Act::Pass)?;
        }
        for pid in self.free {
            while fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
                thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }
}

/// Runs a command to its end. `act` is asked at each counted call.
pub fn run(command: &Command, watch: Watch, act: &mut dyn FnMut(&Call) -> Act) -> io::Result<Ended> {
    run_as(command, watch, Pace::EachCall, act)
}

/// The same, many times faster: the kernel itself passes the calls that can't count. What was started this way can't be
/// left to itself ([`Act::Orphan`]).
pub fn run_fast(command: &Command, watch: Watch, act: &mut dyn FnMut(&Call) -> Act) -> io::Result<Ended> {
    run_as(command, watch, Pace::ToBeFiltered, act)
}

fn run_as(
    command: &Command,
    watch: Watch,
    pace: Pace,
    act: &mut dyn FnMut(&Call) -> Act,
) -> io::Result<Ended> {
    let mut tracer = Tracer::start(command, watch, pace)?;
    let guard = Guard::start(tracer.program);
    tracer.run(act)?;
    let hung = guard.stop();
    let Tracer { program, calls, code, .. } = tracer;
    let code = if hung { 124 } else { code.unwrap_or(137) };
    let hit = std::mem::take(&mut tracer.hit);
    let free = std::mem::take(&mut tracer.free).into_iter().filter(|pid| *pid != program).collect();
    let held = tracer.holds.then_some(tracer);
    Ok(Ended { code, calls, hit, left: Left { held, free } })
}

#[derive(Debug, Clone, Copy)]
struct Task {
    process: Pid,
    /// It has entered a call and not left it yet.
    inside: bool,
    /// What the call that it is in is to answer.
    fails: Option<Errno>,
}

/// What the first process is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// It is the shell that waited.
    Shell,
    /// The loader puts the program together: nobody can ask it for a proper end.
    Loader,
    /// The program's own code runs.
    Program,
}

/// Where the kernel stops the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Before and after each call.
    EachCall,
    /// The same, until the filter is in.
    ToBeFiltered,
    /// Before the calls that may count.
    Filtered,
}

#[derive(Debug)]
struct Tracer {
    program: Pid,
    watch: Watch,
    pace: Pace,
    tasks: BTreeMap<Pid, Task>,
    /// The processes in the order in which they were met.
    order: Vec<Pid>,
    phase: Phase,
    calls: u64,
    code: Option<i32>,
    hit: Vec<Call>,
    holds: bool,
    /// All were killed; who is met from now on was just being born.
    killed: bool,
    parked: Vec<(Pid, Option<Signal>)>,
    free: Vec<Pid>,
}

impl Tracer {
    /// Starts the command in a group of its own, stopped before its first call.
    fn start(command: &Command, watch: Watch, pace: Pace) -> io::Result<Self> {
        let mut waiting = Command::new("sh");
        waiting.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]);
        waiting.arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            waiting.env(name, value.unwrap_or_default());
        }
        if let Some(folder) = command.get_current_dir() {
            waiting.current_dir(folder);
        }
        let child = start_quietly(&mut waiting, command)?;
        let program = Pid::from_raw(child as i32);
        let flags = WaitPidFlag::WUNTRACED | WaitPidFlag::__WNOTHREAD;
        match waitpid(program, Some(flags))? {
            WaitStatus::Stopped(..) => {}
            other => return Err(io::Error::other(format!("the shell did not wait: {other:?}"))),
        }
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_TRACESECCOMP
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(program, options)?;
        kill(program, Signal::SIGCONT)?;
        Ok(Tracer {
            program,
            watch,
            pace,
            tasks: BTreeMap::from([(program, Task { process: program, inside: false, fails: None })]),
            order: vec![program],
            phase: Phase::Shell,
            calls: 0,
            code: None,
            hit: Vec::new(),
            holds: false,
            killed: false,
            parked: Vec::new(),
            free: Vec::new(),
        })
    }

    /// Until all have ended, or the program was killed and the others are left alone.
    fn run(&mut self, act: &mut dyn FnMut(&Call) -> Act) -> io::Result<()> {
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let is_left_alone = |tracer: &Tracer| tracer.holds && tracer.code.is_some();
        while (self.killed || !self.tasks.is_empty()) && !is_left_alone(self) {
            let status = match waitpid(None, Some(flags)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => break,
                Err(error) => return Err(error.into()),
            };
            self.take(status, act)?;
        }
        Ok(())
    }

    fn take(&mut self, status: WaitStatus, act: &mut dyn FnMut(&Call) -> Act) -> io::Result<()> {
        match status {
            WaitStatus::Exited(pid, code) => self.ended(pid, code),
            WaitStatus::Signaled(pid, signal, _) => self.ended(pid, 128 + signal as i32),
            WaitStatus::PtraceSyscall(pid) => {
                self.meet(pid);
                if self.pace == Pace::ToBeFiltered {
                    filter::install(pid, self.watch)?;
                    self.pace = Pace::Filtered;
                    return self.go_on(pid, None);
                }
                let pass = self.call(pid, act)?;
                if pass {
                    return self.go_on(pid, None);
                }
            }
            WaitStatus::PtraceEvent(pid, _, event) => {
                self.meet(pid);
                if event == nix::libc::PTRACE_EVENT_SECCOMP {
                    let pass = self.call(pid, act)?;
                    return if pass { self.go_on(pid, None) } else { Ok(()) };
                }
                if event == nix::libc::PTRACE_EVENT_EXEC {
                    let was = ptrace::getevent(pid).map_or(pid, |old| Pid::from_raw(old as i32));
                    if was != pid {
                        self.tasks.remove(&was);
                    }
                    if pid == self.program {
                        self.phase = Phase::Loader;
                    }
                }
                return self.go_on(pid, None);
            }
            WaitStatus::Stopped(pid, signal) => {
                self.meet(pid);
                return self.go_on(pid, Some(signal).filter(|signal| *signal != Signal::SIGSTOP));
            }
            _ => {}
        }
        Ok(())
    }

    fn ended(&mut self, pid: Pid, code: i32) {
        self.tasks.remove(&pid);
        self.parked.retain(|(parked, _)| *parked != pid);
        if pid == self.program {
            self.code = Some(code);
        }
    }

    /// A process or thread that is seen for the first time.
    fn meet(&mut self, pid: Pid) {
        if self.tasks.contains_key(&pid) {
            return;
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
        let process = group.and_then(|text| text.trim().parse().ok()).map_or(pid, Pid::from_raw);
        if process == pid {
            self.order.push(pid);
        }
        self.tasks.insert(pid, Task { process, inside: false, fails: None });
        if self.killed {
            _ = kill(process, Signal::SIGKILL);
        }
    }

    fn go_on(&mut self, pid: Pid, signal: Option<Signal>) -> io::Result<()> {
        if self.holds && self.tasks.get(&pid).is_some_and(|task| task.process != self.program) {
            self.parked.push((pid, signal));
            return Ok(());
        }
        let gone_on = match self.pace {
            Pace::Filtered => ptrace::cont(pid, signal),
            _ => ptrace::syscall(pid, signal),
        };
        match gone_on {
            // It was killed meanwhile; its end will be told.
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A call is entered or left; where calls are filtered they are only seen when they are entered. Answers whether the process goes on.
    fn call(&mut self, pid: Pid, act: &mut dyn FnMut(&Call) -> Act) -> io::Result<bool> {
        let mut registers = match ptrace::getregs(pid) {
            Ok(registers) => registers,
            Err(Errno::ESRCH) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let task = self.tasks.get_mut(&pid).expect("because it was met");
        task.inside = self.pace == Pace::Filtered || !task.inside;
        if !task.inside {
            if let Some(errno) = task.fails.take() {
                registers.rax = (-i64::from(errno as i32)) as u64;
                _ = ptrace::setregs(pid, registers);
            }
            return Ok(true);
        }
        let process = task.process;
        let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
        let Some(call) = self.counted(pid, process, registers.orig_rax, arguments) else { return Ok(true) };
        let answer = act(&call);
        if answer != Act::Pass {
            self.hit.push(call);
        }
        match answer {
            Act::Pass => {}
            Act::KillAll => self.kill_all(),
            Act::KillOne => _ = kill(process, Signal::SIGKILL),
            Act::Hold => {
                self.holds = true;
                _ = kill(self.program, Signal::SIGKILL);
                return self.go_on(pid, None).map(|()| false);
            }
            Act::Orphan => {
                _ = kill(self.program, Signal::SIGKILL);
                self.let_go(pid)?;
                return Ok(false);
            }
            Act::Fail(errno) => {
                registers.orig_rax = u64::MAX;
                if self.pace == Pace::Filtered {
                    registers.rax = (-i64::from(errno as i32)) as u64;
                    return ptrace::setregs(pid, registers).map(|()| true).map_err(io::Error::from);
                }
                ptrace::setregs(pid, registers)?;
                self.tasks.get_mut(&pid).expect("because it was met").fails = Some(errno);
            }
        }
        Ok(true)
    }

    /// Says what a call is, if it is one of those that count.
    fn counted(&mut self, pid: Pid, process: Pid, number: u64, arguments: [u64; 4]) -> Option<Call> {
        let by_program = process == self.program;
        let known = calls::known(number as i64)?;
        // The first thing that a Rust program does for itself.
        if known.name == "sigaltstack" {
            if by_program && self.phase == Phase::Loader {
                self.phase = Phase::Program;
            }
            return None;
        }
        if self.phase != Phase::Program || (self.watch == Watch::Own && !by_program) {
            return None;
        }
        let effect = known.effect_of(arguments, |at| word(pid, at))?;
        if self.watch == Watch::Changes && !effect.changes() {
            return None;
        }
        let about = match known.subject {
            calls::Subject::Descriptor => {
                let link = format!("/proc/{pid}/fd/{}", arguments[0] as i32);
                let target = fs::read_link(link).map(|target| target.display().to_string());
                let target = target.unwrap_or_default();
                if self.watch == Watch::Changes && !target.starts_with('/') {
                    return None;
                }
                target
            }
            calls::Subject::Path(at) => text(pid, arguments[at]),
            calls::Subject::None => String::new(),
        };
        self.calls += 1;
        let process = self.order.iter().position(|known| *known == process).map_or(0, |at| at + 1);
        Some(Call { number: self.calls, name: known.name, effect, by_program, process, about })
    }

    fn kill_all(&mut self) {
        self.killed = true;
        let all: BTreeSet<Pid> = self.tasks.values().map(|task| task.process).collect();
        for process in all {
            _ = kill(process, Signal::SIGKILL);
        }
    }

    /// Stops watching all but the program: they go on by themselves.
    fn let_go(&mut self, caller: Pid) -> io::Result<()> {
        self.holds = true;
        self.go_on(caller, None)?;
        self.run(&mut |_| Act::Pass)?;
        self.holds = false;
        // One that is in the middle of something has to be stopped before it can be let go.
        let parked = std::mem::take(&mut self.parked);
        let mut running: BTreeSet<Pid> = self.tasks.keys().copied().collect();
        for (pid, signal) in parked {
            running.remove(&pid);
            _ = ptrace::detach(pid, signal);
        }
        for pid in running {
            if ptrace::interrupt(pid).is_ok() {
                let flags = Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD);
                match waitpid(pid, flags) {
                    Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(_) => {}
                    Ok(WaitStatus::Stopped(_, signal)) => _ = ptrace::detach(pid, signal),
                    Ok(_) => _ = ptrace::detach(pid, None),
                }
            }
        }
        self.free = self.tasks.values().map(|task| task.process).collect();
        self.tasks.clear();
        Ok(())
    }
}

impl Drop for Tracer {
    /// What was held and never released must not stay for ever.
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// Starts the shell with its output where the command's would go.
fn start_quietly(waiting: &mut Command, command: &Command) -> io::Result<u32> {
    use std::os::unix::process::CommandExt;
    use std::process::Stdio;
    let path = said_path(command);
    let out = fs::File::create(&path)?;
    let both = out.try_clone()?;
    waiting.stdin(Stdio::null()).stdout(out).stderr(both).process_group(0);
    let child = waiting.spawn()?;
    Ok(child.id())
}

/// Where a watched command says what it says: a file beside its home.
pub fn said_path(command: &Command) -> std::path::PathBuf {
    let folder = command.get_current_dir().unwrap_or(std::path::Path::new("."));
    folder.join("said.txt")
}

/// Reads a word of another process's memory.
fn word(pid: Pid, at: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    fs::File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut bytes, at).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// Reads a text of another process's memory.
fn text(pid: Pid, at: u64) -> String {
    let mut bytes = [0; 512];
    let read = fs::File::open(format!("/proc/{pid}/mem")).and_then(|memory| memory.read_at(&mut bytes, at));
    let bytes = &bytes[..read.unwrap_or(0)];
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Ends a run that hangs.
struct Guard {
    done: mpsc::Sender<()>,
    thread: thread::JoinHandle<bool>,
}

impl Guard {
    fn start(program: Pid) -> Self {
        let (done, over) = mpsc::channel();
        let thread = thread::spawn(move || {
            let late = over.recv_timeout(Duration::from_secs(SECONDS_MAX)) == Err(RecvTimeoutError::Timeout);
            if late {
                _ = kill(Pid::from_raw(-program.as_raw()), Signal::SIGKILL);
            }
            late
        });
        Guard { done, thread }
    }

    fn stop(self) -> bool {
        drop(self.done);
        self.thread.join().unwrap_or(true)
    }
}
