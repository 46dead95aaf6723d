"""A worker: what it makes of the settings of its own environment."""

import asyncio
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bot.app import opened
from bot.checkout import checkout
from bot.cluster import here
from bot.settings import Settings, load
from bot.worker import work
from core.calendar import TradingDay
from core.conditions import bundled
from core.elsewhere import Refused, Task, WorkerUnfit
from core.errors import Verdict
from core.sources.rest import RestSource
from tests.market import API_KEY, NEWEST
from tests.servers.vendor import VendorServer

ROOT = Path(__file__).parent.parent.parent


def task(place: Path, source: str = "sample market", day: TradingDay = NEWEST) -> Task:
    return Task(source, "lit", day, bundled(), datetime(2026, 3, 7, 16, 5, tzinfo=UTC), str(place))


def test_workers_that_start_at_once_do_not_take_each_other_s_folder_for_unwritable(
    tmp_path: Path,
) -> None:
    with ThreadPoolExecutor(8) as many:
        read = list(many.map(lambda _: load(data_dir=tmp_path), range(400)))
    assert all(isinstance(settings, Settings) for settings in read)
    assert list(tmp_path.iterdir()) == []


def test_wrong_settings_of_a_worker_are_a_refusal_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_TOP", "ten")
    done = work(task(tmp_path))
    assert isinstance(done, Refused)
    assert done.verdict is Verdict.NOT_CONFIGURED
    assert "ALERT_TOP='ten': should be a whole number" in done.seen


def test_a_worker_of_another_checkout_does_nothing(tmp_path: Path) -> None:
    assert checkout() == here()["Tapewatch"]
    for mark, is_its_own in (("", True), (checkout(), True), ("00000000", False)):
        done = work(replace(task(tmp_path, "trades files"), checkout=mark))
        assert isinstance(done, Refused)
        assert ("another Tapewatch than the bot" not in done.seen) is is_its_own
        assert isinstance(done.error(), WorkerUnfit)


@pytest.mark.parametrize("scheduler", [None, "tcp://127.0.0.1:1"])
async def test_the_mark_is_that_of_what_was_there_at_the_start(
    tmp_path: Path, scheduler: str | None
) -> None:
    """An update lies there before the bot is begun anew: its workers may have it by then."""
    checkout.cache_clear()
    settings = await asyncio.to_thread(load, data_dir=tmp_path, backfill_scheduler=scheduler)
    async with opened(settings):
        assert checkout.cache_info().currsize == (0 if scheduler is None else 1)


def test_every_module_that_a_task_may_meet_is_in_the_mark_of_a_checkout(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "core", tmp_path / "core", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copytree(ROOT / "bot", tmp_path / "bot", ignore=shutil.ignore_patterns("*.pyc"))
    say = [sys.executable, "-c", "from bot.checkout import checkout; print(checkout())"]

    def mark() -> str:
        return subprocess.run(say, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert mark().strip() == checkout()
    with (tmp_path / "core" / "sources" / "rest.py").open("a") as file:
        file.write("\n")
    assert mark().strip() != checkout()


def test_a_source_that_a_worker_has_no_key_for_is_a_refusal_in_words(tmp_path: Path) -> None:
    done = work(task(tmp_path, "trades files"))
    assert isinstance(done, Refused)
    assert done.verdict is Verdict.NOT_CONFIGURED
    assert done.seen == "this worker's settings know no 'trades files' for lit"


@pytest.mark.parametrize(
    ("plan_from", "lent", "verdict", "made"),
    [
        (date(2026, 3, 9), 2, Verdict.PLAN_LACKS_DATA_SET, 2),
        (date(2026, 3, 9), None, Verdict.PLAN_LACKS_DATA_SET, 0),
        (None, 2, Verdict.NOT_PUBLISHED_YET, 1),
    ],
)
async def test_a_worker_tells_how_many_of_the_calls_it_was_lent_were_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plan_from: date | None,
    lent: int | None,
    verdict: Verdict,
    made: int,
) -> None:
    async with VendorServer(api_key=API_KEY, plan_from=plan_from) as vendor:
        monkeypatch.setenv("POLYGON_API_KEY", API_KEY)
        monkeypatch.setenv("POLYGON_REST_URL", vendor.url)
        source, series = RestSource.name, RestSource.series.key
        asked = replace(task(tmp_path, source), series=series, calls=lent)
        done = await asyncio.to_thread(work, asked)
        assert isinstance(done, Refused)
        assert (done.verdict, done.calls) == (verdict, made)
        assert len(vendor.requests) == (made or 2)
