-- Times are microseconds since 1970-01-01T00:00:00Z, money is nano-USD.

-- What a day or a month has spent and holds, kept in step with the rows below in the same
-- transaction, so that a check never scans them. `scope` is 'global'; client keys get their own.
CREATE TABLE window_totals (
    scope     TEXT    NOT NULL,
    period    TEXT    NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at   INTEGER NOT NULL,
    spent     INTEGER NOT NULL,
    reserved  INTEGER NOT NULL,
    PRIMARY KEY (scope, ends_at, starts_at, period)
) STRICT, WITHOUT ROWID;

-- Counts the transactions, so that a process can tell whether it has seen the latest one.
CREATE TABLE ledger_state (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL
) STRICT;

INSERT INTO ledger_state (id, version) VALUES (1, 0);

-- Open reservations only: a row leaves when it is released or becomes a charge.
CREATE TABLE reservations (
    instance    INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    request     TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    project     TEXT,
    model       TEXT    NOT NULL,
    reserved_at INTEGER NOT NULL,
    ceiling     INTEGER NOT NULL,
    PRIMARY KEY (instance, seq)
) STRICT, WITHOUT ROWID;

-- One row per upstream call that cost money (or may have: `unconfirmed`).
CREATE TABLE charges (
    reserved_at INTEGER NOT NULL,
    instance    INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    request     TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    project     TEXT,
    model       TEXT    NOT NULL,
    ceiling     INTEGER NOT NULL,
    cost        INTEGER NOT NULL,
    settled_at  INTEGER NOT NULL,
    unconfirmed INTEGER NOT NULL,
    PRIMARY KEY (reserved_at, instance, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX charges_unconfirmed ON charges (reserved_at) WHERE unconfirmed = 1;

-- One row per request of a client. No prompt text.
CREATE TABLE requests (
    id             TEXT    NOT NULL,
    started_at     INTEGER NOT NULL,
    elapsed_us     INTEGER NOT NULL,
    first_byte_us  INTEGER,
    key            TEXT    NOT NULL,
    project        TEXT,
    asked_model    TEXT    NOT NULL,
    model          TEXT,
    tier           TEXT,
    tier_source    TEXT,
    confidence     REAL    NOT NULL,
    reason         TEXT    NOT NULL,
    stream         INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    error          TEXT,
    fallback_index INTEGER NOT NULL,
    attempts       TEXT    NOT NULL,
    input          INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write    INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    reasoning      INTEGER NOT NULL,
    audio_input    INTEGER NOT NULL,
    reported_cost  INTEGER,
    estimated      INTEGER NOT NULL,
    cost           INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX requests_by_time ON requests (started_at, id);
