"""DARK_POOL_ONLY end to end, plan by plan: what serves, and what every digest says of it."""

import asyncio
import gzip
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alerts.message import digest, explain
from bot.app import App, opened
from bot.commands import CommandRequest
from bot.export import stored_bars
from bot.platforms.console import ConsoleSender, render
from bot.settings import load
from core.anomaly import Rule
from core.bars import Family, Scope
from core.calendar import TradingDay
from core.conditions import bundled
from core.detect import anomalies
from core.errors import NotPublished, Verdict
from core.keep import Keeper
from core.labels import OFF_EXCHANGE_SHIFT
from core.sources import Served
from core.sources.day_aggs import key
from core.sources.tape_served import both_scopes
from core.tape import read_tape
from tests import market
from tests.filled import EVE, Kind, history, until
from tests.market import MARKET, NEWEST, NOW, Vendor
from tests.servers.faults import Status as Answered
from tests.shared import Shared

DAYS = market.window()
TAPED = DAYS[-24:]
PLANTED = {planted.ticker for planted in MARKET.planted(NEWEST)}


@cache
def _moved() -> str:
    return MARKET.shifted(NEWEST)


def _names() -> set[str]:
    """Planted ones, and enough others for a market."""
    rows = gzip.decompress(market.day_file(NEWEST)).decode().splitlines()[1:]
    tickers = [row.split(",")[0] for row in rows]
    return {*tickers[::10], *PLANTED}


@pytest.fixture(scope="module")
def tapes() -> dict[str, bytes]:
    """Trades files of the last sessions, of part of the market."""
    names = _names()
    return {key("trades_v1", day.date): MARKET.trades(day, names) for day in TAPED}


@pytest.fixture(scope="module")
def long_tapes() -> dict[str, bytes]:
    """Trades files of 50 sessions: enough for a baseline of the share; of a few names."""
    names = {_moved(), *sorted(_names())[::8]}
    return {key("trades_v1", day.date): MARKET.trades(day, names) for day in DAYS[-50:]}


@cache
def _thin_tapes() -> dict[str, bytes]:
    return {key("trades_v1", day.date): MARKET.trades(day, {_moved()}) for day in TAPED}


@pytest.fixture
def eve(shared: Shared, tmp_path: Path) -> Path:
    """A data folder with FINRA's volume until the session before the newest."""
    return until(shared, Kind.FINRA, EVE, tmp_path / "data")


def published(folder: Path, tapes: dict[str, bytes]) -> None:
    for name, payload in tapes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)


@pytest.fixture
async def vendor(shared: Shared, tmp_path: Path) -> AsyncIterator[Vendor]:
    """Everything published, of the tape one name; the plan is the test's business."""
    await asyncio.to_thread(published, tmp_path / "vendor", await asyncio.to_thread(_thin_tapes))
    async with market.vendor(tmp_path / "vendor", DAYS, shared=shared) as running:
        yield running


async def asked_for(vendor: Vendor, folder: Path, **changes: Any) -> Any:
    """Settings of somebody who wants the tape."""
    await asyncio.to_thread(market.compiled_once, folder)
    asked = {"dark_pool_only": "true", "use_trades_files": "true"} | changes
    return await vendor.settings(folder, **asked)


async def swept(app: App) -> str:
    """One round of the day loop; the digest that the terminal was given."""
    shown: list[str] = []
    app.senders["console"] = ConsoleSender(shown.append)
    await app.sweep(lambda step: None)
    await app.courier.drain()
    (one,) = shown
    return " ".join(one.split())


async def counted_before(app: App, tapes: dict[str, bytes], days: Sequence[TradingDay]) -> None:
    """Sessions of the past as the service has them, counted here: a process each takes a minute."""
    top = app.ladder.top
    for day in days:
        payload = io.BytesIO(tapes[key("trades_v1", day.date)])
        tape = await asyncio.to_thread(read_tape, payload, day, bundled())
        bars = both_scopes(tape, day)
        also = ((top.series.other_scope, bars[Scope.ALL]),)
        served = Served(bars[Scope.OFF_EXCHANGE], "flat files (trades)", also=also)
        await Keeper(top.store, top.ledger, app.now).keep(day, served)
        async with app.db.transaction() as writer:
            await top.ledger.finish(writer, day, announced=False, now=app.now())


async def test_a_developer_plan_counts_every_trade(
    vendor: Vendor, tmp_path: Path, tapes: dict[str, bytes]
) -> None:
    await asyncio.to_thread(published, tmp_path / "vendor", tapes)
    async with opened(await asked_for(vendor, tmp_path / "data"), now=lambda: NOW) as app:
        await counted_before(app, tapes, TAPED[:-1])
        shown = await swept(app)
        said = await app.commands.digests.report(NEWEST)
        assert said.judged.source == "flat files (trades)"
        assert said.judged.series.family is Family.TRADES
        assert "Off-exchange anomalies · Fri 6 Mar 2026" in shown
        assert "each one counted; prices are of all venues" in shown
        assert said.pushed
        assert {a.ticker for a in said.pushed} <= PLANTED
        assert all(a.share is not None and a.usual_share is not None for a in said.pushed)
        off = await stored_bars(app, NEWEST, None)
        every = await stored_bars(app, NEWEST, Scope.ALL)
        assert off.series.scope is Scope.OFF_EXCHANGE
        assert "Nasdaq TRF Carteret" in (off.entry.detail or "")
        assert float(off.rows["volume"].sum()) < float(every.rows["volume"].sum())
        assert (
            off.csv()
            .splitlines()[0]
            .startswith("ticker,open,high,low,close,volume,transactions,vwap,blocks")
        )
        card = await app.commands.answer(
            CommandRequest.parse(f"/ticker {said.pushed[0].ticker}", "console:@me", "console:here")
        )
        text = render(card.message, 100)
        assert "off-exchange volume" in text
        assert "largest trade" in text
        assert not vendor.finra.requests


async def test_a_name_that_moves_off_exchange_is_said_in_either_scope(
    shared: Shared, tmp_path: Path, long_tapes: dict[str, bytes]
) -> None:
    await asyncio.to_thread(published, tmp_path / "vendor", long_tapes)
    async with market.vendor(tmp_path / "vendor", DAYS, shared=shared) as vendor:
        settings = await asked_for(vendor, tmp_path / "data")
        async with opened(settings, now=lambda: NOW) as app:
            await counted_before(app, long_tapes, DAYS[-50:-1])
            shown = await swept(app)
            said = await app.commands.digests.report(NEWEST)
            ask = CommandRequest.parse(f"/why {_moved()}", "console:@me", "console:here")
            why = render((await app.commands.answer(ask)).message, 100)
            off = app.ladder.top.record
            every = replace(off, series=off.series.other_scope, other=off.series)
            scores = await every.scores(NEWEST, Rule())
    assert said.judged.series.family is Family.TRADES
    (found,) = [a for a in said.pushed if a.ticker == _moved()]
    assert (found.label, found.shifted) == (OFF_EXCHANGE_SHIFT, True)
    assert (
        f"{_moved()} +2.9% · off exchange 91% of its volume, usually 10%: unusually high" in shown
    )
    assert "off-exchange shift" in shown
    assert "✔ off-exchange shift: 5 of 5 conditions" in why
    assert f"✔ off-exchange trades: {found.off_transactions}, floor 200" in why
    (same,) = [a for a in anomalies(scores) if a.ticker == _moved()]
    assert same.label == OFF_EXCHANGE_SHIFT
    assert same.share == pytest.approx(found.share)
    assert same.off_transactions == found.off_transactions
    # Its volume of all venues is what it always is.
    assert same.z < 1


async def test_finras_volume_shows_a_name_that_moves_off_exchange(
    vendor: Vendor, eve: Path
) -> None:
    vendor.s3.entitled = lambda name: "trades_v1" not in name
    async with opened(await asked_for(vendor, eve), now=lambda: NOW) as app:
        await swept(app)
        (rung,) = [rung for rung in app.ladder.rungs if rung.series.family is Family.FINRA]
        before, newest = [await rung.judge(day) for day in DAYS[-2:]]
    (found,) = [a for a in before.anomalies if a.ticker == MARKET.shifted(DAYS[-2])]
    assert (found.label, found.off_transactions) == (OFF_EXCHANGE_SHIFT, None)
    assert (found.share or 0) > 0.75
    assert (found.usual_share or 1) < 0.12
    (found,) = [a for a in newest.anomalies if a.ticker == _moved()]
    assert found.shifted
    assert ": unusually high" in explain(found)


async def test_a_starter_plan_gets_the_free_volume_and_the_doctors_word(
    vendor: Vendor, shared: Shared, tmp_path: Path
) -> None:
    vendor.s3.entitled = lambda name: "trades_v1" not in name
    folder = await asyncio.to_thread(until, shared, Kind.FINRA, DAYS[-7], tmp_path / "data")
    async with opened(await asked_for(vendor, folder), now=lambda: NOW) as app:
        assert await history(app, DAYS[-6:-1]) == (5, 0)
        refused = [r for r in vendor.s3.requests if r.status == 403]
        assert len(refused) <= 2, "a plan that lacks the data set is not asked for every session"
        shown = await swept(app)
        said = await app.commands.digests.report(NEWEST)
        assert said.judged.source == "FINRA daily file"
        assert "flat files (trades): plan lacks this data set, so FINRA daily file served" in shown
        assert "without trades files there are no trade counts, no blocks" in shown
        assert said.judged.market.eligible > 100
        assert said.pushed
        assert all(a.feature == "volume" and a.transactions is None for a in said.pushed)
        assert {a.ticker for a in said.pushed} & PLANTED
        (stored,) = [await stored_bars(app, NEWEST, None)]
        assert stored.rows["close"].null_count() == len(stored.rows)
        with pytest.raises(NotPublished, match="scope"):
            await stored_bars(app, DAYS[0], Scope.OFF_EXCHANGE)


async def test_a_basic_plan_has_rest_and_the_free_volume(vendor: Vendor, eve: Path) -> None:
    vendor.s3.entitled = lambda name: False
    async with opened(await asked_for(vendor, eve), now=lambda: NOW) as app:
        shown = await swept(app)
        said = await app.commands.digests.report(NEWEST)
        assert said.judged.series.family is Family.FINRA
        assert "flat files (trades): plan lacks this data set" in shown
        daily = await app.ladder.rungs[-1].ledger.entry(NEWEST)
        assert daily is not None
        assert daily.source == "REST grouped daily"


async def test_when_finras_site_refuses_the_vendors_copy_serves(
    vendor: Vendor, shared: Shared, tmp_path: Path
) -> None:
    vendor.s3.entitled = lambda name: "trades_v1" not in name
    vendor.finra.faults.add(Answered(503), times=999)
    folder = await asyncio.to_thread(until, shared, Kind.FINRA, DAYS[-7], tmp_path / "data")
    async with opened(await asked_for(vendor, folder), now=lambda: NOW) as app:
        assert await history(app, DAYS[-6:-1]) == (5, 0), "more than a round bears of a source away"
        await swept(app)
        said = await app.commands.digests.report(NEWEST)
        assert said.judged.source == "REST short volume"
        assert said.judged.series.family is Family.FINRA
        assert [(r.source, r.verdict) for r in said.judged.refused] == [
            ("flat files (trades)", Verdict.PLAN_LACKS_DATA_SET),
            ("FINRA daily file", Verdict.VENDOR_FAULT),
        ]


async def test_without_any_off_exchange_source_a_banner_says_what_it_is(
    vendor: Vendor, shared: Shared, tmp_path: Path
) -> None:
    vendor.s3.entitled = lambda name: "trades_v1" not in name
    vendor.rest.entitled_short_volume = False
    folder = await asyncio.to_thread(until, shared, Kind.FLAT_FILES, EVE, tmp_path / "data")
    for path in (tmp_path / "vendor" / "finra").iterdir():
        await asyncio.to_thread(path.write_bytes, b"<html>not today</html>")
    async with opened(await asked_for(vendor, folder), now=lambda: NOW) as app:
        shown = await swept(app)
        said = await app.commands.digests.report(NEWEST)
        assert said.judged.series.scope is Scope.ALL
        assert "no off-exchange volume could be had: this is the volume of all venues" in shown
        assert "Off-exchange anomalies" not in shown
        assert len(digest(said).banners) >= 3


async def test_the_built_in_market_has_a_tape_too(tmp_path: Path) -> None:
    await asyncio.to_thread(market.compiled_once, tmp_path)
    settings = await asyncio.to_thread(load, data_dir=tmp_path, dark_pool_only="true")
    async with opened(settings, now=lambda: NOW) as app:
        await app.ladder.top.trading_day(NEWEST, announce=True)
        said = await app.commands.digests.report(NEWEST)
        assert said.judged.series.scope is Scope.OFF_EXCHANGE
        assert "SAMPLE" in digest(said).stamp
        found = await stored_bars(app, NEWEST, Scope.ALL)
        plain = pl.read_csv(market.day_file(NEWEST), infer_schema_length=None)
        assert found.rows["volume"].sum() == pytest.approx(plain["volume"].sum())
