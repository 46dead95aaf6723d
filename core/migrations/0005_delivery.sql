-- The outbox anew: what a delivery is to its reader, which lines it has, when it is tried again.
CREATE TABLE deliveries_new (
    id            INTEGER PRIMARY KEY,    -- the order in which things were decided to be said
    key           TEXT NOT NULL UNIQUE,   -- deterministic: the same message twice is one row
    destination   TEXT NOT NULL,
    series        TEXT NOT NULL,
    session       TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    kind          TEXT NOT NULL
        CHECK (kind IN ('digest', 'edit', 'correction', 'details', 'notice', 'ping')),
    state         TEXT NOT NULL
        CHECK (state IN ('pending', 'sending', 'sent', 'ambiguous', 'refused', 'expired')),
    attempts      INTEGER NOT NULL DEFAULT 0,
    doubt         INTEGER NOT NULL DEFAULT 0,   -- 1: an attempt may have arrived, whatever came of it
    since         INTEGER,                -- the revision its readers saw before
    edition       TEXT,                   -- editions.id
    lines         TEXT,                   -- JSON list: the tickers that are its lines, in order
    body          TEXT,                   -- JSON of alerts.model.Message, where there is no edition
    silent        INTEGER NOT NULL DEFAULT 0,
    created_at    TEXT NOT NULL,
    first_try_at  TEXT,
    last_try_at   TEXT,
    next_try_at   TEXT,                   -- NULL: waits for its digest, or for an operator
    reason        TEXT,
    seen          TEXT,
    receipt       TEXT,
    changed_at    TEXT NOT NULL
) STRICT;
INSERT INTO deliveries_new (key, destination, series, session, revision, kind, state, attempts,
                            doubt, since, created_at, reason, receipt, changed_at)
    SELECT key, destination, series, session, revision,
           CASE WHEN since IS NULL THEN 'digest' ELSE 'correction' END,
           -- Only a terminal was ever written to, and it shows the newest digest at its start.
           CASE WHEN state IN ('sent', 'ambiguous', 'refused') THEN state ELSE 'expired' END,
           attempts, state = 'ambiguous', since, created_at,
           CASE WHEN state IN ('pending', 'sending') THEN 'superseded' ELSE reason END,
           receipt, changed_at
    FROM deliveries ORDER BY session, revision, created_at;
UPDATE deliveries_new SET lines = (
    SELECT json_group_array(ticker) FROM (
        SELECT ticker FROM anomalies
        WHERE (anomalies.series, anomalies.session, anomalies.revision)
            = (deliveries_new.series, deliveries_new.session, deliveries_new.revision)
            AND line IS NOT NULL ORDER BY line));
DROP TABLE deliveries;
ALTER TABLE deliveries_new RENAME TO deliveries;
CREATE INDEX deliveries_waiting ON deliveries (destination, session, id)
    WHERE state IN ('pending', 'ambiguous');
CREATE INDEX deliveries_by_session ON deliveries (series, session, destination);
CREATE INDEX deliveries_by_state ON deliveries (state);

-- Every attempt: begun before the call, ended with a reason out of core.errors.Reason.
CREATE TABLE delivery_attempts (
    id       INTEGER PRIMARY KEY,
    delivery TEXT NOT NULL,               -- deliveries.key
    what     TEXT NOT NULL CHECK (what IN ('send', 'look', 'operator')),
    began_at TEXT NOT NULL,
    ended_at TEXT,                        -- NULL: under way, or the process died
    reason   TEXT,
    seen     TEXT
) STRICT;
CREATE INDEX delivery_attempts_by_delivery ON delivery_attempts (delivery, id);

-- What one channel, or many that want the same, is told of a session: JSON of alerts.model.Report.
CREATE TABLE editions (
    id     TEXT PRIMARY KEY,              -- hash of the report: the same twice is one row
    report TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Where digests go, and what each channel wants to hear.
CREATE TABLE routes (
    destination TEXT PRIMARY KEY,
    wants       TEXT NOT NULL,            -- JSON of alerts.subscriptions.Wants
    origin      TEXT NOT NULL CHECK (origin IN ('environment', 'command')),
    set_by      TEXT NOT NULL,
    set_at      TEXT NOT NULL,
    ended_by    TEXT,
    ended_at    TEXT                      -- set: nothing goes there any more
) STRICT, WITHOUT ROWID;

CREATE TABLE watchlists (
    owner    TEXT NOT NULL,               -- a person (discord:@123) or a channel (discord:123)
    ticker   TEXT NOT NULL,
    added_by TEXT NOT NULL,
    added_at TEXT NOT NULL,
    PRIMARY KEY (owner, ticker)
) STRICT, WITHOUT ROWID;

-- Silence asked for, counted in sessions.
CREATE TABLE mutes (
    id       INTEGER PRIMARY KEY,
    owner    TEXT NOT NULL,               -- a channel, or a person for their own view
    kind     TEXT NOT NULL CHECK (kind IN ('ticker', 'label', 'rule')),
    value    TEXT NOT NULL,
    since    TEXT NOT NULL,               -- ISO date: the session that was the newest then
    sessions INTEGER,                     -- so many sessions after `since`
    until    TEXT,                        -- ISO date: the last session it holds for
    score    REAL,                        -- it ends when the score reaches twice this
    why      TEXT NOT NULL,
    set_by   TEXT NOT NULL,
    set_at   TEXT NOT NULL,
    ended_on TEXT,                        -- ISO date of the session that ended it
    ended_by TEXT                         -- who, or what
) STRICT;
CREATE INDEX mutes_by_owner ON mutes (owner, ended_on);

-- What readers said of a line, with the line as it was.
CREATE TABLE feedback (
    who      TEXT NOT NULL,
    series   TEXT NOT NULL,
    session  TEXT NOT NULL,
    ticker   TEXT NOT NULL,
    verdict  TEXT NOT NULL CHECK (verdict IN ('useful', 'noise')),
    evidence TEXT NOT NULL,               -- JSON of core.anomaly.Anomaly
    place    TEXT NOT NULL,               -- where it was said
    said_at  TEXT NOT NULL,
    PRIMARY KEY (who, series, session, ticker)
) STRICT, WITHOUT ROWID;
