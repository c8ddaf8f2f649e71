//! Merges TOML by key.
//!
//! Tables, and keys within them, are told apart by their full names; inline tables by their keys; arrays by what is in
//! them (see [`Identity`]). An array of tables goes by `id` or `name` if each of its tables has one of its own, else by
//! position. The parser says where values stand and what they say; the text around them is kept as it is. The result is
//! parsed, and must say what the three values make together.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml_edit::{Document, InlineTable, Item, Key, TableLike, Value as Written};

use super::dotenv::line;
use super::outline::{self, Block, Body, Entry, Frame, Name, flow};
use super::value::{Identity, Value, agrees};
use super::without::Way;
use super::{Grammar, Joined, Judge, Reason, Three, by_lines};
use crate::node::PerSide;

/// How deep brackets are looked into; what is deeper is one piece.
const DEPTH_MAX: usize = 32;

pub(super) fn merge(three: &Three<'_>, judge: Judge<'_>) -> Result<Joined, Reason> {
    let not_valid = Reason::NotValid(Grammar::Toml.word());
    let opened = Frame::open_all(three)?;
    let mut versions = Vec::new();
    for (_, text) in &opened {
        let text = std::str::from_utf8(text).map_err(|_| not_valid)?;
        versions.push(Document::parse(text).map_err(|_| not_valid)?);
    }
    let [base, local, remote] = &versions[..] else { return Err(not_valid) };
    let values = [base, local, remote].map(|version| table_value(version.as_table()));
    let mut fields = Fields::new();
    find_fields("", &values.each_ref().map(Some), &mut fields);
    let blocks = [base, local, remote].map(|version| Reader::new(version, &fields).read());
    let [base, local, remote] = &values;
    let sides = PerSide { local: Some(local), remote: Some(remote) };
    let says = |joined: &Joined| {
        let (_, text) = Frame::open(&joined.content);
        let version = std::str::from_utf8(&text).ok().and_then(|text| Document::parse(text).ok());
        version.is_some_and(|it| agrees(Some(&table_value(it.as_table())), Some(base), sides, judge))
    };
    let joined = match &blocks {
        [Some(base), Some(local), Some(remote)] => {
            let (merged, clashes) = outline::merge(base, local, remote, judge)?;
            outline::joined(&merged, opened.each_ref().map(|(frame, _)| *frame), clashes)
        }
        _ => by_lines(Grammar::Toml, three)?,
    };
    if says(&joined) { Ok(joined) } else { Err(Reason::WouldBreak(Grammar::Toml.word())) }
}

/// The text without what some keys name; none if it is not valid, can't be taken apart, or would say something else then.
pub(super) fn without(text: &[u8], keys: &[&str]) -> Option<Vec<u8>> {
    let read = |text: &[u8]| -> Option<Value> {
        let text = std::str::from_utf8(text).ok()?;
        Some(table_value(Document::parse(text).ok()?.as_table()))
    };
    let value = read(text)?;
    let document = Document::parse(std::str::from_utf8(text).ok()?).ok()?;
    let mut fields = Fields::new();
    find_fields("", &[Some(&value), None, None], &mut fields);
    let mut block = Reader::new(&document, &fields).read()?;
    block.take_out(keys, false, &way);
    let mut written = Vec::with_capacity(text.len());
    block.write(&mut written);
    (read(&written)?.without(&[]) == value.without(keys)).then_some(written)
}

/// The way to an entry; what stands in a table of an array can't be named.
fn way(name: &Name) -> Option<Way> {
    let text = std::str::from_utf8(&name.bytes).ok()?;
    let item = unquoted(text, '[');
    let keys = Key::parse(&text[..item.unwrap_or(text.len())]).ok()?;
    Some(Way { names: keys.iter().map(|key| key.get().to_owned()).collect(), is_open: item.is_none() })
}

/// By which field the tables of an array are told apart; arrays by the names on the way to them.
type Fields = BTreeMap<String, Identity>;

fn find_fields(at: &str, versions: &[Option<&Value>; 3], found: &mut Fields) {
    let lists: Vec<&[Value]> = versions
        .iter()
        .flatten()
        .filter_map(|value| if let Value::List(list) = value { Some(&list[..]) } else { None })
        .collect();
    match Identity::of(&lists) {
        Some(identity @ Identity::Field(_)) => drop(found.insert(at.to_owned(), identity)),
        _ if !lists.is_empty() => {}
        _ => {
            let map = |value: &Option<&'_ Value>| match value {
                Some(Value::Map(map)) => Some(map.keys().cloned().collect::<Vec<String>>()),
                _ => None,
            };
            for key in versions.iter().filter_map(map).flatten() {
                let inner = versions.map(|value| match value {
                    Some(Value::Map(map)) => map.get(&key),
                    _ => None,
                });
                let way = join(at, &key);
                if !found.contains_key(&way) {
                    find_fields(&way, &inner, found);
                }
            }
        }
    }
}

/// Adds a key to a way of keys, so that no two ways are alike.
fn join(way: &str, key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let key = if !key.is_empty() && key.chars().all(is_bare) { key.to_owned() } else { format!("{key:?}") };
    if way.is_empty() { key } else { format!("{way}.{key}") }
}

fn table_value(table: &dyn TableLike) -> Value {
    let entries = table.iter().map(|(key, item)| (key.to_owned(), item_value(item)));
    Value::Map(entries.collect())
}

fn item_value(item: &Item) -> Value {
    match item {
        Item::Value(value) => value_of(value),
        Item::Table(table) => table_value(table),
        Item::ArrayOfTables(tables) => Value::List(tables.iter().map(|table| table_value(table)).collect()),
        Item::None => Value::Other(String::new()),
    }
}

fn value_of(value: &Written) -> Value {
    match value {
        Written::String(text) => Value::Text(text.value().clone()),
        Written::Integer(number) => Value::Other(number.value().to_string()),
        Written::Float(number) => Value::Other(format!("{:?}f", number.value())),
        Written::Boolean(is) => Value::Other(is.value().to_string()),
        Written::Datetime(time) => Value::Other(time.value().to_string()),
        Written::Array(array) => Value::List(array.iter().map(value_of).collect()),
        Written::InlineTable(table) => table_value(table),
    }
}

struct Reader<'d> {
    text: &'d str,
    root: &'d dyn TableLike,
    fields: &'d Fields,
    /// Values by where they start.
    values: BTreeMap<usize, &'d Written>,
    /// The table that each array was last given; arrays and tables by their resolved names.
    last: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
}

impl<'d> Reader<'d> {
    fn new(document: &'d Document<&'d str>, fields: &'d Fields) -> Self {
        let mut values = BTreeMap::new();
        collect_values(document.as_table(), &mut values);
        let root: &dyn TableLike = document.as_table();
        Reader { text: document.raw(), root, fields, values, last: BTreeMap::new(), counts: BTreeMap::new() }
    }

    /// None if the text can't be taken apart.
    fn read(mut self) -> Option<Block<'d>> {
        let mut root = Block::default();
        let (mut at, mut lead) = (0, 0);
        while at < self.text.len() {
            let end = at + line(&self.text.as_bytes()[at..]);
            let statement = self.text[at..end].trim_start();
            if statement.is_empty() || statement.starts_with('#') {
                at = end;
                continue;
            }
            let lead_text = self.part(lead..at);
            let end = if statement.starts_with('[') {
                let name = self.header(statement)?;
                let (head, body) = (self.part(at..end), Body::Block(Block::default()));
                root.entries.push(entry(name, lead_text, head, body, Cow::Borrowed(b""), nothing()));
                end
            } else {
                let (mut entry, end) = self.key_value(at)?;
                entry.lead = lead_text;
                match root.entries.last_mut() {
                    Some(Entry { body: Body::Block(table), name, .. }) if name.rank > 0 => {
                        table.entries.push(entry)
                    }
                    _ => root.entries.push(entry),
                }
                end
            };
            (at, lead) = (end, end);
        }
        root.close = self.part(lead..self.text.len());
        let tables = root.entries.iter().filter_map(|entry| match &entry.body {
            Body::Block(table) if entry.name.rank > 0 => Some(table),
            _ => None,
        });
        (root.is_distinct() && tables.into_iter().all(Block::is_distinct)).then_some(root)
    }

    fn part(&self, range: Range<usize>) -> Cow<'d, [u8]> {
        Cow::Borrowed(self.text[range].as_bytes())
    }

    /// The full name of the table that a header starts.
    fn header(&mut self, statement: &str) -> Option<Name> {
        let is_array = statement.starts_with("[[");
        let inner = &statement[if is_array { 2 } else { 1 }..];
        let keys = Key::parse(inner[..unquoted(inner, ']')?].trim()).ok()?;
        let (mut way, mut name, mut is_fixed) = (String::new(), String::new(), false);
        for (at, key) in keys.iter().enumerate() {
            way = join(&way, key.get());
            name = join(&name, key.get());
            let identity = self.fields.get(&way);
            if is_array && at + 1 == keys.len() {
                name = self.item(&keys, identity, &name)?;
                is_fixed |= identity.is_none_or(|identity| identity.is_ordered());
            } else if let Some(item) = self.last.get(&name) {
                name.clone_from(item);
                is_fixed |= identity.is_none_or(|identity| identity.is_ordered());
            }
        }
        Some(Name { is_fixed, ..Name::of(name) })
    }

    /// Names the next table of an array.
    fn item(&mut self, keys: &[Key], identity: Option<&Identity>, array: &str) -> Option<String> {
        let count = self.counts.entry(array.to_owned()).or_default();
        let at = *count;
        *count += 1;
        let item = match identity {
            Some(identity) => {
                let (last, way) = keys.split_last()?;
                let table =
                    way.iter().try_fold(self.root, |table, key| table.get(key.get())?.as_table_like())?;
                let value = table_value(table.get(last.get())?.as_array_of_tables()?.get(at)?);
                format!("{array}[{}]", identity.name(&value)?)
            }
            None => format!("{array}[{at}]"),
        };
        self.last.insert(array.to_owned(), item.clone());
        Some(item)
    }

    /// Reads `key = value`, to the end of its last line.
    fn key_value(&self, at: usize) -> Option<(Entry<'d>, usize)> {
        let equals = at + unquoted(&self.text[at..], '=')?;
        let keys = Key::parse(self.text[at..equals].trim()).ok()?;
        let name = keys.iter().fold(String::new(), |way, key| join(&way, key.get()));
        let rest = &self.text[equals + 1..];
        let start = self.text.len() - rest.trim_start_matches([' ', '\t']).len();
        let value = *self.values.get(&start)?;
        let end = value.span()?.end;
        let line_end = end + line(&self.text.as_bytes()[end..]);
        let body = self.body(value, DEPTH_MAX)?;
        let (head, tail) = (self.part(at..start), self.part(end..line_end));
        let name = Name { rank: 0, ..Name::of(name) };
        Some((entry(name, Cow::Borrowed(b""), head, body, tail, value_of(value)), line_end))
    }

    fn body(&self, value: &Written, depth: usize) -> Option<Body<'d>> {
        let span = value.span()?;
        let parts = match value {
            Written::Array(array) if depth > 0 => array
                .iter()
                .map(|item| {
                    let span = item.span()?;
                    let body = self.body(item, depth - 1)?;
                    let none = || Cow::Borrowed(&b""[..]);
                    Some((span, entry(Name::of(""), none(), none(), body, none(), value_of(item))))
                })
                .collect::<Option<Vec<_>>>()?,
            Written::InlineTable(table) if depth > 0 => self.inline(table, depth)?,
            _ => return Some(Body::Leaf(self.part(span))),
        };
        let block = flow(self.text.as_bytes(), span.clone(), parts, value.is_array());
        Some(block.map_or_else(|| Body::Leaf(self.part(span)), Body::Block))
    }

    fn inline(&self, table: &InlineTable, depth: usize) -> Option<Vec<(Range<usize>, Entry<'d>)>> {
        let mut parts = table
            .get_values()
            .into_iter()
            .map(|(keys, value)| {
                let (start, span) = (keys.first()?.span()?.start, value.span()?);
                let name = keys.iter().fold(String::new(), |way, key| join(&way, key.get()));
                let head = self.text.get(start..span.start)?.as_bytes();
                let none = || Cow::Borrowed(&b""[..]);
                let body = self.body(value, depth - 1)?;
                let entry = entry(Name::of(name), none(), Cow::Borrowed(head), body, none(), value_of(value));
                Some((start..span.end, entry))
            })
            .collect::<Option<Vec<_>>>()?;
        parts.sort_by_key(|(range, _)| range.start);
        Some(parts)
    }
}

fn entry<'t>(
    name: Name,
    lead: Cow<'t, [u8]>,
    head: Cow<'t, [u8]>,
    body: Body<'t>,
    tail: Cow<'t, [u8]>,
    value: Value,
) -> Entry<'t> {
    Entry { name, lead, head, body, tail, value }
}

fn nothing() -> Value {
    Value::Other(String::new())
}

fn collect_values<'d>(table: &'d dyn TableLike, found: &mut BTreeMap<usize, &'d Written>) {
    for (_, item) in table.iter() {
        match item {
            Item::Value(value) => {
                if let Some(span) = value.span() {
                    found.insert(span.start, value);
                }
            }
            Item::Table(table) => collect_values(table, found),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|table| collect_values(table, found)),
            Item::None => {}
        }
    }
}

/// Where a letter first stands outside quotes.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    text.char_indices().find_map(|(at, letter)| {
        match quote {
            None if letter == wanted => return Some(at),
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            Some('"') if escaped => escaped = false,
            Some('"') if letter == '\\' => escaped = true,
            Some(open) if letter == open => quote = None,
            _ => {}
        }
        None
    })
}
