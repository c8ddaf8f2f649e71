//! Keys that stay on each machine: what travels of a file that has them, and what lies on the disk.
//!
//! ```text
//! outgoing(disk)              the text without these keys, all else as it stands
//! incoming(travelling, disk)  what travels, with the keys that this machine has
//! ```
//!
//! `incoming(outgoing(disk), disk)` is `disk`, byte for byte. Bringing this machine's keys back is a merge by key: what
//! travels changed the file on one side, and the keys that stay are what the other side has more. So all formatting is
//! kept as in any merge. A text that is not plainly valid has no form: nobody could be sure that what is to stay does not
//! leave with it.

use super::json;
use super::json::tree::{Body, Dialect, Document, Form, Item, Value, is_blank, parse};
use super::{CONTENT_BYTES_MAX, Grammar, Joined, Judge, Reason, Terms, Three, Versions};
use super::{dotenv, toml, yaml};
use crate::config::FileKind;
use crate::path::Name;

/// The keys that stay, of files of one name.
#[derive(Debug, Clone, Copy)]
pub struct LocalKeys<'k> {
    name: &'k Name,
    kind: FileKind,
    keys: &'k [String],
}

impl<'k> LocalKeys<'k> {
    /// Takes the name of the file and the kind that its group says, which tell how it is written, and the keys: `proxy`,
    /// or `window.zoomLevel` for a key of that name as well as for one within another.
    pub fn new(name: &'k Name, kind: Option<FileKind>, keys: &'k [String]) -> Self {
        LocalKeys { name, kind: kind.unwrap_or(FileKind::Settings), keys }
    }

    /// What travels of a file.
    pub fn outgoing(&self, disk: &[u8]) -> Result<Vec<u8>, Reason> {
        if disk.len() > CONTENT_BYTES_MAX {
            return Err(Reason::TooLarge);
        }
        if disk.trim_ascii().is_empty() {
            return Ok(disk.to_vec());
        }
        match self.grammar(disk) {
            Grammar::Json => {
                let document = read_json(disk)?;
                let mut text = document.head.to_owned();
                write_without(&document.value, &self.keys(), &mut text);
                text.push_str(document.end);
                Ok(text.into_bytes())
            }
            Grammar::Toml => toml::without(disk, &self.keys()).ok_or(Reason::NotValid(Grammar::Toml.word())),
            Grammar::Yaml => yaml::without(disk, &self.keys()).ok_or(Reason::NotValid(Grammar::Yaml.word())),
            Grammar::Dotenv => {
                let is_local = |name: &[u8]| self.keys.iter().any(|key| key.as_bytes() == name);
                dotenv::without(disk, &is_local).ok_or(Reason::NotValid(Grammar::Dotenv.word()))
            }
            _ => Err(Reason::Opaque),
        }
    }

    /// What lies on the disk when this travels there; `disk` is what lies there now.
    pub fn incoming(&self, travelling: &[u8], disk: Option<&[u8]>) -> Result<Vec<u8>, Reason> {
        // Who sent it may not have known that they stay.
        let remote = self.outgoing(travelling)?;
        let Some(disk) = disk.filter(|disk| !disk.trim_ascii().is_empty()) else { return Ok(remote) };
        let base = self.outgoing(disk)?;
        if base == remote {
            return Ok(disk.to_vec());
        }
        if base == disk {
            return Ok(remote);
        }
        let joined = self.join(&base, disk, &remote)?.content;
        if self.outgoing(&joined)? == remote { Ok(joined) } else { Err(Reason::WouldBreak(self.word(disk))) }
    }

    fn join(&self, base: &[u8], local: &[u8], remote: &[u8]) -> Result<Joined, Reason> {
        match self.grammar(local) {
            Grammar::Json => {
                let terms = Terms { kind: Some(FileKind::Settings), ..Terms::of(self.name) };
                json::merge(&terms, &Versions { base: Some(base), local, remote })
            }
            Grammar::Dotenv => dotenv::merge(&Three { base, local, remote }, Judge::Nobody),
            Grammar::Toml => toml::merge(&Three { base, local, remote }, Judge::Nobody),
            Grammar::Yaml => yaml::merge(&Three { base, local, remote }, Judge::Nobody),
            _ => Err(Reason::Opaque),
        }
    }

    fn keys(&self) -> Vec<&'k str> {
        self.keys.iter().map(String::as_str).collect()
    }

    fn grammar(&self, text: &[u8]) -> Grammar {
        let terms = Terms { kind: Some(self.kind), ..Terms::of(self.name) };
        Grammar::of(&terms, &[text])
    }

    fn word(&self, text: &[u8]) -> &'static str {
        self.grammar(text).word()
    }
}

fn read_json(text: &[u8]) -> Result<Document<'_>, Reason> {
    parse(text, Dialect::Commented).map_err(json::reason)
}

/// Writes a value without the members that stay.
fn write_without(value: &Value<'_>, keys: &[&str], to: &mut String) {
    match &value.form {
        Form::Object(body) if !keys.is_empty() => {
            to.push('{');
            write_members(body, keys, to);
            to.push_str(body.close);
            to.push('}');
        }
        _ => to.push_str(value.text),
    }
}

fn write_members(body: &Body<'_>, keys: &[&str], to: &mut String) {
    let stays = |item: &&Item<'_>| said(item).is_some_and(|said| keys.iter().any(|key| *key == said));
    let left: Vec<&Item<'_>> = body.items.iter().filter(|item| !stays(item)).collect();
    let first_lead = body.items.first().map_or("", |item| item.lead);
    for (at, item) in left.iter().enumerate() {
        // Who comes first now stands where the first one stood.
        let moves_up = at == 0 && is_blank(item.lead) && is_blank(first_lead);
        to.push_str(if moves_up { first_lead } else { item.lead });
        to.push_str(item.name.as_ref().map_or("", |(text, _)| text));
        to.push_str(item.colon);
        let said = said(item).unwrap_or_default();
        let within = keys.iter().filter_map(|key| key.strip_prefix(said.as_str())?.strip_prefix('.'));
        write_without(&item.value, &within.collect::<Vec<&str>>(), to);
        to.push_str(item.tail);
        if at + 1 < left.len() || body.comma {
            to.push(',');
        }
        to.push_str(item.after);
    }
}

fn said(item: &Item<'_>) -> Option<String> {
    let (_, said) = item.name.as_ref()?;
    String::from_utf8(said.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    fn keys() -> Vec<String> {
        ["proxy", "window.zoomLevel", "PORT"].map(str::to_owned).to_vec()
    }

    /// What travels of a text; the law is checked on the way.
    fn outgoing(file: &str, disk: &str) -> Result<String, Reason> {
        let (name, keys) = (name(file), keys());
        let local = LocalKeys::new(&name, None, &keys);
        let travels = local.outgoing(disk.as_bytes())?;
        assert_eq!(local.outgoing(&travels).as_ref(), Ok(&travels), "nothing is left to take out");
        let back = local.incoming(&travels, Some(disk.as_bytes()));
        assert_eq!(back.map(|bytes| String::from_utf8(bytes).unwrap()).as_deref(), Ok(disk));
        Ok(String::from_utf8(travels).unwrap())
    }

    fn incoming(file: &str, travels: &str, disk: &str) -> Result<String, Reason> {
        let (name, keys) = (name(file), keys());
        let local = LocalKeys::new(&name, None, &keys);
        let lies = local.incoming(travels.as_bytes(), Some(disk.as_bytes()))?;
        assert_eq!(local.outgoing(&lies).as_deref(), Ok(travels.as_bytes()), "nothing of them leaves");
        Ok(String::from_utf8(lies).unwrap())
    }

    #[test]
    fn keys_that_stay_are_taken_out_and_all_else_is_as_it_was() {
        let cases = [
            ("{\"a\": 1, \"proxy\": \"x\", \"b\": 2}", "{\"a\": 1, \"b\": 2}"),
            ("{\n  \"a\": 1,\n  \"proxy\": \"x\"\n}\n", "{\n  \"a\": 1\n}\n"),
            ("{\n  \"proxy\": \"x\",\n  \"a\": 1\n}\n", "{\n  \"a\": 1\n}\n"),
            ("{\"proxy\": 1, \"a\": 2}", "{\"a\": 2}"),
            ("{\n  \"proxy\": 1\n}\n", "{\n}\n"),
            ("{ \"a\": 1, // one\n  \"window.zoomLevel\": 2\n}", "{ \"a\": 1 // one\n}"),
            ("{\"window\": {\"zoomLevel\": 1, \"title\": \"t\"}}", "{\"window\": {\"title\": \"t\"}}"),
            ("{\"deeper\": {\"proxy\": 1}}", "{\"deeper\": {\"proxy\": 1}}"),
            ("[{\"proxy\": 1}]", "[{\"proxy\": 1}]"),
        ];
        for (disk, expected) in cases {
            assert_eq!(outgoing("settings.json", disk).as_deref(), Ok(expected), "{disk}");
        }
        let toml = [
            ("# all\na = 1\n# mine\nproxy = \"x\" # here\nb = 2\n", "# all\na = 1\nb = 2\n"),
            ("a = 1\n\n[window]\nzoomLevel = 1\ntitle = 't'\n", "a = 1\n\n[window]\ntitle = 't'\n"),
            ("a = 1\n[window]\nzoomLevel = 1\n[b]\nc = 1\n", "a = 1\n[window]\n[b]\nc = 1\n"),
            ("window = { zoomLevel = 1, title = 't' }\n", "window = { title = 't' }\n"),
            ("window.zoomLevel = 1\nwindow.title = 't'\n", "window.title = 't'\n"),
            ("\"window.zoomLevel\" = 1\na = 2\n", "a = 2\n"),
            (
                "a = 1\n[proxy]\nhost = 'h'\n[proxy.more]\nx = 1\n[[b]]\nproxy = 1\n",
                "a = 1\n[[b]]\nproxy = 1\n",
            ),
            ("a = 1\n[[proxy]]\nx = 1\n[[proxy]]\nx = 2\n[[proxy.y]]\nz = 1\n", "a = 1\n"),
            ("[deeper]\nproxy = 1\n", "[deeper]\nproxy = 1\n"),
            ("proxy = \"\"\"\na = 1\n\"\"\"\nb = 2\r\n", "b = 2\r\n"),
        ];
        for (disk, expected) in toml {
            assert_eq!(outgoing("settings.toml", disk).as_deref(), Ok(expected), "{disk}");
        }
        let yaml = [
            ("# all\na: 1\n# mine\nproxy: x # here\nb: 2\n", "# all\na: 1\nb: 2\n"),
            ("window:\n  zoomLevel: 1\n  title: t\nb: 2\n", "window:\n  title: t\nb: 2\n"),
            ("a: 1\nwindow:\n  zoomLevel: 1\n", "a: 1\n"),
            ("window: { zoomLevel: 1, title: t }\n", "window: { title: t }\n"),
            ("window.zoomLevel: 1\na: 2\n", "a: 2\n"),
            ("proxy:\n  host: h\n  ports:\n    - 1\n    - 2\na: 2\n", "a: 2\n"),
            ("proxy: |\n  a: secret\n  b: secret\nc: 3\n", "c: 3\n"),
            ("deeper:\n  proxy: 1\nlist:\n  - proxy: 1\n", "deeper:\n  proxy: 1\nlist:\n  - proxy: 1\n"),
        ];
        for (disk, expected) in yaml {
            assert_eq!(outgoing("settings.yaml", disk).as_deref(), Ok(expected), "{disk}");
        }
        let disk = "# all\nA=1\n# of this machine\nPORT=8080\nexport B='2'\n";
        assert_eq!(outgoing(".env", disk).as_deref(), Ok("# all\nA=1\nexport B='2'\n"));
    }

    #[test]
    fn this_machine_keeps_its_own_when_the_rest_changes() {
        let disk = "{\n  \"a\": 1,\n  \"proxy\": \"mine\",\n  \"b\": 2\n}\n";
        let travels = "{\n  \"a\": 7,\n  \"b\": 2,\n  \"c\": 3\n}\n";
        let lies = "{\n  \"a\": 7,\n  \"proxy\": \"mine\",\n  \"b\": 2,\n  \"c\": 3\n}\n";
        assert_eq!(incoming("settings.json", travels, disk).as_deref(), Ok(lies));
        let lies = incoming("s.toml", "a = 7\nc = 3\n[b]\nx = 1\n", "a = 1\nproxy = 'mine'\n[b]\nx = 1\n");
        assert_eq!(lies.as_deref(), Ok("a = 7\nc = 3\nproxy = 'mine'\n[b]\nx = 1\n"));
        let lies = incoming("s.yaml", "a: 7\nwindow:\n  title: t\n", "a: 1\nwindow:\n  zoomLevel: 2\n");
        assert_eq!(lies.as_deref(), Ok("a: 7\nwindow:\n  title: t\n  zoomLevel: 2\n"));
        let lies = incoming(".env", "A=2\nB=2\n", "A=1\nPORT=1\nB=2\n");
        assert_eq!(lies.as_deref(), Ok("A=2\nPORT=1\nB=2\n"));
    }

    #[test]
    fn what_somebody_sent_before_the_rule_never_overwrites_ours() {
        let (name, keys) = (name("settings.json"), keys());
        let local = LocalKeys::new(&name, None, &keys);
        let lies =
            local.incoming(b"{\"a\": 2, \"proxy\": \"theirs\"}", Some(b"{\"a\": 1, \"proxy\": \"mine\"}"));
        assert_eq!(lies.as_deref(), Ok(&b"{\"a\": 2, \"proxy\": \"mine\"}"[..]));
        let new = local.incoming(b"{\"a\": 2, \"proxy\": \"theirs\"}", None);
        assert_eq!(new.as_deref(), Ok(&b"{\"a\": 2}"[..]));
    }

    #[test]
    fn what_is_not_valid_has_no_form() {
        for (file, disk) in [
            ("settings.json", "{\"proxy\": 1"),
            ("settings.json", "{\"proxy\": 1, \"proxy\": 2}"),
            (".env", "A='1' and more\nPORT=2\n"),
            (".env", "A=1\nset PORT=2\n"),
            ("notes.txt", "proxy = 1"),
            ("settings.yaml", "proxy: 1\nproxy: 2\n"),
            ("settings.yaml", "a: &x 1\nproxy: *x\n"),
            ("settings.yaml", "---\nproxy: 1\n---\nb: 2\n"),
            ("settings.toml", "proxy = 1\nproxy = 2\n"),
            ("settings.toml", "proxy: 1\n"),
            ("settings.xml", "<proxy>1</proxy>"),
        ] {
            assert!(outgoing(file, disk).is_err(), "{file}: {disk}");
        }
    }
}
