-- Log, catalog and their bookkeeping, in one file: one transaction covers whatever must move together.
-- Times are INTEGER microseconds since 1970, UTC.

-- A provider's environment. Every other table names one.
CREATE TABLE scope (
    id            INTEGER PRIMARY KEY,
    provider_ref  TEXT NOT NULL,
    environment   TEXT NOT NULL CHECK (environment IN ('sandbox', 'live')),
    UNIQUE (provider_ref, environment)
) STRICT;

-- One row per group commit: the events that were made durable by one fsync.
CREATE TABLE log (
    position      INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL,
    received_at   INTEGER NOT NULL,
    first_number  INTEGER NOT NULL,   -- event number of the first event; the others follow on
    events        INTEGER NOT NULL,
    body          BLOB NOT NULL       -- msgpack [[scope_id, count]...], columns; in a zstd frame where smaller
) STRICT;

-- received = stored + duplicate + every other code, per hour of receipt.
CREATE TABLE ingest_tally (
    scope_id      INTEGER NOT NULL,
    hour          INTEGER NOT NULL,   -- hours since 1970
    code          TEXT NOT NULL,      -- received, stored, duplicate, or an error code
    events        INTEGER NOT NULL,
    PRIMARY KEY (scope_id, hour, code)
) STRICT, WITHOUT ROWID;

-- The last rejections of each scope, with their reasons.
CREATE TABLE rejection (
    id            INTEGER PRIMARY KEY,
    scope_id      INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    code          TEXT NOT NULL,
    errors        TEXT NOT NULL       -- JSON [{"path", "message"}]
) STRICT;
CREATE INDEX rejection_by_scope ON rejection (scope_id, id);

-- Written when somebody asks whether the server can write.
CREATE TABLE heartbeat (at INTEGER NOT NULL) STRICT;
INSERT INTO heartbeat VALUES (0);
