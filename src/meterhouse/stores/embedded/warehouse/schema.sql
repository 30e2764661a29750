-- The warehouse: columns and rollups. Times are BIGINT microseconds since 1970, UTC.
-- Units are whole ones and billionths: sums of DECIMAL(38, 9) took twice the time of sums of BIGINT.
-- No index anywhere: `position` moves in the transaction of the rows, which is what makes a replay harmless.

-- Types, customers, products, meters, outcomes and purchases are kept as numbers: strings made questions five times slower at 10 M events.
CREATE TABLE name (
    id    INTEGER NOT NULL,   -- 0, 1, 2, … in the order of first appearance in the log
    text  VARCHAR NOT NULL
);

CREATE TABLE event (
    event_number     BIGINT NOT NULL,
    scope_id         INTEGER NOT NULL,
    kind             UTINYINT NOT NULL,      -- rows.KINDS
    type             INTEGER NOT NULL,       -- name.id
    customer_ref     INTEGER,                -- name.id
    product_ref      INTEGER,                -- name.id
    units_whole      BIGINT NOT NULL,
    units_nano       INTEGER NOT NULL,       -- billionths; mostly 0
    timestamp        BIGINT NOT NULL,
    received_at      BIGINT NOT NULL,
    idempotency_key  VARCHAR,
    properties       VARCHAR,                -- JSON object
    numbers          VARCHAR,                -- JSON object: canonical texts of the numbers in `properties` that
                                             -- DuckDB would write otherwise; mostly NULL
    meter            INTEGER,                -- name.id; this and the following: of meter events alone
    outcome          INTEGER,                -- name.id
    purchase_ref     INTEGER,                -- name.id
    details          VARCHAR                 -- JSON object, see model.event.Details
);

-- Sums of 15 minutes, UTC, of the events up to `position.folded`. A quarter may have several rows.
CREATE TABLE rollup (
    quarter       INTEGER NOT NULL,          -- quarters of an hour since 1970
    scope_id      INTEGER NOT NULL,
    kind          UTINYINT NOT NULL,
    type          INTEGER NOT NULL,
    product_ref   INTEGER,
    meter         INTEGER,
    outcome       INTEGER,
    events        BIGINT NOT NULL,
    units_whole   HUGEINT NOT NULL,
    units_nano    HUGEINT NOT NULL,
    units_min     HUGEINT NOT NULL,          -- in billionths, as the two below
    units_max     HUGEINT NOT NULL,
    latest        HUGEINT NOT NULL,          -- timestamp * 2^63 + event_number of the latest event
    latest_units  HUGEINT NOT NULL
);

CREATE TABLE position (
    log_position    BIGINT NOT NULL,         -- the log's records up to here are in `event`
    folded          BIGINT NOT NULL,         -- events with numbers up to here are in `rollup`
    schema_version  INTEGER NOT NULL
);
