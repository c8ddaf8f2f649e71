//! All workspaces of a person: a line each, problems last, where they are not scrolled away.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::status::{self, State, Status};
use super::{Columns, Icon, Look, Tone, count};
use crate::failure::CommandError;
use crate::place::shown;

/// One workspace, or why it can't be looked at.
#[derive(Debug)]
pub struct OneOfAll {
    /// Where its folder is.
    pub path: PathBuf,
    /// Where it stands with each of its remotes.
    pub looked: Result<Vec<Status>, Box<CommandError>>,
}

impl OneOfAll {
    /// The order of the lines: what is in order first, then what waits, what needs a person, and what failed.
    pub fn urgency(&self) -> (u8, PathBuf) {
        let rank = match self.looked.as_deref().map(status::state) {
            Ok(State::InSync | State::Working) => 0,
            Ok(State::Paused) => 1,
            Ok(State::Waiting) => 2,
            Ok(State::NeedsYou) => 3,
            Ok(State::Problem) => 4,
            Err(_) => 5,
        };
        (rank, self.path.clone())
    }
}

/// The text: folder, and what stands out.
pub fn text(look: &Look, all: &[OneOfAll]) -> String {
    if all.is_empty() {
        return "No workspace of yours is known on this machine.\n".to_owned();
    }
    let mut columns = Columns::default();
    for one in all {
        let found = match &one.looked {
            Ok(all) => status::sentences(look, all),
            Err(error) => format!("{} {}  {}", look.icon(Icon::Problem), error.code, error.what),
        };
        columns.row(look, &[(Some(Tone::Strong), &shown(&one.path)), (None, &found)]);
    }
    columns.finish()
}

/// The one hint.
pub fn hint(all: &[OneOfAll]) -> Option<String> {
    let Some(last) = all.last() else {
        return Some("`instep init` makes a folder one; `instep clone ADDRESS` brings one here.".to_owned());
    };
    let troubled = all.iter().filter(|one| one.urgency().0 > 2).count() as u64;
    let place = super::outcome::quoted_text(&shown(&last.path));
    match &last.looked {
        Ok(all) if matches!(status::state(all), State::InSync | State::Paused | State::Waiting) => None,
        _ => Some(format!(
            "{} a look: `instep -C {place} status`.",
            match troubled {
                1 => "one needs".to_owned(),
                many => format!("{} need", count(many, "workspace")),
            }
        )),
    }
}

/// The object for programs: for each workspace what `status --json` says of it, or the error.
pub fn to_json(all: &[OneOfAll]) -> Value {
    let list = all.iter().map(|one| {
        let (mut object, path) = match &one.looked {
            Ok(all) => (status::to_json(all), shown(&one.path)),
            Err(error) => {
                (json!({"state": "problem", "in_sync": false, "error": error.to_json()}), shown(&one.path))
            }
        };
        if let Value::Object(fields) = &mut object {
            fields.insert("folder".into(), path.into());
        }
        object
    });
    json!({"schema": 1, "command": "status", "workspaces": list.collect::<Vec<_>>()})
}
