-- Keys that the owner gives to clients. The secret itself is nowhere: `hash` is its BLAKE3 digest. A
-- slow password hash would gain nothing, since the secret is 256 random bits that nobody can guess.
-- Times are microseconds since 1970-01-01T00:00:00Z, money is nano-USD; NULL means no limit. The
-- lists are JSON arrays of names, and an empty one allows everything.
CREATE TABLE client_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE,
    prefix     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    daily      INTEGER,
    monthly    INTEGER,
    rpm        INTEGER,
    concurrent INTEGER,
    models     TEXT    NOT NULL,
    providers  TEXT    NOT NULL,
    projects   TEXT    NOT NULL
) STRICT;

-- A revoked key leaves its name to others.
CREATE UNIQUE INDEX client_keys_live ON client_keys (name) WHERE revoked_at IS NULL;

-- Counts the changes of client_keys, so that a running router sees with one small read whether it
-- knows the latest ones.
CREATE TABLE client_keys_state (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL
) STRICT;

INSERT INTO client_keys_state (id, version) VALUES (1, 0);

-- What a key has spent in a window that has no total yet (after a change of the time zone) is summed
-- from its own rows alone. Rows of callers without a key are not in this index and cost nothing.
CREATE INDEX charges_by_key ON charges (key, reserved_at, cost)
    WHERE key <> 'local' AND key <> 'master';
