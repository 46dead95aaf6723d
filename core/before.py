"""What there was of a session before a backfill: its difference is known by that.

A job may go to another series, and back: it is kept for each of them, as it was at the first try.
"""

REMEMBER = (
    "INSERT OR IGNORE INTO job_before (job, series, session, revision, is_new)"
    " SELECT u.job, j.series, u.session, coalesce(s.revision, 0),"
    # The ledger has a revision of bars that are gone as well; whoever began the job had looked.
    " iif(j.series IN (u.series, j.asked), u.revision, coalesce(s.revision, 0)) IS 0"
    " FROM job_sessions AS u JOIN jobs AS j ON j.id = u.job LEFT JOIN sessions AS s"
    " ON (s.series, s.session) = (j.series, u.session) WHERE (u.job, u.session) = (?, ?)"
)
"""For a session of a job (its number, the session) that it is about to read: of the series that
the job is at."""
