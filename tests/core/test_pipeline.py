"""core.pipeline: a session's way, with real tables and files and a source that can misbehave."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from core.anomaly import Rule
from core.bars import Bars, Family, Scope, Series
from core.calendar import TradingDay
from core.db import Db
from core.errors import NotPublished, SourceRefused, SourceUnavailable, Verdict
from core.instruments import Instrument
from core.judged import Beside
from core.ledger import Entry, Ledger, Status
from core.pipeline import Pipeline
from core.renames import Rename
from core.sources import Chain, NoneServed
from core.splits import Split
from core.store import Store
from core.universe import Census
from tests.fakes import SERIES, FakeClock, FakePublish, FakeSource, FakeSplits, bars_of
from tests.frames import bars, day, days_before, row
from tests.states import new_state

DAY = day("2026-11-20")
NOW = datetime(2026, 11, 21, 16, 5, tzinfo=UTC)
BEFORE = days_before(DAY, 8)


def plain(of: TradingDay, *more: str, volume: float = 1e6) -> Bars:
    return bars(of, [row(t, volume=volume) for t in ("AAPL", "MSFT", "NVDA", *more)])


@dataclass
class House:
    """A data folder, and pipelines that are made on it one after another."""

    folder: Path
    db: Db
    source: FakeSource
    second: FakeSource = field(default_factory=lambda: FakeSource("second"))
    splits: FakeSplits = field(default_factory=FakeSplits)
    publish: FakePublish = field(default_factory=FakePublish)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    def pipeline(self) -> Pipeline:
        """A new one, as after a restart."""
        return Pipeline(
            self.db, Store.on_disk(self.folder), Ledger(self.db, SERIES),
            Chain([self.source, self.second]), self.splits, self.publish, Rule(), self.clock,
        )  # fmt: skip

    async def entry(self, of: TradingDay = DAY) -> Entry:
        found = await Ledger(self.db, SERIES).entry(of)
        assert found is not None
        return found

    async def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """Everything in the database."""
        names = await self.db.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {
            name: [tuple(r) for r in await self.db.rows(f"SELECT * FROM {name}")]  # noqa: S608
            for (name,) in names
        }

    def _files(self) -> dict[str, int]:
        return {
            str(p.relative_to(self.folder)): p.stat().st_mtime_ns
            for p in self.folder.rglob("*.parquet")
        }

    async def files(self) -> dict[str, int]:
        """Every Parquet file with the time it was changed."""
        return await asyncio.to_thread(self._files)

    async def stored(self, of: TradingDay = DAY) -> pl.DataFrame:
        return await asyncio.to_thread(Store.on_disk(self.folder).read, SERIES, [of])

    async def fill(self) -> None:
        """History enough for the gate."""
        for of in BEFORE:
            self.source.days[of.date] = plain(of)
            await self.pipeline().trading_day(of, announce=False)
        self.source.asked.clear()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with Db.open(await new_state(tmp_path)) as db:
        yield House(tmp_path, db, FakeSource("first", bars_of({DAY: plain(DAY)})))


async def test_a_session_is_fetched_stored_judged_published_and_finished(house: House) -> None:
    entry = await house.pipeline().trading_day(DAY, announce=True)

    assert (entry.status, entry.announced, entry.revision) == (Status.FINISHED, True, 1)
    assert (entry.source, entry.row_count) == ("first", 3)
    assert (await house.stored()).equals(plain(DAY))
    (judged,) = house.publish.judged
    assert (judged.session, judged.series, judged.revision) == (DAY.date, SERIES, 1)
    assert (judged.source, judged.row_count, judged.market.names) == ("first", 3, 3)
    assert (judged.refused, judged.notes, judged.stored_at) == ((), (), NOW)


async def test_a_second_run_changes_nothing_at_all(house: House) -> None:
    await house.pipeline().trading_day(DAY, announce=True)
    tables, files = await house.tables(), await house.files()
    house.clock.at += timedelta(hours=1)

    for announce in (True, False):
        await house.pipeline().trading_day(DAY, announce=announce)

    assert await house.tables() == tables
    assert await house.files() == files
    assert house.source.asked == [DAY.date]
    assert len(house.publish.judged) == 1


async def test_what_readers_must_know_of_the_settings_is_in_every_digest(house: House) -> None:
    pipeline = replace(house.pipeline(), notices=("delayed by 15 minutes",))

    await pipeline.trading_day(DAY, announce=True)

    assert house.publish.judged[0].notes == ("delayed by 15 minutes",)


async def test_a_silent_session_is_finished_without_a_word_and_can_be_announced_later(
    house: House,
) -> None:
    silent = await house.pipeline().trading_day(DAY, announce=False)
    assert (silent.status, silent.announced) == (Status.FINISHED, False)
    assert house.publish.judged == []

    later = await house.pipeline().trading_day(DAY, announce=True)
    assert (later.status, later.announced) == (Status.FINISHED, True)
    assert len(house.publish.judged) == 1
    assert house.source.asked == [DAY.date]


async def test_a_crash_between_store_and_finish_resumes_without_asking_again(house: House) -> None:
    await house.pipeline().ingest(DAY)
    assert (await house.entry()).status is Status.STORED

    entry = await house.pipeline().trading_day(DAY, announce=True)

    assert entry.status is Status.FINISHED
    assert house.source.asked == [DAY.date]
    assert len(house.publish.judged) == 1


async def test_a_publish_that_fails_leaves_the_session_to_be_finished(house: House) -> None:
    house.publish.error = RuntimeError("out of disk")
    with pytest.raises(RuntimeError):
        await house.pipeline().trading_day(DAY, announce=True)
    assert (await house.entry()).status is Status.STORED
    assert (await house.tables())["digests"] == []

    house.publish.error = None
    await house.pipeline().trading_day(DAY, announce=True)
    assert len(house.publish.judged) == 1
    assert house.source.asked == [DAY.date]


async def test_a_held_day_is_kept_aside_and_not_stored(house: House) -> None:
    await house.fill()
    house.source.days[DAY.date] = plain(DAY, volume=2e6)

    with pytest.raises(NoneServed, match="volumes look doubled"):
        await house.pipeline().trading_day(DAY, announce=True)

    entry = await house.entry()
    assert (entry.status, entry.revision) == (Status.HELD, 0)
    assert "volumes look doubled" in (entry.note or "")
    assert (await house.stored()).is_empty()
    assert f"held/{SERIES.key}/{DAY}.parquet" in await house.files()
    assert house.publish.judged == []


async def test_a_held_day_is_asked_for_again_and_taken_when_it_is_right(house: House) -> None:
    await house.fill()
    house.source.days[DAY.date] = plain(DAY, volume=2e6)
    with pytest.raises(NoneServed):
        await house.pipeline().trading_day(DAY, announce=True)
    house.source.days[DAY.date] = plain(DAY)

    entry = await house.pipeline().trading_day(DAY, announce=True)

    assert (entry.status, entry.revision, entry.note) == (Status.FINISHED, 1, None)
    assert house.source.asked == [DAY.date, DAY.date]


async def test_a_held_day_is_released_by_hand(house: House) -> None:
    await house.fill()
    held = plain(DAY, volume=2e6)
    house.source.days[DAY.date] = held
    with pytest.raises(NoneServed):
        await house.pipeline().trading_day(DAY, announce=True)

    released = await house.pipeline().release(DAY)
    assert (released.status, released.revision) == (Status.STORED, 1)
    await house.pipeline().trading_day(DAY, announce=True)

    assert (await house.stored()).equals(held)
    assert house.publish.judged[0].notes == ("held by the gate, released by hand",)


async def test_a_released_day_holds_one_possible_row_a_ticker(house: House) -> None:
    rows = [row("AAPL"), row("AAPL", volume=2e6), row("MSFT", low=-1.0), row("IDLE", volume=0.0)]
    house.source.days[DAY.date] = bars(DAY, rows)
    with pytest.raises(NoneServed, match="cannot be true"):
        await house.pipeline().trading_day(DAY, announce=True)

    await house.pipeline().release(DAY)
    entry = await house.pipeline().trading_day(DAY, announce=True)

    assert (await house.stored()).select("ticker", "volume").rows() == [("AAPL", 2e6)]
    assert "ticker twice" in (entry.note or "")


async def test_nothing_held_is_nothing_to_release(house: House) -> None:
    with pytest.raises(NotPublished, match="nothing is held for 2026-11-20"):
        await house.pipeline().release(DAY)


async def test_a_recent_session_that_is_not_published_is_only_logged(house: House) -> None:
    house.source.days.clear()

    with pytest.raises(NoneServed):
        await house.pipeline().trading_day(DAY, announce=True)

    assert await Ledger(house.db, SERIES).entry(DAY) is None
    assert len((await house.tables())["attempts"]) == 2


async def test_an_old_session_that_nobody_has_is_absent(house: House) -> None:
    old = days_before(DAY, 3)[0]

    with pytest.raises(NoneServed):
        await house.pipeline().trading_day(old, announce=False)

    entry = await house.entry(old)
    assert (entry.status, entry.revision, entry.source) == (Status.ABSENT, 0, None)
    assert "no file for" in (entry.note or "")


async def test_an_old_session_whose_source_is_away_is_not_called_absent(house: House) -> None:
    old = days_before(DAY, 3)[0]
    house.source.otherwise = SourceUnavailable("HTTP 503")

    with pytest.raises(NoneServed):
        await house.pipeline().trading_day(old, announce=False)

    assert await Ledger(house.db, SERIES).entry(old) is None


async def test_who_refused_first_travels_with_what_was_judged(house: House) -> None:
    house.source.days[DAY.date] = SourceRefused("HTTP 403", Verdict.PLAN_LACKS_DATA_SET)
    house.second.days[DAY.date] = plain(DAY)

    entry = await house.pipeline().trading_day(DAY, announce=True)

    (judged,) = house.publish.judged
    assert (entry.source, judged.source) == ("second", "second")
    (refused,) = judged.refused
    assert (refused.source, refused.verdict) == ("first", Verdict.PLAN_LACKS_DATA_SET)
    assert entry.refused == judged.refused


async def finished(house: House, *, announce: bool = True) -> None:
    house.source.versions[DAY.date] = "v1"
    await house.pipeline().trading_day(DAY, announce=announce)
    house.source.asked.clear()


async def test_a_session_that_was_not_republished_is_not_fetched_again(house: House) -> None:
    await finished(house)

    assert not await house.pipeline().revisit(DAY)
    assert not await house.pipeline().revisit(BEFORE[0])
    assert house.source.asked == []


async def test_the_same_bars_under_a_new_version_are_no_revision(house: House) -> None:
    await finished(house)
    files = await house.files()
    house.source.versions[DAY.date] = "v2"

    assert not await house.pipeline().revisit(DAY)

    entry = await house.entry()
    assert (entry.revision, entry.version, entry.status) == (1, "v2", Status.FINISHED)
    assert await house.files() == files
    assert len(house.publish.judged) == 1
    assert not await house.pipeline().revisit(DAY)
    assert house.source.asked == [DAY.date]


async def republish(house: House) -> Bars:
    fuller = plain(DAY, "TSLA")
    house.source.versions[DAY.date], house.source.days[DAY.date] = "v2", fuller
    return fuller


async def test_other_bars_are_a_second_revision_judged_and_published_again(house: House) -> None:
    await finished(house)
    fuller = await republish(house)

    assert await house.pipeline().revisit(DAY)

    entry = await house.entry()
    assert (entry.revision, entry.version, entry.status) == (2, "v2", Status.FINISHED)
    assert (await house.stored()).equals(fuller)
    first = await asyncio.to_thread(Store.on_disk(house.folder).read_revision, SERIES, DAY, 1)
    assert first.equals(plain(DAY))
    assert [j.revision for j in house.publish.judged] == [1, 2]


async def test_a_silent_session_that_is_republished_stays_silent(house: House) -> None:
    await finished(house, announce=False)
    await republish(house)

    assert await house.pipeline().revisit(DAY)

    assert (await house.entry()).revision == 2
    assert house.publish.judged == []


async def test_a_revision_that_only_the_disk_knows_of_is_still_judged(house: House) -> None:
    await finished(house)
    fuller = await republish(house)
    # The process died after the file was renamed, before the ledger was written.
    await asyncio.to_thread(Store.on_disk(house.folder).write, SERIES, DAY, fuller, 2)

    assert await house.pipeline().revisit(DAY)

    assert [j.revision for j in house.publish.judged] == [1, 2]
    assert (await house.stored()).equals(fuller)
    first = await asyncio.to_thread(Store.on_disk(house.folder).read_revision, SERIES, DAY, 1)
    assert first.equals(plain(DAY))


async def test_one_that_the_source_takes_back_before_it_is_judged_is_not_read_by_anybody(
    house: House,
) -> None:
    await finished(house)
    fuller = plain(DAY, "TSLA")
    # The process died after the file was renamed, before the ledger was written.
    await asyncio.to_thread(Store.on_disk(house.folder).write, SERIES, DAY, fuller, 2)

    assert not await house.pipeline().revisit(DAY)

    assert (await house.entry()).revision == 1
    assert (await house.stored()).equals(plain(DAY))


async def test_a_revision_judged_halfway_is_finished_at_the_next_bell(house: House) -> None:
    await finished(house)
    await republish(house)
    await house.pipeline().ingest(DAY)

    await house.pipeline().trading_day(DAY, announce=False)

    assert [j.revision for j in house.publish.judged] == [1, 2]
    assert (await house.entry()).status is Status.FINISHED


async def test_a_revision_that_a_backfill_left_to_be_said_is_said_when_it_is_looked_at_again(
    house: House,
) -> None:
    await finished(house)
    await republish(house)
    await house.pipeline().ingest(DAY)

    assert await house.pipeline().revisit(DAY)
    assert [j.revision for j in house.publish.judged] == [1, 2]
    assert not await house.pipeline().revisit(DAY)


async def test_a_second_source_does_not_make_the_first_ones_new_copy_forgotten(
    house: House,
) -> None:
    await finished(house)
    house.source.versions[DAY.date] = "v2"
    house.source.days[DAY.date] = SourceUnavailable("HTTP 503")
    house.second.days[DAY.date] = plain(DAY)

    assert not await house.pipeline().revisit(DAY)
    fuller = await republish(house)
    assert await house.pipeline().revisit(DAY)

    assert (await house.stored()).equals(fuller)


async def test_a_republished_copy_that_is_held_takes_nothing_away(house: House) -> None:
    await house.fill()
    await finished(house)
    house.source.versions[DAY.date] = "v2"
    house.source.days[DAY.date] = plain(DAY, volume=2e6)

    with pytest.raises(NoneServed):
        await house.pipeline().revisit(DAY)

    entry = await house.entry()
    assert (entry.status, entry.revision, entry.version) == (Status.FINISHED, 1, "v1")
    assert (await house.stored()).equals(plain(DAY))


async def test_splits_are_learned_and_remembered(house: House) -> None:
    house.splits.known = [Split(DAY.date, "AAPL", 1, 4)]
    await house.pipeline().trading_day(DAY, announce=True)
    house.splits.error = SourceUnavailable("HTTP 503")

    known = await house.pipeline().record.splits(BEFORE[0].date, DAY.date)

    assert known == house.splits.known
    scores = await house.pipeline().record.scores(DAY, Rule())
    assert scores.filter(pl.col("ticker") == "AAPL")["split"].to_list() == ["4-for-1"]


async def test_a_split_that_the_source_took_back_is_forgotten(house: House) -> None:
    house.splits.known = [Split(BEFORE[0].date, "AAPL", 1, 4)]
    await house.pipeline().trading_day(DAY, announce=True)
    house.splits.known = [Split(DAY.date, "AAPL", 1, 4)]

    await house.pipeline().judge(DAY)

    known = await house.pipeline().record.splits(BEFORE[0].date, DAY.date)
    assert known == house.splits.known


async def test_a_source_of_splits_that_is_away_is_noted(house: House) -> None:
    house.splits.error = SourceUnavailable("HTTP 503")

    await house.pipeline().trading_day(DAY, announce=True)

    assert house.publish.judged[0].notes == ("splits unknown: unreachable",)


async def test_without_a_source_of_splits_readers_are_told(house: House) -> None:
    await replace(house.pipeline(), splits=None).trading_day(DAY, announce=True)

    (note,) = house.publish.judged[0].notes
    assert note.startswith("splits unknown: no source for them")


OFF = Series(Scope.OFF_EXCHANGE, Family.TRADES, rules="bundled")
LIT = replace(OFF, scope=Scope.ALL)


def taped(house: House) -> Pipeline:
    """Off-exchange bars whose source brings those of all venues along."""
    made = house.pipeline()
    tape = replace(house.source, series=OFF)
    return replace(made, ledger=Ledger(house.db, OFF), chain=Chain([tape]), other=LIT)


def both(house: House, of: TradingDay, *more: str, close: float = 10.2) -> None:
    """Put a session up in both scopes."""
    prices = dict.fromkeys(("open", "high", "low", "close"))
    names = ("AAPL", "MSFT", "NVDA", *more)
    house.source.days[of.date] = bars(of, [row(t, volume=4e5) | prices for t in names])
    lit = bars(of, [row(t, close=close) for t in names])
    house.source.also[of.date] = ((LIT, lit),)


async def test_both_scopes_of_one_reading_are_stored_and_meet_again(house: House) -> None:
    both(house, DAY)
    pipeline = taped(house)

    await pipeline.trading_day(DAY, announce=True)

    found = await pipeline.record.bars([DAY])
    assert found["volume"].to_list() == 3 * [4e5]
    assert found["close"].to_list() == 3 * [10.2]
    assert found["share"].to_list() == 3 * [0.4]
    lit = await Ledger(house.db, LIT).entry(DAY)
    assert lit is not None
    assert (lit.status, lit.revision) == (Status.STORED, 1)


async def test_another_scope_that_differs_is_a_new_revision_of_both(house: House) -> None:
    both(house, DAY)
    house.source.versions[DAY.date] = "one"
    await taped(house).trading_day(DAY, announce=True)

    both(house, DAY, close=11.0)
    house.source.versions[DAY.date] = "two"

    assert await taped(house).revisit(DAY)
    assert [j.revision for j in house.publish.judged] == [1, 2]
    assert not await taped(house).revisit(DAY)


async def test_a_released_day_has_the_prices_of_all_venues(house: House) -> None:
    for of in BEFORE:
        both(house, of)
        await taped(house).trading_day(of, announce=False)
    both(house, DAY, "MORE")
    with pytest.raises(NoneServed, match="4 rows; the sessions before had 3"):
        await taped(house).trading_day(DAY, announce=True)
    assert (await taped(house).record.bars([DAY])).is_empty()

    await taped(house).release(DAY)

    found = await taped(house).record.bars([DAY])
    assert found["close"].to_list() == 4 * [10.2]
    assert not [name for name in await house.files() if name.startswith("held/")]


async def test_where_the_past_comes_newest_first_a_day_is_held_against_those_after(
    house: House,
) -> None:
    oldest, *later = [*BEFORE, DAY]
    for of in reversed(later):
        both(house, of)
        await taped(house).trading_day(of, announce=False)
    both(house, oldest, "MORE")
    with pytest.raises(NoneServed, match="4 rows; the sessions after had 3"):
        await taped(house).trading_day(oldest, announce=False)


@pytest.mark.parametrize(
    ("own", "after", "is_held"),
    [(["MORE"], ["MORE"], False), (["MORE"], [], True), ([], ["MORE"], False)],
)
async def test_a_day_that_is_unusual_by_one_side_alone_passes(
    house: House, own: list[str], after: list[str], *, is_held: bool
) -> None:
    """A market that has more names from a day on, of which the days after are there already."""
    days = days_before(DAY, 13)
    first, day, last = days[:6], days[6], days[7:]
    for of in first:
        both(house, of)
        await taped(house).trading_day(of, announce=False)
    for of in last:
        both(house, of, *after)
        try:
            await taped(house).trading_day(of, announce=False)
        except NoneServed:
            await taped(house).release(of)
            await taped(house).trading_day(of, announce=False)
    both(house, day, *own)
    if is_held:
        with pytest.raises(NoneServed, match="4 rows; the sessions after had 3"):
            await taped(house).trading_day(day, announce=False)
    else:
        await taped(house).trading_day(day, announce=False)


async def test_an_unknown_condition_is_said_in_one_digest_and_logged_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.source.unknown = ("99",)
    for of in BEFORE:
        both(house, of)
        await taped(house).trading_day(of, announce=False)
    both(house, DAY)
    await taped(house).trading_day(DAY, announce=True)
    await taped(house).trading_day(BEFORE[-1], announce=True)

    notes = [note for judged in house.publish.judged for note in judged.notes]
    assert notes == ["condition 99 is not in the table: counted for volume, sets no price"]
    assert [r.message for r in caplog.records if "unknown sale" in r.message] == [
        "unknown sale condition: volume only, no price"
    ]


async def test_bars_beside_that_were_republished_are_judged_with_again(house: House) -> None:
    daily = house.pipeline()
    house.source.versions[DAY.date] = "one"
    free = Series(Scope.OFF_EXCHANGE, Family.FINRA)
    volumes = FakeSource("free", bars_of({DAY: plain(DAY, volume=4e5)}), series=free)
    rung = replace(
        daily, ledger=Ledger(house.db, free), chain=Chain([volumes]), other=SERIES, beside=daily
    )
    await rung.trading_day(DAY, announce=True)
    assert house.publish.judged[0].beside == Beside("first", ())

    house.source.versions[DAY.date] = "two"
    house.source.days[DAY.date] = plain(DAY, volume=2e6)

    assert await rung.revisit(DAY)
    assert [j.revision for j in house.publish.judged] == [1, 2]
    assert (await rung.record.bars([DAY]))["share"].to_list() == 3 * [0.2]


async def test_a_ticker_that_newly_trades_is_asked_about_before_it_is_judged(house: House) -> None:
    asked = list[str]()

    class Reference:
        async def tickers(self) -> list[Instrument]:
            raise SourceRefused("403")

        async def renamed(self, ticker: str) -> list[Rename]:
            asked.append(ticker)
            raise SourceRefused("403")

    crowd = [f"T{n}" for n in range(40)]
    for of in days_before(DAY, 40):
        await asyncio.to_thread(Store.on_disk(house.folder).write, SERIES, of, plain(of, *crowd), 1)
    house.source.days[DAY.date] = plain(DAY, *crowd, "META", volume=1.1e6)
    census = Census(house.db, Reference(), house.clock)
    pipeline = replace(house.pipeline(), census=census)

    await pipeline.trading_day(DAY, announce=False)
    assert asked == []
    entry = await pipeline.trading_day(DAY, announce=True)

    assert asked == ["META"]
    assert entry.status is Status.FINISHED
