-- The warehouse: columns and rollups. Times are BIGINT microseconds since 1970, UTC.
-- No index anywhere: `position` moves in the transaction of the rows, which is what makes a replay harmless.

-- Types, customers and products are kept as numbers: strings made questions five times slower at 10 M events.
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
    units            DECIMAL(38, 9) NOT NULL,
    timestamp        BIGINT NOT NULL,
    received_at      BIGINT NOT NULL,
    idempotency_key  VARCHAR,
    properties       VARCHAR                 -- JSON object
);

-- Sums of 15 minutes, UTC, of the events up to `position.folded`. A quarter may have several rows.
CREATE TABLE rollup (
    quarter       INTEGER NOT NULL,          -- quarters of an hour since 1970
    scope_id      INTEGER NOT NULL,
    kind          UTINYINT NOT NULL,
    type          INTEGER NOT NULL,
    product_ref   INTEGER,
    events        BIGINT NOT NULL,
    units         DECIMAL(38, 9) NOT NULL,
    units_min     DECIMAL(38, 9) NOT NULL,
    units_max     DECIMAL(38, 9) NOT NULL,
    latest        HUGEINT NOT NULL,          -- timestamp * 2^63 + event_number of the latest event
    latest_units  DECIMAL(38, 9) NOT NULL
);

CREATE TABLE position (
    log_position    BIGINT NOT NULL,         -- the log's records up to here are in `event`
    folded          BIGINT NOT NULL,         -- events with numbers up to here are in `rollup`
    schema_version  INTEGER NOT NULL
);
