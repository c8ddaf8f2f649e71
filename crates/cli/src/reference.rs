//! The reference pages of the command line, made from what the parser knows: `docs/reference/cli/<command>.md`.
//!
//! A test compares them with what stands in the repository; `UPDATE_EXPECT=1 cargo test -p instep-cli` writes them anew.

use std::fmt::Write as _;

use clap::{Arg, Command};

use crate::arguments::command_line;

/// One page: its file name and its text.
struct Page {
    name: String,
    text: String,
}

/// All pages: one for the program, one a command.
fn pages() -> Vec<Page> {
    let mut program = command_line().term_width(100);
    program.build();
    let mut pages = vec![Page { name: "instep.md".to_owned(), text: overview(&program) }];
    for command in visible(&program) {
        pages.push(Page { name: format!("{}.md", command.get_name()), text: page(command, "instep", 1) });
    }
    pages
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn overview(program: &Command) -> String {
    let mut text = format!("# instep\n\n{}\n\n", about(program));
    for command in visible(program) {
        let _ = writeln!(text, "- [`{0}`]({0}.md): {1}", command.get_name(), about(command));
    }
    text.push_str("\n## Options for every command\n\n");
    let global = program.get_arguments().filter(|arg| arg.is_global_set());
    global.for_each(|arg| option(&mut text, arg));
    if let Some(after) = program.get_after_help() {
        let _ = write!(text, "\n{after}\n");
    }
    text
}

fn page(command: &Command, above: &str, level: usize) -> String {
    let name = format!("{above} {}", command.get_name());
    let mut text = format!("{} {name}\n\n{}\n\n", "#".repeat(level), about(command));
    let usage = command.clone().bin_name(&name).render_usage().to_string();
    let _ = write!(text, "```\n{}\n```\n\n", usage.trim_start_matches("Usage: ").trim());
    let own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help";
    let aliases: Vec<&str> = command.get_visible_aliases().collect();
    if !aliases.is_empty() {
        let _ = write!(text, "Short: `{}`.\n\n", aliases.join("`, `"));
    }
    command.get_arguments().filter(own).for_each(|arg| option(&mut text, arg));
    for sub in visible(command) {
        text.push('\n');
        text.push_str(&page(sub, &name, level + 1));
    }
    text.replace("\n\n\n", "\n\n")
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    if about.ends_with('.') { about } else { format!("{about}.") }
}

fn option(text: &mut String, arg: &Arg) {
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let takes = arg.get_action().takes_values();
    let value = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>();
    let value = if takes { value.join(" ") } else { String::new() };
    let shown =
        if names.is_empty() { value } else { format!("{} {value}", names.join(", ")).trim_end().to_owned() };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|one| !one.is_hide_set())
        .map(|one| one.get_name().to_owned())
        .collect();
    let one_of = match possible.is_empty() || !takes {
        true => String::new(),
        false => format!(" One of: `{}`.", possible.join("`, `")),
    };
    let period = if help.ends_with('.') { "" } else { "." };
    let _ = writeln!(text, "- `{shown}`: {help}{period}{one_of}");
}

#[test]
fn the_reference_says_what_the_program_does() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/cli");
    let mut expected: Vec<String> = Vec::new();
    for page in pages() {
        expect_test::expect_file![format!("{folder}/{}", page.name)].assert_eq(&page.text);
        expected.push(page.name);
    }
    expected.sort();
    let entries =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = entries.collect();
    found.sort();
    assert_eq!(found, expected, "a page of a command that is not there");
}
