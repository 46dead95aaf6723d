"""Backfills as the database keeps them: the job, its sessions, every attempt at one.

A session of a job is one durable unit. Whoever dies leaves units `running`; `interrupted` has them
wait again.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from core.before import REMEMBER
from core.calendar import TradingDay, trading_day
from core.db import Conflict, Db, Row, Value, insert, iso
from core.errors import CommandError


class Policy(StrEnum):
    """Which sessions of a span a job reads."""

    MISSING = "missing"
    """Nothing is stored of them, and nobody has said why; or what they met may be over."""
    MISSING_FAILED = "missing+failed"
    """Those, and the ones that the gate holds, no source had, or the plan does not reach."""
    ALL = "all"
    """Every one, again; what has changed is a new revision."""


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


class Stage(StrEnum):
    """What is left to do when a job is over, in this order."""

    ALERTS = "alerts"
    """Everything was read again: count the past alerts that would differ."""
    NUMBERS = "numbers"
    """Measure the sessions that commands look at."""
    NOTHING = "nothing"


class Unit(StrEnum):
    """Where a session of a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    STORED = "stored"
    """Its bars are new, or another revision."""
    SAME = "same"
    """They were there already, the same."""
    HELD = "held"
    ABSENT = "absent"
    FAILED = "failed"


_INTERRUPTED = "interrupted"
_MOST_INTERRUPTIONS = 10
EARLIER = "earlier: "
"""Before an outcome: somebody has asked for the session once more since."""

UNUSABLE = "unusable file"
"""Why a session failed that arrived, and not as bars that a gate could look at."""

GOOD = (Unit.STORED, Unit.SAME)
BAD = (Unit.HELD, Unit.ABSENT, Unit.FAILED)


@dataclass(frozen=True, slots=True)
class Job:
    """A span of sessions of one series that somebody asked for."""

    id: int
    series: str
    """core.bars.Series.key"""
    asked: str
    """The one that was asked for: a better one may have been refused since."""
    first: date
    last: date
    """Of the span that was asked for."""
    policy: Policy
    newest_first: bool
    announce: bool
    state: JobState
    reason: str
    who: str
    place: str
    receipt: str | None
    created_at: datetime
    ended_at: datetime | None
    stage: Stage | None
    """None while it is not over; and for one that was over before this was kept."""
    summary: str | None
    """The receipt of the one that was asked for."""
    moved: str
    """Why it reads another series than it was begun with; empty if it does not."""

    @property
    def is_over(self) -> bool:
        """Will nothing more be read for it?"""
        return self.state in (JobState.CANCELLED, JobState.DONE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt at a session."""

    unit: Unit
    seconds: float
    cause: str = ""
    seen: str = ""
    worked: float | None = None
    """Seconds of work among them: the others were waiting."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A session that did not come in."""

    session: date
    unit: Unit
    cause: str
    seen: str


@dataclass(frozen=True, slots=True)
class Jobs:
    """The tables."""

    db: Db
    now: Callable[[], datetime]

    async def begin(
        self, series: str, had: Mapping[TradingDay, int], policy: Policy, *, who: str, place: str,
        span: tuple[date, date], newest_first: bool = True, announce: bool = False,
    ) -> Job:  # fmt: skip
        """A new job over sessions and the revisions that are there (0: none); CommandError while
        another one is not over."""
        job: dict[str, Value] = {
            "series": series, "asked": series, "first": str(span[0]), "last": str(span[1]),
            "policy": policy, "newest_first": int(newest_first), "announce": int(announce),
            "state": JobState.RUNNING, "who": who, "place": place, "created_at": iso(self.now()),
        }  # fmt: skip
        try:
            async with self.db.transaction() as writer:
                await insert(writer, "jobs", job)
                cursor = await writer.execute("SELECT last_insert_rowid()")
                (number,) = await cursor.fetchone() or (0,)
                await writer.executemany(
                    "INSERT INTO job_sessions (job, session, position, state, series, revision)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (number, str(day), position, Unit.WAITING, series, had[day])
                        for position, day in enumerate(sorted(had, reverse=newest_first))
                    ],
                )
        except Conflict as error:
            raise await self._one_is_under_way() from error
        return await self.job(number)

    async def _one_is_under_way(self) -> CommandError:
        job = await self.newest()
        which = f"that of {job.first} to {job.last} is {job.state}" if job else "there is one"
        rests = job is not None and job.state is JobState.PAUSED
        way = "/backfill resume goes on with it" if rests else "/backfill shows how far it is"
        return CommandError(f"one backfill at a time: {which}; {way}, /backfill cancel ends it")

    async def job(self, number: int) -> Job:
        """By its number; CommandError if there is none."""
        row = await self.db.row("SELECT * FROM jobs WHERE id = ?", (number,))
        if row is None:
            raise CommandError(f"there is no backfill {number}; /backfill shows the newest")
        return job_of(row)

    async def newest(self) -> Job | None:
        """The one that is not over, or else the last that was."""
        row = await self.db.row(
            "SELECT * FROM jobs ORDER BY ended_at IS NULL DESC, ended_at DESC, id DESC LIMIT 1"
        )
        return None if row is None else job_of(row)

    async def counts(self, job: Job) -> Mapping[Unit, int]:
        """How many of its sessions stand where."""
        rows = await self.db.rows(
            "SELECT state, count(*) AS many FROM job_sessions WHERE job = ? GROUP BY state",
            (job.id,),
        )
        return Counter({Unit(row["state"]): row["many"] for row in rows})

    async def take(self, job: Job) -> TradingDay | None:
        """The next session, from now on `running`; None if none waits, or the job has moved."""
        async with self.db.transaction() as writer:
            cursor = await writer.execute(
                "SELECT session FROM job_sessions JOIN jobs ON jobs.id = job"
                " WHERE job = ? AND job_sessions.state = ? AND jobs.state = ? AND jobs.series = ?"
                # Others first: three of them in a row that fail are no session's fault.
                " ORDER BY (SELECT count(*) FROM job_attempts AS a WHERE a.job = job_sessions.job"
                " AND a.session = job_sessions.session AND a.outcome IN (?, ?)), position LIMIT 1",
                (job.id, Unit.WAITING, JobState.RUNNING, job.series, Unit.WAITING, Unit.HELD),
            )
            if (row := await cursor.fetchone()) is None:
                return None
            which: tuple[Value, ...] = (job.id, row["session"])
            await writer.execute(REMEMBER, which)
            await writer.execute(
                "UPDATE job_sessions SET state = ?, series = ? WHERE (job, session) = (?, ?)",
                (Unit.RUNNING, job.series, *which),
            )
            attempt: dict[str, Value] = {"job": job.id, "session": row["session"]}
            attempt |= {"series": job.series, "began_at": iso(self.now()), "outcome": Unit.RUNNING}
            await insert(writer, "job_attempts", attempt)
        return trading_day(date.fromisoformat(row["session"]))

    async def put(self, job: Job, day: TradingDay, outcome: Outcome) -> None:
        """The end of the attempt under way, if one is; `waiting` gives the session back.

        So does what has not come in of a series that the job has moved from meanwhile.
        """
        session = (outcome.unit, outcome.cause or None, outcome.seen or None)
        tried = str(outcome.unit)
        async with self.db.transaction() as writer:
            cursor = await writer.execute("SELECT series FROM jobs WHERE id = ?", (job.id,))
            (series,) = await cursor.fetchone() or (job.series,)
            if series != job.series and outcome.unit not in GOOD:
                session, tried = (Unit.WAITING, None, None), EARLIER + tried
            await writer.execute(
                "UPDATE job_sessions SET state = ?, cause = ?, seen = ?"
                " WHERE job = ? AND session = ? AND state = ?",
                (*session, job.id, str(day), Unit.RUNNING),
            )
            await writer.execute(
                "UPDATE job_attempts SET seconds = ?, worked = ?, outcome = ?, seen = ? WHERE id ="
                " (SELECT max(id) FROM job_attempts WHERE job = ? AND session = ? AND outcome = ?)",
                (outcome.seconds, outcome.worked, tried, outcome.seen, job.id, str(day),
                 Unit.RUNNING),
            )  # fmt: skip

    async def tries(self, job: Job, day: TradingDay) -> int:
        """How often this series of it was asked for; what a death interrupted does not count."""
        row = await self.db.row(
            "SELECT count(*) AS many FROM job_attempts WHERE job = ? AND session = ?"
            " AND series = ? AND outcome != ? AND outcome NOT LIKE ?",
            (job.id, str(day), job.series, _INTERRUPTED, f"{EARLIER}%"),
        )
        return 0 if row is None else int(row["many"])

    async def interrupted(self) -> None:
        """What a dead process was working on waits again, unless it has died of it too often."""
        async with self.db.transaction() as writer:
            await writer.execute(
                "UPDATE job_attempts SET outcome = ? WHERE outcome = ?",
                (_INTERRUPTED, Unit.RUNNING),
            )
            await writer.execute(
                "UPDATE job_sessions SET state = ?, cause = ?, seen = ? WHERE state = ? AND"
                " (SELECT count(*) FROM job_attempts AS a WHERE a.job = job_sessions.job"
                " AND a.session = job_sessions.session AND a.outcome = ?) >= ?",
                (Unit.FAILED, _INTERRUPTED, f"{_INTERRUPTED} {_MOST_INTERRUPTIONS} times",
                 Unit.RUNNING, _INTERRUPTED, _MOST_INTERRUPTIONS),
            )  # fmt: skip
            await writer.execute(
                "UPDATE job_sessions SET state = ? WHERE state = ?", (Unit.WAITING, Unit.RUNNING)
            )

    async def again(self, job: Job) -> int:
        """A job that is over, whose failed sessions wait once more; how many they are.

        CommandError while another one is not over.
        """
        try:
            return await self._again(job)
        except Conflict as error:
            raise await self._one_is_under_way() from error

    async def _again(self, job: Job) -> int:
        async with self.db.transaction() as writer:
            if job.state is JobState.CANCELLED:
                # What it never came to is not wanted any more.
                await writer.execute(
                    "DELETE FROM job_sessions AS u WHERE job = ? AND state = ?"
                    " AND EXISTS (SELECT 1 FROM job_sessions WHERE job = ? AND state IN (?, ?, ?))"
                    " AND NOT EXISTS (SELECT 1 FROM job_attempts AS a"
                    " WHERE (a.job, a.session) = (u.job, u.session))",
                    (job.id, Unit.WAITING, job.id, *BAD),
                )
            cursor = await writer.execute(
                "UPDATE job_sessions SET state = ? WHERE job = ? AND state IN (?, ?, ?)",
                (Unit.WAITING, job.id, *BAD),
            )
            if cursor.rowcount:
                await writer.execute(
                    "UPDATE job_sessions SET cause = NULL, seen = NULL WHERE job = ? AND state = ?",
                    (job.id, Unit.WAITING),
                )
                await writer.execute(
                    "UPDATE job_attempts SET outcome = ? || outcome WHERE job = ? AND session IN"
                    " (SELECT session FROM job_sessions WHERE job = ? AND state = ?)"
                    " AND outcome NOT LIKE ?",
                    (EARLIER, job.id, job.id, Unit.WAITING, f"{EARLIER}%"),
                )
                await writer.execute(
                    "UPDATE jobs SET state = ?, reason = '', ended_at = NULL, stage = NULL,"
                    " given_up = NULL WHERE id = ?",
                    (JobState.RUNNING, job.id),
                )
                await writer.execute("DELETE FROM job_alerts WHERE job = ?", (job.id,))
            return cursor.rowcount

    async def state(self, job: Job, state: JobState, reason: str = "") -> bool:
        """Has it changed? A job that is over stays over."""
        is_over = state in (JobState.CANCELLED, JobState.DONE)
        stage = Stage.ALERTS if job.policy is Policy.ALL else Stage.NUMBERS
        after = (iso(self.now()), stage) if is_over else (None, None)
        async with self.db.transaction() as writer:
            cursor = await writer.execute(
                "UPDATE jobs SET state = ?, reason = ?, ended_at = ?, stage = ? WHERE id = ?"
                " AND state != ? AND state IN (?, ?)",
                (state, reason, *after, job.id, state, JobState.RUNNING, JobState.PAUSED),
            )
            return cursor.rowcount > 0


def job_of(row: Row) -> Job:
    """A row of the table."""
    return Job(
        id=row["id"],
        series=row["series"],
        asked=row["asked"] or row["series"],
        first=date.fromisoformat(row["first"]),
        last=date.fromisoformat(row["last"]),
        policy=Policy(row["policy"]),
        newest_first=bool(row["newest_first"]),
        announce=bool(row["announce"]),
        state=JobState(row["state"]),
        reason=row["reason"],
        who=row["who"],
        place=row["place"],
        receipt=row["receipt"],
        created_at=datetime.fromisoformat(row["created_at"]),
        ended_at=datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None,
        stage=Stage(row["stage"]) if row["stage"] else None,
        summary=row["summary"],
        moved=row["moved"],
    )
