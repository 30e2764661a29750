-- Each new record carries a checksum over itself and the checksum of the record before; see chain.py.
-- NULL: the record is older than checksums.
ALTER TABLE log ADD COLUMN checksum BLOB;

-- One row. Records after this position have a checksum.
CREATE TABLE log_chain (begins_after INTEGER NOT NULL) STRICT;
INSERT INTO log_chain SELECT coalesce(max(position), 0) FROM log;

-- Digests of the records without a checksum, 1 000 in each: over their checksums and the digest before.
CREATE TABLE log_digest (
    last_position  INTEGER PRIMARY KEY,
    checksum       BLOB NOT NULL
) STRICT;
