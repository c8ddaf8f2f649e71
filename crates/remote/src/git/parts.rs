//! More than a host takes at once goes ahead in parts, to a ref of ours that nobody looks at; the branch then needs only
//! what is left, and still moves once and as a whole.
//!
//! A part is a folder that holds contents under numbers, and the part before it. No commit is made of it: what a folder
//! holds that the host names is known to be there, while of a commit aside from the branch git would send it all again.
//! The same contents make the same parts, so that an upload that was cut off goes on where it was.

use instep_core::remote::RemoteError;

use super::failure;
use super::objects::{Kind, Oid};
use super::pack::Pack;
use super::program::{Call, Program, Scope};
use super::push::refusal;
use super::tree::body_of_files;

/// How much goes in one part: hosts refuse packs of 2 GB and more.
pub(super) const BYTES_MAX: u64 = 1 << 30;

/// Where the parts of one machine go.
pub(super) struct Parts<'a> {
    program: &'a Program,
    reference: String,
}

impl<'a> Parts<'a> {
    /// Those of a machine with that id.
    pub fn of(program: &'a Program, machine: &str) -> Self {
        let id: String = machine.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        Parts { program, reference: format!("refs/instep/incoming/m{id}") }
    }

    /// Sends all parts but the last, which goes with the branch. Answers whether anything was sent: a host that takes no
    /// such ref gets everything at once.
    pub fn send(&self, contents: &[(Oid, u64)], bytes_max: u64) -> Result<bool, RemoteError> {
        let mut past = None;
        let parts = cut(contents, bytes_max);
        for part in &parts[..parts.len().saturating_sub(1)] {
            let folder = self.write(part, past)?;
            let outcome = push_of(self.program, &format!("+{folder}:{}", self.reference))?.run(&[])?;
            if !outcome.status.success() {
                return if refusal(&outcome.stdout).is_some() {
                    Ok(false)
                } else {
                    Err(failure::of(&outcome))
                };
            }
            past = Some(folder);
        }
        Ok(past.is_some())
    }

    /// Removes the ref; if that fails, the next upload in parts takes its place.
    pub fn remove(&self) {
        let _ = push_of(self.program, &format!(":{}", self.reference)).and_then(|mut call| call.run(&[]));
    }

    fn write(&self, part: &[(Oid, u64)], past: Option<Oid>) -> Result<Oid, RemoteError> {
        let names: Vec<String> = (0..part.len()).map(|at| at.to_string()).collect();
        let files = names.iter().map(String::as_str).zip(part.iter().map(|(oid, _)| *oid));
        let mut pack = Pack::new();
        let folder = pack.add(Kind::Tree, &body_of_files(files, past.map(|past| ("past", past))))?;
        pack.take_in(self.program)?;
        Ok(folder)
    }
}

/// A push to a ref of ours, beside the branch.
pub(super) fn push_of(program: &Program, refspec: &str) -> Result<Call, RemoteError> {
    let mut call = program.call(Scope::Talking)?;
    call.args(program.patience_with_a_push());
    call.args(["-c", "pack.window=0", "-c", "pack.compression=1", "-c", "push.negotiate=false"]);
    call.args(["push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-progress", "--no-signed"]);
    call.args(["--recurse-submodules=no", "--", "instep", refspec]);
    Ok(call)
}

/// Parts of so many bytes at most, or of one content.
fn cut(contents: &[(Oid, u64)], bytes_max: u64) -> Vec<&[(Oid, u64)]> {
    let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, (_, size)) in contents.iter().enumerate() {
        if at > start && bytes + size > bytes_max {
            parts.push(&contents[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    parts.push(&contents[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_cut_where_a_part_is_full() {
        let sizes = |given: &[u64]| -> Vec<Vec<u64>> {
            let contents: Vec<(Oid, u64)> = given.iter().map(|size| (Oid([0; 20]), *size)).collect();
            cut(&contents, 10).iter().map(|part| part.iter().map(|one| one.1).collect()).collect()
        };
        assert_eq!(sizes(&[]), [Vec::<u64>::new()]);
        assert_eq!(sizes(&[3, 3, 4]), [vec![3, 3, 4]]);
        assert_eq!(sizes(&[3, 3, 5, 20, 1]), [vec![3, 3], vec![5], vec![20], vec![1]]);
    }
}
