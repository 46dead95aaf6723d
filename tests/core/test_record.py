"""core.record: measured once, read again, and never from other bars than those stored."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from core.anomaly import Rule
from core.bars import Bars, Scope, Series, check
from core.calendar import TradingDay
from core.db import Db, Value, insert
from core.files import Folder
from core.record import Record
from core.renames import follow
from core.splits import Split
from core.store import MEASURED_SESSIONS, Store
from tests.core.panel import LAST, SESSIONS, frame, measured, noisy
from tests.fakes import SERIES
from tests.frames import days_before
from tests.shared import copied
from tests.states import new_state

ROWS = frame([r for n in range(4) for r in noisy(f"M{n}", 1e6)])
DAY = SESSIONS[LAST]


def of(t: int, rows: pl.DataFrame = ROWS) -> Bars:
    return check(rows.filter(session=SESSIONS[t].date), SESSIONS[t])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    for t in range(len(SESSIONS)):
        Store.on_disk(folder).write(SERIES, SESSIONS[t], of(t), 1)
    return folder


@pytest.fixture
async def record(written: Path, tmp_path: Path) -> AsyncIterator[Record]:
    await asyncio.to_thread(copied, written, tmp_path)
    async with Db.open(await new_state(tmp_path)) as db:
        yield Record(db, Store.on_disk(tmp_path), SERIES)


def kept(folder: Path) -> list[str]:
    return sorted(p.name for p in (folder / "measured").rglob("*.parquet"))


async def test_a_session_is_measured_once(record: Record, tmp_path: Path) -> None:
    first = await record.measured(DAY)
    (name,) = await asyncio.to_thread(kept, tmp_path)
    again = await record.measured(DAY)

    assert first.equals(measured(ROWS))
    assert again.equals(first)
    assert await asyncio.to_thread(kept, tmp_path) == [name]


class Crowded(Store):
    """Nobody goes on before two have looked; counts what was kept."""

    def __init__(self, root: Path) -> None:
        super().__init__(Folder(root), Folder(root))
        self.two, self.looks, self.keeps = threading.Barrier(2), 0, 0

    def measured(self, series: Series, day: TradingDay, made_of: str) -> pl.DataFrame | None:
        """As it is, but the first two find nothing together."""
        self.looks += 1
        found = super().measured(series, day, made_of)
        if self.looks <= 2:
            self.two.wait(10)
        return found

    def keep_measured(
        self, series: Series, day: TradingDay, made_of: str, found: pl.DataFrame
    ) -> None:
        """Counted."""
        self.keeps += 1
        super().keep_measured(series, day, made_of, found)


async def test_two_who_ask_at_once_measure_once(record: Record, tmp_path: Path) -> None:
    store = Crowded(tmp_path)
    asked = replace(record, store=store), replace(record, store=store)

    first, second = await asyncio.gather(*(one.measured(DAY) for one in asked))

    assert store.keeps == 1
    assert first.equals(second)
    assert first.equals(measured(ROWS))


async def test_a_line_is_the_ticker_s_row_of_all_scores(record: Record) -> None:
    names = ["GOOG", "GOOGL", "ABCD", "ABCDW", "ZVZZT"]
    more = frame([r for name in names for r in noisy(name, 1e6)])
    gone = more.filter((pl.col("ticker") != "GOOG") | (pl.col("session") < DAY.date))
    every = pl.concat([ROWS, gone]).sort("session", "ticker")
    for t in range(len(SESSIONS)):
        await asyncio.to_thread(record.store.write, SERIES, SESSIONS[t], of(t, every), 2)
    async with record.db.transaction() as writer:
        row: dict[str, Value] = {"ticker": "M1", "type": "ETF", "name": "", "listed_at": "now"}
        await insert(writer, "instruments", row)
    scores = await record.scores(DAY, Rule())
    assert set(scores["kind"]) == {"common", "ETF", "warrant", "test"}
    for ticker in [*names, "M0", "M1", "M2", "M3", "NONE"]:
        wanted = next(scores.filter(ticker=ticker).iter_rows(named=True), None)
        for asked in ("at first", "again"):
            found = await record.line(DAY, Rule(), ticker)
            assert found == wanted, f"{ticker} {asked}"
            if found is not None:
                found.clear()  # nobody spoils another one's answer
    assert await record.line(DAY, Rule(), "GOOG") is None


async def test_a_new_revision_or_a_split_is_measured_anew(record: Record, tmp_path: Path) -> None:
    first = await record.measured(DAY)
    twice = ROWS.with_columns(pl.col("volume") * 2)
    await asyncio.to_thread(record.store.write, SERIES, SESSIONS[40], of(40, twice), 2)

    revised = await record.measured(DAY)
    split = Split(SESSIONS[50].date, "M1", 1, 2)
    async with record.db.transaction() as writer:
        await writer.execute(
            "INSERT INTO splits VALUES (?, ?, ?, 1, 2)",
            (SERIES.key, "M1", str(split.execution_date)),
        )
    restated = await record.measured(DAY)

    assert not revised.equals(first)
    assert not restated.equals(revised)
    assert len(await asyncio.to_thread(kept, tmp_path)) == 1


async def test_closes_are_on_the_share_basis_of_the_last_day(record: Record) -> None:
    async with record.db.transaction() as writer:
        await writer.execute(
            "INSERT INTO splits VALUES (?, ?, ?, 1, 2)",
            (SERIES.key, "M1", str(SESSIONS[50].date)),
        )
    closes = await record.closes(SESSIONS[45:60])

    stored = ROWS.filter(pl.col("session").is_between(SESSIONS[45].date, SESSIONS[59].date))
    halved = (pl.col("ticker") == "M1") & (pl.col("session") < SESSIONS[50].date)
    restated = pl.col("close") / pl.when(halved).then(2).otherwise(1)
    wanted = stored.select("session", "ticker", close=restated)
    assert closes.sort("session", "ticker").equals(wanted)


async def test_closes_off_exchange_are_those_of_all_venues(record: Record) -> None:
    off = replace(SERIES, scope=Scope.OFF_EXCHANGE)
    few = of(LAST).filter(pl.col("ticker") == "M1").with_columns(close=pl.lit(None, pl.Float64))
    await asyncio.to_thread(record.store.write, off, DAY, Bars(few), 1)
    beside = replace(record, series=off, other=SERIES)

    assert (await beside.closes([DAY])).equals(of(LAST).select("session", "ticker", "close"))


async def test_a_file_that_cannot_be_read_is_measured_again(record: Record, tmp_path: Path) -> None:
    first = await record.measured(DAY)
    (name,) = await asyncio.to_thread(kept, tmp_path)
    path = tmp_path / "measured" / SERIES.key / name
    await asyncio.to_thread(path.write_bytes, b"PAR1 half a file")

    assert (await record.measured(DAY)).equals(first)


async def test_a_place_that_cannot_be_written_costs_only_the_keeping(
    record: Record, tmp_path: Path
) -> None:
    await asyncio.to_thread((tmp_path / "measured").write_text, "a file where a folder should be")

    scores = await record.scores(DAY, Rule())

    assert len(scores) == 4


def test_only_the_newest_sessions_stay_measured(tmp_path: Path) -> None:
    store, days = Store.on_disk(tmp_path), days_before(DAY, MEASURED_SESSIONS + 2)
    for day in days:
        store.keep_measured(SERIES, day, "abcd", ROWS.head(1))

    assert kept(tmp_path) == [f"{day}.abcd.parquet" for day in days[2:]]


async def renamed(record: Record, old: str, new: str, t: int) -> None:
    """As core.universe.Census remembers it."""
    async with record.db.transaction() as writer:
        row: dict[str, Value] = {"asked": new, "old": old, "new": new}
        await insert(writer, "renames", row | {"renamed_on": str(SESSIONS[t])})


async def put(record: Record, rows: pl.DataFrame) -> None:
    """Stored as a second revision, session by session."""
    for t, day in enumerate(SESSIONS):
        await asyncio.to_thread(record.store.write, SERIES, day, of(t, rows), 2)


async def test_a_renamed_ticker_is_measured_as_if_it_always_had_its_name(record: Record) -> None:
    always = ROWS.with_columns(pl.col("ticker").replace("M1", "META"))
    since = pl.col("session") >= SESSIONS[60].date
    strangers = frame(noisy("META", 9e6, times=range(20)))
    split = (SERIES.key, "M1", str(SESSIONS[50]))
    then = pl.when(since).then(pl.col("ticker").replace("M1", "META")).otherwise("ticker")
    await put(record, pl.concat([ROWS.with_columns(then.alias("ticker")), strangers]))
    async with record.db.transaction() as writer:
        await writer.execute("INSERT INTO splits VALUES (?, ?, ?, 1, 2)", split)

    before = await record.measured(DAY)
    new = await record.listings(DAY)
    await renamed(record, "M1", "META", 60)
    after = await record.measured(DAY)

    one = Split(SESSIONS[50].date, "META", 1, 2)
    assert after.equals(measured(always, splits=[one]))
    assert not before.equals(after)
    assert new.is_empty()  # the stranger's rows made it look old
    assert (await record.listings(DAY)).is_empty()


async def test_closes_of_a_renamed_ticker_are_under_its_name_of_the_last_day(
    record: Record,
) -> None:
    since = pl.col("session") >= SESSIONS[60].date
    then = pl.when(since).then(pl.col("ticker").replace("M1", "META")).otherwise("ticker")
    await put(record, ROWS.with_columns(then.alias("ticker")))
    await renamed(record, "M1", "META", 60)
    async with record.db.transaction() as writer:
        split = (SERIES.key, "M1", str(SESSIONS[50]))
        await writer.execute("INSERT INTO splits VALUES (?, ?, ?, 1, 2)", split)

    closes = await record.closes(SESSIONS)

    before = pl.when(pl.col("session") < SESSIONS[50].date).then(2).otherwise(1)
    wanted = ROWS.filter(ticker="M1").select("session", close=pl.col("close") / before)
    found = closes.filter(ticker="META").sort("session").select("session", "close")
    assert found.equals(wanted)
    assert closes.filter(ticker="M1").is_empty()


async def test_who_begins_to_trade_is_listed_until_it_is_known_to_be_renamed(
    record: Record,
) -> None:
    since = pl.col("session") >= SESSIONS[75].date
    then = pl.when(since).then(pl.col("ticker").replace("M1", "NEW")).otherwise("ticker")
    await put(record, ROWS.with_columns(then.alias("ticker")))

    assert (await record.listings(DAY)).select("ticker", "seen").rows() == [("NEW", 7)]
    await renamed(record, "M1", "NEW", 75)
    assert (await record.listings(DAY)).is_empty()


async def test_new_off_exchange_is_who_is_new_at_all_venues(record: Record) -> None:
    today = frame(noisy("NEW", 1e6, times=[LAST]) + noisy("NEWER", 2e6, times=[LAST]))
    await put(record, pl.concat([ROWS, today]))
    off = replace(SERIES, scope=Scope.OFF_EXCHANGE)
    # Until today nobody traded M1 off exchange.
    ours = pl.concat([ROWS, today]).with_columns(pl.col("volume") * 0.4)
    ours = ours.filter((pl.col("ticker") != "M1") | (pl.col("session") == DAY.date))
    for t, day in enumerate(SESSIONS):
        await asyncio.to_thread(record.store.write, off, day, of(t, ours), 1)
    beside = replace(record, series=off, other=SERIES)

    new = await beside.new(DAY, await beside.scores(DAY, Rule()))

    traded = of(LAST, today).select("ticker", pl.col("volume") * 0.4 * pl.col("close"))
    wanted = dict(traded.iter_rows())
    assert [n.ticker for n in new] == ["NEWER", "NEW"]
    assert {n.ticker: n.dollar_volume_usd for n in new} == pytest.approx(wanted)


@pytest.mark.parametrize("scope", list(Scope))
async def test_one_name_read_alone_is_what_it_is_among_all(record: Record, scope: Scope) -> None:
    at = pl.col("session")
    was = (
        pl.when(pl.col("ticker") != "M1").then("ticker")
        .when(at < SESSIONS[30].date).then(pl.lit("OLDEST"))
        .when(at < SESSIONS[60].date).then(pl.lit("OLD"))
        .otherwise(pl.lit("NEW"))
    )  # fmt: skip
    strangers = frame(noisy("NEW", 9e6, times=range(20)) + noisy("GONE", 1e6, times=range(20)))
    await put(record, pl.concat([ROWS.with_columns(was.alias("ticker")), strangers]))
    await renamed(record, "OLDEST", "OLD", 30)
    await renamed(record, "OLD", "NEW", 60)
    off = replace(SERIES, scope=Scope.OFF_EXCHANGE)
    for t, day in enumerate(SESSIONS):
        await asyncio.to_thread(record.store.write, off, day, of(t), 1)
    two = (SERIES, off) if scope is Scope.ALL else (off, SERIES)
    for one in (replace(record, series=two[0]), replace(record, series=two[0], other=two[1])):
        renames = await one.renames(SESSIONS[0].date, DAY.date)
        everything = follow(await one.bars(SESSIONS), renames, DAY.date)

        assert await one.names(SESSIONS, renames) == set(everything["ticker"])
        for ticker in everything["ticker"].unique():
            own = await one.history(ticker, SESSIONS, renames)
            assert own.equals(everything.filter(ticker=ticker)), ticker


async def test_what_the_vendor_calls_a_warrant_does_not_pass(record: Record) -> None:
    instrument: dict[str, Value] = {"ticker": "M1", "type": "WARRANT", "name": "", "listed_at": ""}
    async with record.db.transaction() as writer:
        await insert(writer, "instruments", instrument)
        await insert(writer, "instruments", instrument | {"ticker": "M2", "type": "ETF"})

    scores = await record.scores(DAY, Rule())

    told = {r["ticker"]: (r["kind"], r["pass_kind"]) for r in scores.iter_rows(named=True)}
    assert told["M1"] == ("warrant", False)
    assert (told["M2"], told["M0"]) == (("ETF", True), ("common", True))
