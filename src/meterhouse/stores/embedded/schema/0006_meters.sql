-- Meters over meter events beside those over usage events, and the default meters of every scope.
ALTER TABLE meter ADD COLUMN kind TEXT NOT NULL DEFAULT 'usage' CHECK (kind IN ('usage', 'meter'));
ALTER TABLE meter ADD COLUMN is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1));
ALTER TABLE meter ADD COLUMN meter_names TEXT NOT NULL DEFAULT '[]';   -- JSON list; empty: its own name

-- As model.meter.default_meters; a name that a scope has taken stays what it is.
INSERT OR IGNORE INTO meter (scope_id, ref, name, display_name, description, aggregation, unit, event_types,
                             properties, status, created_at, updated_at, kind, is_default)
SELECT scope.id, 'mtr_' || seed.name, seed.name, seed.display_name, '', seed.aggregation, seed.unit, '[]',
       '{}', 'active', unixepoch() * 1000000, unixepoch() * 1000000, 'meter', 1
FROM scope CROSS JOIN (
    SELECT 'requests' AS name, 'Requests' AS display_name, 'count' AS aggregation, '' AS unit
    UNION ALL SELECT 'tokens', 'Tokens', 'sum', 'tokens'
    UNION ALL SELECT 'api_requests', 'API requests', 'count', ''
    UNION ALL SELECT 'api_calls', 'API calls', 'count', ''
) AS seed;
