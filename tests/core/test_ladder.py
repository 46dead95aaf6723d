"""core.ladder: which series serves a session, what is waited for, and nothing is said twice."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.anomaly import Rule
from core.backfill import Step
from core.bars import Bars, Family, Scope, Series, check
from core.calendar import TradingDay
from core.db import Db
from core.errors import (
    BadBars,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)
from core.ladder import Ladder
from core.ledger import Ledger, Status
from core.pipeline import Pipeline
from core.sources import Chain, NoneServed
from core.store import Store
from tests.fakes import SERIES, FakeClock, FakePublish, FakeSource, FakeSplits, bars_of
from tests.frames import bars, day, days_before, row
from tests.states import new_state

DAY = day("2026-11-20")
NOW = datetime(2026, 11, 21, 16, 5, tzinfo=UTC)
WINDOW = [*days_before(DAY, 7), DAY]
TRADES = Series(Scope.OFF_EXCHANGE, Family.TRADES, rules="bundled")
FREE = Series(Scope.OFF_EXCHANGE, Family.FINRA)
LACKS = SourceRefused("listed, 403", Verdict.PLAN_LACKS_DATA_SET)


def of(day_: TradingDay, volume: float = 1e6) -> Bars:
    return bars(day_, [row(t, volume=volume) for t in ("AAPL", "MSFT", "NVDA")])


def volumes(day_: TradingDay) -> Bars:
    """As FINRA has them: no prices."""
    prices = dict.fromkeys(("open", "high", "low", "close"))
    rows = [row(t, volume=4e5) | prices | {"transactions": None} for t in ("AAPL", "MSFT")]
    return check(bars(day_, rows), day_)


@dataclass
class House:
    """Three rungs: trades, FINRA's volume beside day bars, day bars."""

    folder: Path
    db: Db
    trades: FakeSource = field(
        default_factory=lambda: FakeSource("trades", bars_of({d: of(d) for d in WINDOW}))
    )
    free: FakeSource = field(
        default_factory=lambda: FakeSource("free", bars_of({d: volumes(d) for d in WINDOW}))
    )
    daily: FakeSource = field(
        default_factory=lambda: FakeSource("daily", bars_of({d: of(d, 2e6) for d in WINDOW}))
    )
    publish: FakePublish = field(default_factory=FakePublish)

    def ladder(self) -> Ladder:
        """A new one, as after a restart."""
        daily = self.pipeline(self.daily, SERIES)
        free = replace(self.pipeline(self.free, FREE), other=SERIES, beside=daily)
        return Ladder([self.pipeline(self.trades, TRADES), free, daily])

    def pipeline(self, source: FakeSource, series: Series) -> Pipeline:
        """A rung over one source."""
        source.series = series
        return Pipeline(
            self.db, Store.on_disk(self.folder), Ledger(self.db, series), Chain([source]),
            FakeSplits(), self.publish, Rule(), FakeClock(NOW),
        )  # fmt: skip

    async def work(self, *, late: bool = False) -> list[Step]:
        """One round over the window, the last session to be said."""
        return [step async for step in self.ladder().work(WINDOW, [DAY], NOW, late=late)]

    @property
    def said(self) -> list[Series]:
        """Of which series digests were made."""
        return [judged.series for judged in self.publish.judged]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with Db.open(await new_state(tmp_path)) as db:
        yield House(tmp_path, db)


async def test_while_the_top_serves_nobody_else_is_asked(house: House) -> None:
    steps = await house.work()

    assert [step.day for step in steps] == WINDOW
    assert house.said == [TRADES]
    assert house.free.asked == house.daily.asked == []


async def test_a_plan_that_lacks_the_data_set_is_asked_once_and_gives_way_for_all(
    house: House,
) -> None:
    house.trades.days, house.trades.otherwise = {}, LACKS

    steps = await house.work()

    assert house.trades.asked == [WINDOW[0].date]
    assert house.said == [FREE]
    assert [(r.source, r.verdict) for r in house.publish.judged[0].refused] == [
        ("trades", Verdict.PLAN_LACKS_DATA_SET)
    ]
    assert house.free.asked == house.daily.asked == [d.date for d in WINDOW]
    assert steps[-1].entry is not None
    assert steps[-1].entry.announced


async def test_without_any_off_exchange_source_the_last_rung_serves_under_both_refusals(
    house: House,
) -> None:
    house.trades.days, house.trades.otherwise = {}, LACKS
    house.free.days, house.free.otherwise = {}, SourceRefused("401", Verdict.WRONG_ACCESS_KEY)

    await house.work()

    assert house.said == [SERIES]
    assert [r.source for r in house.publish.judged[0].refused] == ["trades", "free"]


async def test_one_bad_file_goes_down_alone_and_is_judged_on_the_baseline_of_its_rung(
    house: House,
) -> None:
    house.trades.days[DAY.date] = BadBars("the gzip is cut off")

    await house.work()

    assert house.said == [FREE]
    assert house.free.asked == [d.date for d in WINDOW]
    top = await house.ladder().top.ledger.entries(WINDOW)
    assert [top[d.date].status for d in WINDOW] == 7 * [Status.FINISHED] + [Status.HELD]
    assert house.publish.judged[0].market.names == 2


async def test_an_old_bad_file_is_nobody_elses_business(house: House) -> None:
    house.trades.days[WINDOW[2].date] = BadBars("the gzip is cut off")

    await house.work()

    assert house.said == [TRADES]
    assert house.free.asked == []


@pytest.mark.parametrize(
    "error", [NotPublished("not listed"), SourceUnavailable("HTTP 503", Verdict.VENDOR_FAULT)]
)
async def test_what_is_only_late_is_waited_for_until_the_deadline(
    house: House, error: SourceError
) -> None:
    house.trades.days[DAY.date] = error

    await house.work()
    assert house.said == []
    assert house.free.asked == []

    await house.work(late=True)
    assert house.said == [FREE]


async def test_sources_that_are_away_for_every_session_give_way_at_the_deadline(
    house: House,
) -> None:
    house.trades.days, house.trades.otherwise = {}, SourceUnavailable("HTTP 503")

    await house.work()
    assert house.said == []

    await house.work(late=True)
    assert house.said == [FREE]


async def test_a_session_said_from_below_is_not_said_again_from_the_top(house: House) -> None:
    served, house.trades.days = house.trades.days, {}
    house.trades.otherwise = LACKS
    await house.work()

    house.trades.days = served
    await house.work()

    assert house.said == [FREE]
    ladder = house.ladder()
    assert (await ladder.of(DAY)).series == FREE
    top = await ladder.top.ledger.entries(WINDOW)
    assert all(e.status is Status.FINISHED and not e.announced for e in top.values())


async def test_what_was_history_below_is_history_after_an_upgrade(house: House) -> None:
    """The session before the newest was filled silently: no reason to say it a day later."""
    served, house.trades.days = house.trades.days, {}
    house.trades.otherwise = LACKS
    await house.work()

    house.trades.days = served
    async for step in house.ladder().work(WINDOW, WINDOW[-2:], NOW):
        assert step.error is None

    assert house.said == [FREE]


async def test_what_the_top_still_waits_for_is_not_used_up_below(house: House) -> None:
    before = WINDOW[-2]
    late = house.trades.days[before.date]
    house.trades.days[before.date] = NotPublished("not listed")
    house.trades.days[DAY.date] = BadBars("the gzip is cut off")
    two = WINDOW[-2:]

    _ = [step async for step in house.ladder().work(WINDOW, two, NOW)]
    assert [(j.session, j.series) for j in house.publish.judged] == [(DAY.date, FREE)]
    assert before.date not in house.free.asked

    house.trades.days[before.date] = late
    _ = [step async for step in house.ladder().work(WINDOW, two, NOW)]
    assert [(j.session, j.series) for j in house.publish.judged][1:] == [(before.date, TRADES)]


async def test_a_series_that_is_no_longer_read_is_still_known(house: House) -> None:
    """Other rules for counting trades: a new series, and nothing is said again."""
    await house.work()
    newer = replace(TRADES, rules="vendor-1")
    ladder = house.ladder()
    retired, *lower = ladder.rungs
    ladder = Ladder([house.pipeline(house.trades, newer), *lower], [retired])

    _ = [step async for step in ladder.work(WINDOW, [DAY], NOW)]

    assert house.said == [TRADES]
    assert (await ladder.of(DAY)).series == TRADES
    newest = await ladder.newest(Status.FINISHED)
    assert newest is not None
    assert newest.announced
    entries = await ladder.top.ledger.entries(WINDOW)
    assert len(entries) == len(WINDOW)


async def test_the_free_rung_has_the_prices_of_the_day_bars(house: House) -> None:
    house.trades.days, house.trades.otherwise = {}, LACKS
    await house.work()
    rung = await house.ladder().of(DAY)

    found = await rung.record.bars([DAY])

    assert found["volume"].to_list() == [4e5, 4e5]
    assert found["close"].to_list() == [10.2, 10.2]
    assert found["share"].to_list() == [0.2, 0.2]


async def test_the_free_rung_waits_for_the_day_bars(house: House) -> None:
    house.trades.days, house.trades.otherwise = {}, LACKS
    house.daily.days[DAY.date] = NotPublished("not listed")

    steps = await house.work()

    assert house.said == []
    assert isinstance(steps[-1].error, NoneServed)


async def test_everything_stored_is_found_whichever_rung_has_it(house: House) -> None:
    house.trades.days[DAY.date] = BadBars("no")
    await house.work()
    ladder = house.ladder()

    entries = await ladder.entries(WINDOW)

    assert [entries[d.date].source for d in WINDOW] == 7 * ["trades"] + ["free"]
    assert await ladder.span() == (WINDOW[0].date, DAY.date)
    newest = await ladder.newest(Status.FINISHED)
    assert newest is not None
    assert newest.source == "free"
    assert (await ladder.holding(DAY)).series == TRADES
    assert (await ladder.entry(DAY)) == entries[DAY.date]


async def test_before_a_long_fill_the_first_rung_that_can_is_found(house: House) -> None:
    await house.ladder().reachable(DAY)
    assert house.free.asked == []

    house.trades.days, house.trades.otherwise = {}, LACKS
    await house.ladder().reachable(DAY)
    assert house.free.asked == house.daily.asked == [DAY.date]

    house.free.days, house.daily.days = {}, {}
    with pytest.raises(NoneServed, match="daily: not published yet"):
        await house.ladder().reachable(DAY)


async def came_in(house: House, days: list[TradingDay], at: datetime) -> Ladder:
    ladder = house.ladder()
    for on in days:
        await ladder.top.ledger.stored(
            on, revision=1, source="x", version=None, row_count=1, refused=(), notes=(), now=at,
            finished=True,
        )  # fmt: skip
    return ladder


@pytest.mark.parametrize(
    ("days", "at", "owed"),
    [
        ([], NOW, 1),
        # An hour ago, and then it was killed: what was over before it began is history.
        (WINDOW[:3], NOW - timedelta(hours=1), 1),
        # On the evening before: that session was the newest one then, and has not come in since.
        (WINDOW[:3], NOW - timedelta(days=1), 2),
        # A backfill of years ago.
        (days_before(DAY, 200)[:3], NOW - timedelta(days=30), 1),
    ],
)
async def test_nobody_is_owed_what_was_over_before_we_began(
    house: House, days: list[TradingDay], at: datetime, owed: int
) -> None:
    ladder = await came_in(house, days, at)
    assert await ladder.owed(DAY) == WINDOW[-owed:]


async def test_whoever_was_told_once_is_owed_two(house: House) -> None:
    ladder = await came_in(house, WINDOW[:1], NOW)
    async with house.db.transaction() as writer:
        await ladder.top.ledger.finish(writer, WINDOW[0], announced=True, now=NOW)
    assert await ladder.owed(DAY) == WINDOW[-2:]
