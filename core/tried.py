"""What the attempts on record tell of a backfill: how long a session takes, and the last error."""

from dataclasses import replace
from datetime import date

from core.bars import Series
from core.db import Db, Row
from core.jobs import BAD, EARLIER, GOOD, Failure, Job, Unit

_NEWEST = 30


async def pace_s(db: Db, job: Job) -> float | None:
    """The mean of its last sessions that came in, in seconds each, waiting for a call or a worker
    as well; None if none did."""
    row = await db.row(
        "SELECT avg(seconds) AS mean FROM (SELECT seconds FROM job_attempts WHERE job = ?"
        " AND outcome IN (?, ?) ORDER BY id DESC LIMIT ?)",
        (job.id, *GOOD, _NEWEST),
    )
    return None if row is None else row["mean"]


async def pace_of_series_s(db: Db, series: str) -> float | None:
    """The same over the newest sessions of a series, whichever job read them, and of work alone."""
    # By other rules of counting trades it takes as long.
    plain = replace(Series.of_key(series), rules="").key
    row = await db.row(
        "SELECT avg(work) AS mean FROM (SELECT coalesce(worked, seconds) AS work"
        " FROM job_attempts WHERE (series = ? OR series GLOB ? || '-*') AND outcome IN (?, ?)"
        " ORDER BY id DESC LIMIT ?)",
        (plain, plain, *GOOD, _NEWEST),
    )
    return None if row is None else row["mean"]


async def failures(db: Db, job: Job) -> list[Failure]:
    """The sessions that did not come in, newest first."""
    rows = await db.rows(
        "SELECT session, state, cause, seen FROM job_sessions WHERE job = ? AND state IN"
        " (?, ?, ?) ORDER BY session DESC",
        (job.id, *BAD),
    )
    return [_failure(row) for row in rows]


async def failed_before(db: Db, series: str, first: date, last: date) -> dict[date, Failure]:
    """The sessions of a span that failed when a backfill read them of this series last."""
    rows = await db.rows(
        "SELECT session, state, cause, seen, max(job) FROM job_sessions WHERE series = ?"
        " AND session BETWEEN ? AND ? AND state NOT IN (?, ?) GROUP BY session",
        (series, str(first), str(last), Unit.WAITING, Unit.RUNNING),
    )
    return {f.session: f for f in map(_failure, rows) if f.unit in BAD}


async def last_error(db: Db, job: Job) -> Failure | None:
    """The newest one of a session that has not come in since."""
    row = await db.row(
        "SELECT a.session, u.state, u.cause, a.seen FROM job_attempts AS a"
        " JOIN job_sessions AS u ON (u.job, u.session) = (a.job, a.session)"
        " WHERE a.job = ? AND a.seen != '' AND a.outcome NOT LIKE ? AND u.state NOT IN (?, ?)"
        " ORDER BY a.id DESC LIMIT 1",
        (job.id, f"{EARLIER}%", *GOOD),
    )
    if row is None:
        return None
    return _failure(row)


def _failure(row: Row) -> Failure:
    on, unit = date.fromisoformat(row["session"]), Unit(row["state"])
    return Failure(on, unit, row["cause"] or "", row["seen"] or "")
