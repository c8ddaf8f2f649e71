//! The scenes in which a run is broken: what both machines hold, and the command that is disturbed.
//!
//! Contents get a number that no other round has, so that a version that is lost can't be mistaken for one that an
//! earlier round kept.

mod forms;

use std::fs;
use std::io;
use std::path::Path;

use crate::drawing::disk::{self, Times};
use crate::drawing::{Body, Drawing};
use crate::ledger::Ledger;
use crate::machine::{Machine, Output, Pair};
use crate::rest;
use instep_core::generate::Random;

/// How a scene begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Both machines hold the base and agree.
    Agreed,
    /// The left machine holds the base and nobody knows of it.
    Unknown,
    /// The left machine holds the base and has sent it; the right one is new.
    Alone,
}

/// One scene.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// Its name.
    pub name: &'static str,
    /// How it begins.
    pub start: Start,
    /// It takes seconds each time, and a world of its own.
    pub is_heavy: bool,
    /// What `instep.yaml` says.
    settings: &'static str,
    base: &'static str,
    /// What the right machine made of it and sent; `^` is the base.
    right: &'static str,
    /// What the left machine made of it.
    left: &'static str,
    /// What is run on the left machine before; each may end with 0 or 4.
    before: &'static [&'static [&'static str]],
    /// The command that is disturbed: on the right machine where that is new, else on the left one.
    deed: &'static [&'static str],
}

impl Scene {
    /// Answers whether its command is what is done after any interruption.
    pub fn is_sync(&self) -> bool {
        self.deed == SYNC
    }

    /// Answers whether what travels is what lies on the disk, so that anything may be saved anywhere.
    pub fn is_plain(&self) -> bool {
        self.settings.is_empty() && !self.base.contains('%')
    }
}

const SYNC: &[&str] = &["sync"];
const BASE: &str = "a=1;b=2;d/c=3;d/e/f=4;d/e/g=5;x=6+x;l->a;empty/";

const fn scene(
    name: &'static str,
    right: &'static str,
    left: &'static str,
    before: &'static [&'static [&'static str]],
    deed: &'static [&'static str],
) -> Scene {
    agreed(name, "", [BASE, right, left], before, deed)
}

const fn heavy(
    name: &'static str,
    start: Start,
    base: &'static str,
    right: &'static str,
    left: &'static str,
) -> Scene {
    let deed = match start {
        Start::Agreed => SYNC,
        Start::Unknown => &["init"],
        Start::Alone => &["clone"],
    };
    Scene { name, start, is_heavy: true, settings: "", base, right, left, before: &[], deed }
}

const fn agreed(
    name: &'static str,
    settings: &'static str,
    [base, right, left]: [&'static str; 3],
    before: &'static [&'static [&'static str]],
    deed: &'static [&'static str],
) -> Scene {
    Scene { name, start: Start::Agreed, is_heavy: false, settings, base, right, left, before, deed }
}

const KEYS: &str = "groups:\n  own: { paths: ['**/.env'], keep_local_keys: [PORT] }\n";
const PLACES: &str = "groups:\n  all: { paths: ['**'], remap_paths: true }\n";
const MARKERS: &str = "groups:\n  all: { paths: ['**'], conflict_style: markers }\n";
const COPIES: &str = "groups:\n  all: { paths: ['**'], conflict_style: copy }\n";
const OVERLAP: [&str; 3] = ["a=p<0a>q<0a>r<0a>;d/b=2", "^;a=p<0a>Q<0a>r<0a>", "^;a=p<0a>qq<0a>r<0a>;d/b=3"];
const UNDO: &[&str] = &["undo", "--yes", "--no-pager"];
const MANY: &str = "a=1;many/f1..f5000";
const LARGE: &str = "a=1;large=@67108864";

/// All of them.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "init",
        start: Start::Unknown,
        is_heavy: false,
        settings: "",
        base: BASE,
        right: "^",
        left: "^",
        before: &[],
        deed: &["init"],
    },
    Scene {
        name: "clone",
        start: Start::Alone,
        is_heavy: false,
        settings: "",
        base: BASE,
        right: "^",
        left: "^",
        before: &[],
        deed: &["clone"],
    },
    scene("send", "^", "a=1a;b=2;d/c=3;d/e/f=4a;d/e/g=5;x=6+x;l->a;empty/;n/new=7", &[], SYNC),
    scene("receive", "a=1b;b=2;d/c=3;d/e/f=4b;d/e/g=5;x=6;l->b;empty/;n/new=7", "^", &[], SYNC),
    scene(
        "both",
        "a=1b;b=2;d/c=3;d/e/f=4;d/e/g=5;x=6+x;l->a;empty/;n=7",
        "a=1;b=2a;d/c=3;d/e/f=4;d/e/g=5;x=6+x;l->a;empty/;m=8",
        &[],
        SYNC,
    ),
    scene("delete", "b=2;d/c=3;empty/", "^", &[], SYNC),
    scene("delete-here", "^", "b=2;d/c=3;empty/", &[], SYNC),
    scene("move-file", "a2=1;b=2;c=3;d/b=4;d/e/g=5;x=6+x;l->a;empty/", "^", &[], SYNC),
    scene(
        "move-folder",
        "a=1;b=2;k/c=3;k/e/f=4;k/e/g=5;x=6+x;l->a;empty/",
        "a=1;b=2;d/c=3a;d/e/f=4;d/e/g=5;x=6+x;l->a;empty/;d/new=7",
        &[],
        SYNC,
    ),
    scene("swap", "a=2;b=1;d/c=3;d/e/f=5;d/e/g=4;x=6+x;l->a;empty/", "^", &[], SYNC),
    scene("type", "a/in=1b;b->a;d=3b;x=6+x;l=7;empty=8", "^", &[], SYNC),
    scene(
        "conflict",
        "a=1b;b=2;d/c=3;d/e/f=4;d/e/g=5;x=6+x;l->a;empty/",
        "a=1a;b=2;d/c=3;d/e/f=4;d/e/g=5;x=6+x;l->a;empty/",
        &[],
        SYNC,
    ),
    agreed(
        "merge",
        "",
        [
            "a=p<0a>q<0a>r<0a>s<0a>t<0a>u;b=2",
            "a=p<0a>q<0a>r<0a>s<0a>t<0a>U;b=2",
            "a=p<0a>Q<0a>r<0a>s<0a>t<0a>u;b=2",
        ],
        &[],
        SYNC,
    ),
    scene("resolve", "a=1b;b=2;d/c=3", "a=1a;b=2;d/c=3", &[SYNC], &["resolve", "--all", "--keep", "here"]),
    scene("undo", "a=1;b=2b;d/e/f=4;x=6+x;n=7", "a=1a;b=2;k/c=3;d/e/f=4;x=6+x", &[SYNC], UNDO),
    scene(
        "redo",
        "a=1;b=2b;d/e/f=4;x=6+x;n=7",
        "a=1a;b=2;k/c=3;d/e/f=4;x=6+x",
        &[SYNC, UNDO],
        &["undo", "--redo", "--yes", "--no-pager"],
    ),
    scene("restore", "^", "b=2;x=6+x;l->a;empty/", &[SYNC], &["restore", "--yes", "--no-pager", "d"]),
    scene("pull", "a=1b;b=2;d/c=3;n=7", "a=1;b=2a;d/c=3;d/e/f=4;d/e/g=5;x=6+x", &[], &["pull"]),
    scene("push", "a=1b;b=2;d/c=3;n=7", "a=1;b=2a;d/c=3;d/e/f=4;d/e/g=5;x=6+x", &[], &["push"]),
    agreed(
        "keys",
        KEYS,
        [
            "a=1;d/.env=API=1<0a>PORT=1<0a>",
            "^;d/.env=API=2<0a>PORT=2<0a>",
            "^;d/.env=API=1<0a>NAME=1<0a>PORT=3<0a>",
        ],
        &[],
        SYNC,
    ),
    agreed("keys-delete", KEYS, ["a=1;d/.env=API=1<0a>PORT=1<0a>;d/b=2", "a=1;d/b=2", "^"], &[], SYNC),
    agreed(
        "keys-undo",
        KEYS,
        ["a=1;d/.env=API=1<0a>PORT=1<0a>;d/b=2", "^;d/.env=API=2<0a>PORT=2<0a>", "^"],
        &[SYNC],
        UNDO,
    ),
    agreed(
        "places",
        PLACES,
        [
            "a={home}/app/x;p/{home}-app/f={home}/app;p/{home}-app/g=1;p/{home}-old/h=2",
            "a={home}/app/y;p/{home}-app/f={home}/app/z;p/{home}-new/h=2;p/{home}-more/i=3",
            "^;p/{home}-app/g={home}/app",
        ],
        &[],
        SYNC,
    ),
    agreed("database", "", ["a=1;d/b.db=%1+2", "^;d/b.db=%1+3", "^"], &[], SYNC),
    agreed("database-send", "", ["a=1;d/b.db=%1+2", "^", "^;d/b.db=%1+2+3"], &[], SYNC),
    agreed("database-both", "", ["a=1;d/b.db=%1+2", "^;d/b.db=%1+3", "^;d/b.db=%1+4"], &[], SYNC),
    agreed("database-undo", "", ["a=1;d/b.db=%1+2", "^;d/b.db=%1+3", "^"], &[SYNC], UNDO),
    agreed("markers", MARKERS, OVERLAP, &[], SYNC),
    agreed("markers-resolve", MARKERS, OVERLAP, &[SYNC], &["resolve", "--all", "--keep", "there"]),
    agreed("copies", COPIES, OVERLAP, &[], SYNC),
    heavy("many-init", Start::Unknown, MANY, "^", "^"),
    heavy("many-clone", Start::Alone, MANY, "^", "^"),
    heavy("many-update", Start::Agreed, MANY, "^;many/f1..f2500=~2", "^;many/f2501..f5000=~2"),
    heavy("large-init", Start::Unknown, LARGE, "^", "^"),
    heavy("large-clone", Start::Alone, LARGE, "^", "^"),
    heavy("large-receive", Start::Agreed, LARGE, "^;large=@67108864~2", "^"),
    heavy("large-send", Start::Agreed, LARGE, "^", "^;large=@67108864~2"),
];

/// Finds a scene by its name.
pub fn find(name: &str) -> Option<&'static Scene> {
    SCENES.iter().find(|scene| scene.name == name)
}

/// Syncs of both machines within which they must come to rest.
const ROUNDS_TO_REST_MAX: usize = 8;

/// Two machines at rest: what they hold and whether something is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// What the left one holds, without the round's number.
    pub left: Drawing,
    /// What the right one holds.
    pub right: Drawing,
    /// The exit codes of their last syncs.
    pub codes: [i32; 2],
}

/// Two machines on which scene after scene is played.
#[derive(Debug)]
pub struct World {
    /// The machines and their repository.
    pub pair: Pair,
    /// What came to pass on them.
    pub past: Past,
}

/// What came to pass in a world.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// All that was ever written.
    pub ledger: Ledger,
    /// What the machine held at the last rest.
    agreed: [Drawing; 2],
    connected: [bool; 2],
    settings: &'static str,
    is_plain: bool,
    salt: u64,
    /// Somebody saved during the deed, so that the end depends on when.
    pub was_saved: bool,
    /// What they saved and nobody may have replaced.
    standing: Vec<Vec<u8>>,
}

impl World {
    /// Begins with two empty machines, in a folder of some disk.
    pub fn new(program: &Path, folder: &Path) -> Self {
        World { pair: Pair::new_in(program, folder), past: Past::default() }
    }

    /// Answers whether a scene can be set up on what was played before.
    pub fn fits(&self, scene: &Scene) -> bool {
        let is_new = self.past.connected == [false; 2];
        is_new || scene.start == Start::Agreed && !scene.is_heavy && scene.settings == self.past.settings
    }

    /// Sets a scene up to the moment before its deed.
    pub fn set_up(&mut self, scene: &Scene, salt: u64) -> Result<(), String> {
        self.past.salt = salt;
        self.past.was_saved = false;
        self.past.is_plain = scene.is_plain();
        self.past.standing.clear();
        if self.past.settings != scene.settings {
            self.past.settings = scene.settings;
            let file = self.pair.left.folder().join("instep.yaml");
            fs::write(file, scene.settings).map_err(|error| error.to_string())?;
        }
        let base = self.drawing(scene.base, &Drawing::default());
        self.draw(0, &base, Times::BASE)?;
        if scene.start == Start::Unknown {
            return Ok(());
        }
        self.join(0)?;
        self.calm(0)?;
        if scene.start == Start::Alone {
            return Ok(());
        }
        self.join(1)?;
        self.calm(1)?;
        self.past.agreed[1] = self.read(1)?;
        if scene.right != "^" {
            let right = self.drawing(scene.right, &base);
            self.draw(1, &right, Times::USUAL)?;
            self.calm(1)?;
        }
        if scene.left != "^" {
            let left = self.drawing(scene.left, &base);
            self.draw(0, &left, Times::USUAL)?;
        }
        for words in scene.before {
            self.run(0, words)?;
        }
        Ok(())
    }

    /// The machine on which the deed is done, and its words.
    pub fn deed(&self, scene: &Scene) -> (Machine, Vec<String>) {
        let address = self.pair.bare.path().display().to_string();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match scene.start {
            Start::Agreed => (self.pair.left.clone(), words(scene.deed)),
            Start::Unknown => {
                (self.pair.left.clone(), words(&["init", "--yes", "--name", "left", "--remote", &address]))
            }
            Start::Alone => {
                let right = self.pair.right.clone();
                let folder = right.folder().display().to_string();
                (right, words(&["clone", "--yes", "--name", "right", &address, &folder]))
            }
        }
    }

    /// What a person does after an interruption: they sync; and where there is nothing to sync yet, they type the same
    /// command again.
    pub fn recover(&mut self, scene: &Scene, again: bool) -> Result<(), String> {
        let (machine, words) = self.deed(scene);
        let side = usize::from(scene.start == Start::Alone);
        let output = machine.run(["sync"]);
        if scene.start != Start::Agreed && !matches!(output.code, 0 | 4) {
            let repeated = machine.run(&words);
            let output = machine.run(["sync"]);
            if again && !matches!(output.code, 0 | 4) {
                return Err(format!("after {words:?} again ({repeated}): sync: {output}"));
            }
        } else if again && !matches!(output.code, 0 | 4) {
            return Err(format!("the sync after it: {output}"));
        }
        self.past.connected[side] |= again;
        Ok(())
    }

    /// Lets both machines sync in peace until nothing changes.
    pub fn rest(&mut self) -> Result<Rest, String> {
        for side in [0, 1] {
            self.join(side)?;
        }
        let look = |pair: &Pair| -> io::Result<_> {
            let prints = [disk::footprint(pair.left.folder())?, disk::footprint(pair.right.folder())?];
            Ok((prints, pair.bare.refs()))
        };
        let failed = |error: io::Error| error.to_string();
        let mut before = look(&self.pair).map_err(failed)?;
        for _ in 0..ROUNDS_TO_REST_MAX {
            let codes = [self.run(0, SYNC)?.code, self.run(1, SYNC)?.code];
            let after = look(&self.pair).map_err(failed)?;
            if after == before {
                self.past.agreed = [self.read(0)?, self.read(1)?];
                let [left, right] = [0, 1].map(|side| {
                    let told = forms::told(&self.past.agreed[side], self.pair.machines()[side].home());
                    unsalted(&told)
                });
                return Ok(Rest { left, right, codes });
            }
            before = after;
        }
        Err("they do not come to rest".to_owned())
    }

    /// Takes down what somebody saved during the deed. The last one must be found for ever; it must stand in the folder
    /// if it was saved under its name.
    pub fn note_saved(&mut self, saved: &[(Vec<u8>, bool)], destroyed: &[Vec<u8>]) {
        destroyed.iter().for_each(|content| self.past.ledger.forget(content));
        self.past.was_saved |= !saved.is_empty();
        if let Some((content, stands)) = saved.last() {
            self.past.ledger.record(&format!("round {}, saved meanwhile", self.past.salt), content);
            if *stands {
                self.past.standing.push(content.clone());
            }
        }
    }

    /// What was saved last under its name and stands nowhere in the folder in which it was saved.
    pub fn saved_and_gone(&self) -> Option<String> {
        let stands = |content: &Vec<u8>| self.past.agreed[0].contents().any(|(_, found)| found == content);
        let gone = self.past.standing.iter().find(|content| !stands(content))?;
        let gone = String::from_utf8_lossy(gone).replace('\n', " / ");
        Some(format!("what was saved last, {gone:?}, stands nowhere: {}", self.past.agreed[0]))
    }

    /// Settles what is open, so that the next scene can begin from an agreement.
    pub fn clear(&mut self, rest: &Rest) -> Result<(), String> {
        if rest.codes != [0, 0] {
            self.run(0, &["resolve", "--all", "--keep", "here"])?;
            self.rest()?;
        }
        Ok(())
    }

    /// What was written and can't be found any more.
    pub fn missing(&mut self) -> Result<Vec<String>, String> {
        self.past.ledger.missing(&self.pair.machines(), &self.pair.bare).map_err(|error| error.to_string())
    }

    /// What git finds wrong with the repository, or a machine with itself.
    pub fn damage(&self) -> Option<String> {
        let damage = self.pair.bare.damage().map(|damage| format!("git finds damage: {damage}"));
        damage.or_else(|| rest::faults(self.pair.machines()))
    }

    /// Reads a drawing. As a content `~X` is X and the file's path, `@N` is N bytes, and `@N~X` these with X in their
    /// middle.
    fn drawing(&self, text: &str, base: &Drawing) -> Drawing {
        let drawn = Drawing::parse(text, &Drawing::default()).expect("because a scene is well drawn");
        let mut drawing = drawn.settled(&[]);
        for (path, drawn) in &mut drawing.0 {
            if let Body::File { content, .. } = &mut drawn.body {
                match content.strip_prefix(b"@") {
                    Some(asked) => *content = many_bytes(asked),
                    None if content.starts_with(b"~") => content.extend(path),
                    None => {}
                }
                salted(content, self.past.salt);
            }
        }
        if text.starts_with('^') { base.union(&drawing) } else { drawing }
    }

    /// Changes a machine's folder.
    fn draw(&mut self, side: usize, drawing: &Drawing, times: Times) -> Result<(), String> {
        let machine = self.pair.machines()[side].clone();
        let before = self.read(side)?;
        let drawing = forms::built(drawing, machine.home());
        let ledger = &mut self.past.ledger;
        ledger.record_drawing(&format!("round {} {}", self.past.salt, machine.name()), &drawing);
        if !self.past.is_plain {
            // What the person writes over was sent as what travels of it, and of a log that goes by its database.
            let is_there = |path: &[u8], content: &[u8]| drawing.content(path) == Some(content);
            let gone = before.contents().filter(|(path, content)| !is_there(path, content));
            let logged = drawing.contents().filter(|(path, _)| forms::is_logged(&drawing, path));
            gone.chain(logged).for_each(|(_, content)| ledger.forget(content));
        }
        disk::change(&before, &drawing, machine.folder(), times).map_err(|error| error.to_string())?;
        self.past.agreed[side] = drawing;
        Ok(())
    }

    fn read(&self, side: usize) -> Result<Drawing, String> {
        disk::read(self.pair.machines()[side].folder()).map_err(|error| error.to_string())
    }

    fn join(&mut self, side: usize) -> Result<(), String> {
        if !self.past.connected[side] {
            let machine = self.pair.machines()[side].clone();
            let output = machine.connect(&self.pair.bare);
            if output.code != 0 {
                return Err(format!("init on {}: {output}", machine.name()));
            }
            self.past.connected[side] = true;
        }
        Ok(())
    }

    /// Runs something that must go well.
    fn run(&self, side: usize, words: &[&str]) -> Result<Output, String> {
        let machine = self.pair.machines()[side];
        let output = machine.run(words);
        match output.code {
            0 | 4 => Ok(output),
            _ => Err(format!("{words:?} on {}: {output}", machine.name())),
        }
    }

    /// A sync that leaves nothing open.
    fn calm(&self, side: usize) -> Result<(), String> {
        let output = self.run(side, SYNC)?;
        if output.code == 0 { Ok(()) } else { Err(format!("a calm sync: {output}")) }
    }
}

/// So many bytes that do not compress, and what is to stand in their middle.
fn many_bytes(asked: &[u8]) -> Vec<u8> {
    let asked = String::from_utf8_lossy(asked);
    let (length, middle) = asked.split_once('~').unwrap_or((&asked, ""));
    let mut bytes = Random::new(7).bytes(length.parse().expect("because a scene is well drawn"));
    let at = bytes.len() / 2;
    bytes[at..at + middle.len()].copy_from_slice(middle.as_bytes());
    bytes
}

/// The number stands in a line of its own, so that merges do not meet it.
fn salted(content: &mut Vec<u8>, salt: u64) {
    let first = format!("#{salt}\n").into_bytes();
    content.splice(0..0, first);
}

fn unsalted(drawing: &Drawing) -> Drawing {
    let mut drawing = drawing.clone();
    for drawn in drawing.0.values_mut() {
        if let Body::File { content, .. } = &mut drawn.body
            && let Some(end) = content.iter().position(|&byte| byte == b'\n')
            && content.starts_with(b"#")
        {
            content.drain(..=end);
        }
    }
    drawing
}
