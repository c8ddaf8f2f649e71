//! Random files of settings, and edits as people make them: values, keys, comments, lists, places.
//!
//! A file is a model that is written the same way each time, so that an edit touches nothing else.

use std::fmt::Write as _;

use super::Kind;
use crate::generate::Random;

/// Entries in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct File(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    /// Comments above it; an empty one is an empty line.
    above: Vec<String>,
    name: String,
    /// How it is spaced and quoted.
    style: u64,
    body: Body,
    /// A comment behind it.
    behind: Option<String>,
}

#[derive(Debug, Clone)]
enum Body {
    Word(String),
    Number(u64),
    /// A text of lines.
    Lines(Vec<String>),
    /// Words in brackets, or below each other.
    Words(Vec<String>),
    Numbers(Vec<u64>),
    Map(File),
    /// Maps with an `id`, a `name`, or nothing of their own.
    Records(Vec<File>),
}

const NAMES: [&str; 14] =
    ["a", "b", "c", "d", "e", "host", "port", "z", "key one", "a.b", "name", "id", "x", "y"];
const WORDS: [&str; 10] = ["one", "two", "three", "-v", "*.log", "!keep", "tmp/", "true", "Ärger", "a b"];
const NOTES: [&str; 5] = ["note", "why not", "section", "TODO: this", "x = 1"];

pub(super) fn draw(kind: Kind, random: &mut Random) -> File {
    let depth = if matches!(kind, Kind::Toml | Kind::Yaml) { 3 } else { 0 };
    file(random, depth, 6)
}

fn file(random: &mut Random, depth: usize, most: usize) -> File {
    let mut file = File::default();
    for _ in 0..random.below(most + 1) {
        add(&mut file, random, depth);
    }
    file
}

fn word(random: &mut Random, of: &[&str]) -> String {
    random.pick(of).copied().unwrap_or_default().to_owned()
}

/// Adds an entry somewhere, unless there is one of its name.
fn add(file: &mut File, random: &mut Random, depth: usize) {
    let name = word(random, &NAMES);
    if file.0.iter().any(|entry| entry.name == name) {
        return;
    }
    let above = match random.below(10) {
        0 => vec![String::new()],
        1 => vec![word(random, &NOTES)],
        2 => vec![String::new(), word(random, &NOTES), word(random, &NOTES)],
        _ => Vec::new(),
    };
    let behind = random.percent(10).then(|| word(random, &NOTES));
    let entry = Entry { above, name, style: random.number(), body: body(random, depth), behind };
    let at = if random.percent(60) { file.0.len() } else { random.below(file.0.len() + 1) };
    file.0.insert(at, entry);
}

fn distinct(random: &mut Random, most: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for _ in 0..random.below(most + 1) {
        let word = word(random, &WORDS);
        if !words.contains(&word) || random.percent(10) {
            words.push(word);
        }
    }
    words
}

fn body(random: &mut Random, depth: usize) -> Body {
    match random.below(if depth == 0 { 4 } else { 9 }) {
        0 | 1 => Body::Word(word(random, &WORDS)),
        2 => Body::Number(random.number() % 50),
        3 => Body::Lines((0..1 + random.below(3)).map(|_| word(random, &NOTES)).collect()),
        4 => Body::Words(distinct(random, 4)),
        5 => Body::Numbers((0..random.below(4)).map(|_| random.number() % 5).collect()),
        6 => Body::Records((0..random.below(4)).map(|at| record(random, at as u64)).collect()),
        _ => Body::Map(file(random, depth - 1, 4)),
    }
}

fn record(random: &mut Random, number: u64) -> File {
    let mut record = file(random, 0, 2);
    record.0.retain(|entry| !["id", "name"].contains(&&entry.name[..]));
    record.0.iter_mut().for_each(|entry| entry.above.clear());
    let name = match random.below(8) {
        0 => "x",
        1 | 2 => "name",
        _ => "id",
    };
    let body = Body::Number(if random.percent(90) { number } else { 0 });
    record.0.retain(|entry| entry.name != name);
    record.0.insert(0, Entry { above: Vec::new(), name: name.to_owned(), style: 0, body, behind: None });
    record
}

/// The file after a few edits.
pub(super) fn edited(kind: Kind, base: &File, random: &mut Random) -> File {
    let depth = if matches!(kind, Kind::Toml | Kind::Yaml) { 3 } else { 0 };
    let mut file = base.clone();
    for _ in 0..random.below(4) {
        edit(&mut file, random, depth);
    }
    file
}

fn edit(file: &mut File, random: &mut Random, depth: usize) {
    if file.0.is_empty() || random.percent(30) {
        return add(file, random, depth);
    }
    let at = random.below(file.0.len());
    match random.below(12) {
        0 | 1 => drop(file.0.remove(at)),
        2 => {
            let entry = file.0.remove(at);
            let to = random.below(file.0.len() + 1);
            file.0.insert(to, entry);
        }
        3 => file.0[at].above = vec![word(random, &NOTES)],
        4 => file.0[at].behind = random.percent(70).then(|| word(random, &NOTES)),
        5 => file.0[at].style = random.number(),
        _ => edit_body(&mut file.0[at].body, random, depth),
    }
}

fn edit_body(of: &mut Body, random: &mut Random, depth: usize) {
    match of {
        Body::Map(inner) if depth > 0 && random.percent(90) => edit(inner, random, depth - 1),
        Body::Words(words) if random.percent(90) => {
            let word = word(random, &WORDS);
            let at = random.below(words.len() + 1);
            if random.percent(40) && at < words.len() {
                words.remove(at);
            } else if !words.contains(&word) {
                words.insert(if random.percent(50) { words.len() } else { at }, word);
            }
        }
        Body::Numbers(numbers) if !numbers.is_empty() => {
            let at = random.below(numbers.len());
            numbers[at] = random.number() % 5;
        }
        Body::Records(records) if random.percent(90) => {
            let at = random.below(records.len() + 1);
            match random.below(4) {
                0 => records.insert(at, record(random, 7)),
                1 if at < records.len() => drop(records.remove(at)),
                _ if at < records.len() => {
                    edit(&mut records[at], random, 0);
                    records[at].0.iter_mut().for_each(|entry| entry.above.clear());
                }
                _ => records.push(record(random, 9)),
            }
        }
        other => *other = body(random, depth),
    }
}

/// Changes lines without a thought for what they say.
pub(super) fn disturb(random: &mut Random, text: &mut String) {
    const ODD: [&str; 12] = [
        "---",
        "odd: &x 1",
        "odd2: *x",
        "? q",
        "\tt: 1",
        "- x",
        "[t]",
        "[[a]]",
        "odd = \"x",
        "  deep: 1",
        "# end",
        "odd3: !t {}",
    ];
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = random.below(lines.len() + 1);
    match random.below(4) {
        0 if at < lines.len() => drop(lines.remove(at)),
        1 if at < lines.len() => lines[at].insert(0, ' '),
        2 => lines.push(word(random, &ODD)),
        _ => lines.insert(at, word(random, &ODD)),
    }
    *text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
}

impl File {
    pub(super) fn write(&self, kind: Kind) -> String {
        let mut text = String::new();
        match kind {
            Kind::Dotenv => self.0.iter().for_each(|entry| entry.variable(&mut text)),
            Kind::Set => self.0.iter().for_each(|entry| entry.pattern(&mut text)),
            Kind::Toml => table(self, "", &mut text),
            Kind::Yaml => self.block(&mut text, 0, false),
        }
        text
    }

    fn block(&self, text: &mut String, indent: usize, dashed: bool) {
        for (at, entry) in self.0.iter().enumerate() {
            entry.comments(text, indent);
            entry.block(text, indent, dashed && at == 0);
        }
    }

    fn inline(&self, assign: &str) -> String {
        let entries: Vec<String> = self
            .0
            .iter()
            .map(|entry| format!("{}{assign}{}", entry.key(), entry.body.inline(entry.style, assign)))
            .collect();
        format!("{{ {} }}", entries.join(", "))
    }
}

impl Entry {
    fn key(&self) -> String {
        let is_bare = self.name.chars().all(|letter| letter.is_ascii_alphanumeric());
        if is_bare && self.style % 8 != 7 { self.name.clone() } else { format!("\"{}\"", self.name) }
    }

    fn comments(&self, text: &mut String, indent: usize) {
        for line in &self.above {
            let _ = match &line[..] {
                "" => writeln!(text),
                line => writeln!(text, "{:indent$}# {line}", ""),
            };
        }
    }

    fn note(&self) -> String {
        self.behind.as_ref().map_or_else(String::new, |note| format!(" # {note}"))
    }

    fn variable(&self, text: &mut String) {
        self.comments(text, 0);
        let export = if self.style.is_multiple_of(5) { "export " } else { "" };
        let name = self.name.replace([' ', '.'], "_").to_uppercase();
        let value = match &self.body {
            Body::Word(word) if self.style.is_multiple_of(3) => word.replace([' ', '!'], "_"),
            Body::Number(number) => number.to_string(),
            Body::Lines(lines) => format!("\"{}\"", lines.join("\n")),
            body => format!("'{}'", body.word()),
        };
        let _ = writeln!(text, "{export}{name}={value}{}", self.note());
    }

    fn pattern(&self, text: &mut String) {
        self.comments(text, 0);
        let _ = writeln!(text, "{}{}", if self.style.is_multiple_of(6) { "!" } else { "" }, self.name);
    }

    /// As a block in YAML.
    fn block(&self, text: &mut String, indent: usize, is_dashed: bool) {
        let lead = if is_dashed { format!("{:1$}- ", "", indent - 2) } else { " ".repeat(indent) };
        let (key, note) = (self.key(), self.note());
        let deeper = indent + if self.style.is_multiple_of(4) { 4 } else { 2 };
        let is_block = !self.style.is_multiple_of(3);
        let _ = match &self.body {
            Body::Map(file) if is_block && !file.0.is_empty() => {
                let _ = writeln!(text, "{lead}{key}:{note}");
                return file.block(text, deeper, false);
            }
            Body::Records(records) if is_block && !records.is_empty() => {
                let _ = writeln!(text, "{lead}{key}:{note}");
                return records.iter().for_each(|record| record.block(text, indent + 2, true));
            }
            Body::Words(words) if is_block && !words.is_empty() => {
                let _ = writeln!(text, "{lead}{key}:{note}");
                return words
                    .iter()
                    .for_each(|word| text.push_str(&format!("{:1$}- '{word}'\n", "", deeper - 2)));
            }
            Body::Lines(lines) => {
                let mark = ["|", "|-", ">", "|+"][(self.style % 11 % 4) as usize];
                let _ = writeln!(text, "{lead}{key}: {mark}{note}");
                return lines
                    .iter()
                    .for_each(|line| text.push_str(&format!("{:1$}{line}\n", "", indent + 2)));
            }
            Body::Word(word) if word == "true" && self.style.is_multiple_of(2) => {
                writeln!(text, "{lead}{key}:{note}")
            }
            body => writeln!(
                text,
                "{lead}{key}:{}{}{note}",
                " ".repeat(1 + (self.style % 2) as usize),
                body.inline(self.style, ": ")
            ),
        };
    }
}

/// As a table of TOML: plain keys first, tables behind them.
fn table(file: &File, way: &str, text: &mut String) {
    let is_table = |entry: &&Entry| {
        !entry.style.is_multiple_of(3) && matches!(&entry.body, Body::Map(_) | Body::Records(_))
    };
    for entry in file.0.iter().filter(|entry| !is_table(entry)) {
        entry.comments(text, 0);
        let space = " ".repeat(1 + (entry.style % 2) as usize);
        let body = match &entry.body {
            Body::Lines(lines) => format!("\"\"\"\n{}\"\"\"", lines.join("\n")),
            Body::Words(words) if entry.style.is_multiple_of(2) => {
                let lines: Vec<String> = words.iter().map(|word| format!("\n    '{word}',")).collect();
                format!("[{}\n]", lines.concat())
            }
            body => body.inline(entry.style, " = "),
        };
        let _ = writeln!(text, "{}{space}= {body}{}", entry.key(), entry.note());
    }
    for entry in file.0.iter().filter(is_table) {
        let way = if way.is_empty() { entry.key() } else { format!("{way}.{}", entry.key()) };
        entry.comments(text, 0);
        match &entry.body {
            Body::Map(inner) => {
                let _ = writeln!(text, "[{way}]{}", entry.note());
                table(inner, &way, text);
            }
            Body::Records(records) => records.iter().for_each(|record| {
                let _ = writeln!(text, "[[{way}]]");
                table(record, &way, text);
            }),
            _ => {}
        }
    }
}

impl Body {
    fn word(&self) -> &str {
        match self {
            Body::Word(word) => word,
            _ => "",
        }
    }

    fn inline(&self, style: u64, assign: &str) -> String {
        let list = |items: Vec<String>| format!("[{}]", items.join(", "));
        match self {
            Body::Word(word) if style.is_multiple_of(2) => format!("\"{word}\""),
            Body::Word(word) => format!("'{word}'"),
            Body::Number(number) => number.to_string(),
            Body::Lines(lines) => format!("\"{}\"", lines.join("\\n")),
            Body::Words(words) => list(words.iter().map(|word| format!("\"{word}\"")).collect()),
            Body::Numbers(numbers) => list(numbers.iter().map(u64::to_string).collect()),
            Body::Map(file) => file.inline(assign),
            Body::Records(records) => list(records.iter().map(|record| record.inline(assign)).collect()),
        }
    }
}
