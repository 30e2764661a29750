-- Of API keys: what they may do ('full', 'read' or 'events:write'), and from when on they open nothing.
ALTER TABLE api_key ADD COLUMN rights TEXT NOT NULL DEFAULT 'full';
ALTER TABLE api_key ADD COLUMN expires_at INTEGER;  -- microseconds since 1970, UTC; NULL: never
