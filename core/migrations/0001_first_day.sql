-- The ledger: which session of which series reached which stage, from which source, as which
-- revision of its data.
CREATE TABLE sessions (
    series      TEXT NOT NULL,
    session     TEXT NOT NULL,            -- ISO date
    status      TEXT NOT NULL CHECK (status IN ('stored', 'finished', 'held', 'absent')),
    revision    INTEGER NOT NULL,         -- 0: nothing stored yet
    source      TEXT,                     -- who served the stored revision
    version     TEXT,                     -- the vendor's name of that copy (ETag)
    row_count   INTEGER,
    refused     TEXT NOT NULL,            -- JSON list: who was asked first, and why not
    note        TEXT,                     -- what was set aside; why held or absent; in words
    announced   INTEGER NOT NULL DEFAULT 0,
    tried_at    TEXT NOT NULL,            -- ISO, UTC
    stored_at   TEXT,
    finished_at TEXT,
    PRIMARY KEY (series, session)
) STRICT, WITHOUT ROWID;

-- Every time a source was asked for a session: the log behind `/source status`.
CREATE TABLE attempts (
    id      INTEGER PRIMARY KEY,
    at      TEXT NOT NULL,
    series  TEXT NOT NULL,
    session TEXT NOT NULL,
    source  TEXT NOT NULL,
    verdict TEXT NOT NULL,
    seen    TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_by_session ON attempts (series, session, id);

CREATE TABLE splits (
    series         TEXT NOT NULL,
    ticker         TEXT NOT NULL,
    execution_date TEXT NOT NULL,
    split_from     REAL NOT NULL,
    split_to       REAL NOT NULL,
    PRIMARY KEY (series, ticker, execution_date, split_from, split_to)
) STRICT, WITHOUT ROWID;

-- What was judged unlike itself, by name; the evidence is in the digest's report.
CREATE TABLE anomalies (
    series   TEXT NOT NULL,
    session  TEXT NOT NULL,
    revision INTEGER NOT NULL,
    rank     INTEGER NOT NULL,
    ticker   TEXT NOT NULL,
    label    TEXT NOT NULL,
    ratio    REAL NOT NULL,
    z        REAL NOT NULL,
    PRIMARY KEY (series, session, revision, rank)
) STRICT, WITHOUT ROWID;
CREATE INDEX anomalies_by_ticker ON anomalies (series, ticker, session);

-- What was decided to be said about a session, once per revision of its data.
CREATE TABLE digests (
    series     TEXT NOT NULL,
    session    TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    report     TEXT NOT NULL,             -- JSON of alerts.model.Report, evidence and all
    created_at TEXT NOT NULL,
    PRIMARY KEY (series, session, revision)
) STRICT, WITHOUT ROWID;

-- The outbox: one row per message and destination.
CREATE TABLE deliveries (
    key         TEXT PRIMARY KEY,         -- deterministic: the same message twice is one row
    destination TEXT NOT NULL,
    series      TEXT NOT NULL,
    session     TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    state       TEXT NOT NULL
        CHECK (state IN ('pending', 'sending', 'sent', 'ambiguous', 'refused', 'expired')),
    attempts    INTEGER NOT NULL DEFAULT 0,
    reason      TEXT,
    receipt     TEXT,
    created_at  TEXT NOT NULL,
    changed_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
