"""The process that draws: it is not there for longer than who it draws for, or than it draws."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from alerts.chart_data import ChartData
from alerts.model import ChartOf, Picture
from bot.app import App
from bot.charts import Charts
from tests.bot.discord_talk import PNG, until
from tests.bot.small_market import at
from tests.core.sources.test_errand import alive, gone_within
from tests.market import NEWEST


async def test_who_draws_does_not_outlive_a_parent_that_was_killed(folder: Path) -> None:
    """Nor does it need a home, and what it says on the way is in the form that was asked for."""
    # It lies beside compiled code, which tests share.
    await asyncio.to_thread(shutil.rmtree, folder / "cache" / "matplotlib", ignore_errors=True)
    homeless = {"HOME": "/proc/nobody", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bot.drawing_parent", str(folder)),
        env={k: v for k, v in os.environ.items() if k != "MPLCONFIGDIR"} | homeless,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    child = int(await parent.stdout.readline())
    try:
        said = json.loads(await parent.stderr.readline())
        assert said["logger"] == "matplotlib.font_manager"
        assert await asyncio.to_thread(alive, child)
        parent.kill()
        assert await parent.wait() == -signal.SIGKILL
        assert await asyncio.to_thread(gone_within, 1, child)
        assert list((folder / "cache" / "matplotlib").glob("fontlist-*.json"))
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def hangs_once(mark: Path, data: ChartData) -> Picture:
    """The first time for ever, with the pid of who hangs in a file."""
    if not mark.exists():
        mark.write_text(f"{os.getpid()}\n")
        time.sleep(3_600)
    return Picture(PNG, "a line")


def fails(data: ChartData) -> Picture:
    raise ValueError("no ink")


def of(app: App, ticker: str = "QWOH") -> ChartOf:
    return ChartOf(app.ladder.top.series.key, NEWEST.date, ticker)


async def hanging(app: App, mark: Path) -> tuple[Charts, asyncio.Task[Picture | None]]:
    """Whoever draws for it hangs by now; the task waits for that picture."""
    charts = Charts(app.ladder, drawing=partial(hangs_once, mark))
    waiting = asyncio.create_task(charts(of(app)))
    await until(lambda: mark.exists() and mark.read_text().endswith("\n"), 30)
    return charts, waiting


async def test_who_hangs_is_ended_and_the_next_picture_is_drawn(
    folder: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "hangs"
    async with at(folder) as app:
        charts, waiting = await hanging(app, mark)
        # As whoever waited for it for long enough does.
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(30):
            assert await charts(of(app)) == Picture(PNG, "a line")
        assert await asyncio.to_thread(gone_within, 5, int(mark.read_text()))
        await charts.close()


async def test_a_picture_that_nobody_waits_for_any_more_keeps_nobody(
    folder: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "hangs"
    async with at(folder) as app:
        charts, waiting = await hanging(app, mark)
        async with asyncio.timeout(30):
            await charts.close()
        with pytest.raises(BrokenProcessPool):
            await waiting
        assert await asyncio.to_thread(gone_within, 5, int(mark.read_text()))


async def test_after_an_error_nobody_who_draws_is_kept(folder: Path) -> None:
    async with at(folder) as app:
        charts = Charts(app.ladder, drawing=fails, idle_s=0.05)
        with pytest.raises(ValueError, match="no ink"):
            await charts(of(app))
        await until(lambda: charts._worker is None)


async def test_who_was_busy_when_it_was_to_go_goes_later(folder: Path) -> None:
    async with at(folder) as app:
        charts = Charts(app.ladder, drawing=fails, idle_s=0.05)
        with pytest.raises(ValueError, match="no ink"):
            await charts(of(app))
        async with charts._turn:
            # A picture that is asked for and need not be drawn.
            await asyncio.sleep(0.2)
            assert charts._worker is not None
        await until(lambda: charts._worker is None)
