"""Pictures for digests: drawn in a process of its own, once each, and kept for the next channel."""

import asyncio
import multiprocessing
import os
import signal
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from alerts.chart_data import HISTORY_SESSIONS, SESSIONS, ChartData, chart_data, indexed
from alerts.message import title
from alerts.model import ChartOf, Detail, Picture
from alerts.words import day as day_of
from bot.logs import as_here
from bot.names import flags_of, history_of
from core.calendar import sessions_ending, trading_day
from core.ladder import Ladder
from core.parent import deaf, end_when

_KEPT = 32

Drawing = Callable[[ChartData], Picture]


def _settle_in(say_as_here: Callable[[], None], cache: Path | None) -> None:
    say_as_here()
    if cache is not None:
        # A service's home may be nobody's to write to, and fonts are looked for once.
        os.environ.setdefault("MPLCONFIGDIR", str(cache))
    # A terminal's ^C, or a service manager's stop, reaches every process: a picture is finished.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    if (parent := multiprocessing.parent_process()) is not None:
        end_when(parent.join)


def _handed_over(
    worker: ProcessPoolExecutor, drawing: Drawing, data: ChartData
) -> "Future[Picture]":
    """Blocking: it starts the process that draws, if need be."""
    with deaf():
        return worker.submit(drawing, data)


def _ended(worker: ProcessPoolExecutor) -> None:
    """Blocking: in the midst of its work. An executor alone would wait until that is done."""
    there = worker._processes or {}  # one that is just being started as well
    worker.shutdown(wait=False, cancel_futures=True)
    for process in list(there.values()):
        process.kill()


def _draw(data: ChartData) -> Picture:
    # Only the process that draws has room for matplotlib.
    from alerts.chart import picture

    return picture(data)


@dataclass(slots=True)
class Charts:
    """alerts.deliver.Draw over what is stored."""

    ladder: Ladder
    detail: Detail = Detail.FULL
    cache: Path | None = None
    """Where the process that draws keeps what it finds out about this machine."""
    drawing: Drawing = _draw
    """Found over there by its name."""
    idle_s: float = 60.0
    """So long who draws is kept for the next picture."""
    _kept: OrderedDict[tuple[ChartOf, int], Picture] = field(default_factory=OrderedDict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _worker: ProcessPoolExecutor | None = None
    _dismissal: asyncio.TimerHandle | None = None

    async def __call__(self, of: ChartOf) -> Picture | None:
        """None if nothing is stored of it. Raises what went wrong in the process that draws.

        Whoever gives up waiting for a picture ends that process; the next one gets another.
        """
        async with self._turn:
            pipeline = next((r for r in self.ladder.known if r.series.key == of.series), None)
            entry = await pipeline.ledger.entry(trading_day(of.session)) if pipeline else None
            if pipeline is None or entry is None or not entry.revision:
                return None
            key = (of, entry.revision)
            if key not in self._kept:
                data = await self._data(of)
                drawn = None if data is None else await self._drawn(data)
                if drawn is None:
                    return None
                self._kept[key] = drawn
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            return self._kept[key]

    async def close(self) -> None:
        """Let the worker go: nobody waits for what it is at."""
        if self._dismissal is not None:
            self._dismissal.cancel()
        if (worker := self._worker) is not None:
            self._worker = None
            await asyncio.to_thread(_ended, worker)

    async def _data(self, of: ChartOf) -> ChartData | None:
        pipeline = next(r for r in self.ladder.known if r.series.key == of.series)
        day = trading_day(of.session)
        window = sessions_ending(day, HISTORY_SESSIONS)
        renames = await pipeline.record.renames(window[0].date, window[-1].date)
        history = await history_of(pipeline, of.ticker, window, HISTORY_SESSIONS, renames)
        if history["volume"].null_count() == len(history):
            return None
        row = await pipeline.record.line(day, pipeline.rule, of.ticker)
        flags = await flags_of(self.ladder, of.ticker, SESSIONS)
        words = f"{title(pipeline.series)} · {day_of(of.session)}"
        data = await asyncio.to_thread(
            chart_data, history, flags, pipeline.series, title=words, row=row
        )
        return data if self.detail.raw else indexed(data)

    async def _drawn(self, data: ChartData) -> Picture | None:
        if self._worker is None:
            # A fork would copy the threads' locks as they are.
            context = multiprocessing.get_context("spawn")
            self._worker = await asyncio.to_thread(
                partial(
                    ProcessPoolExecutor,
                    max_workers=1,
                    mp_context=context,
                    initializer=_settle_in,
                    initargs=(as_here(), self.cache),
                )
            )
        worker = self._worker
        try:
            drawing = await asyncio.to_thread(_handed_over, worker, self.drawing, data)
            return await asyncio.wrap_future(drawing)
        except (BrokenProcessPool, asyncio.CancelledError):
            # Dead, or hanging: it would keep the next picture waiting as well.
            self._worker = None
            await asyncio.to_thread(_ended, worker)
            raise
        finally:
            self._rest()

    def _rest(self) -> None:
        """It holds 150 MB or more, for a few pictures a day: not for long after the last one."""
        if self._dismissal is not None:
            self._dismissal.cancel()
        self._dismissal = asyncio.get_running_loop().call_later(self.idle_s, self._dismiss)

    def _dismiss(self) -> None:
        if self._turn.locked():
            self._rest()
        elif self._worker is not None:
            self._worker.shutdown(wait=False)
            self._worker = None
