//! The `instep` program: commands, prompts, what people and scripts read.
//!
//! ```text
//! typed --arguments--> Command --commands--> request --engine--> Outcome --render--> text or JSON --terminal--> you
//! ```
//!
//! Nothing is decided here: the engine decides, this crate asks and tells.

mod arguments;
mod clock;
mod commands;
mod configuration;
mod desk;
mod export;
mod exposure;
mod failure;
mod import;
mod interrupt;
mod moment;
mod notify;
mod opening;
mod place;
mod preset;
#[cfg(test)]
mod reference;
mod render;
mod set_up;
mod survey;
mod terminal;

use std::cell::RefCell;
use std::process::ExitCode;

use instep_core::clock::Clock as _;
use jiff::tz::TimeZone;

use arguments::{Arguments, GlobalArguments};
use commands::Context;
use configuration::Surroundings;
use failure::{CommandError, Exit};
use render::Look;
use terminal::color::{ColorChoice, is_unicode, wanted};
use terminal::{Manner, Terminal};

fn main() -> ExitCode {
    let environment = |name: &str| std::env::var_os(name);
    let arguments = match arguments::parse(std::env::args_os(), &environment) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    interrupt::listen();
    listen_to_logs(arguments.global.verbose);
    let terminal = Terminal::new(manner(&arguments.global));
    let ended = run(terminal, arguments);
    ExitCode::from(ended.code())
}

/// Runs the command and tells how it ended.
fn run(terminal: Terminal, arguments: Arguments) -> Exit {
    let surroundings = match Surroundings::look(&arguments.global) {
        Ok(surroundings) => surroundings,
        Err(error) => {
            terminal.failure(&error);
            return error.exit;
        }
    };
    let context = Context { terminal, global: arguments.global, surroundings, due: RefCell::default() };
    let ended = match commands::run(&context, arguments.command.as_ref()) {
        Ok(exit) => exit,
        // A program that we run gets the same Ctrl-C, and fails of it: that is no failure to tell.
        Err(_) if interrupt::is_asked() => tell(&context.terminal, &CommandError::interrupted()),
        Err(error) => tell(&context.terminal, &error),
    };
    // Now that no workspace is held any more, the person's command may run ours.
    context.due.take().iter().for_each(|call| call.make(&context.terminal));
    match context.terminal.finish() {
        Some(error) => ended.and(tell(&context.terminal, &error)),
        None => ended,
    }
}

fn tell(terminal: &Terminal, error: &CommandError) -> Exit {
    terminal.failure(error);
    error.exit
}

/// Ends after what the parser refused, or after help.
fn refuse(error: &clap::Error) -> ExitCode {
    let Some(refused) = arguments::refused(error) else {
        let no_color = std::env::var("NO_COLOR").ok();
        let color = wanted(ColorChoice::Auto, no_color.as_deref(), std::env::var("TERM").ok().as_deref());
        let text = error.render();
        terminal::print_early(&if color { text.ansi().to_string() } else { text.to_string() }, true);
        return ExitCode::SUCCESS;
    };
    let json = std::env::args_os().any(|typed| typed == "--json");
    let global = GlobalArguments::unread(json);
    Terminal::new(manner(&global)).failure(&refused);
    ExitCode::from(refused.exit.code())
}

/// How to talk, from what was typed and from where we stand.
fn manner(global: &GlobalArguments) -> Manner {
    let variable = |name: &str| std::env::var(name).ok();
    let term = variable("TERM");
    let locale = [variable("LC_ALL"), variable("LC_CTYPE"), variable("LANG")];
    Manner {
        look: Look {
            color: !global.json && wanted(global.color, variable("NO_COLOR").as_deref(), term.as_deref()),
            unicode: is_unicode(locale.each_ref().map(Option::as_deref), term.as_deref()),
            verbose: global.verbose > 0,
            now: clock::SystemClock.now(),
            zone: || TimeZone::try_system().unwrap_or(TimeZone::UTC),
        },
        json: global.json,
        quiet: global.quiet,
        no_input: global.no_input,
        yes: global.yes,
        progress: global.progress,
        pager: !global.no_pager,
    }
}

/// Lets `INSTEP_LOG` and `-vv` show what happens inside, on standard error.
fn listen_to_logs(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let asked = std::env::var("INSTEP_LOG").ok().filter(|asked| !asked.is_empty());
    let level = match (asked, verbose) {
        (Some(asked), _) => asked,
        (None, 0 | 1) => return,
        (None, 2) => "instep_engine=debug,instep_remote=debug".to_owned(),
        (None, _) => "trace".to_owned(),
    };
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
