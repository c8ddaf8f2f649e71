//! A text, and what it says, without what some keys name: `proxy`, or `window.zoomLevel` for a key of that name as well as
//! for one within another.

use std::collections::BTreeMap;

use super::outline::{Block, Body, Name};
use super::value::Value;

/// The way to an entry from its block.
pub(super) struct Way {
    /// The names on it, the entry's own among them.
    pub names: Vec<String>,
    /// Whether what is in the entry can be named.
    pub is_open: bool,
}

impl Block<'_> {
    /// Takes out the entries that some keys name. `ways` gives the way to an entry. Where nothing is left of an entry's block, and `drops_empty`, the entry goes too. Lists stay whole.
    pub(super) fn take_out(&mut self, keys: &[&str], drops_empty: bool, ways: &dyn Fn(&Name) -> Option<Way>) {
        if self.is_list {
            return;
        }
        self.entries.retain_mut(|entry| {
            let Some(Way { names, is_open }) = ways(&entry.name) else { return true };
            let mut keys = keys.to_vec();
            for name in &names {
                if keys.contains(&name.as_str()) {
                    return false;
                }
                keys = within(&keys, name);
            }
            match &mut entry.body {
                Body::Block(block) if is_open && !keys.is_empty() && !block.entries.is_empty() => {
                    block.take_out(&keys, drops_empty, ways);
                    !(drops_empty && block.entries.is_empty())
                }
                _ => true,
            }
        });
    }
}

impl Value {
    /// The value without what some keys name, and without maps in which nothing is left.
    pub(super) fn without(&self, keys: &[&str]) -> Value {
        let Value::Map(map) = self else { return self.clone() };
        let left = map.iter().filter(|(name, _)| !keys.contains(&name.as_str()));
        let left = left.map(|(name, value)| (name.clone(), value.without(&within(keys, name))));
        Value::Map(left.filter(|(_, value)| *value != Value::Map(BTreeMap::new())).collect())
    }
}

/// What keys such as `window.zoomLevel` name within an entry.
pub(super) fn within<'k>(keys: &[&'k str], entry: &str) -> Vec<&'k str> {
    keys.iter().filter_map(|key| key.strip_prefix(entry)?.strip_prefix('.')).collect()
}
