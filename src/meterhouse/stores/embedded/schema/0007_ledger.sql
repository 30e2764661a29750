-- Purchases. What they have used up is in the ledger, a fold over the log's records of meter events.
-- Times are INTEGER microseconds since 1970, UTC.

-- is_current: the newest purchase of a customer and product, until another takes its place.
CREATE TABLE purchase (
    scope_id       INTEGER NOT NULL REFERENCES scope,
    ref            TEXT NOT NULL,
    customer_ref   TEXT NOT NULL,
    product_ref    TEXT NOT NULL,
    plan_ref       TEXT NOT NULL,
    status         TEXT NOT NULL,
    origin         TEXT NOT NULL,
    snapshot       TEXT NOT NULL,     -- JSON of the plan as it was
    amount         INTEGER NOT NULL,  -- minor units of currency
    currency       TEXT NOT NULL,
    started_at     INTEGER NOT NULL,
    ends_at        INTEGER,
    trial_ends_at  INTEGER,
    paid_at        INTEGER,
    cancelled_at   INTEGER,
    cancellation_reason TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    is_current     INTEGER NOT NULL CHECK (is_current IN (0, 1)),
    PRIMARY KEY (scope_id, ref)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX purchase_current ON purchase (scope_id, customer_ref, product_ref) WHERE is_current = 1;
CREATE INDEX purchase_by_customer ON purchase (scope_id, customer_ref, created_at);
CREATE INDEX purchase_by_product ON purchase (scope_id, product_ref, created_at);

-- When the newest purchase began: the ledger's clock is never behind it.
CREATE TABLE purchase_clock (at INTEGER NOT NULL) STRICT;
INSERT INTO purchase_clock VALUES (0);

-- What the ledger is made from, without reading the records of usage events.
CREATE INDEX log_of_meter_events ON log (position) WHERE kind = 'meter';
