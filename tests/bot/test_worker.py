"""A worker: what it makes of the settings of its own environment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.settings import Settings, load
from bot.worker import work
from core.calendar import TradingDay
from core.conditions import bundled
from core.elsewhere import Refused, Task
from core.errors import Verdict
from tests.market import NEWEST


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


def test_a_source_that_a_worker_has_no_key_for_is_a_refusal_in_words(tmp_path: Path) -> None:
    done = work(task(tmp_path, "trades files"))
    assert isinstance(done, Refused)
    assert done.verdict is Verdict.NOT_CONFIGURED
    assert done.seen == "this worker's settings know no 'trades files' for lit"
