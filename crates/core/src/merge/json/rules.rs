//! By which rules JSON merges: what its name, its group and what is known of the sides say.

use super::tree::Dialect;
use crate::config::FileKind;
use crate::merge::records::Rule;
use crate::merge::{Judge, Terms, Versions};

/// What decides where both sides changed something.
#[derive(Debug, Clone, Copy)]
pub(in crate::merge) struct Rules<'t> {
    pub dialect: Dialect,
    pub records: Rule,
    pub id: Option<&'t str>,
    /// Who says whose values win.
    pub judge: Judge<'t>,
    /// Whether a record's own time goes before that.
    pub newest: bool,
}

impl<'t> Rules<'t> {
    pub(in crate::merge) fn of(terms: &Terms<'t>, versions: &Versions<'_>) -> Self {
        let name = terms.name.as_bytes().to_ascii_lowercase();
        let is_settings = terms.kind == Some(FileKind::Settings) || name == b"settings.json";
        // Without a base, time alone decides nothing.
        let newest = (terms.newest || is_settings) && versions.base.is_some() && terms.picks.is_none();
        let records = match terms.kind {
            Some(FileKind::Records) => Rule::All,
            // The cells of a notebook have ids, and an order that means something.
            _ if name.ends_with(b".ipynb") => Rule::None,
            _ => Rule::WithIds,
        };
        let dialect = if is_settings || has_comments(&name) { Dialect::Commented } else { Dialect::Strict };
        let judge = if newest || terms.picks.is_some() { terms.judge() } else { Judge::Nobody };
        Rules { dialect, records, id: terms.id, judge, newest }
    }
}

/// Files in which editors and compilers take comments, whatever their ending says.
fn has_comments(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [
        b"keybindings.json",
        b"tasks.json",
        b"launch.json",
        b"extensions.json",
        b"devcontainer.json",
        b"jsconfig.json",
    ];
    let is_typescript = name.starts_with(b"tsconfig") && name.ends_with(b".json");
    name.ends_with(b".jsonc") || is_typescript || NAMES.contains(&name)
}
