//! Has the kernel pass the calls that can't count without stopping anybody: a process makes two calls more than it meant
//! to, and from then on it and all that it starts stop only where there is something to see.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;

use nix::libc;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::Watch;
use crate::calls;

/// Below this much of its stack nobody keeps anything.
const BELOW_STACK_BYTES: u64 = 16 << 10;
/// How long the instruction is with which a call is made.
const SYSCALL_BYTES: u64 = 2;

// What the kernel calls the parts of a filter.
const LOAD_NUMBER: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const ANSWER: u16 = 0x06;
const PASS: u32 = 0x7fff_0000;
const STOP: u32 = 0x7ff0_0000;
const SET_FILTER: u64 = 1;

/// Puts the filter into a process that has just entered a call, and lets it enter that call again.
pub(super) fn install(pid: Pid, watch: Watch) -> io::Result<()> {
    let at = ptrace::getregs(pid)?.rsp.saturating_sub(BELOW_STACK_BYTES) & !15;
    let numbers = calls::numbers(watch == Watch::Changes);
    let steps = steps(&numbers);
    // Its head: how many steps, and where they are.
    let mut bytes = (numbers.len() as u64 + 3).to_le_bytes().to_vec();
    bytes.extend((at + 16).to_le_bytes());
    bytes.extend(steps);
    fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/mem"))?.write_all_at(&bytes, at)?;
    make(pid, libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0])?;
    make(pid, libc::SYS_seccomp, [SET_FILTER, 0, at])
}

/// Stops at these calls and passes all others.
fn steps(numbers: &[i64]) -> Vec<u8> {
    let mut steps = vec![(LOAD_NUMBER, 0, 0)];
    for (at, number) in numbers.iter().enumerate() {
        steps.push((JUMP_IF_EQUAL, (numbers.len() - at) as u8, *number as u32));
    }
    steps.extend([(ANSWER, 0, PASS), (ANSWER, 0, STOP)]);
    let bytes = steps.into_iter().flat_map(|(code, jump, value): (u16, u8, u32)| {
        [&code.to_le_bytes()[..], &[jump, 0], &value.to_le_bytes()].concat()
    });
    bytes.collect()
}

/// Has a process that has entered a call make another one first.
fn make(pid: Pid, number: i64, [first, second, third]: [u64; 3]) -> io::Result<()> {
    let before = ptrace::getregs(pid)?;
    let mut other = before;
    (other.orig_rax, other.rdi, other.rsi, other.rdx) = (number as u64, first, second, third);
    (other.r10, other.r8) = (0, 0);
    ptrace::setregs(pid, other)?;
    next_stop(pid)?;
    let answer = ptrace::getregs(pid)?.rax as i64;
    let mut again = before;
    again.rip -= SYSCALL_BYTES;
    again.rax = before.orig_rax;
    ptrace::setregs(pid, again)?;
    next_stop(pid)?;
    if answer < 0 { Err(io::Error::from_raw_os_error(-answer as i32)) } else { Ok(()) }
}

fn next_stop(pid: Pid) -> io::Result<()> {
    ptrace::syscall(pid, None)?;
    match waitpid(pid, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD))? {
        WaitStatus::PtraceSyscall(_) => Ok(()),
        other => Err(io::Error::other(format!("it did not stop at its call: {other:?}"))),
    }
}
