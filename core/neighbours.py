"""The sessions of a backfill that the gate compares one with: those to come, those held without it.

What is unusual by the sessions that are there so far may be usual by those to come. One that was
held tells nothing more as long as nothing has come in beside it: nobody waits for it, and if it
comes in after all, whoever was held beside it is looked at once more.
"""

from core.calendar import TradingDay, sessions_after, sessions_ending
from core.gate import HISTORY_SESSIONS
from core.jobs import Job, Jobs, Unit


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


async def came_in(jobs: Jobs, job: Job, day: TradingDay, most_tries: int) -> None:
    """Under way, it is there now: had it been held before, others that were wait once more."""
    rows = await jobs.db.rows(
        "SELECT session FROM job_sessions AS u WHERE job = ? AND state = ?"
        " AND session BETWEEN ? AND ? AND cause ="
        " (SELECT cause FROM job_sessions WHERE job = u.job AND session = ? AND state = ?)"
        " AND (SELECT count(*) FROM job_attempts AS a WHERE a.job = u.job"
        " AND a.session = u.session AND a.outcome IN (?, ?)) < ?",
        (job.id, Unit.HELD, *_around(day), str(day), Unit.RUNNING, Unit.WAITING, Unit.HELD,
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
