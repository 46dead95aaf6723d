"""The sessions of a backfill that the gate compares one with: those to come, those held without it.

What is unusual by the sessions that are there so far may be usual by those to come. One that was
held tells nothing more as long as nothing has come in beside it: nobody waits for it, and if it
comes in after all, whoever was held beside it is looked at once more.
"""

from core.calendar import TradingDay, sessions_after, sessions_ending
from core.gate import HISTORY_SESSIONS
from core.jobs import GOOD, Job, Jobs, Unit


async def others_to_come(jobs: Jobs, job: Job, day: TradingDay, held: str) -> bool:
    """Are some of them still to be read, of which the gate has said nothing yet?

    `held`: the cause of a session that the gate has held as unusual.
    """
    row = await jobs.db.row(
        "SELECT 1 FROM job_sessions WHERE job = ? AND session BETWEEN ? AND ? AND session != ?"
        " AND state IN (?, ?) AND cause IS NOT ?",
        (job.id, *_around(day), str(day), Unit.WAITING, Unit.RUNNING, held),
    )
    return row is not None


async def there_by_now(jobs: Jobs, job: Job, day: TradingDay) -> int:
    """How many of them have come in."""
    row = await jobs.db.row(
        "SELECT count(*) AS many FROM job_sessions WHERE job = ? AND session BETWEEN ? AND ?"
        " AND session != ? AND state IN (?, ?)",
        (job.id, *_around(day), str(day), *GOOD),
    )
    return 0 if row is None else int(row["many"])


async def came_in(jobs: Jobs, job: Job, day: TradingDay, most_tries: int) -> None:
    """It is there now: had the gate held it at any try, others that are held wait once more.

    What else it has met since, a source that is away or our own fault, changes nothing of that.
    """
    rows = await jobs.db.rows(
        "SELECT session FROM job_sessions AS u JOIN jobs ON jobs.id = job WHERE job = ?"
        " AND jobs.ended_at IS NULL AND u.state = ? AND session BETWEEN ? AND ?"
        " AND EXISTS (SELECT 1 FROM job_attempts AS a"
        " WHERE a.job = u.job AND a.session = ? AND a.series = ? AND instr(a.seen, u.cause))"
        " AND (SELECT count(*) FROM job_attempts AS a WHERE a.job = u.job"
        " AND a.session = u.session AND a.outcome IN (?, ?)) < ?",
        (job.id, Unit.HELD, *_around(day), str(day), job.series, Unit.WAITING, Unit.HELD,
         most_tries),
    )  # fmt: skip
    if not rows:
        return
    async with jobs.db.transaction() as writer:
        await writer.executemany(
            "UPDATE job_sessions SET state = ? WHERE job = ? AND session = ? AND state = ?",
            [(Unit.WAITING, job.id, row["session"], Unit.HELD) for row in rows],
        )


def _around(day: TradingDay) -> tuple[str, str]:
    first = sessions_ending(day, HISTORY_SESSIONS + 1)[0]
    return str(first), str(sessions_after(day, HISTORY_SESSIONS)[-1])
