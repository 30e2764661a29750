-- Purchases (catalog), and the ledger: totals, balances and holds, a fold over the log's entries.
-- Times are INTEGER microseconds since 1970, UTC. Units are two integers, added and carried in Python.

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

-- What was used, and is held, in each period of a purchase.
CREATE TABLE usage_total (
    scope_id       INTEGER NOT NULL,
    purchase_ref   TEXT NOT NULL,
    period         INTEGER NOT NULL,
    units_giga     INTEGER NOT NULL,  -- thousand millions of units
    units_nano     INTEGER NOT NULL,  -- and billionths of one, below 10^18: sums of any number of events fit
    held_giga      INTEGER NOT NULL,
    held_nano      INTEGER NOT NULL,
    PRIMARY KEY (scope_id, purchase_ref, period)
) STRICT, WITHOUT ROWID;

-- Credits; held: of them, reserved by open holds.
CREATE TABLE balance (
    scope_id       INTEGER NOT NULL,
    customer_ref   TEXT NOT NULL,
    credits        INTEGER NOT NULL,
    held           INTEGER NOT NULL,
    PRIMARY KEY (scope_id, customer_ref)
) STRICT, WITHOUT ROWID;

-- Every movement of a balance. number: of the event that was debited for, or the movement's own.
CREATE TABLE credit_entry (
    scope_id       INTEGER NOT NULL,
    customer_ref   TEXT NOT NULL,
    number         INTEGER NOT NULL,
    kind           TEXT NOT NULL,
    at             INTEGER NOT NULL,
    credits        INTEGER NOT NULL,  -- signed
    balance        INTEGER NOT NULL,  -- after it
    product_ref    TEXT,
    reason         TEXT,
    key            TEXT,
    PRIMARY KEY (scope_id, customer_ref, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (
    number         INTEGER PRIMARY KEY,
    scope_id       INTEGER NOT NULL,
    customer_ref   TEXT NOT NULL,
    product_ref    TEXT NOT NULL,
    purchase_ref   TEXT NOT NULL,
    period         INTEGER NOT NULL,
    meter          TEXT NOT NULL,
    units_whole    INTEGER NOT NULL,
    units_nano     INTEGER NOT NULL,
    credits        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    remaining      INTEGER,           -- whole units left after it; NULL: any number
    status         TEXT NOT NULL,
    ended_at       INTEGER,
    expired        INTEGER NOT NULL,
    used_whole     INTEGER NOT NULL,
    used_nano      INTEGER NOT NULL,
    debited        INTEGER NOT NULL,
    over_whole     INTEGER NOT NULL,
    over_nano      INTEGER NOT NULL,
    event_number   INTEGER NOT NULL
) STRICT;
CREATE INDEX hold_open_by_purchase ON hold (scope_id, purchase_ref, expires_at) WHERE status = 'open';
CREATE INDEX hold_open_by_customer ON hold (scope_id, customer_ref, expires_at) WHERE status = 'open' AND credits > 0;
CREATE INDEX hold_open_by_time ON hold (expires_at) WHERE status = 'open';

-- last_number: of holds and credit movements. clock: the newest time decided by; a clock that steps back waits.
CREATE TABLE ledger_state (
    last_number    INTEGER NOT NULL,
    clock          INTEGER NOT NULL
) STRICT;
INSERT INTO ledger_state VALUES (0, 0);
