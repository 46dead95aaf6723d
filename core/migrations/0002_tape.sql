-- The vendor's tables of sale conditions and exchanges, as last fetched.
CREATE TABLE vendor_tables (
    name     TEXT PRIMARY KEY,
    asked_at TEXT NOT NULL,               -- ISO, UTC
    body     TEXT NOT NULL                -- JSON
) STRICT, WITHOUT ROWID;

-- What more is known of a reading, in words: the facilities of off-exchange trades.
ALTER TABLE sessions ADD COLUMN detail TEXT;

-- Sale conditions that the table did not know when they were met.
CREATE TABLE unknown_conditions (
    condition TEXT PRIMARY KEY,
    session   TEXT NOT NULL,
    met_at    TEXT NOT NULL,              -- ISO, UTC
    told_at   TEXT                        -- when a digest told of it
) STRICT, WITHOUT ROWID;
