-- What the router keeps of developers' projects: a copy of each, older texts of its files, and the
-- blocks of context that conversations were given. A cache: whoever moves the file away loses
-- nothing that `edge-watch` does not send again. Times are microseconds.
CREATE TABLE projects (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    -- the key that wrote it first
    owner      TEXT    NOT NULL,
    -- the directory on the client
    root       TEXT,
    version    INTEGER NOT NULL,
    -- sums over `files`
    files      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    tokens     INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    -- digests of the latest messages, each with the second it came
    messages   BLOB    NOT NULL
) STRICT;

CREATE TABLE files (
    project    INTEGER NOT NULL,
    path       TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    bytes      INTEGER NOT NULL,
    tokens     INTEGER NOT NULL,
    -- of the project, in which the file last changed
    version    INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (project, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX files_by_hash ON files (project, hash);

-- Of files and of what they were before.
CREATE TABLE texts (
    id      INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    hash    BLOB    NOT NULL,
    text    TEXT    NOT NULL,
    UNIQUE (project, hash)
) STRICT;

-- What files were before; the latest has the highest seq.
CREATE TABLE older (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    project    INTEGER NOT NULL,
    path       TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    bytes      INTEGER NOT NULL,
    retired_at INTEGER NOT NULL,
    UNIQUE (project, path, hash)
) STRICT;

CREATE INDEX older_by_age ON older (project, seq, bytes);
CREATE INDEX older_by_hash ON older (project, hash);

-- What a conversation was given, in the order in which it was.
CREATE TABLE blocks (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation BLOB    NOT NULL,
    message      BLOB    NOT NULL,
    occurrence   INTEGER NOT NULL,
    -- of text and shown
    bytes        INTEGER NOT NULL,
    text         TEXT    NOT NULL,
    tokens       INTEGER NOT NULL,
    -- by name
    project      TEXT    NOT NULL,
    -- JSON: [[path, hash or null, whole], ...]
    shown        TEXT    NOT NULL,
    frozen_at    INTEGER NOT NULL,
    UNIQUE (conversation, message, occurrence)
) STRICT;

CREATE INDEX blocks_by_project ON blocks (project);
