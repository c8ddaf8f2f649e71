//! `status`: where this workspace stands.

use std::time::{Duration, Instant};

use clap::Args;
use instep_core::operation::Counts;
use instep_core::path::TreePath;
use instep_core::remote::Remote;
use instep_core::tree::{Entry, Tree, Unknown};
use instep_engine::cycle;
use instep_engine::cycle::glance::glance;
use instep_engine::cycle::outcome::Outcome;
use instep_engine::cycle::request::Request;
use instep_engine::cycle::rules;
use instep_engine::failure::EngineError;
use instep_engine::history::{act, log};
use instep_engine::reach::{self, Reach};
use instep_engine::registry::Registry;

use super::{Context, conflicts};
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::render::overview::{self, OneOfAll};
use crate::render::status::{self, Health, KnownFile, LeftOut, Place, Status};
use crate::render::{count, outcome};
use crate::terminal::progress::Progress;

/// Options of `status`.
#[derive(Debug, Default, Args)]
pub struct StatusArguments {
    /// Ask the remote first.
    #[arg(long)]
    pub fetch: bool,
    /// End with code 8 if there is something to sync, 4 if conflicts wait, 3 if paths are held.
    #[arg(long)]
    pub exit_code: bool,
    /// One line.
    #[arg(long)]
    pub short: bool,
    /// List what takes no part, with the reason.
    #[arg(long)]
    pub ignored: bool,
    /// With --json: list every file with its hash.
    #[arg(long, requires = "json")]
    pub files: bool,
    /// All workspaces of this user.
    #[arg(long, conflicts_with_all = ["wait", "ignored", "files"])]
    pub all: bool,
    /// Wait until everything is in sync, at most so long.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "10m", require_equals = true)]
    pub wait: Option<String>,
    /// Only how it stands with this remote.
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    pub remote: Option<String>,
}

impl StatusArguments {
    /// Answers whether the remote is to be asked.
    fn asks(&self) -> bool {
        self.fetch || self.wait.is_some()
    }
}

/// How long `--wait` sleeps between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Shows where the workspace stands.
pub fn run(context: &Context, arguments: &StatusArguments) -> Result<Exit, CommandError> {
    if arguments.all {
        return all(context, arguments);
    }
    let patience = arguments.wait.as_deref().map(patience).transpose()?;
    let started = Instant::now();
    loop {
        let mut opened = context.open_for_a_look()?;
        let all = look_at_all(context, &mut opened, arguments)?;
        let settled = status::state(&all) == status::State::InSync;
        let out_of_time = patience.is_none_or(|patience| started.elapsed() >= patience);
        let is_hopeless = |error: &CommandError| error.exit != Exit::Temporary;
        let hopeless = all.iter().filter_map(|status| status.unreachable.as_ref()).any(is_hopeless);
        if settled || out_of_time || hopeless {
            return Ok(tell(context, arguments, &all));
        }
        // Others must be able to work meanwhile.
        drop(opened);
        std::thread::sleep(PAUSE);
        if crate::interrupt::is_asked() {
            return Err(CommandError::interrupted());
        }
    }
}

/// What `instep` alone shows: where the workspace stands, or how to begin.
pub fn first_look(context: &Context) -> Result<Exit, CommandError> {
    let nothing = StatusArguments::default();
    match context.root() {
        Ok(_) => run(context, &nothing),
        Err(error) if error.exit == Exit::NoWorkspace && !context.terminal.json => {
            context.terminal.data(WELCOME);
            Ok(Exit::Done)
        }
        Err(error) => Err(error),
    }
}

const WELCOME: &str = "\
instep keeps this folder the same on all your machines, in a private place you own. Nothing is ever lost.

  instep init             make this folder a workspace
  instep clone ADDRESS    bring an existing one here
  instep --help           all commands
";

/// Shows a line for every workspace of this user, problems last. One that can't be opened is one of them.
fn all(context: &Context, arguments: &StatusArguments) -> Result<Exit, CommandError> {
    if context.global.config.is_some() {
        return Err(CommandError::usage("`--config` names the settings of one workspace, not of all."));
    }
    let known = Registry::load(&context.surroundings.home).map_err(EngineError::from)?;
    let mut lines = Vec::new();
    for workspace in known.workspaces() {
        if crate::interrupt::is_asked() {
            return Err(CommandError::interrupted());
        }
        let looked = context
            .look_at(&workspace.path)
            .and_then(|mut opened| look_at_all(context, &mut opened, arguments))
            .map_err(Box::new);
        lines.push(OneOfAll { path: workspace.path.clone(), looked });
    }
    lines.sort_by_key(OneOfAll::urgency);
    let terminal = &context.terminal;
    if terminal.json {
        terminal.object(&overview::to_json(&lines));
    } else {
        terminal.data(&overview::text(&terminal.look, &lines));
        terminal.hint(overview::hint(&lines));
    }
    let ends = lines.iter().map(|line| match &line.looked {
        Ok(all) => exit(arguments, all),
        Err(error) if arguments.exit_code => error.exit,
        Err(_) => Exit::Done,
    });
    Ok(ends.fold(Exit::Done, Exit::and))
}

/// `10m`, `90s`, `1h`.
fn patience(text: &str) -> Result<Duration, CommandError> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| {
        CommandError::usage("This is no length of time.")
            .at(text.to_owned())
            .because("Such as 90s, 10m or 1h.")
    })?;
    Duration::try_from(span).map_err(|_| CommandError::usage("A length of time can't be negative."))
}

/// Looks at the folder with each of its remotes, or with the one that a person named.
fn look_at_all(
    context: &Context,
    opened: &mut Opened,
    arguments: &StatusArguments,
) -> Result<Vec<Status>, CommandError> {
    let names = opened.asked_for(arguments.remote.as_deref());
    let mut all = Vec::new();
    let mut new = 0;
    for name in &names {
        opened.choose(name)?;
        let mut status = look(context, opened, arguments, all.is_empty())?;
        // What is new is not on record yet: it is counted on, as a sync would.
        let outcome = &mut status.outcome;
        outcome.conflicts.iter_mut().rev().take(outcome.conflicts_new).for_each(|open| open.number += new);
        new += outcome.conflicts_new as u64;
        all.push(status);
    }
    if names.is_empty() {
        all.push(look(context, opened, arguments, true)?);
    }
    Ok(all)
}

/// Looks at the folder, and at the remote as it was last seen, or with `--fetch` as it is. What concerns the folder
/// alone is told once.
fn look(
    context: &Context,
    opened: &mut Opened,
    arguments: &StatusArguments,
    is_first: bool,
) -> Result<Status, CommandError> {
    let config = opened.loaded.settings.config();
    let paused = !config.enabled;
    let key = opened.remote_key();
    let (remote, mut away) = match &key {
        Some(_) => opened.remote_for_a_look(),
        None => (None, None),
    };
    let source = opened.source();
    let progress = Progress::new(&context.terminal, false);
    let fetch = arguments.asks() && away.is_none();
    let interrupted = !opened.workspace.state.journal()?.is_empty();
    let outcome = match (&remote, &key) {
        (Some(remote), _) if !opened.beside && !interrupted => {
            let request = Request { dry_run: true, thorough: arguments.ignored, ..Request::default() };
            let mut look =
                |fetch| cycle::look(&mut opened.workspace, &**remote, &source, &request, fetch, &progress);
            match look(fetch) {
                Err(error) if fetch && reach::is_away(&error) => {
                    away = Some(error.into());
                    look(false)?
                }
                looked => looked?,
            }
        }
        (_, Some(key)) => {
            let mut seen = glance(&opened.workspace, &Reach::away(key), &source, &progress)?;
            seen.notices = beside(opened.beside, interrupted);
            if let (true, Some(remote)) = (fetch, &remote) {
                match ask(opened, &**remote, key, &mut seen) {
                    Err(error) if reach::is_away(&error) => away = Some(error.into()),
                    asked => asked?,
                }
            }
            seen
        }
        (_, None) => Outcome::default(),
    };
    let mut outcome = outcome;
    let elsewhere = conflicts::elsewhere(opened)?.len() as u64;
    if elsewhere > 0 {
        let waits = if elsewhere == 1 { "waits" } else { "wait" };
        let open = count(elsewhere, "conflict");
        outcome.notices.push(format!("{open} {waits} on other machines; `instep conflicts` lists them"));
    }
    let seen = if is_first && (arguments.ignored || arguments.files) {
        let record = key.as_deref().map(|key| opened.workspace.state.remote(key)).transpose()?;
        let (state, folder) = (&opened.workspace.state, &*opened.workspace.folder);
        let settings = rules::now(state, folder, &opened.source_of_all(), record.as_ref())?;
        Some(act::scan_agreed(&opened.workspace, &settings, record.as_ref(), &progress)?)
    } else {
        None
    };
    drop(progress);
    let place = opened.place().zip(key.clone());
    let place = place.map(|(place, address)| Place { name: place.name.clone(), address });
    Ok(Status {
        workspace: name(opened),
        machine: opened.machine().to_owned(),
        remote: place,
        paused,
        unreachable: away,
        working: opened.beside,
        left_out: seen
            .as_ref()
            .filter(|_| arguments.ignored)
            .map(|seen| left_out(&seen.tree, &outcome.elsewhere)),
        outcome,
        health: health(opened, key.as_deref())?,
        files: seen.as_ref().filter(|_| arguments.files).map(|seen| files(&seen.tree)),
    })
}

/// What there is to say about a look beside a sync.
pub const BESIDE: &str =
    "a sync, or another command that changes files, is running; this is how it stands without it";

/// Asks the remote whether it still is as it was when the last sync ended. What is new there can't be listed: to bring
/// it here is the work of the sync that runs, or of the one that finishes what was interrupted.
fn ask(opened: &Opened, remote: &dyn Remote, key: &str, seen: &mut Outcome) -> Result<(), EngineError> {
    let known = opened.workspace.state.remote(key)?.head;
    let now = opened.workspace.clock.now();
    if remote.head()? == known {
        seen.checked = Some(now);
    } else {
        seen.notices.push(
            "the remote moved on since the last sync ended; what is new there is not listed here".to_owned(),
        );
    }
    Ok(())
}

/// What there is to say about a look beside a sync, or after one that was interrupted.
fn beside(beside: bool, interrupted: bool) -> Vec<String> {
    let notice = if beside {
        BESIDE
    } else if interrupted {
        "a sync was interrupted; the next one finishes it"
    } else {
        return Vec::new();
    };
    vec![notice.to_owned()]
}

/// When things last went well, from the log and the state.
fn health(opened: &Opened, remote: Option<&str>) -> Result<Health, CommandError> {
    const SEARCHED_MAX: usize = 200;
    let Some(remote) = remote else { return Ok(Health::default()) };
    let state = &opened.workspace.state;
    let operations = log::log(state, None, SEARCHED_MAX)?;
    let last = |happened: &dyn Fn(&Counts) -> bool| {
        operations.iter().find(|operation| happened(&operation.counts)).map(|operation| operation.time)
    };
    Ok(Health {
        sent: last(&|counts| counts.sent + counts.deleted_there + counts.merged > 0),
        received: last(&|counts| counts.received + counts.deleted_here + counts.merged > 0),
        last_sync: state.remote(remote)?.synced,
        failures: state.failures(state.remote(remote)?.id)?,
    })
}

/// What takes no part on purpose, with the reason. What waits for another cause is listed as held.
fn left_out(tree: &Tree, elsewhere: &[(TreePath, String)]) -> Vec<LeftOut> {
    let reason = |unknown: &Unknown| match unknown {
        Unknown::Excluded(rule) => Some(rule.clone()),
        Unknown::ExcludedHere(rule) => Some(rule.clone()),
        Unknown::Foreign(why) => Some(why.clone()),
        Unknown::Special => Some("a socket, device or pipe".to_owned()),
        Unknown::Reserved => Some("never travels".to_owned()),
        _ => None,
    };
    let places = tree.places().filter_map(|place| match &tree.at(place).entry {
        Entry::Unknown(unknown) => Some(LeftOut {
            path: tree.path(place),
            elsewhere: matches!(unknown, Unknown::ExcludedHere(_)),
            why: reason(unknown)?,
        }),
        _ => None,
    });
    let mut list: Vec<LeftOut> = places.filter(|left| left.path.as_bytes() != b".instep").collect();
    for (path, rule) in elsewhere.iter().filter(|(path, _)| tree.find(path).is_none()) {
        list.push(LeftOut { path: path.clone(), elsewhere: true, why: rule.clone() });
    }
    list.sort_by(|a, b| a.path.cmp(&b.path));
    list
}

/// Every file that takes part, as it stands here.
fn files(tree: &Tree) -> Vec<KnownFile> {
    let places = tree.places().filter_map(|place| match tree.at(place).entry {
        Entry::Leaf(leaf) => Some(KnownFile {
            path: tree.path(place),
            hash: leaf.content.to_string(),
            size: leaf.size,
            modified: tree.at(place).modified,
        }),
        _ => None,
    });
    places.collect()
}

/// A workspace is called as its folder.
fn name(opened: &Opened) -> String {
    let name = opened.workspace.root().file_name().unwrap_or_default();
    String::from_utf8_lossy(name.as_encoded_bytes()).into_owned()
}

fn tell(context: &Context, arguments: &StatusArguments, all: &[Status]) -> Exit {
    let (terminal, look) = (&context.terminal, &context.terminal.look);
    if terminal.json {
        terminal.object(&status::to_json(all));
    } else if arguments.short {
        terminal.data(&status::short(look, all));
    } else {
        terminal.data(&status::text(look, all));
        let mut told: Vec<&String> = Vec::new();
        for notice in all.iter().flat_map(|status| &status.outcome.notices) {
            if !told.contains(&notice) {
                terminal.say(&crate::failure::sentence(notice));
                told.push(notice);
            }
        }
        terminal.hint(status::hint(all));
    }
    exit(arguments, all)
}

/// A look that could answer ends well, unless its findings were asked for as a code. A remote that was to be asked and
/// could not be is no answer.
fn exit(arguments: &StatusArguments, all: &[Status]) -> Exit {
    let of = |status: &Status| {
        let away = status.unreachable.as_ref().map_or(Exit::Done, |error| error.exit);
        if arguments.exit_code || arguments.wait.is_some() {
            let changes = if status.has_changes() { Exit::Changes } else { Exit::Done };
            return outcome::exit(&status.outcome).and(changes).and(away);
        }
        if arguments.fetch { away } else { Exit::Done }
    };
    all.iter().map(of).fold(Exit::Done, Exit::and)
}
