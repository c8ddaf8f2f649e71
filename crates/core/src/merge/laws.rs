//! What holds for all merges by key, checked on random files that people could have written.
//!
//! Only for tests, behind the feature `testing`. A seed gives the same files on every machine. Each case is a base and
//! three machines' versions; the laws are in [`check`].

mod file;

use std::collections::BTreeMap;

use super::local::LocalKeys;
use super::{Joined, Judge, Merged, Reason, Terms, Three, Versions, contents, dotenv, set, toml, yaml};
use crate::generate::Random;
use crate::node::Side;
use crate::path::Name;

/// A kind of file with a merge of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Variables.
    Dotenv,
    /// Patterns.
    Set,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Dotenv, Kind::Set, Kind::Toml, Kind::Yaml];

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Kind> {
        let at = ["dotenv", "set", "toml", "yaml"].iter().position(|it| *it == name)?;
        Kind::ALL.get(at).copied()
    }

    const fn file(self) -> &'static str {
        match self {
            Kind::Dotenv => ".env",
            Kind::Set => ".gitignore",
            Kind::Toml => "a.toml",
            Kind::Yaml => "a.yaml",
        }
    }
}

/// What a case came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// All three versions became one.
    Clean,
    /// Some two of them stayed undecided.
    Undecided,
}

/// Plays one case. An error says which law does not hold, and shows the files.
///
/// Sides exchanged lead to the same. What only one side changed is that side's, byte for byte, by the merge itself too.
/// What was merged already adds nothing. Three versions lead to the same bytes in any order. Lines that nobody touched
/// are all there, in their order.
pub fn check(kind: Kind, seed: u64) -> Result<Told, String> {
    let mut random = Random::new(seed);
    let base = file::draw(kind, &mut random);
    let versions = [(); 3].map(|()| file::edited(kind, &base, &mut random));
    let [mut base, mut a, mut b, mut c] =
        [&base, &versions[0], &versions[1], &versions[2]].map(|it| it.write(kind));
    if random.percent(20) {
        // What no one would write, or what is not taken apart.
        [&mut base, &mut a, &mut b, &mut c].into_iter().for_each(|text| {
            file::disturb(&mut Random::new(seed ^ 1), text);
        });
    }
    if random.percent(10) {
        for text in [&mut a, &mut b, &mut c] {
            file::disturb(&mut random, text);
        }
    }
    if random.percent(10) {
        for text in [&mut base, &mut a, &mut b, &mut c] {
            *text = text.replace('\n', "\r\n");
        }
    }
    if random.percent(10) {
        for text in [&mut base, &mut a, &mut b, &mut c] {
            *text = text.trim_end().to_owned();
        }
    }
    let show = |why: &str, more: &str| {
        Err(format!("{why}\n--- base\n{base}\n--- a\n{a}\n--- b\n{b}\n--- c\n{c}\n--- {more}\n"))
    };
    let laws = Laws { kind, base: &base };
    for side in [&a, &b, &c] {
        for (base, local, remote, expected) in
            [(&base, side, &base, side), (&base, &base, side, side), (&base, side, side, side)]
        {
            match laws.alone(base, local, remote) {
                Ok(joined) if joined.content != expected.as_bytes() => {
                    return show(
                        "one side's change is not taken as it is",
                        &String::from_utf8_lossy(&joined.content),
                    );
                }
                Err(Reason::WouldBreak(_) | Reason::Overlap { .. }) => {
                    return show("one side's change is a question", side);
                }
                _ => {}
            }
        }
    }
    let later = random.pick(&[None, Some(Side::Local), Some(Side::Remote)]).copied().flatten();
    let (forth, back) = (laws.merge(&a, &b, later), laws.merge(&b, &a, later.map(Side::other)));
    let text =
        |joined: &Option<Joined>| joined.as_ref().map(|it| String::from_utf8_lossy(&it.content).into_owned());
    if text(&forth) != text(&back) {
        return show("sides exchanged lead elsewhere", &format!("{:?}\n{:?}", text(&forth), text(&back)));
    }
    if let Some(joined) = &forth {
        let text = String::from_utf8_lossy(&joined.content);
        if let Some(line) = lost(kind, [&base, &a, &b], &text) {
            return show("an untouched line is lost or moved", &format!("{line}\n{text}"));
        }
        let is_plain = joined.summary.clashes.is_empty();
        let again = [laws.merge(&text, &a, None), laws.merge(&b, &text, None)];
        for again in again.iter().flatten().filter(|_| is_plain) {
            if again.content != joined.content {
                let again = String::from_utf8_lossy(&again.content);
                return show("what was merged adds something", &format!("{text}\n---\n{again}"));
            }
        }
    }
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for [first, second, third] in [[&a, &b, &c], [&a, &c, &b], [&b, &c, &a]] {
        let two = text(&laws.merge(first, second, None));
        let three = two.and_then(|two| text(&laws.merge(&two, third, None)));
        if let Some(three) = three {
            *ends.entry(three).or_default() += 1;
        }
    }
    match ends.len() {
        0 => Ok(Told::Undecided),
        1 if ends.values().sum::<usize>() == 3 => Ok(Told::Clean),
        1 => Ok(Told::Undecided),
        _ => show("three machines end up differently", &ends.into_keys().collect::<Vec<_>>().join("\n---\n")),
    }
}

/// Plays one case of keys that stay: one version lies here, another arrives. An error says which law does not hold.
///
/// Nothing that stays is left in what travels, and all else is. What travelled and comes back changes nothing. What
/// arrives lies here with the keys that stay, and travels on as it came.
pub fn check_staying(kind: Kind, seed: u64) -> Result<Told, String> {
    let mut random = Random::new(seed);
    let base = file::draw(kind, &mut random);
    let [mut disk, mut other] = [(); 2].map(|()| file::edited(kind, &base, &mut random).write(kind));
    if random.percent(20) {
        file::disturb(&mut random, &mut disk);
    }
    if random.percent(10) {
        [&mut disk, &mut other].into_iter().for_each(|text| *text = text.replace('\n', "\r\n"));
    }
    let words = |line: &str| {
        let name = line.split(['=', ':']).next().unwrap_or_default();
        name.trim_start_matches("export ").trim_matches([' ', '[', ']', '"']).to_owned()
    };
    let names: Vec<String> = disk.lines().map(words).filter(|name| !name.is_empty()).collect();
    let keys: Vec<String> = (0..3)
        .filter_map(|_| {
            let one = random.pick(&names)?.clone();
            let within =
                if random.percent(30) { format!(".{}", random.pick(&names)?) } else { String::new() };
            Some(one + &within)
        })
        .collect();
    let name = Name::new(kind.file().as_bytes()).expect("because it is a plain name");
    let local = LocalKeys::new(&name, None, &keys);
    let show = |why: &str, more: &[u8]| {
        let more = String::from_utf8_lossy(more);
        Err(format!("{why}\n--- keys\n{keys:?}\n--- disk\n{disk}\n--- other\n{other}\n---\n{more}\n"))
    };
    let Ok(travels) = local.outgoing(disk.as_bytes()) else { return Ok(Told::Undecided) };
    if local.outgoing(&travels).as_ref() != Ok(&travels) {
        return show("something of it is left", &travels);
    }
    if local.incoming(&travels, Some(disk.as_bytes())).as_deref() != Ok(disk.as_bytes()) {
        return show("what came back changes something", &travels);
    }
    let lines = |text: &[u8]| String::from_utf8_lossy(text).lines().map(str::to_owned).collect::<Vec<_>>();
    if let Some(line) =
        lines(&travels).iter().find(|line| kind == Kind::Dotenv && !disk.contains(line.as_str()))
    {
        return show("something new travels", line.as_bytes());
    }
    let arrives = local.outgoing(other.as_bytes());
    let Some((arrives, lies)) = arrives
        .ok()
        .and_then(|text| Some((local.incoming(&text, Some(disk.as_bytes())).ok()?, text)))
        .map(|(lies, text)| (text, lies))
    else {
        return Ok(Told::Undecided);
    };
    if local.outgoing(&lies).as_ref() != Ok(&arrives) {
        return show("it does not travel on as it came", &lies);
    }
    // The first entries of the file, whose names stand alone in front of a value of one line.
    let is_plain =
        |line: &&String| !line.contains(['[', '{', '\'', '"', '|', '#']) && !line.starts_with([' ', '-']);
    let mine = lines(disk.as_bytes());
    let mut mine = mine.iter().take_while(is_plain).filter(|line| line.contains(['=', ':']));
    if let Some(line) = mine.find(|line| keys.contains(&words(line)) && !lines(&lies).contains(line)) {
        return show("a key of this machine is lost", &[line.as_bytes(), b"\n", &lies].concat());
    }
    Ok(Told::Clean)
}

struct Laws<'l> {
    kind: Kind,
    base: &'l str,
}

impl Laws<'_> {
    /// The merge itself, even where nothing needs one.
    fn alone(&self, base: &str, local: &str, remote: &str) -> Result<Joined, Reason> {
        let three = Three { base: base.as_bytes(), local: local.as_bytes(), remote: remote.as_bytes() };
        match self.kind {
            Kind::Dotenv => dotenv::merge(&three, Judge::Nobody),
            Kind::Set => set::merge(&three),
            Kind::Toml => toml::merge(&three, Judge::Nobody),
            Kind::Yaml => yaml::merge(&three, Judge::Nobody),
        }
    }

    fn merge(&self, local: &str, remote: &str, later: Option<Side>) -> Option<Joined> {
        let name = Name::new(self.kind.file().as_bytes()).ok()?;
        let terms = Terms { later, ..Terms::of(&name) };
        let versions =
            Versions { base: Some(self.base.as_bytes()), local: local.as_bytes(), remote: remote.as_bytes() };
        match contents(&terms, &versions) {
            Merged::Clean(joined) => Some(joined),
            Merged::Marked { .. } | Merged::Undecided(_) => None,
        }
    }
}

/// A line that each of these texts has once below the same keys, in one order, and the result has not, or not in that
/// order.
fn lost<'t>(kind: Kind, texts: [&'t str; 3], result: &str) -> Option<&'t str> {
    let placed = texts.map(|text| placed(kind, text));
    let once = |lines: &[Placed<'_>], line: &Placed<'_>| lines.iter().filter(|it| *it == line).count() == 1;
    let is_kept = |line: &&Placed<'t>| placed.iter().all(|lines| once(lines, line));
    let kept: Vec<&Placed<'t>> = placed[0].iter().filter(is_kept).collect();
    let order =
        |lines: &[Placed<'t>]| lines.iter().filter(|line| kept.contains(line)).cloned().collect::<Vec<_>>();
    if placed.iter().any(|lines| !order(lines).iter().eq(kept.iter().copied())) {
        return None;
    }
    let result = self::placed(kind, result);
    let mut there = result.iter().filter(|line| kept.contains(line));
    kept.iter().find(|line| there.next() != Some(line)).map(|line| line.line)
}

/// A line and where it stands: the same words below two keys, or in two texts of several lines, are two lines.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Placed<'t> {
    /// The keys of the lines above it that are indented less, each; and where it is within quotes, that of their text.
    below: Vec<&'t str>,
    line: &'t str,
}

fn placed(kind: Kind, text: &str) -> Vec<Placed<'_>> {
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut quoted = None;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let inner = line.trim_start();
            let indent = line.len() - inner.len();
            while open.pop_if(|(before, _)| *before >= indent).is_some() {}
            let below = open.iter().map(|(_, key)| *key).chain(quoted).collect();
            open.push((indent, inner.split(':').next().unwrap_or(inner)));
            if kind != Kind::Set && line.matches('"').count() % 2 == 1 {
                quoted = if quoted.is_some() { None } else { inner.split('=').next() };
            }
            Placed { below, line }
        })
        .collect()
}
