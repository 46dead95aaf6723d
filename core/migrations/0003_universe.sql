-- What the vendor's reference says of each ticker, as last listed; case is data.
CREATE TABLE instruments (
    ticker    TEXT PRIMARY KEY,
    type      TEXT,                       -- the vendor's code (CS, ETF, WARRANT); NULL: it gives none
    name      TEXT NOT NULL,
    figi      TEXT,
    listed_at TEXT NOT NULL               -- ISO, UTC: the last list that had it
) STRICT, WITHOUT ROWID;

-- Each time the whole list was asked for.
CREATE TABLE listings (
    asked_at  TEXT PRIMARY KEY,           -- ISO, UTC
    row_count INTEGER NOT NULL            -- 0: it could not be had
) STRICT, WITHOUT ROWID;

-- Whose events were asked for, and when last; that there were none is an answer too.
CREATE TABLE rename_questions (
    ticker   TEXT PRIMARY KEY,
    asked_at TEXT NOT NULL                -- ISO, UTC
) STRICT, WITHOUT ROWID;

-- Renames that the vendor told of when asked for a ticker.
CREATE TABLE renames (
    asked      TEXT NOT NULL,             -- the ticker whose events these are
    old        TEXT NOT NULL,
    new        TEXT NOT NULL,
    renamed_on TEXT NOT NULL,             -- ISO date: the first session as `new`
    PRIMARY KEY (asked, old, new, renamed_on)
) STRICT, WITHOUT ROWID;
