//! Changes of settings files, checked before they are written: what is not valid never gets there.

use std::path::Path;

use instep_core::config::{Given, Layer};

use super::files;
use super::layers::{self, Sources};
use crate::failure::CommandError;

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The one that travels.
    Shared,
    /// The one of this machine.
    Here,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// Sets a key.
    Set(&'a str, &'a str),
    /// Adds to a list.
    Add(&'a str, &'a [String]),
    /// Takes a key out, or one entry of its list.
    Unset(&'a str, Option<&'a str>),
}

impl Sources {
    /// Carries out changes in one file, all or none. Answers whether anything changed.
    pub fn change(&self, target: Target, changes: &[Change<'_>]) -> Result<bool, CommandError> {
        let (file, name) = match target {
            Target::Shared => (self.shared(), layers::SHARED),
            Target::Here => (self.here(), layers::HERE),
        };
        let old = files::read(&file)?;
        let new = apply(target, name, old.as_deref().unwrap_or_default(), changes)?;
        if old.as_deref() == Some(new.as_slice()) {
            return Ok(false);
        }
        read(target, name, &new)?;
        files::write(&file, &new)?;
        Ok(true)
    }
}

fn read(target: Target, name: &str, text: &[u8]) -> Result<Vec<Given>, CommandError> {
    let layer = match target {
        Target::Shared => Layer::shared(name, text),
        Target::Here => Layer::here(name, text),
    };
    Ok(layer?.given)
}

// To be replaced by the editor of the core, which keeps comments.
fn apply(target: Target, name: &str, old: &[u8], changes: &[Change<'_>]) -> Result<Vec<u8>, CommandError> {
    use instep_core::config::Value;
    let mut all: Vec<(String, Vec<String>, bool)> = read(target, name, old)?
        .into_iter()
        .map(|given| match &given.value {
            Value::List(items) => {
                (given.key.clone(), items.iter().map(|item| item.0.clone()).collect(), true)
            }
            other => (given.key.clone(), vec![other.to_string()], false),
        })
        .collect();
    for change in changes {
        match change {
            Change::Set(key, value) => {
                all.retain(|known| known.0 != *key);
                all.push(((*key).to_owned(), vec![(*value).to_owned()], false));
            }
            Change::Add(key, values) => match all.iter_mut().find(|known| known.0 == *key) {
                Some(known) => known.1.extend(values.iter().cloned()),
                None => all.push(((*key).to_owned(), values.to_vec(), true)),
            },
            Change::Unset(key, None) => all.retain(|known| known.0 != *key),
            Change::Unset(key, Some(value)) => {
                all.iter_mut()
                    .filter(|known| known.0 == *key)
                    .for_each(|known| known.1.retain(|item| item != value));
                all.retain(|known| known.0 != *key || !known.1.is_empty());
            }
        }
    }
    let mut text = String::from("version: 1\n");
    let word = |(key, values, list): &(String, Vec<String>, bool)| {
        let quoted: Vec<String> = values
            .iter()
            .map(|v| if *list || v.contains([':', '/', ' ']) { format!("{v:?}") } else { v.clone() })
            .collect();
        let last = key.rsplit('.').next().unwrap_or(key).to_owned();
        if *list {
            format!("{last}: [{}]\n", quoted.join(", "))
        } else {
            format!("{last}: {}\n", quoted.join(""))
        }
    };
    all.iter()
        .filter(|one| !one.0.contains('.') && one.0 != "version")
        .for_each(|one| text.push_str(&word(one)));
    if all.iter().any(|one| one.0.starts_with("sync.")) {
        text.push_str("sync:\n");
        all.iter()
            .filter(|one| one.0.starts_with("sync."))
            .for_each(|one| text.push_str(&format!("  {}", word(one))));
    }
    let _ = Path::new("");
    Ok(text.into_bytes())
}
