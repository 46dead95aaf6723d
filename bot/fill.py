"""`python -m bot backfill`: the same job as in the chats, with a bar in the terminal."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TextIO

from tqdm import tqdm

from alerts.backfill_card import (
    WAY_OUT,
    Standing,
    by_cause,
    difference,
    instead,
    last_error,
    numbers,
)
from bot.app import App
from bot.backfilling import Wish
from bot.beside import Beside
from bot.logs import say
from bot.once import refreshed
from bot.told import Told, untold
from core.afterwards import Afterwards
from core.errors import CommandError
from core.jobs import BAD, GOOD, Job, JobState, Stage, Unit
from core.renewed import alike
from core.resumed import resumed

_TOLD_EVERY = 10
_BAR = "{percentage:3.0f}% |{bar:20}| {desc}"
_LEFT = {
    Stage.ALERTS: "counting which past alerts would differ",
    Stage.NUMBERS: "what was read is stored; measuring the newest sessions, for /scorecard and"
    " /preview (a service goes on with that if it is ended here)",
}
_GOES_ON = "a service goes on with it, and so does this command when it is typed again"
_NOT_OVER = f"not over: {_GOES_ON}"
_UNCOUNTED = "what was read is stored; which past alerts would differ is not counted to the end"
_WHO, _PLACE = "console:@terminal", "console:terminal"


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of a span."""

    wanted: int
    stored: int
    failed: int
    causes: str = ""
    """Of those that failed, in words."""
    state: JobState = JobState.DONE
    """Paused or cancelled: somebody, or a refusal, has ended it before all was read."""
    why: str = ""
    """What a person has to mend before it can go on."""
    instead: str = ""
    """That another series was read, and why."""
    is_other: bool = False
    """Is it one that was not asked for?"""
    changed: str = ""
    """What has changed, and which past alerts would differ by now; in words."""
    unread: str = ""
    """What had failed before, in a way that lasts, and was not asked for again; in words."""
    uncounted: str = ""
    """What goes on with counting the past alerts that would differ; empty if somebody does."""


async def fill(app: App, words: list[str], left: Job | None = None) -> Filled:
    """Read a span as `/backfill run` would; CommandError for what cannot be begun.

    `left`: go on with this one, and begin no other.
    """
    await refreshed(app)
    wish = app.backfilling.wish("run", words)
    job = await (_begun(app, wish) if left is None else _gone_on_with(app, left))
    if job is not None:
        await _told_what_is_left(app, job, _through(app, job))
        await _counted(app, job)  # those that gave way to it while it was under way
    stored, unread = await _beside(app, wish, job)
    if job is None:
        return Filled(len(wish.days), stored, 0, unread=unread)
    standing = await app.backfilling.seen(job)
    good, failed = (sum(standing.counts.get(u, 0) for u in units) for units in (GOOD, BAD))
    job, uncounted = standing.job, standing.unattended
    changed = difference(standing.compared, is_attended=not uncounted)
    if uncounted:
        say(f"{_UNCOUNTED}: {uncounted}")
    why = job.reason if job.state is JobState.PAUSED else ""
    other = instead(job), job.series != job.asked
    causes = by_cause(standing.failures) if failed else ""
    said = (why, *other, changed, unread, uncounted)
    return Filled(len(wish.days), stored + good, failed, causes, job.state, *said)


async def _beside(app: App, wish: Wish, job: Job | None) -> tuple[int, str]:
    """Sessions of what was asked for that did not come in by the job: how many were there already;
    and what it was not to read, as it had failed before."""
    db, entries = app.backfilling.runner.jobs.db, await wish.pipeline.entries(wish.days)
    number = None if job is None else job.id
    rows = await db.rows("SELECT session, state FROM job_sessions WHERE job = ?", (number,))
    own = {row["session"]: Unit(row["state"]) for row in rows}
    # Of one that could not be read again the revision before stays.
    came_in = {on for on, unit in own.items() if unit in GOOD}
    known = await app.backfilling.known(wish, entries)
    stored = sum(str(day) not in came_in for day in known.complete)
    failed = [failure for day, failure in known.failed.items() if str(day) not in own]
    return stored, by_cause(failed) if failed else ""


async def _told_what_is_left(app: App, job: Job, doing: Coroutine[Any, Any, object]) -> None:
    """To whoever ends it before it is through."""
    try:
        await doing
    except asyncio.CancelledError:
        job = await app.backfilling.runner.jobs.job(job.id)
        if not job.is_over:
            say(_NOT_OVER)
        elif job.stage is Stage.ALERTS and any(await Afterwards(app.db).touched(job)):
            say(f"{_UNCOUNTED}: {_GOES_ON}, and reads nothing of it anew")
        raise


async def left_behind(app: App, wish: Wish) -> Job | None:
    """The same job, which a run before has not ended, or has not counted the past alerts of;
    CommandError if it is another one that is not over."""
    left = await app.backfilling.runner.jobs.newest()
    if left is None:
        return None
    if left.is_over:
        return left if _is_the_same(left, wish) and await _is_uncounted(app, left) else None
    if not _is_the_same(left, wish):
        line = app.backfilling.line(left)
        own = f"go on with it by `python -m bot backfill {line}`, " if line else ""
        # A service goes on with what is paused when somebody resumes it, and not by itself.
        own += "let a service go on with it, " if left.state is JobState.RUNNING else ""
        raise CommandError(
            f"the backfill of {left.first} to {left.last} ({left.policy}, {left.asked}) is not"
            f' over: {own}{"or " if own else ""}end it by `python -m bot ask "/backfill cancel"`'
        )
    return left


async def _begun(app: App, wish: Wish) -> Job | None:
    """A new job; the one that a run before has left behind; None if there is nothing to read."""
    if (left := await left_behind(app, wish)) is None:
        await _counted(app)
        if not await app.backfilling.unread(wish):
            return None
        try:
            return await app.backfilling.begin(wish, who=_WHO, place=_PLACE)
        except CommandError:
            # Another shell may have been quicker by a moment.
            if (left := await left_behind(app, wish)) is None:
                raise
    return await _gone_on_with(app, left)


async def _gone_on_with(app: App, left: Job) -> Job:
    """Another process may have ended it since it was looked for: then it stays as it is."""
    jobs, order = app.backfilling.runner.jobs, "newest" if left.newest_first else "oldest"
    left = await jobs.job(left.id)
    which = f"the backfill of {left.first} to {left.last}"
    if left.is_over and not await _is_uncounted(app, left):
        say(f"{which} is {left.state} by now: nothing is read for it again")
        return left
    how = "all of it was read" if left.is_over else f"{order} first"
    say(f"going on with {which}, {how}")
    if not left.is_over:
        if left.state is not JobState.RUNNING:
            await _counted(app, left)
        await resumed(jobs, left)
    return await jobs.job(left.id)


async def _counted(app: App, own: Job | None = None) -> None:
    """The past alerts of other jobs than its own, which nobody may come to count otherwise."""
    runner, seen = app.backfilling.runner, set() if own is None else {own.id}
    while (job := await Afterwards(app.db).uncounted()) is not None and job.id not in seen:
        seen, beside = {*seen, job.id}, Beside(app)
        if any(await Afterwards(app.db).touched(job)):
            say(f"the backfill of {job.first} to {job.last}: {_LEFT[Stage.ALERTS]}")

        def is_wanted(job: Job, beside: Beside = beside) -> bool:
            return job.stage is Stage.ALERTS and beside.service is None

        await _told_what_is_left(app, job, beside.through(job, is_wanted, runner.settle))


async def _is_uncounted(app: App, left: Job) -> bool:
    """Where nothing changed there is nothing to count, whether that is on record or not."""
    is_due = left.state is JobState.DONE and left.stage is Stage.ALERTS
    return is_due and bool(await Afterwards(app.db).touched(left))


def _is_the_same(left: Job, wish: Wish) -> bool:
    asked = (left.first, left.last), left.policy
    return asked == (wish.span, wish.policy) and alike(left.asked, wish.pipeline.series.key)


async def _through(app: App, job: Job) -> None:
    """Until it is over, and what is left to do after it is done."""
    runner = app.backfilling.runner
    with progress_bar(sys.stderr) as shown:
        beside = Beside(app, _telling(app, shown))
        runner.told = beside.told
        job = await beside.through(job, lambda j: j.state is JobState.RUNNING, runner.work_off)
    _say_end(job, await app.backfilling.standing(job))
    runner.told = beside.told = untold
    is_work = bool(await Afterwards(runner.jobs.db).touched(job))
    while (stage := job.stage) not in (None, Stage.NOTHING):
        if stage is Stage.NUMBERS and beside.service is not None:
            return  # which does that
        if is_work:
            say(_LEFT[stage])

        def is_wanted(job: Job, stage: Stage = stage) -> bool:
            return job.stage is stage and (stage is Stage.ALERTS or beside.service is None)

        job = await beside.through(job, is_wanted, runner.settle)
        if job.stage is stage:
            return  # whoever has begun meanwhile does the rest


def progress_bar(file: TextIO, *, disable: bool | None = None) -> "tqdm[Any]":
    """What moves on it is said in the card's numbers: its own would count a resumed job's past.

    `disable`: None where it is no terminal, or one without a size, as some containers have it.
    """
    if disable is None and file.isatty():
        disable = os.get_terminal_size(file.fileno()).columns == 0
    return tqdm(total=None, disable=disable, file=file, bar_format=_BAR, dynamic_ncols=True)


def _telling(app: App, shown: "tqdm[Any]") -> Told:
    last = 0

    async def told(job: Job) -> None:
        nonlocal last
        standing = await app.backfilling.standing(job)
        if standing is None:
            return
        move(shown, standing)
        if shown.disable and standing.through // _TOLD_EVERY > last // _TOLD_EVERY:
            say(f"backfill: {numbers(standing)}")
        last = standing.through

    return told


def move(shown: "tqdm[Any]", standing: Standing) -> None:
    """To where the job is: the card's numbers, its pace, its last error."""
    shown.total, shown.n = standing.total, standing.through
    error = last_error(standing)
    shown.set_description_str(
        numbers(standing) + (f"; last error: {error}" if error else ""), refresh=True
    )


def _say_end(job: Job, standing: Standing | None) -> None:
    if job.state is not JobState.DONE:
        say(f"{job.state}: {job.reason}" if job.reason else f"{job.state} by somebody else")
    if job.state is JobState.PAUSED and job.reason:
        say(f"{WAY_OUT}; and so does this command")
    for failure in (standing.failures if standing else ())[:3]:
        say(f"{failure.session}: {failure.seen}")
