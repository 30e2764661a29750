-- Links to hosted pages. The id in the link is a secret, and here as SHA-256 alone.
-- Times are INTEGER microseconds since 1970, UTC.
CREATE TABLE hosted_session (
    sha256         BLOB PRIMARY KEY,
    scope_id       INTEGER NOT NULL REFERENCES scope,
    kind           TEXT NOT NULL,
    customer_ref   TEXT NOT NULL,
    product_ref    TEXT,
    plan_ref       TEXT,
    purpose        TEXT NOT NULL,
    return_url     TEXT,
    status         TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hosted_session_by_time ON hosted_session (expires_at);
