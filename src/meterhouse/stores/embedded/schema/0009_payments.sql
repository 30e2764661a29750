-- Payments, the sandbox's processor, and what a customer has chosen on a checkout page.
-- Times are INTEGER microseconds since 1970, UTC. Amounts are minor units of their currency.

-- id: the processor's, one of a kind over all scopes. snapshot: JSON of the plan as it is sold.
-- fulfilled_at: when what was paid for was given, in the same transaction as the purchase.
CREATE TABLE payment_intent (
    id             TEXT PRIMARY KEY,
    scope_id       INTEGER NOT NULL REFERENCES scope,
    customer_ref   TEXT NOT NULL,
    purpose        TEXT NOT NULL,
    amount         INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    product_ref    TEXT,
    plan_ref       TEXT,
    snapshot       TEXT,
    description    TEXT,
    client_secret  TEXT NOT NULL,
    status         TEXT NOT NULL,
    failure        TEXT,
    card_brand     TEXT,
    card_last4     TEXT,
    card_exp_month INTEGER,
    card_exp_year  INTEGER,
    purchase_ref   TEXT,
    fulfilled_at   INTEGER,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_intent_by_time ON payment_intent (scope_id, created_at, id);
CREATE INDEX payment_intent_by_customer ON payment_intent (scope_id, customer_ref, updated_at);

-- What the sandbox's processor knows. key: of the request that made it.
CREATE TABLE sandbox_intent (
    id             TEXT PRIMARY KEY,
    key            TEXT NOT NULL UNIQUE,
    client_secret  TEXT NOT NULL,
    status         TEXT NOT NULL,
    failure        TEXT
) STRICT, WITHOUT ROWID;

ALTER TABLE hosted_session ADD COLUMN currency TEXT;
ALTER TABLE hosted_session ADD COLUMN amount INTEGER;
ALTER TABLE hosted_session ADD COLUMN payment_id TEXT;
