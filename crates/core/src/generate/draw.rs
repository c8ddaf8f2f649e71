//! Trees as text: `d/a=1;b/;s->t;p=X+x;p!;p?`.

use super::disk::{Disk, Id, TOP, file, link};
use crate::content::ContentId;
use crate::path::Name;
use crate::tree::{LeafKind, Unknown};

/// Puts what is drawn on a disk: `p=X` a file, `p/` a folder, `p->t` a link, `+x` executable, `p!` excluded, `p?`
/// unreadable, `-` nothing. Panics where the drawing makes no sense: it is part of a test.
pub fn build(disk: &mut Disk, drawing: &str) {
    for item in drawing.split(';').map(str::trim).filter(|item| !item.is_empty() && *item != "-") {
        if let Some((path, target)) = item.split_once("->") {
            put(disk, path, Some(link(target)), None);
        } else if let Some((path, text)) = item.split_once('=') {
            let (text, exec) = text.strip_suffix("+x").map_or((text, false), |text| (text, true));
            let mut leaf = file(text);
            leaf.exec = exec;
            put(disk, path, Some(leaf), None);
        } else if let Some(path) = item.strip_suffix('!') {
            put(disk, path, Some(file("excluded")), Some(Unknown::Excluded("rule".to_owned())));
        } else if let Some(path) = item.strip_suffix('?') {
            put(disk, path, Some(file("unreadable")), Some(Unknown::Unreadable("denied".to_owned())));
        } else {
            put(disk, item.strip_suffix('/').unwrap_or(item), None, None);
        }
    }
}

fn put(disk: &mut Disk, path: &str, leaf: Option<crate::tree::Leaf>, unknown: Option<Unknown>) -> Id {
    let mut at = TOP;
    let parts: Vec<&str> = path.split('/').collect();
    for (depth, part) in parts.iter().enumerate() {
        let name = Name::new(part.as_bytes()).expect("because drawings have good names");
        let last = depth + 1 == parts.len();
        at = match disk.child(at, &name) {
            Some(id) => id,
            None => disk.create(at, name, if last { leaf } else { None }),
        };
    }
    disk.change(at, |thing| thing.unknown = unknown);
    at
}

/// Draws a disk, in order of path; contents are told by `texts`, else by the start of their hash.
pub fn draw(disk: &Disk, texts: &[&str]) -> String {
    let mut items: Vec<String> = Vec::new();
    for (id, thing) in disk.all() {
        let path = disk.path(id);
        let text = |content: ContentId| {
            let known = texts.iter().find(|text| ContentId::of(text.as_bytes()) == content);
            known.map_or_else(|| content.short(), |text| (*text).to_owned())
        };
        match (&thing.unknown, thing.leaf) {
            (Some(Unknown::Unreadable(_)), _) => items.push(format!("{path}?")),
            (Some(_), _) => items.push(format!("{path}!")),
            (None, Some(leaf)) => {
                let sign = if leaf.kind == LeafKind::Link { "->" } else { "=" };
                let exec = if leaf.exec { "+x" } else { "" };
                items.push(format!("{path}{sign}{}{exec}", text(leaf.content)));
            }
            (None, None) if disk.children(id).is_empty() => items.push(format!("{path}/")),
            (None, None) => {}
        }
    }
    items.sort();
    if items.is_empty() { "-".to_owned() } else { items.join(";") }
}

/// The texts of all contents in a drawing.
pub fn texts(drawing: &str) -> Vec<&str> {
    let text = |item: &str| item.split_once("->").or_else(|| item.split_once('=')).map(|(at, _)| at.len());
    let items = drawing.split(';').map(str::trim);
    let found = items.filter_map(|item| {
        let at = text(item)?;
        let rest = item[at..].trim_start_matches("->").trim_start_matches('=');
        Some(rest.strip_suffix("+x").unwrap_or(rest))
    });
    found.collect()
}
