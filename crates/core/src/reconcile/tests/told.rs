//! Moves that a side without keys was told to have made.

use super::{World, draw_both, policy};
use crate::node::Side;
use crate::path::TreePath;
use crate::renames::{Rename, Renames};

fn told(words: &str) -> Renames {
    let path = |text: &str| TreePath::new(text.as_bytes()).unwrap();
    let rename = |word: &str| {
        let (from, to) = word.split_once('>').unwrap();
        Rename { from: path(from), to: path(to) }
    };
    Renames::through([words.split_whitespace().map(rename).collect::<Vec<_>>().as_slice()])
}

/// Base, local, remote, and what the remote says it renamed.
#[track_caller]
fn check(base: &str, local: &str, remote: &str, renames: &str, expected: &str) {
    let mut world = World::new(base, policy("both"));
    world.edit(Side::Local, local);
    world.edit(Side::Remote, remote);
    world.policy.renames.remote = told(renames);
    world.cycle();
    assert_eq!(
        draw_both(&world, &[base, local, remote]),
        expected,
        "{base} | {local} | {remote} | {renames}"
    );
}

#[test]
fn a_file_renamed_and_edited_there_is_the_one_edited_here() {
    let copy =
        super::copy_of("g", "here", "mine").replace(&crate::content::ContentId::of(b"mine").short(), "#mine");
    check("f=1", "f=mine", "g=theirs", "f>g", &format!("= {copy}=mine;g=theirs"));
    // Without a word both stand.
    check("f=1", "f=mine", "g=theirs", "", "= f=mine;g=theirs");
    check("f=1", "-", "g=theirs", "f>g", "= g=theirs");
    check("f=1", "d/f=1", "g=theirs", "f>g", "= d/g=theirs");
}

#[test]
fn a_folder_of_which_every_file_changed_is_told_too() {
    check("d/a=1;d/b=2", "d/a=1;d/b=2;d/n=new", "e/a=11;e/b=22", "d>e", "= e/a=11;e/b=22;e/n=new");
    check("d/a=1;d/b=2", "d/a=1;d/b=2;d/n=new", "e/a=11;e/b=22", "", "= d/n=new;e/a=11;e/b=22");
    check("d/a=1;d/b=2", "d/a=1;d/b=2;d/n=new", "e/c=11;e/b=22", "d>e d/a>e/c", "= e/b=22;e/c=11;e/n=new");
    check("d/s/a=1", "d/s/a=1;d/s/n=new", "d/;x/a=11", "d/s>x", "= d/;x/a=11;x/n=new");
}

#[test]
fn what_is_told_wrongly_is_not_believed() {
    let stays = "= f=mine;g=theirs";
    for renames in
        ["x>g", "f>x", "g>f", "f>g/x", "f/x>g", "f>d", "f>g f>x", "f>g x>g", "f>g/f g/f>g", "d>g", "f/g>g"]
    {
        check("f=1", "f=mine", "g=theirs", renames, stays);
    }
    // The source still stands.
    check("f=1", "f=1", "f=2;g=3", "f>g", "= f=2;g=3");
    check("f=1;g=2", "f=1;g=mine", "f=9;g=2", "f>g g>f", "= f=9;g=mine");
    // The target is known already.
    check("f=1;g=2", "f=mine;g=2", "g=2", "f>g", "= f=mine;g=2");
    // A folder is not a file.
    check("f=1", "f=mine", "g/f=theirs", "f>g", "= f=mine;g/f=theirs");
    check("d/a=1", "d/a=mine", "d=x", "d>d/d", "= d.there-#x=x;d/a=mine");
    // A folder into itself.
    check("d/a=1", "d/a=mine", "d/d/a=2", "d>d/d", "= d/a=mine;d/d/a=2");
}
