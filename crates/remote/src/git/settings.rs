//! The user's own git configuration: which values of it take part, and the file that they are copied to.
//!
//! What only says how to reach a host, who the user is and how to sign comes along. What would run a program of the
//! repository, rewrite contents or change what a protocol may do does not.

use std::path::{Path, PathBuf};

use instep_core::mutant;
use instep_core::remote::RemoteError;

use super::program::{HARMLESS, write_private};

/// What the user's configuration says that we need to know ourselves.
#[derive(Debug, Clone, Default)]
pub(super) struct UserSettings {
    /// Our copy.
    pub file: PathBuf,
    /// The person's name.
    pub name: Option<String>,
    /// The person's address.
    pub email: Option<String>,
    /// Commits are to be signed.
    pub signs: bool,
    /// The program that reaches a host over ssh.
    pub ssh_command: Option<String>,
}

/// One value, as git lists it.
#[derive(Debug)]
struct Setting<'a> {
    section: &'a str,
    subsection: Option<&'a str>,
    name: &'a str,
    value: Option<&'a str>,
}

impl UserSettings {
    /// Reads what `git config --list -z --show-scope` printed and writes our copy beside our repository's own files.
    pub fn copy(listed: &[u8], directory: &Path, url: &str) -> Result<Self, RemoteError> {
        let listed = String::from_utf8_lossy(listed);
        let mut settings = UserSettings { file: directory.join("instep.config"), ..UserSettings::default() };
        let mut text = String::from("# Written by Instep from the user's and the system's configuration.\n");
        let mut fields = listed.split('\0');
        while let (Some(scope), Some(line)) = (fields.next(), fields.next()) {
            let Some(setting) = parse(line) else { continue };
            if !matches!(scope, "system" | "global") || !takes_part(&setting) {
                continue;
            }
            settings.note(&setting);
            print(&mut text, &setting);
        }
        let ours = ours(url);
        text.push_str(&if mutant::is_on("git-does-not-sync") {
            ours.replace("fsync = all", "fsync = none")
        } else {
            ours
        });
        write_private(&settings.file, text.as_bytes())?;
        Ok(settings)
    }

    fn note(&mut self, setting: &Setting<'_>) {
        let value = setting.value.map(str::to_owned);
        match (setting.section, setting.subsection, setting.name) {
            ("user", None, "name") => self.name = value,
            ("user", None, "email") => self.email = value,
            ("core", None, "sshcommand") => self.ssh_command = value,
            ("commit", None, "gpgsign") => {
                self.signs = value.is_none_or(|v| {
                    let v = v.to_ascii_lowercase();
                    !matches!(v.as_str(), "" | "false" | "no" | "off" | "0")
                });
            }
            _ => {}
        }
    }
}

/// `section.sub.section.name`, a line break, the value.
fn parse(line: &str) -> Option<Setting<'_>> {
    let (key, value) = match line.split_once('\n') {
        Some((key, value)) => (key, Some(value)),
        None => (line, None),
    };
    let (section, rest) = key.split_once('.')?;
    let (subsection, name) = match rest.rsplit_once('.') {
        Some((subsection, name)) => (Some(subsection), name),
        None => (None, rest),
    };
    Some(Setting { section, subsection, name, value })
}

fn takes_part(setting: &Setting<'_>) -> bool {
    match setting.section {
        "user" | "credential" | "gpg" => true,
        // A redirect for one host would win over our refusal of all.
        "http" => setting.name != "followredirects",
        "url" => matches!(setting.name, "insteadof" | "pushinsteadof"),
        "core" => setting.subsection.is_none() && setting.name == "sshcommand",
        "commit" => setting.name == "gpgsign",
        "safe" => setting.name == "directory",
        "ssh" => setting.name == "variant",
        _ => false,
    }
}

fn print(text: &mut String, setting: &Setting<'_>) {
    text.push_str(&match setting.subsection {
        Some(subsection) => format!("[{} {}]\n", setting.section, quote(subsection)),
        None => format!("[{}]\n", setting.section),
    });
    match setting.value {
        Some(value) => text.push_str(&format!("\t{} = {}\n", setting.name, quote(value))),
        None => text.push_str(&format!("\t{}\n", setting.name)),
    }
}

/// What we add: the remote itself, and what a `git-receive-pack` on a local path must hear too.
fn ours(url: &str) -> String {
    let mut text = String::from(
        "[core]\n\tfsync = all\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tbigFileThreshold = 16m\n\
         [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[receive]\n\tautogc = false\n",
    );
    text.push_str(&format!("[remote \"instep\"]\n\turl = {}\n\ttagOpt = --no-tags\n", quote(url)));
    for section in ["fetch \"fsck\"", "receive \"fsck\""] {
        text.push_str(&format!("[{section}]\n"));
        for oddity in HARMLESS {
            text.push_str(&format!("\t{oddity} = ignore\n"));
        }
    }
    text
}

fn quote(value: &str) -> String {
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(listed: &str) -> (UserSettings, String) {
        let directory = tempfile::tempdir().unwrap();
        let settings = UserSettings::copy(listed.as_bytes(), directory.path(), "/r.git").unwrap();
        let text = std::fs::read_to_string(&settings.file).unwrap();
        (settings, text)
    }

    #[test]
    fn who_and_how_to_reach_come_along() {
        let (settings, text) = copied(
            "global\0user.name\nA \"B\"\0global\0commit.gpgsign\0\
             system\0credential.https://h.example.helper\n!f() { :; }\0global\0core.sshcommand\nssh -i k\0",
        );
        assert_eq!(settings.name.as_deref(), Some("A \"B\""));
        assert!(settings.signs);
        assert_eq!(settings.ssh_command.as_deref(), Some("ssh -i k"));
        assert!(text.contains("name = \"A \\\"B\\\"\""));
        assert!(text.contains("[credential \"https://h.example\"]\n\thelper = \"!f() { :; }\""));
    }

    #[test]
    fn what_would_run_or_redirect_stays_out() {
        let (_, text) = copied(
            "global\0core.fsmonitor\n/evil\0global\0http.https://h.followredirects\ntrue\0\
             local\0user.name\nrepo\0global\0protocol.ext.allow\nalways\0global\0filter.x.smudge\nsh\0",
        );
        for word in ["evil", "followredirects", "repo\"", "protocol", "smudge"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}
