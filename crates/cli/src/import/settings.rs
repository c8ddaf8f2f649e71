//! Settings files: a `sync:` or `privateSync:` block in YAML, and a `.env` with the variables of a sync by rsync.

use instep_core::config::key;
use instep_core::config::{Flag, Layer};

use super::Imported;

/// Words of other programs for a key of ours.
const WORDS: [(&str, &str); 10] = [
    ("repositoryUrl", "sync.remote"),
    ("repositoryPath", "sync.remote"),
    ("syncInterval", "sync.sync_interval"),
    ("excludePatterns", "sync.exclude"),
    ("encryptionKey", "sync.encryption_key"),
    ("includeCheckpoints", "groups.checkpoints.enabled"),
    ("includeReports", "groups.reports.enabled"),
    ("includeCache", "groups.cache.enabled"),
    ("includeLogs", "groups.logs.enabled"),
    ("autoSync", "sync.auto_sync"),
];

/// The paths of the groups that another program has by name.
const GROUPS: [(&str, &str, &str); 4] = [
    ("groups.checkpoints.enabled", "groups.checkpoints.paths", "checkpoints/**"),
    ("groups.reports.enabled", "groups.reports.paths", "reports/**"),
    ("groups.cache.enabled", "groups.cache.paths", "cache/**"),
    ("groups.logs.enabled", "groups.logs.paths", "logs/**"),
];

/// A block `sync:` or `privateSync:`, line by line: keys, and lists below them or in brackets. Other blocks are not ours.
pub fn of_yaml(text: &str) -> Imported {
    let mut imported = Imported::default();
    let mut inside = false;
    let mut list: Option<&'static str> = None;
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        let words = without_comment(line);
        let is_top = words.starts_with(|c: char| !c.is_whitespace());
        let words = words.trim();
        if words.is_empty() || words == "---" {
            continue;
        }
        if is_top {
            inside = matches!(words, "sync:" | "privateSync:");
            if !inside && !words.starts_with("version") {
                imported.left.push((number, "it is no setting of a sync".to_owned()));
            }
            continue;
        }
        if !inside {
            continue;
        }
        if let Some(item) = words.strip_prefix("- ") {
            match list {
                Some(key) => imported.adds.push((key, plain(item))),
                None => imported.left.push((number, "it belongs to what is not known here".to_owned())),
            }
            continue;
        }
        list = None;
        let Some((word, value)) = words.split_once(':') else {
            imported.left.push((number, "it is no `key: value`".to_owned()));
            continue;
        };
        let known = WORDS.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| (*ours).to_owned());
        let key = known.unwrap_or_else(|| format!("sync.{word}"));
        match take(&mut imported, &key, value.trim()) {
            Ok(begun) => list = begun,
            Err(why) => imported.left.push((number, format!("{word}: {why}"))),
        }
    }
    imported
}

/// Takes one key. Answers the list that the lines below belong to, if one begins here.
fn take(imported: &mut Imported, key: &str, value: &str) -> Result<Option<&'static str>, String> {
    let lists = ["sync.include", "sync.exclude"];
    if let Some(list) = lists.into_iter().find(|list| *list == key) {
        let items = value.trim_start_matches('[').trim_end_matches(']').split(',');
        let items = items.map(plain).filter(|item| !item.is_empty());
        imported.adds.extend(items.map(|item| (list, item)));
        return Ok(Some(list));
    }
    let value = plain(value);
    if value.is_empty() {
        return Ok(None);
    }
    match key {
        "sync.encryption_key" => {
            (imported.encrypted, imported.is_private) = (true, true);
            return Err("a key is never imported, and this version does not encrypt".to_owned());
        }
        "sync.remote" => (imported.address, imported.is_private) = (Some(value), true),
        "sync.branch" => imported.branch = Some(value).filter(|branch| branch != crate::opening::BRANCH),
        // As it is anyway.
        "sync.enabled" if value == "true" => {}
        "sync.auto_sync" if value == "false" => {}
        "sync.enabled" | "sync.auto_sync" => {
            return Err(format!("it holds on one machine: `instep config set {key} {value} --machine`"));
        }
        key => {
            key::find(key).ok_or("not known here")?;
            let name = key.to_owned();
            let wrong = Layer::flags(&[Flag { key, name: key, value: &value }]).err();
            if let Some(wrong) = wrong {
                return Err(wrong.to_string());
            }
            if let Some((_, paths, pattern)) = GROUPS.iter().find(|(enabled, ..)| *enabled == key) {
                imported.adds.push((paths, (*pattern).to_owned()));
            }
            imported.sets.push((name, value));
        }
    }
    Ok(None)
}

/// The variables of a `.env` that name a place and options for rsync.
pub fn of_dotenv(text: &str) -> Imported {
    let mut imported = Imported::default();
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        match name.trim().trim_start_matches("export ").trim() {
            "AMPLIFIER_SYNC_REMOTE" => imported.address = Some(plain(value)),
            "AMPLIFIER_SYNC_OPTIONS" => of_options(&plain(value), number, &mut imported),
            _ => {}
        }
    }
    imported
}

/// What rsync was told to leave out stays here too; its other options mean nothing to git.
fn of_options(options: &str, number: usize, imported: &mut Imported) {
    let mut patterns = Vec::new();
    let mut others = Vec::new();
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some(("--exclude", pattern)) => patterns.push(plain(pattern)),
            None if word == "--exclude" => patterns.extend(words.next().map(plain)),
            _ => others.push(word),
        }
    }
    let read = super::filter::of_rsync(&patterns.join("\n"));
    imported.adds.extend(read.adds);
    imported.left.extend(read.left.into_iter().map(|(_, why)| (number, why)));
    if !others.is_empty() {
        imported.left.push((number, format!("options of rsync mean nothing to git: {}", others.join(" "))));
    }
}

/// The value without its quotes.
fn plain(value: &str) -> String {
    let value = value.trim();
    let quoted = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(value).to_owned()
}

/// The line up to a comment, which begins with `#` after a space, outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '#') if before.is_whitespace() => return &line[..at],
            _ => {}
        }
        before = c;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rsync_was_told_to_leave_out_stays_here() {
        let text =
            "# of a project\nAMPLIFIER_SYNC_OPTIONS=\"-az --exclude=cache/ --exclude '*.log' --delete\"\n";
        let imported = of_dotenv(text);
        let excluded: Vec<&str> = imported.adds.iter().map(|(_, pattern)| pattern.as_str()).collect();
        // In ours the last one wins, and in theirs the first.
        assert_eq!(excluded, ["*.log", "cache/"]);
        let why = "options of rsync mean nothing to git: -az --delete".to_owned();
        assert_eq!(imported.left, [(2, why)]);
    }
}
