//! `init`: make a folder a synced workspace.

use std::cell::Cell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use instep_core::config::edit::Edit;
use instep_core::operation::OperationKind;
use instep_core::path::escape;
use instep_core::remote::Remote as _;
use instep_engine::cycle;
use instep_engine::cycle::request::Request;
use instep_remote::address::{Address, Typed, is_bare_repository, redact};
use instep_remote::git::GitRemote;

use super::Context;
use super::sync::{run_cycle, warn_if_bare};
use crate::configuration::change::Target;
use crate::configuration::layers::{HERE, Sources};
use crate::failure::{CommandError, Exit};
use crate::import::{self, Imported};
use crate::interrupt::Traces;
use crate::opening::Opened;
use crate::place::shown;
use crate::preset::{self, Preset};
use crate::render::outcome::quoted_text;
use crate::render::{self, outcome, plan};
use crate::set_up::{Public, SetUp};
use crate::survey;
use crate::terminal::program;
use crate::terminal::progress::Progress;
use crate::terminal::prompt::{Choice, Question};

/// Options of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArguments {
    /// The folder; the present one if none is named.
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Where your private copy lives: the address of a git repository.
    #[arg(long, value_name = "ADDRESS")]
    pub remote: Option<String>,
    /// The branch to use.
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Take the address as this kind of place.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// A ready set of rules: agent-memory, development, notes, secrets, workflow or workspace.
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// What to encrypt before it leaves this machine; this version knows `none`.
    #[arg(long, value_name = "WHAT")]
    pub encrypt: Option<String>,
    /// Only what matches travels; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// What matches stays here; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Take the rules and settings of another program's file: a `.rsync-exclude`, a `.stignore`, a filter of rclone, a
    /// YAML file with a block `sync` or `privateSync`, or a `.env`.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// The name of this machine; its host name if none is given.
    #[arg(long, value_name = "MACHINE")]
    pub name: Option<String>,
    /// Use a repository that everyone can read.
    #[arg(long)]
    pub allow_public: bool,
    /// Use an address without encryption on the way.
    #[arg(long)]
    pub allow_http: bool,
    /// Set up, and leave the first sync for later.
    #[arg(long)]
    pub no_sync: bool,
}

/// Makes a folder a workspace: detects, asks what is missing, shows the plan, and sends after a yes.
pub fn run(context: &Context, arguments: &InitArguments) -> Result<Exit, CommandError> {
    check_options(arguments)?;
    let root = folder(context, arguments)?;
    let imported = import(context, arguments, &root)?;
    let typed = address_text(context, arguments, &imported, &root)?;
    let place = Typed {
        text: &typed,
        kind: arguments.kind.as_deref(),
        cwd: &context.surroundings.folder,
        root: Some(&root),
        allow_http: arguments.allow_http,
    };
    let address = Address::parse(&place)?;
    context.terminal.say(&format!("Your private copy lives in the git repository {address}."));
    context
        .terminal
        .say("Whoever can read that repository can read your files: this version does not encrypt.");
    let traces = Traces::begin();
    let set_up = SetUp {
        root: &root,
        address: &address,
        branch: arguments.branch.as_deref().or(imported.branch.as_deref()),
        name: arguments.name.as_deref(),
        create: true,
        public: if arguments.allow_public { Public::Allowed } else { known_public(context, &root)? },
    };
    let chosen = Cell::new(None);
    let rules = |sources: &Sources, git: &GitRemote| {
        let is_first = git.head()?.is_none();
        if is_first && !sources.shared().exists() && says_nothing(arguments, &imported) {
            chosen.set(choose(context, &root)?);
        }
        rules(context, (arguments, &imported, chosen.get()), (sources, is_first), &traces)
    };
    let mut opened = set_up.run(context, &traces, rules)?;
    let arguments = &InitArguments {
        preset: arguments.preset.clone().or(chosen.get().map(|preset| preset.name.to_owned())),
        ..arguments.clone()
    };
    if context.global.dry_run {
        return first_sync(context, &mut opened, &request(true));
    }
    if arguments.no_sync {
        traces.keep();
        context.terminal.done(&format!("Set up. {}\n", written(&opened)));
        tell_of_git(context, &root);
        context.terminal.hint(Some("`instep sync` sends and receives.".to_owned()));
        return Ok(Exit::Done);
    }
    if !agreed(context, &mut opened, &address)? {
        context.terminal.data("Nothing was sent, and nothing was set up.\n");
        return Ok(Exit::Done);
    }
    traces.keep();
    let exit = first_sync(context, &mut opened, &request(false))?;
    farewell(context, arguments, &opened, &address);
    Ok(exit)
}

/// What this machine said before of a place that everybody can read.
fn known_public(context: &Context, root: &Path) -> Result<Public, CommandError> {
    let settings = context.sources(root).load(&[])?.settings;
    let place = settings.config().remotes.iter().find(|place| place.url.is_some());
    let allowed = place.map_or(settings.config().allow_public, |place| place.allow_public);
    Ok(if allowed { Public::Allowed } else { Public::Refused })
}

fn request(dry_run: bool) -> Request {
    Request { dry_run, explicit: true, kind: Some(OperationKind::Init), ..Request::default() }
}

fn check_options(arguments: &InitArguments) -> Result<(), CommandError> {
    match arguments.encrypt.as_deref() {
        None | Some("none") => {}
        Some("all" | "secrets") => {
            return Err(CommandError::later("Encryption")
                .because("This version sends files as they are.")
                .hinted("`--encrypt none` if the repository is private enough."));
        }
        Some(other) => {
            let what = format!("`--encrypt` takes none, not {}.", escape(other.as_bytes()));
            return Err(CommandError::usage(what));
        }
    }
    arguments.preset.as_deref().map(preset::find).transpose().map(drop)
}

/// What another program's file comes to. What can't be carried over is told before anything is set up, and a file that
/// names a key or an address does not travel: it is for one machine.
fn import(context: &Context, arguments: &InitArguments, root: &Path) -> Result<Imported, CommandError> {
    let Some(file) = &arguments.from else { return Ok(Imported::default()) };
    let path = context.surroundings.folder.join(file);
    let mut imported = import::read(&path)?;
    for (line, why) in &imported.left {
        context.terminal.warn(&format!(
            "{} line {line} is left out: {}.",
            shown(file),
            escape(why.as_bytes())
        ));
    }
    if imported.encrypted && arguments.encrypt.is_none() {
        return Err(CommandError::later("Encryption")
            .at(shown(&path))
            .because("The other program encrypted what it sent; this version sends files as they are.")
            .hinted("`--encrypt none` if the repository is private enough."));
    }
    let inside = path.canonicalize().ok().and_then(|path| Some(path.strip_prefix(root).ok()?.to_owned()));
    if let (true, Some(inside)) = (imported.is_private, inside) {
        imported.exclude(format!("/{}", literally(&inside.to_string_lossy())));
        context.terminal.say(&format!(
            "{} names a key or an address, so it stays on this machine: it is excluded.",
            shown(file)
        ));
    }
    Ok(imported)
}

/// A path as a pattern that matches nothing else.
fn literally(path: &str) -> String {
    path.chars().flat_map(|c| "\\*?[".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// The folder that becomes a workspace: there, whole, and not one that would take in the whole machine.
fn folder(context: &Context, arguments: &InitArguments) -> Result<PathBuf, CommandError> {
    let named = arguments.folder.as_deref().unwrap_or(Path::new("."));
    let path = context.surroundings.folder.join(named);
    if is_place(&path, named) {
        let named = shown(Path::new(&redact(&named.to_string_lossy())));
        return Err(CommandError::usage("This is a place to send to, not the folder that is to be synced.")
            .at(&named)
            .hinted(format!("`instep init --remote {named}` in the folder to be synced.")));
    }
    let root = path.canonicalize().map_err(|error| CommandError::file("open", &path, &error))?;
    if !root.is_dir() {
        return Err(CommandError::usage("A workspace is a folder, and this is not one.").at(shown(&root)));
    }
    if root.parent().is_none() {
        return Err(CommandError::new("E-CONF-ROOT", Exit::Usage, "The whole disk can't be a workspace.")
            .at(shown(&root))
            .hinted("choose a folder in it."));
    }
    let Some(question) = wide(&root) else { return Ok(root) };
    if !context.terminal.confirm(Question { text: question, option: "--yes" }, false)? {
        return Err(
            CommandError::new("E-CONF-ROOT", Exit::Usage, "Not set up.").hinted("choose a folder in it.")
        );
    }
    Ok(root)
}

/// Answers whether what was named as the folder is rather the address: a bare repository, or nothing on this disk and
/// written like an address.
fn is_place(path: &Path, named: &Path) -> bool {
    is_bare_repository(path) || !path.exists() && named.to_string_lossy().contains(':')
}

/// What to ask before a folder that may hold more than a person means is taken: their home, or a whole disk.
fn wide(root: &Path) -> Option<&'static str> {
    let home = std::env::var_os("HOME").map(PathBuf::from).and_then(|home| home.canonicalize().ok());
    if home.as_deref() == Some(root) {
        return Some("This is your whole home folder. Sync all of it?");
    }
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    let is_mount = root.parent().is_some_and(|parent| device(parent) != device(root));
    is_mount.then_some("This is a whole disk, as it is mounted. Sync all of it?")
}

/// The address: typed, from the settings that this machine trusts, or asked for.
fn address_text(
    context: &Context,
    arguments: &InitArguments,
    imported: &Imported,
    root: &Path,
) -> Result<String, CommandError> {
    if let Some(typed) = arguments.remote.as_ref().or(imported.address.as_ref()) {
        return Ok(typed.clone());
    }
    let settings = context.sources(root).load(&[])?.settings;
    let known = settings.config().remotes.iter().find_map(|place| place.url.clone());
    // A relative one would mean another place in every folder, so it is not taken up.
    if let Some(known) = known.filter(|known| known.starts_with('/') || known.contains(':')) {
        return Ok(known);
    }
    context
        .terminal
        .say("Where should your private copy live? Give the address of a git repository of yours,");
    context
        .terminal
        .say("such as git@github.com:you/notes-sync.git, gh:you/notes-sync, or /media/disk/notes.git.");
    context.terminal.ask(Question { text: "Address:", option: "--remote ADDRESS" }, None)
}

/// Answers whether nobody said yet what should travel.
fn says_nothing(arguments: &InitArguments, imported: &Imported) -> bool {
    let InitArguments { preset, include, exclude, from, .. } = arguments;
    let typed = preset.is_some() || from.is_some() || !include.is_empty() || !exclude.is_empty();
    !typed && imported.adds.is_empty() && imported.sets.is_empty()
}

/// Asks what should travel, where somebody can answer; nothing more than the usual rules is a choice too.
fn choose(context: &Context, root: &Path) -> Result<Option<&'static Preset>, CommandError> {
    let terminal = &context.terminal;
    if terminal.yes || terminal.no_input {
        return Ok(None);
    }
    let secrets = preset::find("secrets")?;
    let found = survey::survey(root, secrets);
    let usual = format!("Your files: {}", render::survey::usual(&found));
    let ignored = format!(
        "Only what git ignores, but for what builds make (.env, local settings): {}",
        render::survey::amount(found.ignored)
    );
    let is_in_git = root.ancestors().any(|folder| folder.join(".git").exists());
    let mut choices = vec![Choice { key: "1", words: &usual }];
    if is_in_git && found.ignored.files > 0 {
        choices.push(Choice { key: "2", words: &ignored });
    }
    let ready = if choices.len() == 2 { "3" } else { "2" };
    choices.push(Choice { key: ready, words: "By a ready set of rules" });
    let option = "--preset NAME, or --include and --exclude";
    let question = Question { text: "What should travel?", option };
    match terminal.choose(question, &choices)? {
        0 => Ok(None),
        at if choices[at].key == ready => {
            let all: Vec<&'static Preset> = preset::all().iter().collect();
            let words: Vec<String> =
                all.iter().map(|preset| format!("{}: {}", preset.name, preset.what)).collect();
            let keys: Vec<String> = (1..=all.len()).map(|key| key.to_string()).collect();
            let choices: Vec<Choice<'_>> =
                keys.iter().zip(&words).map(|(key, words)| Choice { key, words }).collect();
            let question = Question { text: "Which one?", option: "--preset NAME" };
            Ok(Some(all[terminal.choose(question, &choices)?]))
        }
        _ => Ok(Some(secrets)),
    }
}

/// The rules that were typed: written for all machines, unless the remote has settings already, which govern then;
/// answers those that are for this machine.
fn rules<'e>(
    context: &Context,
    (arguments, imported, chosen): (&'e InitArguments, &'e Imported, Option<&'static Preset>),
    (sources, is_first): (&Sources, bool),
    traces: &Traces,
) -> Result<Vec<Edit<'e>>, CommandError> {
    let shared = sources.shared();
    let mut changes: Vec<Edit<'_>> = Vec::new();
    let typed = arguments.preset.as_deref().map(preset::find).transpose()?;
    if let Some(preset) = typed.or(chosen) {
        let excludes = preset.excludes.iter().copied().flatten();
        changes.extend(excludes.map(|item| Edit::Add { key: "sync.exclude", item }));
        changes.extend(preset.adds.iter().map(|(key, item)| Edit::Add { key, item }));
        changes.extend(preset.sets.iter().map(|(key, value)| Edit::Set { key, value }));
    }
    changes.extend(imported.adds.iter().map(|(key, item)| Edit::Add { key, item }));
    changes.extend(imported.sets.iter().map(|(key, value)| Edit::Set { key, value }));
    changes.extend(arguments.include.iter().map(|item| Edit::Add { key: "sync.include", item }));
    changes.extend(arguments.exclude.iter().map(|item| Edit::Add { key: "sync.exclude", item }));
    if !is_first && !shared.exists() {
        if !changes.is_empty() {
            context
                .terminal
                .say("The repository has its own settings, so these rules are kept for this machine.");
        }
        return Ok(changes);
    }
    traces.remember(shared);
    if !changes.is_empty() || is_first {
        sources.change(Target::Shared, &changes)?;
    }
    Ok(Vec::new())
}

/// Shows in one line what would travel, and asks. Nothing has left this machine yet.
fn agreed(context: &Context, opened: &mut Opened, address: &Address) -> Result<bool, CommandError> {
    if context.terminal.yes {
        return Ok(true);
    }
    let (remote, source) = (opened.remote()?, opened.source());
    let progress = Progress::new(&context.terminal, false);
    let outcome =
        cycle::look(&mut opened.workspace, remote.as_ref(), &source, &request(true), true, &progress)?;
    drop(progress);
    context.terminal.say(&plan::in_one_line(&context.terminal.look, &outcome, &address.to_string()));
    let text = if outcome.done.is_empty() { "Set up?" } else { "Send now?" };
    context.terminal.confirm(Question { text, option: "--yes, or --no-sync" }, true)
}

fn first_sync(context: &Context, opened: &mut Opened, request: &Request) -> Result<Exit, CommandError> {
    opened.check_may_send()?;
    let outcome = run_cycle(context, opened, request)?;
    warn_if_bare(context, opened, &outcome)?;
    Ok(outcome::exit(&outcome))
}

fn written(opened: &Opened) -> String {
    let shared = if opened.sources.shared().exists() { "instep.yaml and " } else { "" };
    format!("Settings are in {shared}instep.local.yaml.")
}

/// The address of the private copy is nobody's business who reads a project's own repository.
fn tell_of_git(context: &Context, root: &Path) {
    if program::git_would_take(root, HERE) {
        context.terminal.say(&format!(
            "This folder is a git work tree: put `{HERE}` into its `.gitignore` or `.git/info/exclude`, for it names your \
             private copy.\n"
        ));
    }
}

/// What a person needs next: the other machine, and the same without questions.
fn farewell(context: &Context, arguments: &InitArguments, opened: &Opened, address: &Address) {
    let text = address.to_text();
    let quoted = quoted_text(&text);
    context.terminal.say(&format!("\n{}\n", written(opened)));
    tell_of_git(context, opened.workspace.root());
    context.terminal.say(&format!("On your other machine:     instep clone {quoted}"));
    if arguments.remote.is_none() {
        let again = again(arguments);
        context
            .terminal
            .say(&format!("Same thing, no questions:  instep init {again}--remote {quoted} --yes"));
    }
}

/// The options that were typed.
fn again(arguments: &InitArguments) -> String {
    let path = |path: &Option<PathBuf>| path.as_deref().map(|path| path.to_string_lossy().into_owned());
    let mut words: Vec<String> = path(&arguments.folder).iter().map(|folder| quoted_text(folder)).collect();
    let mut option = |name: &str, value: Option<&str>| {
        words.extend(value.map(|value| format!("--{name} {}", quoted_text(value))));
    };
    option("branch", arguments.branch.as_deref());
    option("kind", arguments.kind.as_deref());
    option("preset", arguments.preset.as_deref());
    option("encrypt", arguments.encrypt.as_deref());
    arguments.include.iter().for_each(|glob| option("include", Some(glob)));
    arguments.exclude.iter().for_each(|glob| option("exclude", Some(glob)));
    option("from", path(&arguments.from).as_deref());
    option("name", arguments.name.as_deref());
    let flags = [("--allow-public", arguments.allow_public), ("--allow-http", arguments.allow_http)];
    words.extend(flags.iter().filter(|(_, given)| *given).map(|(name, _)| (*name).to_owned()));
    words.iter().map(|word| format!("{word} ")).collect()
}
