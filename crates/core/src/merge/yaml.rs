//! Merges YAML by key.
//!
//! Maps and lists that are written as blocks or in brackets are taken apart; scalars stay whole. A comment belongs to
//! the entry below it, or to the end of the block above if it is indented as that is. Lists go by what is in them (see
//! [`super::value::Identity`]). A text with anchors, tags, `?` keys or several documents is merged line by line.
//! Whichever way, the result is parsed, and must say what the three values make together.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::outline::{self, Block, Body, Entry, Frame, Name, flow};
use super::value::{Value, agrees};
use super::without::Way;
use super::{Grammar, Joined, Judge, Reason, Three, by_lines};
use crate::config::yaml::written::{self, Document, Node, Style, What};
use crate::node::PerSide;

pub(super) fn merge(three: &Three<'_>, judge: Judge<'_>) -> Result<Joined, Reason> {
    let not_valid = Reason::NotValid(Grammar::Yaml.word());
    if three.all().iter().any(|version| !Grammar::Yaml.accepts(version)) {
        return Err(not_valid);
    }
    let opened = Frame::open_all(three)?;
    let mut versions = Vec::new();
    for (_, text) in &opened {
        let text = std::str::from_utf8(text).map_err(|_| not_valid)?;
        versions.push((text, written::read(text).ok_or(Reason::TooLarge)?));
    }
    let [base, local, remote] = &versions[..] else { return Err(not_valid) };
    let values = [base, local, remote].map(|(_, documents)| text_value(documents));
    let [base_value, local_value, remote_value] = &values;
    let sides = PerSide { local: Some(local_value), remote: Some(remote_value) };
    let says = |joined: &Joined| {
        let (_, text) = Frame::open(&joined.content);
        let documents = std::str::from_utf8(&text).ok().and_then(written::read);
        Grammar::Yaml.accepts(&joined.content)
            && documents.is_some_and(|it| agrees(Some(&text_value(&it)), Some(base_value), sides, judge))
    };
    let blocks = [base, local, remote].map(|(text, documents)| Reader { text }.read(documents));
    let joined = match &blocks {
        [Some(base), Some(local), Some(remote)] => {
            let (merged, clashes) = outline::merge(base, local, remote, judge)?;
            outline::joined(&merged, opened.each_ref().map(|(frame, _)| *frame), clashes)
        }
        _ => by_lines(Grammar::Yaml, three)?,
    };
    if says(&joined) { Ok(joined) } else { Err(Reason::WouldBreak(Grammar::Yaml.word())) }
}

/// The text without what some keys name; none if it is not valid, can't be taken apart, or would say something else then.
pub(super) fn without(text: &[u8], keys: &[&str]) -> Option<Vec<u8>> {
    let read = |text: &[u8]| -> Option<Value> {
        if !Grammar::Yaml.accepts(text) {
            return None;
        }
        Some(text_value(&written::read(std::str::from_utf8(text).ok()?)?))
    };
    let value = read(text)?;
    let text = std::str::from_utf8(text).ok()?;
    let mut block = Reader { text }.read(&written::read(text)?)?;
    let way =
        |name: &Name| Some(Way { names: vec![String::from_utf8(name.bytes.clone()).ok()?], is_open: true });
    block.take_out(keys, true, &way);
    let mut written = Vec::with_capacity(text.len());
    block.write(&mut written);
    (read(&written)?.without(&[]) == value.without(keys)).then_some(written)
}

fn text_value(documents: &[Document]) -> Value {
    match documents {
        [] => Value::Map(BTreeMap::new()),
        [one] => match value_of(&one.root) {
            // A text of comments only says as much as an empty map.
            Value::Other(text) if text.is_empty() => Value::Map(BTreeMap::new()),
            value => value,
        },
        many => Value::List(many.iter().map(|document| value_of(&document.root)).collect()),
    }
}

fn value_of(node: &Node) -> Value {
    let value = match &node.what {
        What::Scalar(text, style) => scalar_value(text, *style == Style::Plain, node.span.is_empty()),
        What::Alias(name) => Value::Other(name.clone()),
        What::List { items, .. } => Value::List(items.iter().map(value_of).collect()),
        What::Map { entries, .. } => {
            let name = |key: &Node| match &key.what {
                What::Scalar(text, _) if is_bare(key) => text.clone(),
                _ => format!("{:?}", value_of(key)),
            };
            Value::Map(entries.iter().map(|(key, value)| (name(key), value_of(value))).collect())
        }
    };
    if is_bare(node) {
        return value;
    }
    // What an anchor or a tag stands at is more than its value.
    let mut parts = BTreeMap::from([("=".to_owned(), value)]);
    parts.extend(node.anchor.iter().map(|name| ("&".to_owned(), Value::Text(name.clone()))));
    parts.extend(node.tag.iter().map(|tag| ("!".to_owned(), Value::Text(tag.clone()))));
    Value::Map(parts)
}

fn scalar_value(text: &str, is_plain: bool, is_nothing: bool) -> Value {
    const WORDS: [&str; 11] = ["true", "false", "null", "~", "yes", "no", "on", "off", "y", "n", ""];
    let lower = text.to_ascii_lowercase();
    let is_number = lower.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    match is_plain && (is_nothing || is_number || WORDS.contains(&&lower[..])) {
        true => Value::Other(if is_nothing { String::new() } else { text.to_owned() }),
        false => Value::Text(text.to_owned()),
    }
}

fn is_bare(node: &Node) -> bool {
    node.anchor.is_none() && node.tag.is_none()
}

/// Takes a text apart along its nodes; wherever it meets what it does not know, it gives none.
struct Reader<'t> {
    text: &'t str,
}

/// An entry's parts behind its name, and where the text goes on.
struct Rest<'t> {
    head: Cow<'t, [u8]>,
    body: Body<'t>,
    tail: Cow<'t, [u8]>,
    end: usize,
}

impl<'t> Reader<'t> {
    fn read(&self, documents: &[Document]) -> Option<Block<'t>> {
        let length = self.text.len();
        let odd_break =
            self.text.bytes().zip(self.text.bytes().skip(1)).any(|(a, b)| a == b'\r' && b != b'\n');
        if odd_break || self.text.lines().any(|line| line.starts_with("...")) {
            return None;
        }
        let [document] = documents else {
            let close = self.part(0..length);
            return documents.is_empty().then(|| Block { close, ..Block::default() });
        };
        if !is_bare(&document.root) {
            return None;
        }
        let start = match &document.start {
            Some(dashes) => {
                let end = self.line_end(dashes.end);
                if !self.is_rest(dashes.end..end) {
                    return None;
                }
                end
            }
            None => 0,
        };
        let mut block = match &document.root.what {
            What::Map { is_flow: false, entries } => self.map(entries, start..length, None)?,
            What::List { is_flow: false, items } => self.list(items, start..length)?,
            What::Scalar(..) if document.root.span.is_empty() => {
                Block { close: self.part(start..length), ..Block::default() }
            }
            _ => return None,
        };
        block.open = self.part(0..start);
        Some(block)
    }

    /// The entries of a block map that has these lines; the first may stand behind a dash, at this place.
    fn map(&self, entries: &[(Node, Node)], lines: Range<usize>, dash: Option<usize>) -> Option<Block<'t>> {
        let column = self.column(entries.first()?.0.span.start);
        let mut block = Block::default();
        let mut at = lines.start;
        for (number, (key, value)) in entries.iter().enumerate() {
            let What::Scalar(name, style) = &key.what else { return None };
            let start = self.line_start(key.span.start);
            let is_own = |c: char, place: usize| c == ' ' || (number == 0 && Some(place) == dash);
            let before = &self.text[start..key.span.start];
            let is_alone = before.char_indices().all(|(place, c)| is_own(c, start + place));
            let word = &self.text[key.span.clone()];
            if !is_bare(key) || *style == Style::Lines || word.contains('\n') || !is_alone {
                return None;
            }
            if self.column(key.span.start) != column || start < at {
                return None;
            }
            let colon = self.text[key.span.end..].find(|c: char| c != ' ').map(|gap| key.span.end + gap)?;
            if !self.text[colon..].starts_with(':') {
                return None;
            }
            let limit =
                entries.get(number + 1).map_or(lines.end, |(next, _)| self.line_start(next.span.start));
            let mut rest = self.value(value, start, colon + 1, limit)?;
            if let Some(dash) = dash.filter(|_| number == 0) {
                *rest.head.to_mut().get_mut(dash - start)? = b' ';
            }
            block.entries.push(Entry {
                name: Name::of(name.as_bytes()),
                lead: self.part(at..start),
                head: rest.head,
                body: rest.body,
                tail: rest.tail,
                value: value_of(value),
            });
            at = rest.end;
        }
        block.close = self.part(at..lines.end);
        block.is_distinct().then_some(block)
    }

    /// The items of a block list that has these lines.
    fn list(&self, items: &[Node], lines: Range<usize>) -> Option<Block<'t>> {
        let mut block = Block { is_list: true, ..Block::default() };
        let mut at = lines.start;
        let column = self.column(self.dash(items.first()?)?);
        for (number, item) in items.iter().enumerate() {
            let dash = self.dash(item)?;
            let start = self.line_start(dash);
            if self.column(dash) != column || start < at {
                return None;
            }
            let limit = match items.get(number + 1) {
                Some(next) => self.line_start(self.dash(next)?),
                None => lines.end,
            };
            let rest = match &item.what {
                What::Map { is_flow: false, entries } if is_bare(item) => {
                    let end = self.claimed(self.content_end(item)?, limit, self.column(item.span.start));
                    let body = Body::Dashed(column, self.map(entries, start..end, Some(dash))?);
                    Rest { head: Cow::Borrowed(b""), body, tail: Cow::Borrowed(b""), end }
                }
                What::List { is_flow: false, .. } => return None,
                _ => self.value(item, start, dash + 1, limit)?,
            };
            block.entries.push(Entry {
                name: Name::of(""),
                lead: self.part(at..start),
                head: rest.head,
                body: rest.body,
                tail: rest.tail,
                value: value_of(item),
            });
            at = rest.end;
        }
        block.close = self.part(at..lines.end);
        Some(block)
    }

    /// The dash before an item on the same line.
    fn dash(&self, item: &Node) -> Option<usize> {
        let place = match &item.what {
            // Such a text starts below the line with its dash.
            What::Scalar(_, Style::Lines) => self.header(item)?,
            _ => item.span.start,
        };
        let start = self.line_start(place);
        let before = &self.text[start..place];
        let dash = before.find('-')?;
        let is_dash = before.bytes().enumerate().all(|(at, byte)| byte == b' ' || at == dash);
        (is_dash && before.len() > dash + 1).then_some(start + dash)
    }

    /// Where `|` or `>` stands before a text of lines.
    fn header(&self, node: &Node) -> Option<usize> {
        let line = self.line_start(node.span.start);
        let mut lines = self.text[..line].split_inclusive('\n').rev();
        let mut end = line;
        lines.find_map(|text| {
            let start = end - text.len();
            end = start;
            let place = text.rfind(['|', '>'])?;
            Some(start + place)
        })
    }

    /// What stands behind a name or a dash, in a text that goes on at `limit` with the next.
    fn value(&self, node: &Node, start: usize, after: usize, limit: usize) -> Option<Rest<'t>> {
        if !is_bare(node) {
            return None;
        }
        let head_end = self.line_end(after);
        let none = || Cow::Borrowed(&b""[..]);
        match &node.what {
            What::Alias(_) => None,
            What::Map { is_flow: false, .. } | What::List { is_flow: false, .. } => {
                if !self.is_rest(after..head_end) {
                    return None;
                }
                let content = self.content_end(node)?;
                let end = self.claimed(content, limit, self.column(node.span.start));
                let block = match &node.what {
                    What::Map { entries, .. } => self.map(entries, head_end..end, None)?,
                    What::List { items, .. } => match self.list(items, head_end..end) {
                        Some(block) => block,
                        // A list of lists: one piece.
                        None => {
                            let body = Body::Leaf(self.part(head_end..content));
                            return Some(Rest {
                                head: self.part(start..head_end),
                                body,
                                tail: none(),
                                end: content,
                            });
                        }
                    },
                    _ => return None,
                };
                Some(Rest { head: self.part(start..head_end), body: Body::Block(block), tail: none(), end })
            }
            What::Scalar(_, Style::Lines) => {
                let place = after + self.text[after..].find(|c: char| c != ' ')?;
                let (end, keeps) = self.lines_end(node, place)?;
                let body_end = if keeps {
                    end
                } else {
                    place + self.text[place..end].trim_end_matches(['\r', '\n']).len()
                };
                let (head, tail) = (self.part(start..place), self.part(body_end..end));
                Some(Rest { head, body: Body::Leaf(self.part(place..body_end)), tail, end })
            }
            What::Scalar(..) if node.span.is_empty() => {
                let (head, tail) = (self.part(start..after), self.part(after..head_end));
                if !self.is_rest(after..head_end) {
                    return None;
                }
                Some(Rest { head, body: Body::Leaf(none()), tail, end: head_end })
            }
            _ => {
                let end = self.line_end(node.span.end);
                if !self.is_rest(node.span.end..end) || node.span.start < after {
                    return None;
                }
                // Anything else in between would be a comment, or what is not known here.
                if !self.text[after..node.span.start].bytes().all(|byte| byte.is_ascii_whitespace()) {
                    return None;
                }
                let (head, tail) = (self.part(start..node.span.start), self.part(node.span.end..end));
                Some(Rest { head, body: self.inline(node)?, tail, end })
            }
        }
    }

    /// A scalar, or what stands in brackets.
    fn inline(&self, node: &Node) -> Option<Body<'t>> {
        let none = || Cow::Borrowed(&b""[..]);
        let entry = |name: Name, head: Range<usize>, node: &Node| {
            let (head, body) = (self.part(head), self.inline(node)?);
            Some(Entry { name, lead: none(), head, body, tail: none(), value: value_of(node) })
        };
        let whole = Body::Leaf(self.part(node.span.clone()));
        if !is_bare(node) {
            return None;
        }
        let parts = match &node.what {
            What::List { items, .. } => {
                let part = |item: &Node| {
                    let start = item.span.start;
                    Some((item.span.clone(), entry(Name::of(""), start..start, item)?))
                };
                items.iter().map(part).collect::<Option<Vec<_>>>()
            }
            What::Map { entries, .. } => {
                let part = |(key, value): &(Node, Node)| {
                    let What::Scalar(name, _) = &key.what else { return None };
                    if !is_bare(key) || value.span.is_empty() || value.span.start < key.span.end {
                        return None;
                    }
                    let head = key.span.start..value.span.start;
                    Some((key.span.start..value.span.end, entry(Name::of(name.as_bytes()), head, value)?))
                };
                entries.iter().map(part).collect::<Option<Vec<_>>>()
            }
            What::Scalar(..) => return Some(whole),
            What::Alias(_) => return None,
        };
        let is_list = matches!(node.what, What::List { .. });
        let block = parts.and_then(|parts| flow(self.text.as_bytes(), node.span.clone(), parts, is_list));
        Some(block.map_or(whole, Body::Block))
    }

    /// Where a text of lines ends, and whether the empty lines behind it are a part of it.
    fn lines_end(&self, node: &Node, header: usize) -> Option<(usize, bool)> {
        let header_end = self.line_end(header);
        let marks = self.text[header..header_end].split('#').next()?;
        let keeps = marks.contains('+');
        let content = &self.text[header_end..node.span.end.max(header_end)];
        if keeps {
            return Some((header_end + content.rfind('\n').map_or(0, |at| at + 1), true));
        }
        let length = content.trim_end().len();
        Some((if length == 0 { header_end } else { self.line_end(header_end + length) }, false))
    }

    /// The end of the last line that a node has something on.
    fn content_end(&self, node: &Node) -> Option<usize> {
        match &node.what {
            What::Map { is_flow: false, entries } => {
                let (key, value) = entries.last()?;
                match &value.what {
                    What::Scalar(_, Style::Plain) if value.span.is_empty() => {
                        Some(self.line_end(key.span.end))
                    }
                    What::Scalar(_, Style::Lines) => {
                        let colon = key.span.end + self.text[key.span.end..].find(':')?;
                        let header = colon + 1 + self.text[colon + 1..].find(|c: char| c != ' ')?;
                        Some(self.lines_end(value, header)?.0)
                    }
                    _ => self.content_end(value),
                }
            }
            What::List { is_flow: false, items } => {
                let last = items.last()?;
                match &last.what {
                    What::Scalar(_, Style::Lines) => Some(self.lines_end(last, self.header(last)?)?.0),
                    What::Scalar(..) if last.span.is_empty() => None,
                    _ => self.content_end(last),
                }
            }
            _ => Some(self.line_end(node.span.end)),
        }
    }

    /// How far a block in this column reaches into the comments behind it: to the last one indented as it is.
    fn claimed(&self, from: usize, limit: usize, column: usize) -> usize {
        let (mut at, mut end) = (from, from);
        while at < limit {
            let next = self.line_end(at);
            let line = &self.text[at..next];
            let indent = line.len() - line.trim_start_matches(' ').len();
            let is_comment = line.trim_start().starts_with('#');
            if is_comment && indent < column.max(1) {
                break;
            }
            at = next;
            if is_comment {
                end = at;
            }
        }
        end
    }

    /// Answers whether a line holds no more than a comment from there on.
    fn is_rest(&self, range: Range<usize>) -> bool {
        let rest = self.text[range].trim_ascii();
        rest.is_empty() || rest.starts_with('#')
    }

    fn part(&self, range: Range<usize>) -> Cow<'t, [u8]> {
        Cow::Borrowed(self.text[range].as_bytes())
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |end| at + end + 1)
    }

    /// In bytes: before what starts a line there is nothing but spaces, and perhaps a dash.
    fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }
}
