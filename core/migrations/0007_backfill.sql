-- A span of sessions that somebody asked for. It belongs to this database, not to a process: what
-- was under way when one died is waiting for the next one.
CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY,
    series       TEXT NOT NULL,
    first        TEXT NOT NULL,
    last         TEXT NOT NULL,
    policy       TEXT NOT NULL CHECK (policy IN ('missing', 'missing+failed', 'all')),
    newest_first INTEGER NOT NULL,
    announce     INTEGER NOT NULL,         -- one summary at the end
    state        TEXT NOT NULL CHECK (state IN ('running', 'paused', 'cancelled', 'done')),
    reason       TEXT NOT NULL DEFAULT '', -- why it is paused, cancelled or done
    who          TEXT NOT NULL,
    place        TEXT NOT NULL,            -- the channel of its card
    receipt      TEXT,                     -- the card's, once it was posted
    created_at   TEXT NOT NULL,
    ended_at     TEXT
) STRICT;
CREATE UNIQUE INDEX one_job_at_a_time ON jobs ((1)) WHERE state IN ('running', 'paused');

-- One session of a job: a unit that is done, or not.
CREATE TABLE job_sessions (
    job      INTEGER NOT NULL REFERENCES jobs (id),
    session  TEXT NOT NULL,
    position INTEGER NOT NULL,             -- in the order of work
    state    TEXT NOT NULL
        CHECK (state IN ('waiting', 'running', 'stored', 'same', 'held', 'absent', 'failed')),
    cause    TEXT,                         -- of a failure, in a word or two
    seen     TEXT,                         -- of a failure, in full
    PRIMARY KEY (job, session)
) STRICT, WITHOUT ROWID;

-- Every time a unit was worked on.
CREATE TABLE job_attempts (
    id       INTEGER PRIMARY KEY,
    job      INTEGER NOT NULL REFERENCES jobs (id),
    session  TEXT NOT NULL,
    began_at TEXT NOT NULL,
    seconds  REAL,                         -- NULL: it was interrupted
    outcome  TEXT NOT NULL,
    seen     TEXT
) STRICT;
CREATE INDEX attempts_by_job ON job_attempts (job, session, id);
