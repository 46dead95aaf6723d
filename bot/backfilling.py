"""/backfill: what a span of sessions needs; reading it, silently; how far that is."""

import difflib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date

from alerts.backfill_card import (
    Standing,
    backfill_card,
    differences_card,
    failures_card,
)
from alerts.budget import clipped
from alerts.message import stamp
from alerts.model import Message
from alerts.plan_card import plan_card
from bot.arguments import Sessions, dated, no_more_than, span
from bot.estimate import Estimates
from bot.requests import CommandRequest
from bot.runner import Runner
from core.afterwards import Afterwards
from core.alone import alone
from core.calendar import TradingDay
from core.errors import CommandError
from core.jobs import Job, JobState, Policy, Unit
from core.ladder import Ladder
from core.lease import at_work
from core.ledger import Entry
from core.pipeline import Pipeline
from core.plan import Plan, Sorted
from core.renewed import alike
from core.resumed import resumed
from core.tried import failures, last_error, pace_s

USAGE = (
    "[plan|run FROM TO] [missing|missing+failed|all] [oldest-first] [announce] [series:NAME]"
    " [pause|resume|cancel|retry|failed|changes]"
)
_CARDS = {"status": backfill_card, "failed": failures_card, "changes": differences_card}
ACTIONS = (*_CARDS, "plan", "run", "pause", "resume", "cancel", "stop", "retry")
_OLDEST_FIRST, _ANNOUNCE, _SERIES = "oldest-first", "announce", "series:"
_NUMBER = re.compile("[0-9]{1,9}")
_SUCH = "2026-06-01 2026-11-25"


def meant(typed: str) -> str:
    """The action that somebody has mistyped; empty if it is like none."""
    return next(iter(difflib.get_close_matches(typed.lower(), ACTIONS, 1, 0.6)), "")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a span."""

    days: Sequence[TradingDay]
    pipeline: Pipeline
    policy: Policy = Policy.MISSING
    newest_first: bool = True
    announce: bool = False
    words: str = ""
    """All but the span, as it was typed."""

    @property
    def span(self) -> tuple[date, date]:
        """The first and the last session."""
        return self.days[0].date, self.days[-1].date

    @property
    def typed(self) -> list[str]:
        """Words that wish the same at any moment: `today` is another session later."""
        return [*map(str, self.span), *self.words.split()]


@dataclass(frozen=True, slots=True)
class Backfilling:
    """Answers about the job that is under way, and begins one."""

    ladder: Ladder
    sessions: Sessions
    runner: Runner
    estimates: Estimates

    async def answer(self, request: CommandRequest) -> Message:
        """How far it is, what it would need, or a change; CommandError in one sentence."""
        action, *rest = request.words or ("status",)
        action = action.lower()
        if action not in ACTIONS:
            near = meant(action)
            hint = f"did you mean /backfill {near}?" if near else f"there is /backfill {USAGE}"
            raise CommandError(f"/backfill {clipped(action, 40)}: {hint}")
        if action in ("plan", "run"):
            wish = self.wish(action, rest)
            return await self._plan(wish) if action == "plan" else await self._run(request, wish)
        if action not in _CARDS:
            request.only_operators(f"/backfill {action}", everywhere=True)
        job = await self._meant(rest)
        if job is None:
            return self._nothing()
        if action not in _CARDS:
            return await self._changed(job, "cancel" if action == "stop" else action)
        standing = await self.seen(job)
        return _CARDS[action](standing, self._stamp)

    async def _meant(self, words: Sequence[str]) -> Job | None:
        """The job of a number, which the buttons of its card have; or else the newest."""
        jobs, is_number = self.runner.jobs, bool(words) and _NUMBER.fullmatch(words[0])
        no_more_than(words, 1 if is_number else 0, f"/backfill {USAGE}")
        return await jobs.job(int(words[0])) if is_number else await jobs.newest()

    def wish(self, action: str, words: Sequence[str]) -> Wish:
        """FROM TO and what may stand beside them, in any order; CommandError for anything else."""
        words = dated(words)
        if len(words) > 2 and words[1].lower() == "to":
            words = (words[0], *words[2:])
        if len(words) < 2:
            raise CommandError(f"From when to when? /backfill {action} {_SUCH}")
        wish = Wish(span(words[0], words[1], self.sessions), self.ladder.top)
        if len(policies := {w.lower() for w in words[2:]} & {*Policy}) > 1:
            raise CommandError(f"one policy at a time, not {' and '.join(sorted(policies))}")
        for word in words[2:]:
            small = word.lower()
            if small in {*Policy}:
                wish = replace(wish, policy=Policy(small))
            elif small in (_OLDEST_FIRST, "newest-first"):
                wish = replace(wish, newest_first=small != _OLDEST_FIRST)
            elif small in (_ANNOUNCE, f"{_ANNOUNCE}:", f"{_ANNOUNCE}:true"):
                wish = replace(wish, announce=True)
            elif small == f"{_ANNOUNCE}:false":
                wish = replace(wish, announce=False)
            elif small.startswith(_SERIES):
                wish = replace(wish, pipeline=self._series(small.removeprefix(_SERIES)))
            else:
                known = f"{', '.join(Policy)}, {_OLDEST_FIRST}, {_ANNOUNCE}, {_SERIES}NAME"
                raise CommandError(f"{clipped(word, 40)!r} after the span: there is {known}")
        return replace(wish, words=" ".join(words[2:]))

    async def begin(self, wish: Wish, *, who: str, place: str) -> Job:
        """A job for what is wanted; CommandError if there is nothing to read, or one under way."""
        unread = await self.unread(wish)
        if not unread:
            first, last = wish.days[0], wish.days[-1]
            raise CommandError(
                f"nothing to read from {first} to {last} ({wish.policy}): all sessions are stored,"
                f" or failed before; /backfill plan {first} {last} tells which,"
                f" {Policy.MISSING_FAILED} reads what failed"
            )
        job = await self.runner.jobs.begin(
            wish.pipeline.series.key, unread, wish.policy, who=who, place=place, span=wish.span,
            newest_first=wish.newest_first, announce=wish.announce,
        )  # fmt: skip
        self.runner.wake()
        return job

    async def unread(self, wish: Wish) -> dict[TradingDay, int]:
        """The sessions that a job for it would read, oldest first; the revision that is there."""
        entries = await wish.pipeline.entries(wish.days)
        to_read = (await self.known(wish, entries)).to_read(wish.policy)
        return {day: entries[day.date].revision if day.date in entries else 0 for day in to_read}

    async def known(self, wish: Wish, entries: Mapping[date, Entry]) -> Sorted:
        """Its sessions by what became of them; `entries`: the ledger's lines."""
        return await self.estimates.sorted(wish.pipeline, wish.days, entries)

    async def standing(self, job: Job | None = None) -> Standing | None:
        """How far a job is, by default the newest; None if there never was one."""
        jobs = self.runner.jobs
        job = await jobs.newest() if job is None else await jobs.job(job.id)
        if job is None:
            return None
        counts = await jobs.counts(job)
        return Standing(
            job,
            counts,
            await failures(jobs.db, job),
            await pace_s(jobs.db, job),
            # Whoever only looks on has hired nobody.
            max(self.runner.pool.crew.size, counts.get(Unit.RUNNING, 0)),
            self.runner.pool.crew.lets_end,
            await last_error(jobs.db, job),
            await Afterwards(jobs.db).of(job),
            await Afterwards(jobs.db).given_up(job),
        )

    async def plan(self, wish: Wish) -> Plan:
        """What it needs; nothing is read yet."""
        return await self.estimates.plan(
            wish.pipeline, wish.days, wish.policy, wish.words, newest_first=wish.newest_first
        )

    async def _plan(self, wish: Wish) -> Message:
        plan = await self.plan(wish)
        return plan_card(plan, self._stamp)

    async def _run(self, request: CommandRequest, wish: Wish) -> Message:
        request.only_operators("/backfill run", everywhere=True)
        job = await self.begin(wish, who=request.who, place=request.where)
        return await self._card(job)

    async def _changed(self, job: Job, action: str) -> Message:
        jobs, which = self.runner.jobs, f"the backfill of {job.first} to {job.last} is"
        if action == "retry":
            if not job.is_over:
                raise CommandError(
                    f"{which} {job.state}: what failed is read again when it is over"
                )
            if job.series not in {p.series.key for p in self.ladder.rungs}:
                raise CommandError(
                    f"{job.series} is not read any more, as other settings or rules hold now:"
                    f" /backfill run {job.first} {job.last} {Policy.MISSING_FAILED} reads what is"
                    " not there by the present ones"
                )
            if not await jobs.again(job):
                raise CommandError(f"nothing failed: /backfill shows how it ended{self._anew(job)}")
        elif not await self._moved(job, action):
            now = await jobs.job(job.id)
            way_out = self._anew(now) if action == "resume" else ""
            raise CommandError(f"nothing to {action}: {which} {now.state}{way_out}")
        self.runner.wake()
        return await self._card(job)

    async def _moved(self, job: Job, action: str) -> bool:
        if action == "resume":
            return await resumed(self.runner.jobs, job)
        state = {"pause": JobState.PAUSED, "cancel": JobState.CANCELLED}[action]
        return await self.runner.jobs.state(job, state)

    async def _card(self, job: Job) -> Message:
        return backfill_card(await self.seen(job), self._stamp)

    async def seen(self, job: Job) -> Standing:
        """As whoever asks sees it: also whether anybody is at work."""
        standing = await self.standing(job)
        assert standing is not None  # noqa: S101 - it was read from there just now
        job = standing.job
        found = standing.compared
        is_uncounted = (
            found is not None and not found.is_counted and bool(found.changed + found.new)
        )
        is_begun = job.state is JobState.RUNNING or standing.counts.get(Unit.RUNNING)
        if not (is_begun or is_uncounted) or await self._is_attended():
            return standing
        if job.state is not JobState.RUNNING:
            # Whoever was at it has died: nothing of it will end.
            standing = replace(standing, lets_end=False)
        if job.state is not JobState.RUNNING and not is_uncounted:
            return standing
        return replace(standing, unattended=await self._way_on(job))

    async def _way_on(self, job: Job) -> str:
        """What goes on with a job that nobody works at, or counts the past alerts of."""
        keys = [p.series.key for p in self.ladder.rungs]
        if not job.is_over and not any(alike(job.series, key) for key in keys):
            return f"{job.series} is not read under these settings: /backfill cancel ends it"
        service = "a service (`python -m bot run`) goes on with it"
        line, newest = self.line(job), await self.runner.jobs.newest()
        # By its line a shell goes on with the newest alone: another one it would read anew.
        is_newest = newest is not None and newest.id == job.id
        if job.is_over and not (line and is_newest and job.state is JobState.DONE):
            return f"{service}, and so does the next `python -m bot backfill`"
        return f"{service}, and so does `python -m bot backfill {line}`" if line else service

    def line(self, job: Job) -> str:
        """The span and what stands behind it, as a shell takes the job up; empty if these settings
        do not read what it is about."""
        # Whoever types it has these settings, and no other series' name.
        keys = (p.series.key for p in self.ladder.rungs)
        asked = next((key for key in keys if alike(job.asked, key)), "")
        return asked and f"{job.first} {job.last} {job.policy} series:{asked}"

    def _anew(self, job: Job) -> str:
        """The way out where nothing goes on with a cancelled job."""
        found = next((p for p in self.ladder.rungs if alike(job.asked, p.series.key)), None)
        if job.state is not JobState.CANCELLED or found is None:
            return ""
        words = [] if job.policy is Policy.MISSING else [str(job.policy)]
        words += [] if job.newest_first else [_OLDEST_FIRST]
        words += [_ANNOUNCE] if job.announce else []
        words += [] if found is self.ladder.top else [f"{_SERIES}{found.series.key}"]
        line = " ".join((f"/backfill run {job.first} {job.last}", *words))
        return f"; {line} begins it anew"

    async def _is_attended(self) -> bool:
        """Does this process see to it, or a service, or a shell?"""
        runner = self.runner
        if runner.is_there or await at_work(runner.jobs.db, runner.jobs.now()) is not None:
            return True
        with suppress(OSError):  # a full disk has no room for a lock
            async with alone(runner.lock) as mine:
                return not mine
        return True

    def _series(self, typed: str) -> Pipeline:
        """By its key, or by what only one of those that are read has in it."""
        keys = {p.series.key: p for p in self.ladder.rungs}
        found = [p for key, p in keys.items() if key == typed or typed in key.split("-")]
        if len(found) != 1:
            raise CommandError(
                f"series:{clipped(typed, 40)}: these settings read {', '.join(keys)}"
            )
        return found[0]

    def _nothing(self) -> Message:
        lead = f"Nothing is being read; /backfill plan {_SUCH} tells what a span needs."
        return Message(title="Backfill", lead=lead, stamp=self._stamp)

    @property
    def _stamp(self) -> str:
        return stamp(self.ladder.top.series)
