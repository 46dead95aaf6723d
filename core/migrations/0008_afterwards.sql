-- What a backfill that read everything again has changed, and what is left to do when one is over.
ALTER TABLE jobs ADD COLUMN stage TEXT CHECK (stage IN ('alerts', 'numbers', 'nothing'));
    -- NULL: it is not over, or was over before this was kept
ALTER TABLE jobs ADD COLUMN asked TEXT;             -- the series that was asked for; NULL: `series`
ALTER TABLE jobs ADD COLUMN summary TEXT;           -- the receipt of the one that was asked for
ALTER TABLE job_sessions ADD COLUMN revision INTEGER;   -- of its bars when the job began; 0: none

-- A digest of the past that was judged again after a job: names it would have, and would not have.
CREATE TABLE job_alerts (
    job     INTEGER NOT NULL REFERENCES jobs (id),
    series  TEXT NOT NULL,
    session TEXT NOT NULL,
    came    TEXT NOT NULL,                 -- JSON list of tickers
    went    TEXT NOT NULL,                 -- JSON list of tickers
    PRIMARY KEY (job, series, session)
) STRICT, WITHOUT ROWID;
