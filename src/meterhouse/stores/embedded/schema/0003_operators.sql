-- Operators, what lets them in, and who is in. Secrets are here as SHA-256 (passwords: argon2id) alone.
-- Times are INTEGER microseconds since 1970, UTC.

CREATE TABLE operator (
    ref            TEXT PRIMARY KEY,
    provider_ref   TEXT NOT NULL REFERENCES provider,
    email          TEXT NOT NULL UNIQUE,   -- lower case
    password_hash  TEXT NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A link opens one session; then its row is gone.
CREATE TABLE sign_in_link (
    sha256         BLOB PRIMARY KEY,
    provider_ref   TEXT NOT NULL REFERENCES provider,
    expires_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    sha256         BLOB PRIMARY KEY,
    provider_ref   TEXT NOT NULL REFERENCES provider,
    operator_ref   TEXT REFERENCES operator,   -- NULL: came with a link
    opened_at      INTEGER NOT NULL,
    used_at        INTEGER NOT NULL            -- written at most once a minute
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_operator ON session (operator_ref);

-- Wrong passwords in a row, also for emails that nobody has: nothing tells the two apart.
-- People type a password where the email goes, so that too is here as SHA-256 alone.
CREATE TABLE failed_sign_in (
    email_sha256   BLOB PRIMARY KEY,
    failures       INTEGER NOT NULL,
    last_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX failed_sign_in_by_time ON failed_sign_in (last_at);
