//! `doctor`: check everything and say how to fix it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use instep_core::clock::Clock as _;
use instep_core::config::ORIGIN;
use instep_core::filter::IgnoreFiles;
use instep_core::path::escape;
use instep_engine::failure::EngineError;
use instep_engine::folder::Folder as _;
use instep_engine::history::follow::Follower;
use instep_engine::history::log;
use instep_engine::registry::Registry;
use instep_engine::state::State;
use instep_engine::{conflict, cycle};

use super::Context;
use crate::clock::SystemClock;
use crate::configuration::layers::Loaded;
use crate::exposure;
use crate::failure::{CommandError, Exit};
use crate::opening::{Opened, RENEWED, to_sync};
use crate::place::{shown, tree_path};
use crate::render::bundle;
use crate::render::checks::{self as render, Check, Level};
use crate::render::{count, rfc3339};
use crate::terminal::program;

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Carry out the fixes that can do no harm.
    #[arg(long)]
    pub fix: bool,
    /// Check only this remote.
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
    /// Also write a file to send with a report of a bug: checks, settings and counts, without names and contents.
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
}

/// Looks at everything that a sync needs, cause before symptom.
pub fn run(context: &Context, arguments: &DoctorArguments) -> Result<Exit, CommandError> {
    if let Some(file) = &arguments.bundle {
        check_stays_here(context, file)?;
    }
    let mut checks = vec![version(), git_program(), home(context), clock()];
    match context.root() {
        Err(error) => checks.push(failed("workspace", &error)),
        Ok(root) => look_inside(context, arguments, &root, &mut checks),
    }
    if let Some(file) = &arguments.bundle {
        bundle(context, file, &checks)?;
    }
    let (terminal, look) = (&context.terminal, &context.terminal.look);
    if terminal.json {
        terminal.object(&render::to_json(&checks));
    } else {
        terminal.data(&render::text(look, &checks));
    }
    let broken = checks.iter().any(|check| check.level == Level::Error);
    Ok(if broken { Exit::Failed } else { Exit::Done })
}

/// Refuses a report in a place from where a sync would take it to all machines.
fn check_stays_here(context: &Context, file: &Path) -> Result<(), CommandError> {
    let Ok(root) = context.root() else { return Ok(()) };
    let Ok(path) = tree_path(&root, &context.surroundings.folder, file) else { return Ok(()) };
    let Ok(loaded) = context.sources(&root).load(&[]) else { return Ok(()) };
    let machine = loaded.settings.config().machine.clone().unwrap_or_default();
    let filter = to_sync(&loaded.settings, &machine, None)?.filter;
    if !filter.decide_path(&path, false, &IgnoreFiles::default()).is_entered() {
        return Ok(());
    }
    Err(CommandError::new("E-SYNCED", Exit::Usage, "The report would be synced to all your machines.")
        .at(path.to_string())
        .because("It lies in the workspace, and no rule leaves it out.")
        .hinted(
            "choose a place outside, as in `--bundle /tmp/report.txt`, or a name as in `report.local.txt`.",
        ))
}

/// Writes what goes with a report. A file that is there stays.
fn bundle(context: &Context, file: &Path, checks: &[Check]) -> Result<(), CommandError> {
    const OPERATIONS: usize = 20;
    let path = context.surroundings.folder.join(file);
    let loaded = context.root().and_then(|root| context.sources(&root).load(&[])).ok();
    let operations = context.root().ok().and_then(|root| Follower::open(&root, OPERATIONS).ok()?.news().ok());
    let settings = loaded.as_ref().map(|loaded| &loaded.settings);
    let text = bundle::text(checks, settings, &operations.unwrap_or_default());
    let written = std::fs::File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| CommandError::file("write", &path, &error))?;
    context.terminal.say(&format!(
        "Wrote {}: versions, checks, settings and counts. No contents, no keys; paths, addresses and names are hidden.",
        shown(&path)
    ));
    context.terminal.say("Read it before you send it.");
    Ok(())
}

fn look_inside(context: &Context, arguments: &DoctorArguments, root: &Path, checks: &mut Vec<Check>) {
    checks.push(Check::new(Level::Ok, "workspace", shown(root)));
    match context.sources(root).load(&[]) {
        Err(error) => checks.push(failed("settings", &error)),
        Ok(loaded) => checks.extend(settings(&loaded)),
    }
    let mut opened = match context.open_for_a_look() {
        Ok(opened) => opened,
        Err(error) => return checks.push(failed("state", &error)),
    };
    checks.push(Check::new(Level::Ok, "lock", if opened.beside { "a command is at work" } else { "free" }));
    checks.push(journal(&mut opened, arguments.fix));
    checks.push(disk(&opened));
    let names: Vec<String> = match &arguments.remote {
        Some(name) => vec![name.clone()],
        None => opened.places().into_iter().map(|place| place.name).collect(),
    };
    if names.is_empty() {
        checks.push(remote(&opened));
    }
    for name in names {
        match opened.choose(&name) {
            Err(error) => checks.push(failed("remote", &error)),
            Ok(()) => {
                let remote = remote(&opened);
                let answers = remote.level != Level::Error;
                checks.push(remote);
                // A host that did not answer is not waited for once more.
                if answers {
                    checks.extend(exposed(&opened));
                }
            }
        }
    }
}

/// A failure as a check: its sentence, the first cause, and its hint as the fix.
fn failed(name: &str, error: &CommandError) -> Check {
    let why = error.why.first().map(|why| format!(" {why}")).unwrap_or_default();
    let path = error.path.as_ref().map(|path| format!(" {path}:")).unwrap_or_default();
    let check = Check::new(Level::Error, name, format!("{}{path} {}{why}", error.code, error.what))
        .brief(format!("{} {}", error.code, error.what));
    match &error.hint {
        Some(hint) => check.fix(hint.to_string()),
        None => check,
    }
}

fn version() -> Check {
    Check::new(Level::Ok, "version", format!("instep {}", env!("CARGO_PKG_VERSION")))
}

fn git_program() -> Check {
    const FIX: &str = "install git 2.39 or newer, such as with `sudo apt install git`.";
    let Some(version) = program::git_version() else {
        return Check::new(Level::Error, "git", "The git program is missing.").fix(FIX);
    };
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let is_new = (numbers.next(), numbers.next()) >= (Some(2), Some(39));
    if is_new {
        Check::new(Level::Ok, "git", version)
    } else {
        Check::new(Level::Error, "git", format!("{} is too old.", escape(version.as_bytes()))).fix(FIX)
    }
}

/// The folder that knows this user's workspaces.
fn home(context: &Context) -> Check {
    let home = &context.surroundings.home;
    match Registry::load(home) {
        Err(error) => {
            Check::new(Level::Error, "home", crate::failure::sentence(&error.to_string())).fix(format!(
                "check {}; removing the list in it only forgets which workspaces there are.",
                shown(home)
            ))
        }
        Ok(registry) => {
            let known = registry.workspaces();
            let gone = known.iter().filter(|one| !one.path.is_dir()).count();
            let mut found = format!("{}, {} known", shown(home), count(known.len() as u64, "workspace"));
            if gone > 0 {
                found.push_str(&format!(", {gone} not there now"));
            }
            Check::new(Level::Ok, "home", found)
        }
    }
}

/// A clock that is far off decides wrongly which of two changes is newer.
fn clock() -> Check {
    const RELEASED_SECONDS: i64 = 1_735_689_600;
    const FAR_SECONDS: i64 = 4_102_444_800;
    let now = SystemClock.now();
    if (RELEASED_SECONDS..FAR_SECONDS).contains(&now.seconds()) {
        return Check::new(Level::Ok, "clock", rfc3339(now).unwrap_or_default());
    }
    Check::new(Level::Warning, "clock", "This machine's clock can't be right; `newest` would choose wrongly.")
        .fix("`sudo timedatectl set-ntp true`.")
}

fn settings(loaded: &Loaded) -> Vec<Check> {
    let config = loaded.settings.config();
    let rules = count((config.include.len() + config.exclude.len()) as u64, "rule");
    let mut checks = vec![Check::new(Level::Ok, "settings", format!("valid, {rules}"))];
    for idle in loaded.settings.not_in_effect() {
        let level = if idle.guards { Level::Error } else { Level::Warning };
        let found = format!("{} ({}) has no effect in this version.", idle.key, idle.origin);
        checks.push(Check::new(level, "settings", found).fix(format!("`instep config unset {}`.", idle.key)));
    }
    for given in loaded.settings.awaiting_trust() {
        let found = format!("{} ({}) waits for your trust.", given.key, given.origin);
        checks.push(Check::new(Level::Warning, "trust", found).fix("`instep config trust` shows it."));
    }
    if loaded.dotenv_synced {
        let found = "`.env` is synced, so its INSTEP_ variables are not read.";
        checks.push(Check::new(Level::Info, "settings", found));
    }
    if !config.enabled {
        let fix = "`instep config set sync.enabled true --machine`.";
        checks.push(Check::new(Level::Warning, "settings", "Syncing is switched off here.").fix(fix));
    }
    checks
}

/// Reads all that a sync needs of the database.
fn sound(state: &State) -> Result<(), EngineError> {
    for remote in state.remotes()? {
        state.known(remote)?;
        state.objects(remote)?;
        state.offered(remote)?;
        conflict::open(state, remote)?;
        state.occupied(remote)?;
    }
    log::find_all(state, log::Wanted::default()).map(drop)
}

/// What an interruption left half done.
fn journal(opened: &mut Opened, fix: bool) -> Check {
    if opened.beside {
        return Check::new(Level::Ok, "state", "can be read");
    }
    if let Err(error) = sound(&opened.workspace.state) {
        if !fix {
            return failed("state", &error.into());
        }
        return match opened.workspace.renew() {
            Ok(()) => Check::new(Level::Ok, "state", RENEWED),
            Err(error) => failed("state", &error.into()),
        };
    }
    let left = match opened.workspace.state.journal() {
        Ok(left) => left.len() as u64,
        Err(error) => return failed("state", &error.into()),
    };
    if left == 0 {
        return Check::new(Level::Ok, "state", "sound, nothing left over");
    }
    let steps = count(left, "step");
    if !fix {
        return Check::new(
            Level::Warning,
            "state",
            format!("A run was interrupted; {steps} wait to be finished."),
        )
        .fix("`instep sync`, or `instep doctor --fix`.");
    }
    match cycle::recover(&mut opened.workspace) {
        Ok(_) => Check::new(Level::Ok, "state", format!("finished {steps} of an interrupted run")),
        Err(error) => failed("state", &error.into()),
    }
}

/// What the disk can and can't do.
fn disk(opened: &Opened) -> Check {
    let abilities = opened.workspace.folder.abilities();
    let limits = [
        (!abilities.exchange, "can't exchange two names in one step"),
        (!abilities.no_replace, "can't rename without replacing"),
        (!abilities.links, "holds no symbolic links"),
        (!abilities.exec, "keeps no executable bit"),
        (abilities.fold.case, "takes upper and lower case for the same"),
        (abilities.fold.unicode, "takes forms of the same letter for the same"),
    ];
    let found: Vec<&str> = limits.iter().filter(|(holds, _)| *holds).map(|(_, words)| *words).collect();
    if found.is_empty() {
        return Check::new(Level::Ok, "disk", "can do all that is needed");
    }
    Check::new(Level::Info, "disk", found.join("; "))
}

/// Whether everybody can read what is sent; nothing is said where that can't be asked.
fn exposed(opened: &Opened) -> Option<Check> {
    const NAME: &str = "privacy";
    match exposure::is_public(opened).ok()?? {
        false => Some(Check::new(Level::Ok, NAME, "the repository asks for a login")),
        true if opened.place().is_some_and(|place| place.allow_public) => {
            Some(Check::new(Level::Info, NAME, "everybody can read the repository, which you allowed"))
        }
        true => Some(
            Check::new(Level::Error, NAME, "Everybody can read the repository; nothing is sent there.").fix(
                format!(
                    "make it private, or `instep config set {} true --machine`.",
                    opened.place().map_or(exposure::ALLOWED.to_owned(), |place| place.key("allow_public"))
                ),
            ),
        ),
    }
}

fn remote(opened: &Opened) -> Check {
    let name = format!("remote {}", opened.place().map_or(ORIGIN, |place| &place.name));
    let asked = opened.remote().and_then(|remote| {
        let head = remote.head()?;
        Ok((remote.describe().address, head.is_some()))
    });
    match asked {
        Err(error) => failed(&name, &error),
        Ok((address, true)) => Check::new(Level::Ok, &name, format!("{address} answers")),
        Ok((address, false)) => Check::new(Level::Info, &name, format!("{address} answers and is empty"))
            .fix("`instep sync` fills it."),
    }
}
