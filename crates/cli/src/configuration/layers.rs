//! The layers of settings, read from where they stand: `instep.yaml`, `instep.local.yaml`, `.env`, the environment.

use std::path::{Path, PathBuf};

use instep_core::config::{ConfigError, Flag, Layer, LayerKind, Settings, Trust, dotenv};
use instep_core::filter::{Filter, IgnoreFiles};
use instep_core::path::TreePath;

use super::{Surroundings, files, trust};
use crate::failure::{CommandError, Exit};

/// The settings that travel.
pub const SHARED: &str = "instep.yaml";
/// The settings of this machine.
pub const HERE: &str = "instep.local.yaml";

/// Where the settings of one workspace stand.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The workspace.
    pub root: PathBuf,
    /// The file read in place of `instep.yaml`, if one was named.
    pub instead: Option<PathBuf>,
    /// Where the program stands.
    pub surroundings: Surroundings,
}

/// The settings of one workspace, with the text that trust depends on.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// All layers, laid over each other.
    pub settings: Settings,
    /// The shared file's text; empty where there is none.
    pub shared: Vec<u8>,
    /// A `.env` was left aside because it is synced: other machines could write it.
    pub dotenv_synced: bool,
}

impl Sources {
    /// The file that travels, or the one named in its place.
    pub fn shared(&self) -> PathBuf {
        self.instead.clone().unwrap_or_else(|| self.root.join(SHARED))
    }

    /// The file of this machine.
    pub fn here(&self) -> PathBuf {
        self.root.join(HERE)
    }

    /// The text of the shared file; empty where there is none.
    pub fn shared_text(&self) -> Result<Vec<u8>, CommandError> {
        Ok(files::read(&self.shared())?.unwrap_or_default())
    }

    /// Reads all layers. `flags` are settings that were given as options.
    pub fn load(&self, flags: &[Flag<'_>]) -> Result<Loaded, CommandError> {
        self.load_with(self.shared_text()?, flags)
    }

    /// Reads all layers, as if the shared file held this text.
    pub fn load_with(&self, shared: Vec<u8>, flags: &[Flag<'_>]) -> Result<Loaded, CommandError> {
        let here = files::read(&self.here())?.unwrap_or_default();
        let trust = match self.instead {
            // A file that a person named is that person's own word.
            Some(_) => Trust::Given,
            None => trust::look_up(&self.surroundings.home, &self.root, &shared),
        };
        let mut layers = vec![
            Layer::shared(&self.shared_name(), &shared)?,
            Layer::here(HERE, &here)?,
            Layer::variables(LayerKind::Environment, &self.surroundings.variables)?,
            Layer::flags(flags)?,
        ];
        let mut dotenv_synced = false;
        if let Some(text) = files::read(&self.root.join(".env"))? {
            let variables = dotenv::settings(&text);
            if !variables.is_empty() {
                let settings = Settings::resolve(layers.clone(), trust)?;
                dotenv_synced = self.syncs_dotenv(&settings);
                if !dotenv_synced {
                    let pairs = variables.iter().map(|variable| (&variable.name, &variable.value));
                    layers.push(Layer::variables(LayerKind::DotEnv, pairs)?);
                }
            }
        }
        Ok(Loaded { settings: Settings::resolve(layers, trust)?, shared, dotenv_synced })
    }

    fn shared_name(&self) -> String {
        match &self.instead {
            Some(path) => instep_core::path::escape(path.as_os_str().as_encoded_bytes()),
            None => SHARED.to_owned(),
        }
    }

    /// Answers whether `.env` itself takes part. When in doubt it does: then it is not believed.
    fn syncs_dotenv(&self, settings: &Settings) -> bool {
        let machine = settings.config().machine.as_deref().unwrap_or_default();
        let Ok(filter) = Filter::new(&settings.config().filter_rules(machine)) else { return true };
        let Ok(path) = TreePath::new(b".env") else { return true };
        let mut ignore = IgnoreFiles::default();
        if let Ok(Some(text)) = files::read(&self.root.join(".instepignore")) {
            ignore.instepignore.insert(TreePath::root(), text);
        }
        if let Ok(Some(text)) = files::read(&self.root.join(".gitignore")) {
            ignore.gitignore.insert(TreePath::root(), text);
        }
        filter.decide_path(&path, false, &ignore).is_entered()
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        CommandError::new(error.code(), Exit::Usage, "The settings are not valid.")
            .because(&error)
            .safe("Nothing was changed; the file was left as it is.")
            .hinted(hint(&error.hint()))
    }
}

fn hint(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Reads the settings where there is no workspace yet: for `init` and `clone`.
pub fn sources(root: &Path, surroundings: &Surroundings, instead: Option<&Path>) -> Sources {
    Sources {
        root: root.to_path_buf(),
        instead: instead.map(|path| surroundings.folder.join(path)),
        surroundings: surroundings.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn world(files: &[(&str, &str)], variables: &[(&str, &str)]) -> (tempfile::TempDir, Sources) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("w");
        std::fs::create_dir(&root).unwrap();
        for (name, text) in files {
            std::fs::write(root.join(name), text).unwrap();
        }
        let surroundings = Surroundings {
            folder: root.clone(),
            home: folder.path().join("home"),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
        };
        let sources = sources(&root, &surroundings, None);
        (folder, sources)
    }

    #[test]
    fn the_environment_wins_over_files_and_this_machine_over_all_machines() {
        let files = [
            ("instep.yaml", "sync:\n  branch: shared\n  sync_interval: 5m\n"),
            ("instep.local.yaml", "sync:\n  branch: here\n"),
        ];
        let (_folder, sources) = world(&files, &[("INSTEP_BRANCH", "environment")]);
        let loaded = sources.load(&[]).unwrap();
        assert_eq!(loaded.settings.config().branch.as_deref(), Some("environment"));
        let (_folder, sources) = world(&files, &[]);
        assert_eq!(sources.load(&[]).unwrap().settings.config().branch.as_deref(), Some("here"));
    }

    #[test]
    fn a_dotenv_that_is_synced_is_not_believed() {
        let dotenv = (".env", "INSTEP_BRANCH=other\n");
        let (_folder, sources) = world(&[dotenv], &[]);
        let loaded = sources.load(&[]).unwrap();
        assert!(loaded.dotenv_synced);
        assert_ne!(loaded.settings.config().branch.as_deref(), Some("other"));
        let (_folder, sources) = world(&[dotenv, ("instep.yaml", "sync:\n  exclude: ['.env']\n")], &[]);
        let loaded = sources.load(&[]).unwrap();
        assert_eq!(loaded.settings.config().branch.as_deref(), Some("other"));
    }

    #[test]
    fn an_address_in_the_shared_file_waits_for_trust() {
        let text = "sync:\n  remote: https://github.com/ana/notes.git\n";
        let (_folder, sources) = world(&[("instep.yaml", text)], &[]);
        let loaded = sources.load(&[]).unwrap();
        assert_eq!(loaded.settings.config().remote, None);
        assert_eq!(loaded.settings.awaiting_trust().len(), 1);
        trust::give(&sources.surroundings.home, &sources.root, &loaded.shared).unwrap();
        assert!(sources.load(&[]).unwrap().settings.config().remote.is_some());
    }

    #[test]
    fn settings_that_are_not_valid_end_with_code_2_and_the_place() {
        let (_folder, sources) = world(&[("instep.yaml", "sync:\n  sync_interval: -5\n")], &[]);
        let error = sources.load(&[]).unwrap_err();
        assert_eq!((error.code, error.exit), ("E-CONF-RANGE", Exit::Usage));
        assert!(error.why[0].starts_with("instep.yaml:2"), "{:?}", error.why);
    }
}
