//! `log --follow`: operations as they come, until the person has seen enough.

use std::time::Duration;

use instep_core::filter::Units;
use instep_core::path::TreePath;
use instep_engine::history::{follow::Follower, log};
use serde_json::Value;

use super::{LogArguments, Words, logged};
use crate::commands::Context;
use crate::failure::{CommandError, Exit};
use crate::render::audit;
use crate::render::log as render;

/// How long it rests between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Prints what was done last and then what is done, oldest first. Ctrl-C ends it.
pub fn run(context: &Context, arguments: &LogArguments) -> Result<Exit, CommandError> {
    const SHOWN: usize = 10;
    let root = context.root()?;
    let typed = arguments.path.as_deref();
    let path = typed.map(|typed| crate::place::tree_path(&root, &context.surroundings.folder, typed));
    let path: Option<TreePath> = path.transpose()?;
    let mut follower = Follower::open(&root, arguments.limit.unwrap_or(SHOWN))?;
    let settings = context.sources(&root).load(&[])?.settings;
    let units = Units::new(&settings.config().units).unwrap_or_default();
    let words = Words { units, ..Words::default() };
    let terminal = &context.terminal;
    while !crate::interrupt::is_asked() && terminal.is_heard() {
        for operation in follower.news()? {
            let wanted = path.as_ref().is_none_or(|path| log::touches(&operation, path))
                && arguments.machine.as_ref().is_none_or(|name| *name == operation.machine);
            if !wanted {
                continue;
            }
            let one = logged(&operation, &words, &operation.id.to_string()[..8]);
            if arguments.audit {
                audit::lines(&operation, &one).iter().for_each(|line| terminal.object(line));
            } else if terminal.json {
                let mut line = render::to_json(&one);
                if let Value::Object(fields) = &mut line {
                    fields.insert("type".into(), "operation".into());
                }
                terminal.object(&line);
            } else {
                terminal.data(&render::list(&terminal.look, &[one]));
            }
        }
        std::thread::sleep(PAUSE);
    }
    Ok(if crate::interrupt::is_asked() { Exit::Interrupted } else { Exit::Done })
}
