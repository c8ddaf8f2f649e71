//! A YAML text as its nodes and where they stand, for a merge that keeps what is around them.

use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span, StructureStyle, options};

/// How deep nodes may nest: deeper ones are refused.
const DEPTH_MAX: usize = 64;

/// One document of a text.
#[derive(Debug)]
pub(crate) struct Document {
    /// Where the line of dashes stands that starts it, if one does.
    pub start: Option<Range<usize>>,
    pub root: Node,
}

/// One node. Places are bytes.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where it stands. Of a block only the start is of use; of a text after `|` or `>` neither is exact.
    pub span: Range<usize>,
    pub what: What,
    /// Its anchor and tag, as far as it has them.
    pub anchor: Option<String>,
    pub tag: Option<String>,
}

#[derive(Debug)]
pub(crate) enum What {
    Scalar(String, Style),
    /// `*name`.
    Alias(String),
    List {
        is_flow: bool,
        items: Vec<Node>,
    },
    /// Keys and values.
    Map {
        is_flow: bool,
        entries: Vec<(Node, Node)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Quoted,
    /// After `|` or `>`.
    Lines,
}

/// Reads all documents of a text; none if it is not YAML, or nests too deep.
pub(crate) fn read(text: &str) -> Option<Vec<Document>> {
    let options: Options = options! { emit_comments: false, emit_anchor_events: true };
    let mut documents = Vec::new();
    let mut start = None;
    // What is not closed yet; a map has its nodes in turn: key, value.
    let mut open: Vec<(Node, Vec<Node>)> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.ok()?;
        let place = span.byte_range()?;
        let node = match event {
            Event::DocumentStart(is_explicit, _) => {
                start = is_explicit.then_some(place);
                continue;
            }
            Event::DocumentEnd => {
                documents.push(Document { start: start.take(), root: root.take()? });
                continue;
            }
            Event::Anchor(_, name) => {
                named(&mut open, &mut root)?.anchor = Some(name.into_owned());
                continue;
            }
            Event::SequenceStart(style, _, tag) => {
                let what = What::List { is_flow: style == StructureStyle::Flow, items: Vec::new() };
                open.push((node(what, &span, tag.map(|tag| tag.to_string()))?, Vec::new()));
                continue;
            }
            Event::MappingStart(style, _, tag) => {
                let what = What::Map { is_flow: style == StructureStyle::Flow, entries: Vec::new() };
                open.push((node(what, &span, tag.map(|tag| tag.to_string()))?, Vec::new()));
                continue;
            }
            Event::Scalar(text, style, _, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Lines,
                };
                node(What::Scalar(text.into_owned(), style), &span, tag.map(|tag| tag.to_string()))?
            }
            Event::Alias(_) => node(What::Alias(span.slice(text)?.to_owned()), &span, None)?,
            Event::SequenceEnd | Event::MappingEnd => close(open.pop()?, place.end),
            _ => continue,
        };
        match open.last_mut() {
            Some((_, inner)) => inner.push(node),
            None => root = Some(node),
        }
        if open.len() > DEPTH_MAX {
            return None;
        }
    }
    Some(documents)
}

fn node(what: What, span: &Span, tag: Option<String>) -> Option<Node> {
    Some(Node { span: span.byte_range()?, what, anchor: None, tag })
}

/// The node that was read last: one that is still open, if nothing is in it yet.
fn named<'n>(open: &'n mut [(Node, Vec<Node>)], root: &'n mut Option<Node>) -> Option<&'n mut Node> {
    match open.last_mut() {
        Some((node, inner)) => Some(inner.last_mut().unwrap_or(node)),
        None => root.as_mut(),
    }
}

fn close((mut node, inner): (Node, Vec<Node>), end: usize) -> Node {
    node.span.end = end;
    match &mut node.what {
        What::Map { entries, .. } => {
            let mut inner = inner.into_iter();
            while let (Some(key), Some(value)) = (inner.next(), inner.next()) {
                entries.push((key, value));
            }
        }
        What::List { items, .. } => *items = inner,
        What::Scalar(..) | What::Alias(_) => {}
    }
    node
}
