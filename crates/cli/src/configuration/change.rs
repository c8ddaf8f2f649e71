//! Changes of settings files, checked before they are written: what is not valid never gets there.

use instep_core::config::edit::{self, Edit, EditError};
use instep_core::config::{LayerKind, template};

use super::files;
use super::layers::{self, Sources};
use crate::failure::{CommandError, Exit};

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The one that travels.
    Shared,
    /// The one of this machine.
    Here,
}

impl Target {
    /// Where a key belongs unless a person says otherwise.
    pub fn usual(key: &str) -> Self {
        if edit::usual_layer(key) == LayerKind::Here { Target::Here } else { Target::Shared }
    }

    /// The file's name.
    pub fn name(self) -> &'static str {
        self.layer().1
    }

    fn layer(self) -> (LayerKind, &'static str) {
        match self {
            Target::Shared => (LayerKind::Shared, layers::SHARED),
            Target::Here => (LayerKind::Here, layers::HERE),
        }
    }
}

impl Sources {
    /// Carries out changes in one file, all or none. A file that is missing starts from our template. Answers whether
    /// anything changed.
    pub fn change(&self, target: Target, changes: &[Edit<'_>]) -> Result<bool, CommandError> {
        let (kind, name) = target.layer();
        let file = match target {
            Target::Shared => self.shared(),
            Target::Here => self.here(),
        };
        let old = match files::read(&file)? {
            Some(bytes) => Some(String::from_utf8(bytes).map_err(|_| not_text(name))?),
            None => None,
        };
        let mut text = old.clone().unwrap_or_else(|| match target {
            Target::Shared => template::shared(&template::Choices::default()),
            Target::Here => String::new(),
        });
        for change in changes {
            text = edit::edit(kind, name, &text, change)?;
        }
        if old.as_ref() == Some(&text) {
            return Ok(false);
        }
        files::write(&file, text.as_bytes())?;
        Ok(true)
    }
}

fn not_text(name: &str) -> CommandError {
    CommandError::new("E-CONF-PARSE", Exit::Usage, "The settings are not valid.")
        .because(format!("{name} is no text in UTF-8."))
        .safe("Nothing was changed; the file was left as it is.")
}

impl From<EditError> for CommandError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Config(error) => error.into(),
            EditError::HereOnly { .. } => {
                CommandError::new(error.code(), Exit::Usage, "This can't be set for all machines.")
                    .because(crate::failure::sentence(&error.to_string()))
                    .hinted("add `--machine`.")
            }
            EditError::NoList { .. } => {
                CommandError::new(error.code(), Exit::Usage, "This setting takes one value.")
                    .because(crate::failure::sentence(&error.to_string()))
                    .hinted("`instep config set KEY VALUE` sets it.")
            }
            EditError::ByHand { .. } => {
                CommandError::new(error.code(), Exit::Usage, "The file could not be changed.")
                    .because(crate::failure::sentence(&error.to_string()))
                    .hinted("`instep config edit` opens it.")
            }
        }
    }
}
