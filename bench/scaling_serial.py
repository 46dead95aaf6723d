"""The bot's own share of a session: what it does with staged bars, one session after another."""

import asyncio
import resource
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from bot.app import opened
from bot.settings import load
from core.bars import Bars
from core.calendar import TradingDay
from core.jobs import Outcome, Policy, Unit
from core.sources import Served
from core.staged import Staged
from core.store import Store


@dataclass(slots=True)
class Serial:
    """Seconds, of all sessions."""

    sessions: int
    staged_s: float = 0.0
    """Taking what a worker has written."""
    gate_s: float = 0.0
    store_s: float = 0.0
    """Files and ledger, flushed to the disk."""
    job_s: float = 0.0
    """The job's own tables: taken, put."""
    cpu_s: float = 0.0

    @property
    def each_s(self) -> float:
        """Of one session."""
        return self.turn_s + (self.staged_s + self.gate_s + self.job_s) / self.sessions

    @property
    def turn_s(self) -> float:
        """Of one session: while the turn is held."""
        return self.store_s / self.sessions


async def measured(filled: Path, days: Sequence[TradingDay], settings: dict[str, str]) -> Serial:
    """The sessions that are stored in a data folder once more, into an empty one."""
    told = Serial(len(days))
    with tempfile.TemporaryDirectory(prefix="tapewatch-serial-") as name:
        chosen = {key.lower(): value for key, value in settings.items() if key != "DATA_DIR"}
        values = await asyncio.to_thread(load, **{**chosen, "data_dir": Path(name)})
        async with opened(values) as app:
            pipeline, jobs = app.ladder.top, app.backfilling.runner.jobs
            there, staged = Store.on_disk(filled), Staged(pipeline.store.files)
            both = [pipeline.series, *([pipeline.other] if pipeline.other else [])]
            job = await jobs.begin(
                pipeline.series.key, dict.fromkeys(days, 0), Policy.MISSING, who="bench",
                place="console:bench", span=(days[0].date, days[-1].date),
            )  # fmt: skip
            before = _cpu_s()
            for _ in days:
                with _lap(told, "job_s"):
                    day = await jobs.take(job)
                assert day is not None
                for series in both:
                    rows = Bars(await asyncio.to_thread(there.read, series, [day]))
                    await asyncio.to_thread(staged.put, series, f"{day}.x", rows)
                with _lap(told, "staged_s"):
                    bars = [
                        Bars(await asyncio.to_thread(staged.take, series.key, f"{day}.x"))
                        for series in both
                    ]
                also = tuple(zip(both[1:], bars[1:], strict=True))
                with _lap(told, "gate_s"):
                    served = await pipeline.gate(Served(bars[0], "bench", also=also), day)
                with _lap(told, "store_s"):
                    await pipeline.take(day, served)
                    await pipeline.finish_silently(day)
                with _lap(told, "job_s"):
                    await jobs.put(job, day, Outcome(Unit.STORED, 0.0))
            told.cpu_s = _cpu_s() - before
    return told


@contextmanager
def _lap(told: Serial, name: str) -> Iterator[None]:
    began = perf_counter()
    yield
    setattr(told, name, getattr(told, name) + perf_counter() - began)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
