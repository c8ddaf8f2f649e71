//! The tables of the workspace database.

/// The format of the database; an older program refuses a newer one untouched.
pub(super) const FORMAT: u32 = 1;

/// Tables that a database of this format may lack, as an older program made it.
pub(super) const ADDED: &str = "
CREATE TABLE IF NOT EXISTS met (
    operation TEXT PRIMARY KEY,
    time INTEGER NOT NULL
) WITHOUT ROWID;
";

/// The tables of a new database.
pub(super) const SCHEMA: &str = "
CREATE TABLE remote (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    head TEXT,
    seen TEXT,
    checked INTEGER,
    synced INTEGER,
    next_node INTEGER NOT NULL DEFAULT 1,
    next_conflict INTEGER NOT NULL DEFAULT 1,
    quiet BLOB
);
CREATE TABLE node (
    remote INTEGER NOT NULL,
    id INTEGER NOT NULL,
    row BLOB NOT NULL,
    PRIMARY KEY (remote, id)
) WITHOUT ROWID;
CREATE TABLE digest (
    inode INTEGER NOT NULL,
    device INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (inode, device)
) WITHOUT ROWID;
CREATE TABLE form (
    inode INTEGER NOT NULL,
    device INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (inode, device)
) WITHOUT ROWID;
CREATE TABLE object (
    remote INTEGER NOT NULL,
    object BLOB NOT NULL,
    content BLOB NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (remote, object)
) WITHOUT ROWID;
CREATE TABLE target (
    content BLOB PRIMARY KEY,
    target BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX object_content ON object (remote, content);
CREATE TABLE offered (
    number INTEGER PRIMARY KEY,
    remote INTEGER NOT NULL,
    expected TEXT,
    revision TEXT NOT NULL,
    rows BLOB NOT NULL,
    forgotten TEXT NOT NULL,
    next_node INTEGER NOT NULL
);
CREATE TABLE journal (
    operation TEXT NOT NULL,
    step INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (operation, step)
) WITHOUT ROWID;
CREATE TABLE conflict (
    remote INTEGER NOT NULL,
    id BLOB NOT NULL,
    number INTEGER NOT NULL,
    since INTEGER NOT NULL,
    here TEXT NOT NULL,
    there TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (remote, number)
) WITHOUT ROWID;
CREATE TABLE choice (
    remote INTEGER NOT NULL,
    node INTEGER NOT NULL,
    strategy TEXT NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (remote, node)
) WITHOUT ROWID;
CREATE TABLE settlement (
    operation TEXT PRIMARY KEY,
    remote INTEGER NOT NULL,
    before BLOB NOT NULL,
    after BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE unseen (
    remote INTEGER NOT NULL,
    node INTEGER NOT NULL,
    PRIMARY KEY (remote, node)
) WITHOUT ROWID;
CREATE TABLE note (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE half_undone (
    remote INTEGER NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (remote, operation)
) WITHOUT ROWID;
CREATE TABLE undone (
    remote INTEGER NOT NULL,
    path BLOB NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (remote, path)
) WITHOUT ROWID;
CREATE TABLE operation (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    value TEXT NOT NULL
);
CREATE TABLE kept (
    content BLOB NOT NULL,
    path BLOB NOT NULL,
    operation TEXT NOT NULL,
    time INTEGER NOT NULL,
    size INTEGER NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (content, path, operation)
) WITHOUT ROWID;
CREATE INDEX kept_path ON kept (path, time);
";
