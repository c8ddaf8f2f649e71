//! Scans of real folders, and of one that fails where it is told to.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use instep_core::content::ContentId;
use instep_core::filter::{FilterRules, GitignoreMode, Groups, RuleText};
use instep_core::path::{Name, TreePath};
use instep_core::progress::Silent;
use instep_core::tree::{Entry, LeafKind, Place, Unknown};
use rustix::io::Errno;

use super::*;
use crate::folder::disk::{DiskDir, DiskFolder};
use crate::folder::faulty::{Fault, Faulty};
use crate::form::{self, FormCache};

/// A workspace on the real disk, and what is known of it.
struct Bench {
    home: tempfile::TempDir,
    filter: Filter,
    rules: Rules,
    links: Links,
    digests: DigestCache,
    workers: usize,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        DiskFolder::create(home.path()).unwrap();
        Bench {
            home,
            filter: Filter::default(),
            rules: Rules::default(),
            links: Links::Portable,
            digests: DigestCache::default(),
            workers: 2,
        }
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Waits until what was written is no longer too young for its digest to be kept.
    fn let_it_rest(&self) {
        std::thread::sleep(Duration::from_millis(30));
    }

    fn options(&self) -> ScanOptions<'_> {
        ScanOptions {
            filter: &self.filter,
            rules: &self.rules,
            links: self.links,
            refuses: &|_, _| None,
            digests: &self.digests,
            workers: self.workers,
            observer: &Silent,
        }
    }

    fn scan(&self) -> Scan {
        scan(&DiskFolder::open(self.home.path()).unwrap(), &self.options()).unwrap()
    }

    fn scan_with(&self, faults: Vec<(&str, Fault)>) -> Result<Scan, EngineError> {
        let folder = Faulty::new(DiskFolder::open(self.home.path()).unwrap(), faults);
        scan(&folder, &self.options())
    }

    /// Scans, and keeps the digests as the state would.
    fn learn(&mut self) -> Scan {
        let scan = self.scan();
        let mut known: BTreeMap<u64, Digest> =
            self.digests.digests().iter().map(|digest| (digest.metadata.key.inode, *digest)).collect();
        known.retain(|inode, _| scan.stale.iter().all(|key| key.inode != *inode));
        known.extend(scan.fresh.iter().map(|digest| (digest.metadata.key.inode, *digest)));
        self.digests = DigestCache::new(known.into_values().collect());
        scan
    }
}

/// The tree as text, one line an entry, without our own state.
fn drawn(scan: &Scan) -> Vec<String> {
    let lines = scan.tree.places().skip(1).map(|place| {
        let what = match &scan.tree.at(place).entry {
            Entry::Folder => "folder".to_owned(),
            Entry::Leaf(leaf) if leaf.kind == LeafKind::Link => "link".to_owned(),
            Entry::Leaf(leaf) if leaf.exec => format!("program {}", leaf.size),
            Entry::Leaf(leaf) => format!("file {}", leaf.size),
            Entry::Unknown(unknown) => format!("{unknown:?}"),
        };
        format!("{} {what}", scan.tree.path(place))
    });
    let mut lines: Vec<String> = lines.filter(|line| !line.starts_with(".instep ")).collect();
    lines.sort();
    lines
}

fn entry<'s>(scan: &'s Scan, path: &str) -> &'s Entry {
    let place = scan.tree.find(&TreePath::new(path.as_bytes()).unwrap()).expect(path);
    &scan.tree.at(place).entry
}

fn content(scan: &Scan, path: &str) -> ContentId {
    match entry(scan, path) {
        Entry::Leaf(leaf) => leaf.content,
        other => panic!("{path} is {other:?}"),
    }
}

fn exclude(texts: &[&str]) -> Filter {
    let rule = |text: &&str| RuleText { text: (*text).to_owned(), place: Default::default() };
    Filter::new(&FilterRules { exclude: texts.iter().map(rule).collect(), ..Default::default() }).unwrap()
}

#[test]
fn a_tree_holds_files_folders_links_and_what_takes_no_part() {
    let bench = Bench::new();
    bench.write("a/b/file", "12345");
    bench.write("run", "x");
    fs::set_permissions(bench.home.path().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(bench.home.path().join("empty")).unwrap();
    symlink("a/b/file", bench.home.path().join("in")).unwrap();
    symlink("in/../../out", bench.home.path().join("a/in")).unwrap();
    symlink("../out", bench.home.path().join("out")).unwrap();
    symlink("/etc/passwd", bench.home.path().join("far")).unwrap();
    symlink("self", bench.home.path().join("self")).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        bench.home.path().join("pipe"),
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .unwrap();
    bench.write("node_modules/deep/file", "x");
    bench.write("sub/.git/config", "x");
    bench.write("instep.local.yaml", "x");
    let scan = bench.scan();
    let expected = [
        "a folder",
        "a/b folder",
        "a/b/file file 5",
        "a/in link",
        "empty folder",
        "far LinkOutside",
        "in link",
        "instep.local.yaml Reserved",
        "node_modules Excluded(\"built in: \\\"node_modules/\\\"\")",
        "out LinkOutside",
        "pipe Special",
        "run program 1",
        "self link",
        "sub folder",
        "sub/.git Reserved",
    ];
    assert_eq!(drawn(&scan), expected);
    assert_eq!(content(&scan, "a/b/file"), ContentId::of(b"12345"));
    assert_eq!(content(&scan, "in"), ContentId::of(b"a/b/file"));
    let counts =
        ScanCounts { files: 5, bytes: 5 + 1 + 8 + 12 + 4, folders: 5, hashed_files: 2, hashed_bytes: 6 };
    assert_eq!(scan.counts, counts);
    assert!(matches!(entry(&scan, ".instep"), Entry::Unknown(Unknown::Reserved)));
}

#[test]
fn links_travel_as_the_policy_says() {
    let mut bench = Bench::new();
    symlink("/etc/passwd", bench.home.path().join("far")).unwrap();
    bench.links = Links::Any;
    assert_eq!(drawn(&bench.scan()), ["far link"]);
    bench.links = Links::Skip;
    assert_eq!(drawn(&bench.scan()), ["far Excluded(\"symlinks: skip\")"]);
}

#[test]
fn ignore_files_hold_where_they_stand_and_below() {
    let mut bench = Bench::new();
    bench.filter = exclude(&["*.tmp"]);
    bench.write("a/.instepignore", "secret*\n");
    for path in ["secret", "a/secret", "a/b/secret1", "a/b/kept", "x.tmp"] {
        bench.write(path, "x");
    }
    let scan = bench.scan();
    assert!(matches!(entry(&scan, "secret"), Entry::Leaf(_)));
    assert!(matches!(entry(&scan, "a/secret"), Entry::Unknown(Unknown::Excluded(_))));
    assert!(matches!(entry(&scan, "a/b/secret1"), Entry::Unknown(Unknown::Excluded(_))));
    assert!(matches!(entry(&scan, "a/b/kept"), Entry::Leaf(_)));
    assert!(matches!(entry(&scan, "x.tmp"), Entry::Unknown(Unknown::Excluded(_))));
}

#[test]
fn an_ignore_file_behind_a_link_is_not_read() {
    let bench = Bench::new();
    bench.write("rules", "*");
    symlink("rules", bench.home.path().join(".instepignore")).unwrap();
    assert_eq!(drawn(&bench.scan()), [".instepignore link", "rules file 1"]);
}

#[test]
fn an_ignore_file_that_cannot_be_read_hides_its_folder_instead_of_showing_what_it_excludes() {
    let bench = Bench::new();
    bench.write("a/.instepignore", "secret\n");
    bench.write("a/secret", "x");
    let scan = bench.scan_with(vec![(".instepignore", Fault::Open(Errno::ACCESS))]).unwrap();
    assert!(matches!(entry(&scan, "a"), Entry::Unknown(Unknown::Unreadable(_))));
    assert_eq!(drawn(&scan).len(), 1);
}

#[test]
fn a_folder_that_is_only_passed_through_is_left_out_if_nothing_in_it_takes_part() {
    let mut bench = Bench::new();
    let rules = FilterRules { gitignore: GitignoreMode::OnlyIgnored, ..Default::default() };
    bench.filter = Filter::new(&rules).unwrap();
    bench.write(".gitignore", "*.env\n");
    bench.write("code/deep/main.rs", "x");
    bench.write("service/deep/prod.env", "x");
    let scan = bench.scan();
    assert!(matches!(entry(&scan, "code"), Entry::Unknown(Unknown::Excluded(_))));
    assert!(matches!(entry(&scan, "service/deep/prod.env"), Entry::Leaf(_)));
    assert!(scan.tree.find(&TreePath::new(b"code/deep").unwrap()).is_none());
}

#[test]
fn another_workspace_inside_is_left_alone() {
    let bench = Bench::new();
    bench.write("inner/file", "x");
    fs::create_dir(bench.home.path().join("inner/.instep")).unwrap();
    assert_eq!(drawn(&bench.scan()), ["inner Foreign(\"another workspace\")"]);
}

#[test]
fn what_cannot_be_read_is_there_and_says_why() {
    let bench = Bench::new();
    for path in ["closed/file", "broken", "dying/file", "odd", "fine"] {
        bench.write(path, "x");
    }
    let faults = vec![
        ("closed", Fault::Open(Errno::ACCESS)),
        ("broken", Fault::Read(Errno::IO)),
        ("dying", Fault::List(Errno::IO)),
        ("odd", Fault::Look(Errno::ACCESS)),
    ];
    let scan = bench.scan_with(faults).unwrap();
    let unreadable = |path| match entry(&scan, path) {
        Entry::Unknown(Unknown::Unreadable(why)) => why.clone(),
        other => panic!("{path} is {other:?}"),
    };
    assert_eq!(unreadable("closed"), "permission denied");
    assert_eq!(unreadable("broken"), "E-IO read broken: Input/output error (os error 5)");
    assert!(unreadable("dying").starts_with("E-IO list"));
    assert_eq!(unreadable("odd"), "permission denied");
    assert!(matches!(entry(&scan, "fine"), Entry::Leaf(_)));
}

#[test]
fn a_workspace_that_cannot_be_listed_is_not_taken_for_empty() {
    let bench = Bench::new();
    bench.write("file", "x");
    let error = bench.scan_with(vec![("", Fault::List(Errno::IO))]).unwrap_err();
    assert!(matches!(error, EngineError::Folder(_)));
}

#[test]
fn too_many_open_files_slow_down_and_lose_nothing() {
    let bench = Bench::new();
    (0..200).for_each(|n| bench.write(&format!("{}/{}/file", n % 5, n % 50), "x"));
    for (room, workers) in [(2, 1), (2, 4), (3, 2), (5, 3)] {
        let mut folder = Faulty::new(DiskFolder::open(bench.home.path()).unwrap(), vec![]);
        folder.room = room;
        let scan = scan(&folder, &ScanOptions { workers, ..bench.options() }).unwrap();
        assert_eq!((scan.counts.files, scan.counts.folders), (50, 56), "{room} {workers}");
        assert!(folder.open_max() <= room);
    }
}

#[test]
fn what_cannot_be_opened_even_alone_is_there_and_says_why() {
    let bench = Bench::new();
    (0..50).for_each(|n| bench.write(&format!("d{n}/file"), "x"));
    let scan = bench.scan_with(vec![("d3", Fault::Open(Errno::MFILE))]).unwrap();
    let Entry::Unknown(Unknown::Unreadable(why)) = entry(&scan, "d3") else { panic!("it was read") };
    assert!(why.starts_with("E-IO-FILES"));
    assert_eq!(scan.counts.files, 49);
}

#[test]
fn what_belongs_to_a_database_is_no_file_of_its_own_while_that_is_away() {
    let bench = Bench::new();
    for path in ["d/b.db", "d/b.db-wal", "e/b.db", "e/b.db-wal"] {
        bench.write(path, "x");
    }
    let mut scan = bench.scan();
    fs::rename(bench.home.path().join("d"), bench.home.path().join("away")).unwrap();
    fs::remove_file(bench.home.path().join("e/b.db")).unwrap();
    let folder = DiskFolder::open(bench.home.path()).unwrap();
    form::outgoing(&folder, &mut scan, &FormCache::default(), &Groups::default(), None).unwrap();
    for path in ["d/b.db", "d/b.db-wal", "e/b.db", "e/b.db-wal"] {
        assert!(matches!(entry(&scan, path), Entry::Unknown(_)), "{path}: {:?}", entry(&scan, path));
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again() {
    let mut bench = Bench::new();
    bench.workers = 1;
    bench.write("log", "one");
    let path = bench.home.path().join("log");
    let append = move || fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"+").unwrap();
    let once = AtomicBool::new(false);
    let grow = append.clone();
    let grow_once = Fault::Meanwhile(Box::new(move || {
        if !once.swap(true, Ordering::Relaxed) {
            grow();
        }
    }));
    let scan = bench.scan_with(vec![("log", grow_once)]).unwrap();
    assert_eq!(content(&scan, "log"), ContentId::of(b"one+"));
    let scan = bench.scan_with(vec![("log", Fault::Meanwhile(Box::new(append)))]).unwrap();
    assert!(matches!(entry(&scan, "log"), Entry::Unknown(Unknown::Changing)));
    assert!(scan.fresh.is_empty());
}

#[test]
fn a_file_that_is_replaced_or_goes_while_it_is_read_is_no_mixture() {
    let mut bench = Bench::new();
    bench.workers = 1;
    bench.write("a", "old");
    let path = bench.home.path().join("a");
    let replace = {
        let path = path.clone();
        move || {
            fs::write(path.with_extension("new"), "new").unwrap();
            fs::rename(path.with_extension("new"), &path).unwrap();
        }
    };
    let once = Mutex::new(Some(replace));
    let swap = Fault::Meanwhile(Box::new(move || {
        if let Some(replace) = once.lock().unwrap().take() {
            replace();
        }
    }));
    let scan = bench.scan_with(vec![("a", swap)]).unwrap();
    assert_eq!(content(&scan, "a"), ContentId::of(b"new"));
    let gone = Fault::Meanwhile(Box::new(move || drop(fs::remove_file(&path))));
    let scan = bench.scan_with(vec![("a", gone)]).unwrap();
    assert!(matches!(entry(&scan, "a"), Entry::Unknown(Unknown::Changing)));
}

#[test]
fn what_is_known_is_not_read_again_even_if_its_folder_is_renamed() {
    let mut bench = Bench::new();
    (0..100).for_each(|n| bench.write(&format!("old/{}/file{n}", n % 7), &n.to_string()));
    bench.let_it_rest();
    assert_eq!(bench.learn().counts.hashed_files, 100);
    assert_eq!(bench.learn().counts.hashed_files, 0);
    fs::rename(bench.home.path().join("old"), bench.home.path().join("new")).unwrap();
    let scan = bench.learn();
    assert_eq!((scan.counts.hashed_files, scan.counts.files), (0, 100));
    assert_eq!(content(&scan, "new/1/file8"), ContentId::of(b"8"));
    assert!(scan.stale.is_empty());
}

#[test]
fn digests_of_files_that_are_gone_are_named() {
    let mut bench = Bench::new();
    bench.write("kept", "x");
    bench.write("gone", "y");
    bench.let_it_rest();
    bench.learn();
    fs::remove_file(bench.home.path().join("gone")).unwrap();
    let scan = bench.learn();
    assert_eq!(scan.stale.len(), 1);
    assert_eq!(bench.digests.len(), 1);
}

#[test]
fn a_change_of_the_same_length_with_the_old_time_put_back_is_found() {
    let mut bench = Bench::new();
    bench.write("f", "aaaa");
    bench.let_it_rest();
    let before = content(&bench.learn(), "f");
    let path = bench.home.path().join("f");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "bbbb").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_ne!(content(&bench.learn(), "f"), before);
}

#[test]
fn writes_within_one_tick_of_the_clock_are_all_found() {
    let mut bench = Bench::new();
    for round in 0..300 {
        let text = format!("{round:04}");
        bench.write("f", &text);
        assert_eq!(content(&bench.learn(), "f"), ContentId::of(text.as_bytes()));
    }
}

#[test]
fn a_young_digest_is_not_kept_and_a_rested_one_is() {
    let mut bench = Bench::new();
    bench.write("f", "x");
    assert!(bench.learn().fresh.is_empty());
    bench.let_it_rest();
    assert_eq!(bench.learn().fresh.len(), 1);
}

#[test]
fn names_that_are_not_text_are_names() {
    let bench = Bench::new();
    for bytes in [&b"\xff\xfe"[..], b"a\nb", "\u{202e}gpj".as_bytes(), b"-rf", b"\xc3\xa9", b"e\xcc\x81"] {
        fs::write(bench.home.path().join(std::ffi::OsStr::from_bytes(bytes)), bytes).unwrap();
    }
    let scan = bench.scan();
    assert_eq!(scan.counts.files, 6);
    let odd = scan.tree.child(Place::ROOT, &Name::new(b"\xff\xfe").unwrap()).unwrap();
    assert!(matches!(scan.tree.at(odd).entry, Entry::Leaf(_)));
}

#[test]
fn a_very_deep_tree_ends_with_few_files_open() {
    let bench = Bench::new();
    let folder = DiskFolder::open(bench.home.path()).unwrap();
    let name = Name::new(b"d").unwrap();
    let mut at = folder.root();
    for _ in 0..310 {
        folder.create_folder(&at, &name).unwrap();
        folder.create_folder(&at, &Name::new(b"other").unwrap()).unwrap();
        at = folder.open_folder(&at, &name).unwrap();
    }
    drop((at, folder));
    let deepest = |scan: &Scan| {
        let places: Vec<Place> = scan.tree.places().collect();
        let depth = |place: &Place| scan.tree.path(*place).depth();
        let last = places.iter().copied().max_by_key(depth).unwrap();
        (scan.tree.path(last).depth(), scan.tree.at(last).entry.clone())
    };
    for workers in [1, 2] {
        let folder = Faulty::new(DiskFolder::open(bench.home.path()).unwrap(), vec![]);
        let scan = scan(&folder, &ScanOptions { workers, ..bench.options() }).unwrap();
        let (depth, entry) = deepest(&scan);
        assert_eq!(depth, 301);
        assert!(matches!(entry, Entry::Unknown(Unknown::Unfit { code: "E-PATH-DEEP", .. })));
        assert!(folder.open_max() <= 30, "{} folders were open at once", folder.open_max());
    }
}

#[test]
fn a_path_that_is_too_long_is_held() {
    let bench = Bench::new();
    let folder = DiskFolder::open(bench.home.path()).unwrap();
    let name = Name::new("n".repeat(250).as_bytes()).unwrap();
    let mut at: DiskDir = folder.root();
    for _ in 0..20 {
        folder.create_folder(&at, &name).unwrap();
        at = folder.open_folder(&at, &name).unwrap();
    }
    let scan = bench.scan();
    let last = scan.tree.places().last().unwrap();
    assert_eq!(scan.tree.path(last).depth(), 17);
    assert!(matches!(scan.tree.at(last).entry, Entry::Unknown(Unknown::Unfit { code: "E-PATH-DEEP", .. })));
}

#[test]
fn ten_thousand_names_in_one_folder_are_all_there() {
    let mut bench = Bench::new();
    (0..10_000).for_each(|n| bench.write(&format!("many/{n}"), ""));
    bench.let_it_rest();
    let scan = bench.learn();
    assert_eq!((scan.counts.files, scan.tree.len()), (10_000, 10_003));
    assert_eq!(bench.learn().counts.hashed_files, 0);
}

#[test]
fn the_result_is_the_same_for_any_number_of_workers() {
    let mut bench = Bench::new();
    for n in 0..400 {
        bench.write(&format!("{}/{}/{n}", n % 9, n % 31), &"x".repeat(n));
    }
    bench.let_it_rest();
    let results: Vec<(String, Vec<(Key, ContentId)>)> = [1, 2, 5]
        .into_iter()
        .map(|workers| {
            bench.workers = workers;
            let scan = bench.scan();
            let fresh = scan.fresh.iter().map(|digest| (digest.metadata.key, digest.content));
            (format!("{:?}", scan.tree), fresh.collect())
        })
        .collect();
    assert_eq!(results[0].1.len(), 400);
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn who_asks_to_stop_is_heard() {
    struct Stopped;
    impl Observer for Stopped {
        fn observe(&self, _event: Event) {}
        fn is_cancelled(&self) -> bool {
            true
        }
    }
    let bench = Bench::new();
    bench.write("a/b", "x");
    let folder = DiskFolder::open(bench.home.path()).unwrap();
    let stopped = scan(&folder, &ScanOptions { observer: &Stopped, ..bench.options() });
    assert!(matches!(stopped, Err(EngineError::Cancelled)));
}

#[test]
fn progress_tells_of_every_file_once() {
    #[derive(Default)]
    struct Heard(Mutex<(u64, u64)>);
    impl Observer for Heard {
        fn observe(&self, event: Event) {
            if let Event::Advanced { files, bytes, .. } = event {
                let mut heard = self.0.lock().unwrap();
                *heard = (heard.0 + files, heard.1 + bytes);
            }
        }
    }
    let bench = Bench::new();
    (0..2_500).for_each(|n| bench.write(&format!("{}/{n}", n % 5), "12"));
    let folder = DiskFolder::open(bench.home.path()).unwrap();
    let heard = Heard::default();
    scan(&folder, &ScanOptions { observer: &heard, ..bench.options() }).unwrap();
    assert_eq!(*heard.0.lock().unwrap(), (2_500, 5_000));
}

#[test]
fn a_file_with_a_time_in_the_far_future_or_past_is_a_file() {
    let bench = Bench::new();
    bench.write("future", "x");
    bench.write("past", "y");
    let set = |path: &str, time: SystemTime| {
        let file = fs::File::options().write(true).open(bench.home.path().join(path)).unwrap();
        file.set_modified(time).unwrap();
    };
    set("future", SystemTime::UNIX_EPOCH + Duration::from_secs(7_000_000_000));
    set("past", SystemTime::UNIX_EPOCH - Duration::from_secs(1_000_000_000));
    assert_eq!(bench.scan().counts.files, 2);
}
