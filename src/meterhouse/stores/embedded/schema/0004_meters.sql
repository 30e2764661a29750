-- Meters: named ways to count events. None is ever deleted, so that its history can be asked for.
CREATE TABLE meter (
    scope_id       INTEGER NOT NULL REFERENCES scope,
    ref            TEXT NOT NULL,
    name           TEXT NOT NULL,
    display_name   TEXT NOT NULL,
    description    TEXT NOT NULL,
    aggregation    TEXT NOT NULL,
    unit           TEXT NOT NULL,
    event_types    TEXT NOT NULL,     -- JSON list; empty: every type
    properties     TEXT NOT NULL,     -- JSON object of lists
    status         TEXT NOT NULL CHECK (status IN ('active', 'archived')),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (scope_id, ref),
    UNIQUE (scope_id, name)
) STRICT, WITHOUT ROWID;
