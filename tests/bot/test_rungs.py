"""What the settings make of the ladder: which series, in which order, and which are remembered."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.app import App, opened
from bot.rungs import ALL_VENUES_ONLY, DAY_BARS_ONLY, WITHOUT_TRADES
from bot.settings import load
from core.bars import Family, Scope, Series
from core.ledger import Ledger, Status
from core.sources.flatfiles import DayAggsSource
from tests.market import ACCESS_KEY_ID, API_KEY, NEWEST

NOW = datetime(2026, 3, 7, 16, 5, tzinfo=UTC)
KEYS: dict[str, Any] = {"POLYGON_API_KEY": API_KEY, "flatfiles_access_key_id": ACCESS_KEY_ID}
OFF = Series(Scope.OFF_EXCHANGE, Family.TRADES, rules="bundled-2026-11")
FREE = Series(Scope.OFF_EXCHANGE, Family.FINRA)
DAILY = Series(Scope.ALL, Family.DAILY)


async def ladder(folder: Path, **settings: Any) -> App:
    """The application as it is wired; nothing is asked of anybody."""
    async with opened(await asyncio.to_thread(load, data_dir=folder, **settings)) as app:
        return app


@pytest.mark.parametrize(
    ("settings", "series", "notices"),
    [
        ({}, [DAILY], [()]),
        ({"use_flat_files": "true"}, [DAILY], [()]),
        (
            {"dark_pool_only": "true", "use_trades_files": "true"},
            [OFF, FREE, DAILY],
            [(), (WITHOUT_TRADES,), (ALL_VENUES_ONLY,)],
        ),
        ({"dark_pool_only": "true"}, [FREE, DAILY], [(WITHOUT_TRADES,), (ALL_VENUES_ONLY,)]),
        (
            {"use_trades_files": "true"},
            [Series(Scope.ALL, Family.TRADES, rules=OFF.rules), DAILY],
            [(), (DAY_BARS_ONLY,)],
        ),
    ],
)
async def test_the_settings_choose_the_rungs_and_what_each_says_of_itself(
    tmp_path: Path, settings: dict[str, str], series: list[Series], notices: list[tuple[str, ...]]
) -> None:
    app = await ladder(tmp_path, **KEYS, **settings)
    assert [rung.series for rung in app.ladder.rungs] == series
    assert [rung.notices for rung in app.ladder.rungs] == notices
    for rung in app.ladder.rungs:
        if rung.series.scope is Scope.OFF_EXCHANGE:
            assert rung.other is not None
            assert rung.other.scope is Scope.ALL


async def test_trades_files_without_s3_keys_are_a_rung_that_refuses_in_words(
    tmp_path: Path,
) -> None:
    app = await ladder(
        tmp_path, POLYGON_API_KEY=API_KEY, dark_pool_only="true", use_trades_files="true"
    )
    assert [s.name for s in app.ladder.top.chain.sources] == ["flat files (trades)"]
    assert [rung.series for rung in app.ladder.rungs] == [OFF, FREE, DAILY]


async def test_series_of_other_settings_and_rules_are_remembered(tmp_path: Path) -> None:
    settings = await asyncio.to_thread(load, data_dir=tmp_path, **KEYS, dark_pool_only="true")
    older = Series(Scope.OFF_EXCHANGE, Family.TRADES, rules="vendor-1")
    sample = Series(Scope.ALL, Family.SAMPLE)
    async with opened(settings, now=lambda: NOW) as app:
        for series in (older, sample, FREE):
            ledger = Ledger(app.db, series)
            await ledger.stored(
                NEWEST, revision=1, source="then", version=None, row_count=1, refused=(),
                notes=(), now=NOW,
            )  # fmt: skip
            async with app.db.transaction() as writer:
                await ledger.finish(writer, NEWEST, announced=series is older, now=NOW)
    async with opened(settings, now=lambda: NOW) as app:
        assert [known.series for known in app.ladder.retired] == [older]
        assert (await app.ladder.of(NEWEST)).series == older
        newest = await app.ladder.newest(Status.FINISHED)
        assert newest is not None
        assert newest.source == "then"
        assert app.ladder.retired[0].other == Series(Scope.ALL, Family.TRADES, rules="vendor-1")
    assert DayAggsSource.series == DAILY
