//! Objects that are not what they seem: chains of deltas without end, and contents under another's name.

use std::fmt::Write as _;
use std::fs;

use super::{all_right, connected, nothing_lost_or_touched, wrong_error};

#[test]
fn a_long_chain_of_deltas_costs_time_in_proportion_and_arrives_whole() {
    // Less than the longest chain that git itself sends on, 4,095.
    const LINKS: usize = 2_000;
    let pair = connected();
    // Each version differs from the one before by a line, so that each is stored as a delta of it.
    let text = |number: usize| {
        let mut text = "the same in all of them\n".repeat(20);
        writeln!(text, "{number}").unwrap();
        text
    };
    let mut stream = String::new();
    for number in 0..LINKS {
        let text = text(number);
        write!(stream, "blob\nmark :{}\ndata {}\n{text}\n", number + 1, text.len()).unwrap();
    }
    let head = pair.bare.head().unwrap();
    write!(stream, "commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 1\nx\n")
        .unwrap();
    writeln!(stream, "from {head}").unwrap();
    for number in 0..LINKS {
        writeln!(stream, "M 100644 :{} chain/{number}", number + 1).unwrap();
    }
    pair.bare.git(["fast-import", "--quiet", "--depth=8000"], stream.as_bytes());
    pair.bare.git(["config", "pack.depth", "4095"], b"");
    let output = pair.left.run(["sync"]);
    assert_eq!(output.code, 0, "G15: {output}");
    for number in [0, 1, LINKS / 2, LINKS - 1] {
        let there = fs::read_to_string(pair.left.folder().join(format!("chain/{number}"))).unwrap();
        assert_eq!(there, text(number), "G15: chain/{number}");
    }
    nothing_lost_or_touched("G15", &pair);
}

#[test]
fn a_content_under_the_name_of_another_is_refused() {
    let pair = connected();
    let (promised, given) = (pair.bare.blob(b"what was promised"), pair.bare.blob(b"something else"));
    pair.bare.commit_onto_head(&[("100644", b"promised", &promised)], "new");
    let object = |name: &str| pair.bare.path().join("objects").join(&name[..2]).join(&name[2..]);
    fs::remove_file(object(&promised)).unwrap();
    fs::copy(object(&given), object(&promised)).unwrap();
    let output = pair.left.run(["sync"]);
    let codes = ["E-GIT-CORRUPT", "E-INTEGRITY"];
    all_right(wrong_error("G16", &output, &[1], &codes).into_iter().collect());
    assert!(!pair.left.folder().join("promised").exists(), "G16: {output}");
    nothing_lost_or_touched("G16", &pair);
    fs::remove_file(object(&promised)).unwrap();
    pair.bare.blob(b"what was promised");
    assert_eq!(pair.left.run(["sync"]).code, 0, "G16: it does not go on when the damage is mended");
    assert_eq!(fs::read_to_string(pair.left.folder().join("promised")).unwrap(), "what was promised");
}

#[test]
fn a_pack_that_was_cut_is_named_and_survived() {
    let pair = connected();
    let blob = pair.bare.blob("what arrives, if all is well\n".repeat(4000).as_bytes());
    pair.bare.commit_onto_head(&[("100644", b"arrives", &blob)], "new");
    pair.bare.git(["repack", "-a", "-d", "-q"], b"");
    let packs = fs::read_dir(pair.bare.path().join("objects/pack")).unwrap();
    let mut packs = packs.map(|entry| entry.unwrap().path());
    let pack = packs.find(|path| path.extension().is_some_and(|extension| extension == "pack")).unwrap();
    let whole = fs::read(&pack).unwrap();
    for length in [whole.len() / 2, 0] {
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, &whole[..length]).unwrap();
        let output = pair.left.run(["sync"]);
        all_right(wrong_error("G7", &output, &[1, 3, 5, 6, 7], &["E-GIT-CORRUPT"]).into_iter().collect());
        nothing_lost_or_touched("G7", &pair);
    }
    fs::write(&pack, &whole).unwrap();
    let output = pair.left.run(["sync"]);
    assert_eq!(output.code, 0, "G7: it does not go on when the damage is mended: {output}");
    assert!(pair.left.folder().join("arrives").exists(), "G7");
}
