-- A provider's purchases are listed the newest first, some at a time: they may be millions.
CREATE INDEX purchase_by_time ON purchase (scope_id, created_at);
