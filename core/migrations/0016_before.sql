-- What there was of a session, in each series that a backfill has read, when it first came to it: a
-- job may go to another series and back. In place of job_sessions.revision, which stays what it was
-- when the job began.
CREATE TABLE job_before (
    job      INTEGER NOT NULL REFERENCES jobs (id),
    series   TEXT NOT NULL,
    session  TEXT NOT NULL,
    revision INTEGER,                      -- as the ledger had it; NULL: not known
    is_new   INTEGER NOT NULL,             -- no bars were there
    PRIMARY KEY (job, series, session)
) STRICT, WITHOUT ROWID;
INSERT INTO job_before (job, series, session, revision, is_new)
    SELECT job, series, session, revision, revision IS 0 FROM job_sessions AS u
    WHERE series IS NOT NULL AND (state != 'waiting' OR EXISTS (SELECT 1 FROM job_attempts AS a
        WHERE (a.job, a.session) = (u.job, u.session)));
