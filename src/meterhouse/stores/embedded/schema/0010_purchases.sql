-- Purchases lie by customer and product: that is how every meter event and limit check asks for them, and one
-- descent finds them. A plan as it was sold stands once for all who bought it, and not in each purchase: a
-- million of them are then a quarter of the pages.
CREATE TABLE plan_snapshot (
    id             INTEGER PRIMARY KEY,
    body           TEXT NOT NULL UNIQUE  -- JSON of model.plan.Plan
) STRICT;

INSERT INTO plan_snapshot (body) SELECT DISTINCT snapshot FROM purchase;

ALTER TABLE purchase RENAME TO purchase_before;
DROP INDEX purchase_current;
DROP INDEX purchase_by_customer;
DROP INDEX purchase_by_product;

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

INSERT INTO purchase
SELECT scope_id, customer_ref, product_ref, ref, is_current, plan_ref, plan_snapshot.id, status, origin, amount,
       currency, started_at, ends_at, trial_ends_at, paid_at, cancelled_at, cancellation_reason, NULL,
       created_at, updated_at
FROM purchase_before JOIN plan_snapshot ON body = snapshot
ORDER BY scope_id, customer_ref, product_ref, ref;

DROP TABLE purchase_before;

-- No look goes by it: it is there so that nobody ever has two.
CREATE UNIQUE INDEX purchase_current ON purchase (scope_id, customer_ref, product_ref) WHERE is_current = 1;
CREATE UNIQUE INDEX purchase_by_ref ON purchase (scope_id, ref);
CREATE INDEX purchase_by_product ON purchase (scope_id, product_ref, created_at);
