//! Ready sets of rules for kinds of folders: what takes part, how their files merge, what people count in.

use crate::failure::CommandError;

/// One ready set of rules.
#[derive(Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// For what folder it is.
    pub what: &'static str,
    /// Patterns of what takes no part, in lists.
    pub excludes: &'static [&'static [&'static str]],
    /// Lists, with an item each.
    pub adds: &'static [(&'static str, &'static str)],
    /// Values.
    pub sets: &'static [(&'static str, &'static str)],
}

/// What builds, tests and programs make, and can make again.
const MADE: &[&str] = &[
    "build/",
    "dist/",
    "output/",
    "target/",
    "coverage/",
    ".cache/",
    ".mypy_cache/",
    ".next/",
    ".pytest_cache/",
    ".ruff_cache/",
    "logs/",
    "*.log",
];

/// All of them, in order of name.
static ALL: [Preset; 6] = [
    Preset {
        name: "agent-memory",
        what: "what assistants remember: without credentials, caches and locks",
        excludes: &[&[
            ".credentials.json",
            "auth.json",
            "*.key",
            "*.pem",
            ".cache/",
            "statsig/",
            "*.lock",
            "*.tmp",
        ]],
        adds: &[
            ("groups.projects.paths", "projects/**"),
            ("groups.memories.paths", "memories/**"),
            ("groups.memories.paths", "memory/**"),
            ("groups.conversations.paths", "conversations/**"),
            ("groups.conversations.paths", "*.jsonl"),
            ("groups.settings.paths", "settings.json"),
        ],
        sets: &[
            ("groups.projects.remap_paths", "true"),
            ("groups.memories.kind", "records"),
            ("groups.memories.remap_paths", "true"),
            ("groups.conversations.kind", "records"),
            ("groups.conversations.remap_paths", "true"),
            ("groups.settings.kind", "settings"),
            ("groups.settings.remap_paths", "true"),
            ("groups.settings.conflict_strategy", "last-write-wins"),
        ],
    },
    Preset {
        name: "development",
        what: "a folder of code: without what builds make, caches, logs and databases",
        excludes: &[MADE, &["*.db", "*.sqlite"]],
        adds: &[],
        sets: &[],
    },
    Preset {
        name: "notes",
        what: "notes and documents: without windows, caches and trash of their editors",
        excludes: &[&[
            ".obsidian/workspace*.json",
            ".obsidian/cache",
            ".trash/",
            "~$*",
            ".~lock.*#",
            "*.tmp",
        ]],
        adds: &[],
        sets: &[],
    },
    Preset {
        name: "secrets",
        what: "only what git ignores, without what builds make: `.env` files and local settings",
        excludes: &[MADE],
        adds: &[("groups.secrets.paths", ".env*")],
        sets: &[("sync.gitignore", "only-ignored"), ("groups.secrets.kind", "dotenv")],
    },
    Preset {
        name: "workflow",
        what: "checkpoints and reports of a workflow; its cache and logs stay here",
        excludes: &[&["*secret*"]],
        adds: &[
            ("groups.checkpoints.paths", "checkpoints/**"),
            ("groups.reports.paths", "reports/**"),
            ("groups.cache.paths", "cache/**"),
            ("groups.logs.paths", "logs/**"),
        ],
        sets: &[("groups.cache.enabled", "false"), ("groups.logs.enabled", "false")],
    },
    Preset {
        name: "workspace",
        what: "texts, settings and metadata of runs: without large outputs that can be made anew",
        excludes: &[&["*.duckdb", "*.xlsx", "*.parquet", "*.log", "*.tmp", "*.lock"]],
        adds: &[
            ("units.workspaces", "/*/"),
            ("units.scenarios", "/*/scenarios/*/"),
            ("units.runs", "/*/scenarios/*/runs/*/"),
        ],
        sets: &[],
    },
];

/// All of them, in order of name.
pub fn all() -> &'static [Preset] {
    &ALL
}

/// Finds one by its name.
pub fn find(name: &str) -> Result<&'static Preset, CommandError> {
    ALL.iter().find(|preset| preset.name == name).ok_or_else(|| {
        let shown = instep_core::path::escape(name.as_bytes());
        let known = ALL.iter().map(|preset| format!("{}: {}.", preset.name, preset.what));
        let mut error = CommandError::usage(format!("There is no preset {shown}."));
        error.why.extend(known);
        error
    })
}
