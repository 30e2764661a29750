-- Of API keys: what they may do ('full', 'read' or 'events:write'), and from when on they open nothing.
ALTER TABLE api_key ADD COLUMN rights TEXT NOT NULL DEFAULT 'full';
ALTER TABLE api_key ADD COLUMN expires_at INTEGER;  -- microseconds since 1970, UTC; NULL: never

-- The audit has a retention: its oldest entry may go, and no other.
DROP TRIGGER audit_is_not_deleted;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE id < OLD.id)
    BEGIN SELECT raise(ABORT, 'the audit is only ever added to, and shortened from its begin'); END;
