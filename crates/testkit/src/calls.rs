//! The system calls that matter to what is kept: which change something, which read, and what each is about.

use nix::libc::{self, c_long};

use Effect::{Changes, Grows, Opens, Reads, Syncs};
use Subject::{Descriptor, Path};

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It changes a name, a content or a mode, or starts a program.
    Changes,
    /// It makes a file bigger or a name more.
    Grows,
    /// It waits until something is durable.
    Syncs,
    /// It opens something that is there.
    Opens,
    /// It reads or looks.
    Reads,
}

impl Effect {
    /// Answers whether something is different, or safer, after it.
    pub fn changes(self) -> bool {
        matches!(self, Changes | Grows | Syncs)
    }
}

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The open file that its first argument names.
    Descriptor,
    /// The path that this argument points to.
    Path(usize),
    /// Nothing that has a name.
    None,
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    number: c_long,
    /// What it is called.
    pub name: &'static str,
    effect: Effect,
    /// What it is about.
    pub subject: Subject,
}

impl Known {
    /// What it does with these arguments. An open changes something only if it may make or cut a file.
    pub fn effect_of(&self, arguments: [u64; 4], word: impl Fn(u64) -> Option<u64>) -> Option<Effect> {
        let flags = match self.name {
            "open" => arguments[1],
            "openat" => arguments[2],
            "openat2" => word(arguments[2])?,
            _ => return Some(self.effect),
        };
        let makes = libc::O_CREAT | libc::O_TRUNC;
        Some(if flags as i32 & makes != 0 { Grows } else { Opens })
    }
}

const fn call(number: c_long, name: &'static str, effect: Effect, subject: Subject) -> Known {
    Known { number, name, effect, subject }
}

/// Finds a call by its number.
pub fn known(number: c_long) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.number == number)
}

/// The numbers of all that may count, or of those alone that may change something.
pub fn numbers(changing: bool) -> Vec<c_long> {
    // By the last one it is known that a program has begun.
    let may = |known: &&Known| known.effect.changes() || known.effect == Opens || known.name == "sigaltstack";
    KNOWN.iter().filter(|known| !changing || may(known)).map(|known| known.number).collect()
}

const KNOWN: &[Known] = &[
    call(libc::SYS_read, "read", Reads, Descriptor),
    call(libc::SYS_newfstatat, "newfstatat", Reads, Path(1)),
    call(libc::SYS_openat, "openat", Opens, Path(1)),
    call(libc::SYS_write, "write", Grows, Descriptor),
    call(libc::SYS_pwrite64, "pwrite64", Grows, Descriptor),
    call(libc::SYS_pread64, "pread64", Reads, Descriptor),
    call(libc::SYS_statx, "statx", Reads, Path(1)),
    call(libc::SYS_fstat, "fstat", Reads, Descriptor),
    call(libc::SYS_getdents64, "getdents64", Reads, Descriptor),
    call(libc::SYS_access, "access", Reads, Path(0)),
    call(libc::SYS_chmod, "chmod", Changes, Path(0)),
    call(libc::SYS_connect, "connect", Changes, Subject::None),
    call(libc::SYS_copy_file_range, "copy_file_range", Grows, Descriptor),
    call(libc::SYS_creat, "creat", Grows, Path(0)),
    call(libc::SYS_execve, "execve", Changes, Path(0)),
    call(libc::SYS_faccessat, "faccessat", Reads, Path(1)),
    call(libc::SYS_faccessat2, "faccessat2", Reads, Path(1)),
    call(libc::SYS_fallocate, "fallocate", Grows, Descriptor),
    call(libc::SYS_fchmod, "fchmod", Changes, Descriptor),
    call(libc::SYS_fchmodat, "fchmodat", Changes, Path(1)),
    call(libc::SYS_fchown, "fchown", Changes, Descriptor),
    call(libc::SYS_fchownat, "fchownat", Changes, Path(1)),
    call(libc::SYS_fdatasync, "fdatasync", Syncs, Descriptor),
    call(libc::SYS_flock, "flock", Reads, Descriptor),
    call(libc::SYS_fsetxattr, "fsetxattr", Changes, Descriptor),
    call(libc::SYS_fstatfs, "fstatfs", Reads, Descriptor),
    call(libc::SYS_fsync, "fsync", Syncs, Descriptor),
    call(libc::SYS_ftruncate, "ftruncate", Changes, Descriptor),
    call(libc::SYS_link, "link", Grows, Path(1)),
    call(libc::SYS_linkat, "linkat", Grows, Path(3)),
    call(libc::SYS_lstat, "lstat", Reads, Path(0)),
    call(libc::SYS_mkdir, "mkdir", Grows, Path(0)),
    call(libc::SYS_mkdirat, "mkdirat", Grows, Path(1)),
    call(libc::SYS_open, "open", Opens, Path(0)),
    call(libc::SYS_openat2, "openat2", Opens, Path(1)),
    call(libc::SYS_pipe2, "pipe2", Opens, Subject::None),
    call(libc::SYS_readlink, "readlink", Reads, Path(0)),
    call(libc::SYS_readlinkat, "readlinkat", Reads, Path(1)),
    call(libc::SYS_readv, "readv", Reads, Descriptor),
    call(libc::SYS_rename, "rename", Changes, Path(1)),
    call(libc::SYS_renameat, "renameat", Changes, Path(3)),
    call(libc::SYS_renameat2, "renameat2", Changes, Path(3)),
    call(libc::SYS_rmdir, "rmdir", Changes, Path(0)),
    call(libc::SYS_sendto, "sendto", Changes, Descriptor),
    call(libc::SYS_sigaltstack, "sigaltstack", Reads, Subject::None),
    call(libc::SYS_stat, "stat", Reads, Path(0)),
    call(libc::SYS_statfs, "statfs", Reads, Path(0)),
    call(libc::SYS_symlink, "symlink", Grows, Path(1)),
    call(libc::SYS_symlinkat, "symlinkat", Grows, Path(2)),
    call(libc::SYS_sync, "sync", Syncs, Subject::None),
    call(libc::SYS_sync_file_range, "sync_file_range", Syncs, Descriptor),
    call(libc::SYS_syncfs, "syncfs", Syncs, Descriptor),
    call(libc::SYS_truncate, "truncate", Changes, Path(0)),
    call(libc::SYS_unlink, "unlink", Changes, Path(0)),
    call(libc::SYS_unlinkat, "unlinkat", Changes, Path(1)),
    call(libc::SYS_utimensat, "utimensat", Changes, Path(1)),
    call(libc::SYS_writev, "writev", Grows, Descriptor),
];
