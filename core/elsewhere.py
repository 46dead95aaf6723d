"""A session fetched in another process: the task that goes there, the receipt that comes back.

`fetched` runs over there and writes Parquet; `Elsewhere` stands here in the place of the source, so
that the chain, the gate and the ledger need not know. Frames travel by disk, and no secret travels:
whoever works takes them from its own environment.
"""

import asyncio
import os
import pwd
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import polars as pl

from core.bars import Bars, Series
from core.calendar import TradingDay
from core.conditions import Rules
from core.errors import (
    BadBars,
    BarsAway,
    HeldBars,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    TapewatchError,
    Verdict,
)
from core.sources import Served, Source
from core.sources.window import Window
from core.staged import Staged


@dataclass(frozen=True, slots=True)
class Task:
    """One session of one source. Doing it twice does no harm."""

    source: str
    series: str
    """core.bars.Series.key"""
    day: TradingDay
    rules: Rules
    """By which trades are counted."""
    asked_at: datetime
    """By the clock of whoever asks."""
    place: str | None = None
    """The folder that both share; None: the worker's own DATA_DIR is it."""
    calls: int | None = None
    """So many it may make of those that the vendor counts; None: as many as it likes."""
    checkout: str = ""
    """The code by which it is meant to be done; empty: that of the machine's own processes."""
    mark: str = field(default_factory=lambda: uuid4().hex)
    """In the names of what it writes: two who do the same never meet."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a task has written, and what is known of it."""

    source: str
    version: str | None
    notes: tuple[str, ...]
    unknown: tuple[str, ...]
    detail: str | None
    files: tuple[tuple[str, str], ...]
    """(series, name of the staged file), the series that was asked for first."""
    seconds: float
    """How long it took over there."""
    calls: int = 0
    """Made of those that it was lent."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a task has nothing: an error of the Source port, in values."""

    kind: str
    seen: str
    verdict: Verdict
    held: tuple[tuple[str, str], ...] = ()
    """(series, name of the staged file) of rows to be kept aside, the series asked for first."""
    calls: int = 0
    """Made of those that it was lent."""

    def error(self) -> TapewatchError:
        """As the source raised it, if there are no rows to be kept aside; BarsAway, WorkerUnfit."""
        kind = _KINDS.get(self.kind)
        return WorkerUnfit(self.seen) if kind is None else kind(self.seen, self.verdict)


_KINDS: dict[str, type[SourceError] | type[BarsAway]] = {
    kind.__name__: kind
    for kind in (NotPublished, SourceUnavailable, SourceRefused, BadBars, BarsAway)
}

Submit = Callable[[Task], Awaitable[Receipt | Refused]]
"""Has a task done somewhere; raises WorkerLost if nobody can tell what became of it."""


MakeTask = Callable[[Source, TradingDay], Awaitable[Task]]
Made = Callable[[Task, int], None]
"""Hears how many calls a task has made."""


def unheard(task: Task, calls: int) -> None:
    """Where nobody counts."""


class WorkerLost(TapewatchError):
    """The process that worked on it is gone: no word of the source, so no other one is asked."""


class NotTried(TapewatchError):
    """No session's fault, and no source's: it waits as if nobody had begun it."""


class NobodyToWork(NotTried):
    """Whoever works is away: nothing can be read until they are back."""


class WorkerUnfit(NotTried):
    """Whoever works cannot do it for any session: a person has to help."""


_SAME_USER = "workers are to run as the user that the bot runs as"


def _user() -> str:
    """Whose files this process writes."""
    with suppress(KeyError):  # a container's user may have no name
        return pwd.getpwuid(os.geteuid()).pw_name
    return f"uid {os.geteuid()}"


async def fetched(source: Source, task: Task, staged: Staged) -> Receipt | Refused:
    """Over there: ask the source, write what it serves."""
    try:
        return await _asked(source, task, staged)
    except PermissionError as error:
        if task.place is not None:  # as whoever asks: then its own files may be mended at any time
            return Refused(BarsAway.__name__, str(error), Verdict.NO_ACCESS)
        seen = f"a worker, which runs as {_user()}, may not write there ({error}): {_SAME_USER}"
        return Refused(WorkerUnfit.__name__, seen, Verdict.NO_ACCESS)
    except OSError as error:
        # A full disk, a bucket that is away: no fault of the session, nor of its source.
        seen = error.strerror or str(error)
        return Refused(BarsAway.__name__, seen, Verdict.NO_ACCESS)


async def _asked(source: Source, task: Task, staged: Staged) -> Receipt | Refused:
    began = time.monotonic()
    try:
        served = await source.bars(task.day)
    except HeldBars as error:
        held = await _put(staged, task, ((source.series, error.rows), *error.also))
        return Refused(HeldBars.__name__, error.seen, error.verdict, held)
    except SourceError as error:
        kind = next(name for name, kind in _KINDS.items() if isinstance(error, kind))
        return Refused(kind, error.seen, error.verdict)
    return Receipt(
        source=served.source,
        version=served.version,
        notes=served.notes,
        unknown=served.unknown,
        detail=served.detail,
        files=await _put(staged, task, ((source.series, served.bars), *served.also)),
        seconds=time.monotonic() - began,
    )


async def _put(
    staged: Staged, task: Task, frames: Iterable[tuple[Series, pl.DataFrame]]
) -> tuple[tuple[str, str], ...]:
    files = list[tuple[str, str]]()
    for series, rows in frames:
        name = f"{task.day}.{task.mark}"
        await asyncio.to_thread(staged.put, series, name, rows)
        files.append((series.key, name))
    return tuple(files)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Over here: a source whose sessions are fetched by somebody else."""

    source: Source
    submit: Submit
    staged: Staged
    task: MakeTask
    made: Made = unheard
    window: Window = field(default_factory=Window)

    @property
    def name(self) -> str:
        """The source's own."""
        return self.source.name

    @property
    def series(self) -> Series:
        """The source's own."""
        return self.source.series

    async def bars(self, day: TradingDay) -> Served:
        """Raises what the source raises, WorkerLost, NotTried and BarsAway.

        What is older than several that the plan does not reach is refused without being asked for.
        """
        if (refused := self.window.beyond(day)) is not None:
            seen = f"not asked: the plan does not reach so far back, {refused} was refused already"
            raise SourceRefused(seen, Verdict.DATE_OUTSIDE_PLAN)
        began = time.monotonic()
        done = await self._done(await self.task(self.source, day))
        passed_s = time.monotonic() - began
        self._learn(day, done)
        if isinstance(done, Refused):
            if not done.held:
                raise done.error()
            (_, rows), *others = await self._taken(done.held)
            held = HeldBars(done.seen, rows)
            held.also = tuple(others)
            raise held
        (_, bars), *also = await self._taken(done.files)
        return Served(
            bars=bars,
            source=done.source,
            version=done.version,
            notes=done.notes,
            unknown=done.unknown,
            detail=done.detail,
            also=tuple(also),
            waited_s=passed_s - done.seconds,
        )

    def _learn(self, day: TradingDay, done: Receipt | Refused) -> None:
        if isinstance(done, Receipt):
            self.window.served(day)
        elif done.verdict is Verdict.DATE_OUTSIDE_PLAN:
            self.window.refused(day)

    async def _done(self, task: Task) -> Receipt | Refused:
        calls = task.calls or 0  # whoever is lost may have made them all
        try:
            done = await self.submit(task)
            calls = done.calls
        finally:
            self.made(task, calls)
        return done

    async def _taken(self, files: Iterable[tuple[str, str]]) -> list[tuple[Series, Bars]]:
        try:
            return [
                (Series.of_key(key), Bars(await asyncio.to_thread(self.staged.take, key, name)))
                for key, name in files
            ]
        except FileNotFoundError as error:
            raise WorkerUnfit(
                f"a worker has written {', '.join(f'{key} {name}' for key, name in files)}, and it"
                " is not where the bot looks for it: they do not share DATA_DIR"
            ) from error
        except PermissionError as error:
            raise WorkerUnfit(
                "what a worker has written may be read by another user alone"
                f" ({error}): {_SAME_USER}, {_user()}"
            ) from error

    async def version(self, day: TradingDay) -> str | None:
        """Asked from here: it is cheap."""
        return await self.source.version(day)
