//! Files that are not what they seem: links, second names, holes, very many names alike, editors that save beside.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use instep_testkit::machine::{Machine, Pair};

use super::{all_right, connected, nothing_lost_or_touched, wrong_error};

fn both() -> Pair {
    let pair = connected();
    assert_eq!(pair.right.connect(&pair.bare).code, 0);
    pair
}

fn write(machine: &Machine, path: &str, text: &str) {
    fs::write(machine.folder().join(path), text).unwrap();
}

#[test]
fn many_names_alike_cost_no_more_than_others() {
    let pair = both();
    let long = "n".repeat(190);
    for number in 0..200 {
        write(&pair.left, &format!("{long}-{number}"), &number.to_string());
    }
    let sent = pair.left.run(["sync"]);
    assert!(sent.code == 0 && sent.mentions("200 sent"), "P40: {sent}");
    let received = pair.right.run(["sync"]);
    assert!(received.code == 0 && received.mentions("200 received"), "P40: {received}");
    nothing_lost_or_touched("P40", &pair);
}

#[test]
fn a_folder_that_became_a_link_is_not_written_through() {
    let pair = both();
    write(&pair.right, "folder/inside", "3");
    write(&pair.right, "folder/new", "4");
    assert_eq!(pair.right.run(["sync"]).code, 0);
    let aside = pair.area().join("witness");
    fs::rename(pair.left.folder().join("folder"), pair.left.folder().join("aside")).unwrap();
    symlink(&aside, pair.left.folder().join("folder")).unwrap();
    let synced = pair.left.run(["sync", "--allow", "delete"]);
    assert!([0, 3, 4].contains(&synced.code), "L5: {synced}");
    assert_eq!(super::names(&aside), ["file"], "L5: written through the link: {synced}");
    assert_eq!(fs::read_to_string(aside.join("file")).unwrap(), "as it was");
    let here: Vec<String> = ["aside/inside", "aside/new"]
        .iter()
        .map(|path| fs::read_to_string(pair.left.folder().join(path)).unwrap_or_default())
        .collect();
    assert_eq!(here, ["3", "4"], "L5: the folder was moved, and what came follows it: {synced}");
}

#[test]
fn a_second_name_outside_keeps_what_it_held() {
    let pair = both();
    let outside = pair.area().join("witness/second");
    fs::hard_link(pair.left.folder().join("keep"), &outside).unwrap();
    write(&pair.right, "keep", "from the other machine");
    assert_eq!(pair.right.run(["sync"]).code, 0);
    let synced = pair.left.run(["sync"]);
    assert_eq!(synced.code, 0, "L8: {synced}");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "1", "L8: a file outside was written");
    assert_eq!(fs::read_to_string(pair.left.folder().join("keep")).unwrap(), "from the other machine");
    assert!(synced.mentions("Other names of keep (hard links)"), "L8: {synced}");
    fs::write(&outside, "written to outside").unwrap();
    let restored = pair.left.run(["undo", "--yes"]);
    assert_eq!(restored.code, 0, "L8: {restored}");
    assert_eq!(fs::read_to_string(pair.left.folder().join("keep")).unwrap(), "1", "L8");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "written to outside", "L8");
}

#[test]
fn a_file_of_holes_is_held_by_its_size_and_never_allocated() {
    let pair = connected();
    assert_eq!(pair.left.run(["config", "set", "sync.max_file_size", "1GB"]).code, 0);
    File::create(pair.left.folder().join("holes")).unwrap().set_len(1 << 40).unwrap();
    let synced = pair.left.run(["sync"]);
    all_right(wrong_error("L14", &synced, &[3], &["E-SIZE"]).into_iter().collect());
    assert!(synced.mentions("above max_file_size"), "L14: {synced}");
    assert_eq!(fs::metadata(pair.left.folder().join("holes")).unwrap().blocks(), 0, "L14: it was filled");
    nothing_lost_or_touched("L14", &pair);
}

#[test]
fn an_editor_that_saves_beside_and_renames_has_edited() {
    let pair = both();
    for round in ["2", "3"] {
        write(&pair.left, ".keep.swp", "an editor is here");
        write(&pair.left, "keep~", round);
        fs::rename(pair.left.folder().join("keep~"), pair.left.folder().join("keep")).unwrap();
        fs::remove_file(pair.left.folder().join(".keep.swp")).unwrap();
        let synced = pair.left.run(["sync"]);
        assert!(synced.code == 0 && synced.mentions("keep") && !synced.mentions("deleted"), "E14: {synced}");
        assert!(!synced.mentions("moved"), "E14: {synced}");
        assert_eq!(pair.right.run(["sync"]).code, 0);
        assert_eq!(fs::read_to_string(pair.right.folder().join("keep")).unwrap(), round);
    }
}

#[test]
fn links_that_lead_on_and_on_are_stored_and_never_followed() {
    let pair = both();
    for number in 0..=41 {
        symlink(format!("l{}", number + 1), pair.left.folder().join(format!("l{number}"))).unwrap();
    }
    symlink("round", pair.left.folder().join("round")).unwrap();
    symlink(".", pair.left.folder().join("folder/again")).unwrap();
    for machine in [&pair.left, &pair.right] {
        assert_eq!(machine.run(["sync"]).code, 0, "L3");
    }
    for (link, target) in [("l0", "l1"), ("l41", "l42"), ("round", "round"), ("folder/again", ".")] {
        let there = fs::read_link(pair.right.folder().join(link)).unwrap();
        assert_eq!(there.to_str(), Some(target), "L3: {link}");
    }
    nothing_lost_or_touched("L3", &pair);
}

#[test]
fn names_that_a_terminal_would_obey_are_shown_by_their_bytes() {
    let pair = both();
    let names = ["\u{202e}gpj.exe", "\u{1b}[31mred", "bell\u{7}", "new\nline", "c1\u{9b}31m"];
    for (number, name) in names.iter().enumerate() {
        write(&pair.left, name, &number.to_string());
    }
    let mut said = vec![pair.left.run(["status"]), pair.left.run(["sync"]), pair.right.run(["sync"])];
    names.iter().for_each(|name| fs::remove_file(pair.right.folder().join(name)).unwrap());
    said.extend([pair.right.run(["status"]), pair.right.run(["log"]), pair.right.run(["diff"])]);
    for output in &said {
        for obeyed in ["\u{202e}", "\u{1b}", "\u{7}", "\u{9b}", "new\nline"] {
            assert!(!output.mentions(obeyed), "P33 {obeyed:?}: {output}");
        }
    }
    assert!(said[2].mentions("\\u{202e}gpj.exe"), "P33: {}", said[2]);
}

#[test]
fn a_file_that_may_not_be_read_is_no_deleted_one() {
    let pair = Pair::unprivileged(&crate::program());
    for name in ["closed", "open"] {
        write(&pair.left, name, "1");
    }
    pair.hand_over();
    pair.connect();
    let closed = pair.left.folder().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    write(&pair.left, "open", "2");
    let synced = pair.left.run(["sync"]);
    all_right(wrong_error("L11", &synced, &[3], &["E-IO-PERM"]).into_iter().collect());
    assert!(synced.mentions("closed"), "L11: {synced}");
    assert_eq!(pair.right.run(["sync"]).code, 0, "L11");
    let there = ["closed", "open"].map(|name| fs::read_to_string(pair.right.folder().join(name)).unwrap());
    assert_eq!(there, ["1", "2"], "L11: {synced}");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o644)).unwrap();
    let synced = pair.left.run(["sync"]);
    assert_eq!(synced.code, 0, "L11: {synced}");
}
