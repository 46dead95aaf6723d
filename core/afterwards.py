"""What is said of a backfill and left to do after it; what reading everything again has changed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from core.db import Db, iso
from core.jobs import BAD, EARLIER, Job, JobState, Policy, Stage, Unit, job_of


@dataclass(frozen=True, slots=True)
class Differs:
    """A digest that was sent, beside what the stored bars would have said by now."""

    series: str
    session: date
    came: tuple[str, ...] = ()
    """Tickers that would be its lines and were not, best first."""
    went: tuple[str, ...] = ()
    """Those that were and would not be."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A session of which a job has stored something."""

    series: str
    """A job that has moved has those of several."""
    session: date
    is_new: bool
    """Was nothing of it there before?"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Before and after a job that read everything again."""

    changed: int
    """Sessions of which another revision is stored."""
    new: int
    """Sessions of which nothing was stored before."""
    told: int
    """Digests that were judged again."""
    differing: Sequence[Differs]
    """Those of them with other lines, newest session first."""
    is_counted: bool
    """False while digests wait to be judged again."""
    is_given_up: bool = False
    """Something nobody foresaw has ended it: who else would differ nobody knows."""

    @property
    def alerts(self) -> int:
        """Names that would come or go."""
        return sum(len(d.came) + len(d.went) for d in self.differing)


@dataclass(frozen=True, slots=True)
class Afterwards:
    """The messages of jobs, the stages of those that are over, the table of their past alerts."""

    db: Db

    async def last(self) -> int:
        """The number of the job that was begun last; 0 if there never was one."""
        (row,) = await self.db.rows("SELECT coalesce(max(id), 0) AS last FROM jobs")
        return int(row["last"])

    async def unsettled(self) -> Job | None:
        """The first job that has something left to do."""
        row = await self.db.row(
            "SELECT * FROM jobs WHERE stage != ? ORDER BY id LIMIT 1", (Stage.NOTHING,)
        )
        return None if row is None else job_of(row)

    async def uncounted(self) -> Job | None:
        """The first job whose past alerts nobody has counted to the end."""
        row = await self.db.row(
            "SELECT * FROM jobs WHERE stage = ? ORDER BY id LIMIT 1", (Stage.ALERTS,)
        )
        return None if row is None else job_of(row)

    async def settled(self, job: Job) -> None:
        """What its stage asks for is done."""
        stages = list(Stage)
        after = stages[stages.index(job.stage or Stage.NOTHING) + 1]
        async with self.db.transaction() as writer:
            await writer.execute(
                "UPDATE jobs SET stage = ? WHERE id = ? AND stage = ?", (after, job.id, job.stage)
            )

    async def give_up(self, job: Job) -> None:
        """What its stage asks for has met a fault of ours: nothing more of it is tried."""
        async with self.db.transaction() as writer:
            await writer.execute(
                "UPDATE jobs SET given_up = trim(coalesce(given_up, '') || ' ' || ?) WHERE id = ?",
                (job.stage, job.id),
            )

    async def given_up(self, job: Job) -> frozenset[Stage]:
        """The stages that ended so."""
        row = await self.db.row("SELECT given_up FROM jobs WHERE id = ?", (job.id,))
        return frozenset(Stage(name) for name in ((row and row["given_up"]) or "").split())

    async def posted(self, job: Job, receipt: str) -> None:
        """Its card is there; if one was before, it was posted anew."""
        async with self.db.transaction() as writer:
            await writer.execute(
                "UPDATE jobs SET anew = receipt IS NOT NULL, receipt = ? WHERE id = ?",
                (receipt, job.id),
            )

    async def is_posted_anew(self, job: Job) -> bool:
        """Was its card posted a second time, as the first one was deleted?"""
        row = await self.db.row("SELECT anew FROM jobs WHERE id = ?", (job.id,))
        return bool(row and row["anew"])

    async def shown(self, job: Job) -> None:
        """Its card shows the job as it is here; or nobody can be shown it."""
        seen = f"{job.state} {job.stage or ''} {job.reason}{job.moved}"
        async with self.db.transaction() as writer:
            await writer.execute("UPDATE jobs SET shown = ? WHERE id = ?", (seen, job.id))

    async def owed(self, since: datetime) -> list[Job]:
        """Those whose card shows something else, or whose summary is due and was not said.

        Of jobs that have ended before `since` nobody waits for a word any more.
        """
        rows = await self.db.rows(
            "SELECT * FROM jobs WHERE (ended_at IS NULL OR ended_at >= ?)"
            # As shown() keeps it: what moves a card at once, whoever has moved the job.
            " AND (shown IS NOT state || ' ' || coalesce(stage, '') || ' ' || reason"
            " || moved OR (announce AND state = ? AND stage IS NOT ? AND summary IS NULL))"
            " ORDER BY id",
            (iso(since), JobState.DONE, Stage.ALERTS),
        )
        return [job_of(row) for row in rows]

    async def summed_up(self, job: Job, receipt: str) -> None:
        """The summary that was asked for is there; empty: the channel does not take it."""
        async with self.db.transaction() as writer:
            await writer.execute("UPDATE jobs SET summary = ? WHERE id = ?", (receipt, job.id))

    async def touched(self, job: Job) -> list[Touched]:
        """The sessions that changed, and those that are new, oldest first; of every series that the
        job has read, though it may have gone on with another one since."""
        rows = await self.db.rows(
            "SELECT b.series, b.session, b.is_new FROM job_before AS b LEFT JOIN job_sessions AS u"
            " ON (u.job, u.session) = (b.job, b.session) LEFT JOIN sessions AS s"
            " ON (s.series, s.session) = (b.series, b.session) JOIN jobs AS j ON j.id = b.job"
            # What changed beside a session, as its prices did, is no revision of its own.
            " WHERE b.job = ? AND (EXISTS (SELECT 1 FROM job_attempts AS a WHERE"
            " (a.job, a.session, a.series) = (b.job, b.session, b.series) AND a.outcome IN (?, ?))"
            # One that was stored by a process that died of it is the same when it is read again.
            " OR (s.revision > b.revision AND (j.ended_at IS NULL OR s.stored_at <= j.ended_at)"
            # What did not come in was not stored by the job: somebody may have accepted it since.
            " AND NOT (u.series IS b.series AND u.state IN (?, ?, ?)))) ORDER BY b.session",
            (job.id, Unit.STORED, EARLIER + Unit.STORED, *BAD),
        )
        return [
            Touched(row["series"], date.fromisoformat(row["session"]), bool(row["is_new"]))
            for row in rows
        ]

    async def done(self, job: Job) -> set[tuple[str, date]]:
        """Series and session of the digests that were judged again."""
        return {(d.series, d.session) for d in await self._all(job)}

    async def put(self, job: Job, one: Differs) -> None:
        """Unless the job is under way once more."""
        async with self.db.transaction() as writer:
            await writer.execute(
                "INSERT OR REPLACE INTO job_alerts (job, series, session, came, went)"
                " SELECT id, ?, ?, ?, ? FROM jobs WHERE id = ? AND stage = ?",
                (one.series, str(one.session), json.dumps(one.came), json.dumps(one.went),
                 job.id, Stage.ALERTS),
            )  # fmt: skip

    async def of(self, job: Job) -> Comparison | None:
        """None for a job that is not over, or does not read again what is there."""
        if job.policy is not Policy.ALL or job.stage is None:
            return None
        touched = await self.touched(job)
        changed = {one.session for one in touched if not one.is_new}
        every = await self._all(job)
        return Comparison(
            len(changed),
            len({one.session for one in touched} - changed),
            len(every),
            [one for one in every if one.came or one.went],
            is_counted=job.stage is not Stage.ALERTS,
            is_given_up=Stage.ALERTS in await self.given_up(job),
        )

    async def _all(self, job: Job) -> list[Differs]:
        rows = await self.db.rows(
            "SELECT * FROM job_alerts WHERE job = ? ORDER BY session DESC, series", (job.id,)
        )
        return [
            Differs(
                r["series"],
                date.fromisoformat(r["session"]),
                tuple(json.loads(r["came"])),
                tuple(json.loads(r["went"])),
            )
            for r in rows
        ]
