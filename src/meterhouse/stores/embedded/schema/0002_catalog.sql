-- The catalog: providers, keys, customers, products, and the audit of every write.
-- Times are INTEGER microseconds since 1970, UTC. JSON columns hold canonical text.

CREATE TABLE provider (
    ref            TEXT PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    merchant       TEXT,              -- JSON, see model.tenant.Merchant; NULL: never set
    created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    ref            TEXT PRIMARY KEY,
    scope_id       INTEGER NOT NULL REFERENCES scope,
    sha256         BLOB NOT NULL UNIQUE,
    hint           TEXT NOT NULL,
    name           TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    last_used_at   INTEGER,
    revoked_at     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_by_scope ON api_key (scope_id, created_at);

-- A customer with deleted_at is hidden: its ref stays taken, its email and external ref are free.
CREATE TABLE customer (
    scope_id       INTEGER NOT NULL REFERENCES scope,
    ref            TEXT NOT NULL,
    email          TEXT NOT NULL,
    name           TEXT NOT NULL,
    external_ref   TEXT,
    description    TEXT NOT NULL,
    telephone      TEXT NOT NULL,
    metadata       TEXT NOT NULL,     -- JSON object
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    deleted_at     INTEGER,
    PRIMARY KEY (scope_id, ref)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX customer_email ON customer (scope_id, email) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX customer_external_ref ON customer (scope_id, external_ref)
    WHERE deleted_at IS NULL AND external_ref IS NOT NULL;
CREATE INDEX customer_by_time ON customer (scope_id, created_at, ref) WHERE deleted_at IS NULL;
CREATE INDEX customer_by_name ON customer (scope_id, name, ref) WHERE deleted_at IS NULL;

CREATE TABLE product (
    scope_id       INTEGER NOT NULL REFERENCES scope,
    ref            TEXT NOT NULL,
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    image_url      TEXT NOT NULL,
    product_type   TEXT NOT NULL,
    status         TEXT NOT NULL,
    is_mcp_pay     INTEGER NOT NULL CHECK (is_mcp_pay IN (0, 1)),
    tax_behavior   TEXT NOT NULL,
    default_currency TEXT NOT NULL,
    config         TEXT NOT NULL,     -- JSON object
    metadata       TEXT NOT NULL,     -- JSON object
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    deleted_at     INTEGER,
    PRIMARY KEY (scope_id, ref)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX product_name ON product (scope_id, name) WHERE deleted_at IS NULL;
CREATE INDEX product_by_time ON product (scope_id, created_at, ref) WHERE deleted_at IS NULL;

-- The first answers of writes that brought an idempotency key, for ever.
CREATE TABLE once (
    scope_id       INTEGER NOT NULL REFERENCES scope,
    operation      TEXT NOT NULL,
    key            TEXT NOT NULL,
    fingerprint    BLOB NOT NULL,
    answer         BLOB NOT NULL,     -- JSON
    PRIMARY KEY (scope_id, operation, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    scope_id       INTEGER NOT NULL REFERENCES scope,
    at             INTEGER NOT NULL,
    actor          TEXT NOT NULL,
    action         TEXT NOT NULL,
    ref            TEXT NOT NULL,
    changes        TEXT NOT NULL      -- JSON {field: [before, after]}
) STRICT;
CREATE INDEX audit_by_scope ON audit (scope_id, id);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT raise(ABORT, 'the audit is only ever added to'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT raise(ABORT, 'the audit is only ever added to'); END;

-- Goes up with every deletion, so that other processes forget what they remember.
CREATE TABLE catalog_generation (
    number         INTEGER NOT NULL
) STRICT;
INSERT INTO catalog_generation VALUES (0);
