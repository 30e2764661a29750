-- only if: SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pragma_table_info('purchase') WHERE name = 'resumed_at')
-- Migration 0010 had another form for some days: without purchase.resumed_at and without purchase_current.
-- A database that has it gets the table of today's 0010 and 0011.
ALTER TABLE purchase RENAME TO purchase_before;
DROP INDEX IF EXISTS purchase_current;
DROP INDEX purchase_by_ref;
DROP INDEX purchase_by_product;
DROP INDEX purchase_by_time;

CREATE TABLE purchase (
    scope_id       INTEGER NOT NULL REFERENCES scope,
    customer_ref   TEXT NOT NULL,
    product_ref    TEXT NOT NULL,
    ref            TEXT NOT NULL,
    is_current     INTEGER NOT NULL CHECK (is_current IN (0, 1)),
    plan_ref       TEXT NOT NULL,
    snapshot_id    INTEGER NOT NULL REFERENCES plan_snapshot,
    status         TEXT NOT NULL,
    origin         TEXT NOT NULL,
    amount         INTEGER NOT NULL,  -- minor units of currency
    currency       TEXT NOT NULL,
    started_at     INTEGER NOT NULL,
    ends_at        INTEGER,
    trial_ends_at  INTEGER,
    paid_at        INTEGER,
    cancelled_at   INTEGER,
    cancellation_reason TEXT,
    resumed_at     INTEGER,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (scope_id, customer_ref, product_ref, ref)
) STRICT, WITHOUT ROWID;

-- Of several current purchases of one product, which no index refused, the newest stays current.
INSERT INTO purchase
SELECT scope_id, customer_ref, product_ref, ref,
       is_current = 1 AND row_number() OVER (
           PARTITION BY scope_id, customer_ref, product_ref, is_current ORDER BY created_at DESC, ref DESC) = 1,
       plan_ref, snapshot_id, status, origin, amount, currency, started_at, ends_at, trial_ends_at, paid_at,
       cancelled_at, cancellation_reason, NULL, created_at, updated_at
FROM purchase_before
ORDER BY scope_id, customer_ref, product_ref, ref;

DROP TABLE purchase_before;

CREATE UNIQUE INDEX purchase_current ON purchase (scope_id, customer_ref, product_ref) WHERE is_current = 1;
CREATE UNIQUE INDEX purchase_by_ref ON purchase (scope_id, ref);
CREATE INDEX purchase_by_product ON purchase (scope_id, product_ref, created_at);
CREATE INDEX purchase_by_time ON purchase (scope_id, created_at);
