"""/backfill: what a span of sessions needs, and reading it, silently, beside everything else."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alerts.message import stamp
from alerts.model import Action, Message
from alerts.words import clock, some
from bot.arguments import Sessions, no_more_than, span
from bot.requests import CommandRequest
from core.backfill import Step
from core.calendar import TradingDay
from core.errors import CommandError
from core.ladder import Ladder
from core.ledger import Status
from core.sources import AWAY_AFTER

logger = logging.getLogger(__name__)

USAGE = "[plan|run FROM TO] [stop]"
_ACTIONS = ("status", "plan", "run", "stop")
_FAULTS_SHOWN = 3


@dataclass(slots=True)
class Job:
    """One span that is being read, or was."""

    days: Sequence[TradingDay]
    by: str
    began_at: datetime
    done: int = 0
    stored: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """By session: what its sources said."""
    ended: str = ""
    """Why it ended; empty while it goes on."""
    stopping: bool = False

    def took(self, step: Step) -> None:
        """One session is through, whatever became of it."""
        self.done += 1
        if step.error is not None:
            self.failed[str(step.day)] = str(step.error)
        elif step.entry is not None and step.entry.revision:
            self.stored += 1


@dataclass(slots=True)
class Backfilling:
    """One job at a time, in this process; the sessions themselves are kept as they come in."""

    ladder: Ladder
    sessions: Sessions
    turn: asyncio.Lock
    """Held while a session comes in: the newest one never stands behind a whole span."""
    job: Job | None = None
    _task: asyncio.Task[None] | None = None

    async def answer(self, request: CommandRequest) -> Message:
        """How far it is, what it would need, or begin and stop; CommandError in one sentence."""
        action, *rest = request.words or ("status",)
        action = action.lower()
        if action not in _ACTIONS:
            raise CommandError(f"/backfill {action[:40]}: there is /backfill {USAGE}")
        if action in ("status", "stop"):
            no_more_than(rest, 0, f"/backfill {USAGE}")
            return self._status() if action == "status" else self._stop(request)
        if len(rest) < 2:
            raise CommandError(f"From when to when? /backfill {action} 2026-06-01 2026-11-25")
        no_more_than(rest, 2, f"/backfill {USAGE}")
        days = span(rest[0], rest[1], self.sessions)
        return await self._plan(days) if action == "plan" else await self._begin(request, days)

    async def close(self) -> None:
        """What is under way is let go; what came in is stored."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _plan(self, days: Sequence[TradingDay]) -> Message:
        missing, held = await self._missing(days)
        served = self.ladder.top.chain.sources[0].name
        first, last = days[0], days[-1]
        lead = f"{some(len(days), 'session')} from {first} to {last}: "
        lead += f"{some(len(missing), 'session')} to read." if missing else "all are stored."
        begin = Action("Read them", f"backfill run {first} {last}")
        return Message(
            title="Backfill · plan",
            lead=lead,
            facts=(
                ("stored", f"{len(days) - len(missing):,}"),
                ("to read", f"{len(missing):,}"),
                ("held by the gate", f"{held:,}"),
                ("asked first", served),
            ),
            footer=("nothing is announced of the past",),
            stamp=stamp(self.ladder.top.series),
            actions=(begin,) if missing else (),
        )

    async def _begin(self, request: CommandRequest, days: Sequence[TradingDay]) -> Message:
        request.only_operators("/backfill run", everywhere=True)
        missing, _ = await self._missing(days)
        # Nothing is awaited from here on: of two who ask at once, one is first.
        if self.job is not None and not self.job.ended:
            raise CommandError("one is under way: /backfill tells how far, /backfill stop ends it")
        if not missing:
            raise CommandError(f"all sessions from {days[0]} to {days[-1]} are stored")
        self.job = Job(missing, request.who, self.ladder.top.now())
        self._task = asyncio.create_task(self._work(self.job), name="backfill")
        self._task.add_done_callback(_told)
        return self._status()

    async def _missing(self, days: Sequence[TradingDay]) -> tuple[list[TradingDay], int]:
        entries = await self.ladder.entries(days)
        missing = [d for d in days if d.date not in entries or not entries[d.date].revision]
        return missing, sum(e.status is Status.HELD for e in entries.values())

    async def _work(self, job: Job) -> None:
        away = 0
        try:
            for day in job.days:
                if job.stopping:
                    job.ended = "stopped"
                    return
                async with self.turn:
                    last = await self._one(job, day)
                away = away + 1 if last is not None and last.away else 0
                if last is not None and (last.stopped or away == AWAY_AFTER):
                    job.ended = f"ended early: {last.error}"
                    return
            job.ended = "done"
            await self.ladder.compact()
        except asyncio.CancelledError:
            job.ended = "interrupted by a restart"
            raise
        finally:
            # Only a fault of ours ends it without a reason.
            job.ended = job.ended or "failed on our side; the log has the details"
            facts = {"stored": job.stored, "failed": len(job.failed), "ended": job.ended}
            logger.info("backfill", extra=facts)

    async def _one(self, job: Job, day: TradingDay) -> Step | None:
        last = None
        async for step in self.ladder.work([day], [], self.ladder.top.now(), again=True):
            last = step
        if last is not None:
            job.took(last)
        return last

    def _stop(self, request: CommandRequest) -> Message:
        request.only_operators("/backfill stop", everywhere=True)
        if self.job is None or self.job.ended:
            raise CommandError("nothing is being read")
        self.job.stopping = True
        return self._status()

    def _status(self) -> Message:
        job = self.job
        said = stamp(self.ladder.top.series)
        if job is None:
            such = "/backfill plan FROM TO tells what a span needs"
            return Message(title="Backfill", lead=f"Nothing is being read; {such}.", stamp=said)
        state = job.ended or ("stops after this session" if job.stopping else "under way")
        faults = [f"{day}: {seen}" for day, seen in list(job.failed.items())[-_FAULTS_SHOWN:]]
        going = () if job.ended else (Action("How far now?", "backfill"), _STOP)
        return Message(
            title="Backfill",
            lead=f"{job.done} of {some(len(job.days), 'session')} through, {job.stored} stored,"
            f" {len(job.failed)} failed: {state}.",
            banners=tuple(faults),
            facts=(
                ("span", f"{job.days[0]} to {job.days[-1]}"),
                ("begun", f"{clock(job.began_at)} by {job.by}"),
            ),
            stamp=said,
            actions=going,
        )


_STOP = Action("Stop", "backfill stop")


def _told(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a backfill failed", exc_info=error)
