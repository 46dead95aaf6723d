"""The chain of sources: order, fallback, what is remembered, what decides when none serves."""

import asyncio
import traceback
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from core.bars import Bars, Family, Scope, Series
from core.calendar import TradingDay, trading_day
from core.elsewhere import WorkerLost
from core.errors import (
    BadBars,
    HeldBars,
    NotPublished,
    Refusal,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    TapewatchError,
    Verdict,
)
from core.sources import Chain, NoneServed, Served
from core.sources.day_aggs import key
from core.sources.flatfiles import DayAggsSource
from core.sources.s3 import S3Reader
from tests import files, frames
from tests.files import Clock, line

DAILY, SAMPLE = Series(Scope.ALL, Family.DAILY), Series(Scope.ALL, Family.SAMPLE)
DAY, LATER = trading_day(date(2026, 10, 1)), trading_day(date(2026, 10, 2))


@dataclass
class Told:
    """A source that does as it is told: the smallest honest adapter of the port."""

    name: str
    series: Series = DAILY
    error: TapewatchError | None = None
    volume: float = 1.0
    asked: list[TradingDay] = field(default_factory=list)

    async def bars(self, day: TradingDay) -> Served:
        self.asked.append(day)
        if self.error:
            raise self.error
        return Served(frames.bars(day, [frames.row("A", volume=self.volume)]), self.name, "v1")

    async def version(self, day: TradingDay) -> str | None:
        return f"{self.name} {day}"


async def open_gate(served: Served, day: TradingDay) -> Served:
    return served


async def narrow_gate(served: Served, day: TradingDay) -> Served:
    """Holds a volume of two, as doubled, and says so of the others."""
    if served.bars["volume"][0] == 2:
        raise HeldBars("volumes look doubled", served.bars)
    return replace(served, notes=(f"{served.source} passed",))


async def test_the_first_source_serves_and_the_others_are_not_asked() -> None:
    first, second = Told("first"), Told("second")
    served = await Chain([first, second]).bars(DAY, open_gate)
    assert (served.source, served.version, served.refused) == ("first", "v1", ())
    assert (first.asked, second.asked) == ([DAY], [])


@pytest.mark.parametrize(
    "error",
    [
        NotPublished("not listed"),
        SourceUnavailable("no connection"),
        SourceRefused("403"),
        BadBars("garbage"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_the_next_source_serves_and_the_bars_say_who_did_not_and_why(
    error: SourceError,
) -> None:
    first, second = Told("first", error=error), Told("second")
    served = await Chain([first, second]).bars(DAY, open_gate)
    assert served.source == "second"
    assert served.refused == (Refusal("first", error.verdict, error.seen),)


async def test_who_waits_is_not_served_by_another_because_one_is_away_for_a_moment() -> None:
    first, second = Told("first", error=SourceUnavailable("no connection")), Told("second")
    chain = Chain([first, second])
    for _ in range(5):
        with pytest.raises(NoneServed) as caught:
            await chain.bars(DAY, open_gate, waits=True)
        assert [*caught.value.causes] == ["first"]
    assert second.asked == []
    first.error = SourceRefused("403", Verdict.DATE_OUTSIDE_PLAN)
    chain.ask_all_again()
    assert (await chain.bars(DAY, open_gate, waits=True)).source == "second"


async def test_no_other_source_is_asked_because_a_worker_died() -> None:
    first, second = Told("first", error=WorkerLost("out of memory")), Told("second")
    chain = Chain([first, second])
    for _ in range(5):
        with pytest.raises(WorkerLost):
            await chain.bars(DAY, open_gate)
    assert (len(first.asked), second.asked) == (5, [])


async def test_the_gate_judges_each_source_by_itself() -> None:
    chain = Chain([Told("doubled", volume=2), Told("good"), Told("unasked")])
    served = await chain.bars(DAY, narrow_gate)
    assert (served.source, served.notes) == ("good", ("good passed",))
    assert served.refused == (Refusal("doubled", Verdict.VENDOR_FAULT, "volumes look doubled"),)


FOR_EVERY_SESSION = {
    Verdict.NOT_CONFIGURED,
    Verdict.WRONG_ACCESS_KEY,
    Verdict.WRONG_SECRET,
    Verdict.KEY_LOOKS_LIKE_API_KEY,
    Verdict.CLOCK_WRONG,
    Verdict.PLAN_LACKS_DATA_SET,
}


@pytest.mark.parametrize("verdict", Verdict, ids=lambda verdict: verdict.name)
async def test_a_refusal_of_everything_is_remembered_until_the_next_round(verdict: Verdict) -> None:
    first = Told("first", error=SourceRefused("no", verdict))
    chain = Chain([first, Told("second")])
    for day in (DAY, LATER):
        served = await chain.bars(day, open_gate)
        assert served.refused == (Refusal("first", verdict, "no"),)
    assert first.asked == ([DAY] if verdict in FOR_EVERY_SESSION else [DAY, LATER])
    first.error = None
    chain.ask_all_again()
    assert (await chain.bars(LATER, open_gate)).source == "first"


async def test_who_wants_to_be_sure_is_refused_twice_in_a_row() -> None:
    refusal = SourceRefused("no", Verdict.PLAN_LACKS_DATA_SET)
    first, second = Told("first"), Told("second")
    chain = Chain([first, second], sure_after=2)
    for first.error in (refusal, None, refusal, BadBars("garbage"), refusal, refusal, None):
        served = await chain.bars(DAY, open_gate)
    assert len(first.asked) == 6
    assert [r.verdict for r in served.refused] == [Verdict.PLAN_LACKS_DATA_SET]


async def test_one_that_is_away_three_times_running_is_left_alone_until_the_next_round() -> None:
    first, second = Told("first", error=SourceUnavailable("no connection")), Told("second")
    chain = Chain([first, second])

    for _ in range(6):
        served = await chain.bars(DAY, open_gate)
        assert [r.verdict for r in served.refused] == [Verdict.UNREACHABLE]
    assert len(first.asked) == 3

    chain.ask_all_again()
    first.error = None
    assert (await chain.bars(DAY, open_gate)).source == "first"


async def test_only_three_times_running_counts() -> None:
    first, second = Told("first"), Told("second")
    chain = Chain([first, second])
    for error in (*2 * [SourceUnavailable("no")], None, *2 * [SourceUnavailable("no")], None):
        first.error = error
        await chain.bars(DAY, open_gate)
    assert len(first.asked) == 6


async def test_a_remembered_refusal_does_not_grow_with_every_session() -> None:
    chain = Chain([Told("first", error=SourceRefused("no"))])
    for _ in range(50):
        with pytest.raises(NoneServed) as caught:
            await chain.bars(DAY, open_gate)
    assert len(traceback.extract_tb(caught.value.weightiest.__traceback__)) < 5


def held() -> HeldBars:
    return HeldBars("doubled", pl.DataFrame())


WEIGHTIEST_FIRST: list[SourceError] = [
    held(),
    BadBars("garbage"),
    SourceUnavailable("no connection"),
    NotPublished("too early"),
    SourceRefused("403"),
]


@pytest.mark.parametrize("heavy", range(4))
@pytest.mark.parametrize("refused_first", [True, False])
async def test_when_none_serves_the_weightiest_error_decides(
    heavy: int, refused_first: bool
) -> None:
    errors = WEIGHTIEST_FIRST[heavy:]
    errors = errors[::-1] if refused_first else errors
    sources = [Told(f"s{n}", error=error) for n, error in enumerate(errors)]
    with pytest.raises(NoneServed) as caught:
        await Chain(sources).bars(DAY, open_gate)
    assert caught.value.weightiest is WEIGHTIEST_FIRST[heavy]
    assert caught.value.verdict is WEIGHTIEST_FIRST[heavy].verdict
    assert list(caught.value.causes.values()) == errors
    assert [r.source for r in caught.value.refused] == [s.name for s in sources]
    assert all(source.name in str(caught.value) for source in sources)


async def test_a_held_day_outweighs_a_fallback_that_is_down() -> None:
    chain = Chain([Told("doubled", volume=2), Told("down", error=SourceUnavailable("down"))])
    with pytest.raises(NoneServed) as caught:
        await chain.bars(DAY, narrow_gate)
    assert isinstance(caught.value.weightiest, HeldBars)
    assert caught.value.weightiest.rows["ticker"].to_list() == ["A"]


async def test_faults_that_are_no_source_errors_are_not_swallowed() -> None:
    async def broken(served: Served, day: TradingDay) -> Served:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Chain([Told("first"), Told("second")]).bars(DAY, broken)


def test_a_chain_never_mixes_series() -> None:
    with pytest.raises(ValueError, match="never mixes"):
        Chain([Told("vendor"), Told("sample", SAMPLE)])
    with pytest.raises(ValueError, match="never mixes"):
        Chain([])
    assert Chain([Told("a"), Told("b")]).series == DAILY


async def test_the_version_is_asked_of_the_source_that_served() -> None:
    chain = Chain([Told("first"), Told("second")])
    assert await chain.version(DAY, "second") == f"second {DAY}"
    assert await chain.version(DAY, "gone from the settings") is None


async def test_real_files_that_the_plan_lacks_fall_back_to_real_rest() -> None:
    clock = Clock(datetime(2026, 10, 5, 12, tzinfo=UTC))
    lines = [line("A"), line("NA")]
    objects = {key("day_aggs_v1", d.date): files.packed(d, lines) for d in (DAY, LATER)}
    rows = {d.date: files.grouped(lines) for d in (DAY, LATER)}
    async with (
        files.s3_server(objects, entitled=lambda key: False) as s3,
        files.rest(clock, days=rows) as rest,
    ):
        reader = await asyncio.to_thread(S3Reader, files.s3_access(s3.url), attempts=1)
        chain = Chain([DayAggsSource(reader, clock), rest.source])
        served = [await chain.bars(day, open_gate) for day in (DAY, LATER)]
        asked = len(s3.requests)
    for each in served:
        assert each.source == "REST grouped daily"
        assert [r.verdict for r in each.refused] == [Verdict.PLAN_LACKS_DATA_SET]
        assert tickers(each.bars) == ["A", "NA"]
    assert asked == 3  # the listing, the object, the listing of the control day; the 2nd day: none


def tickers(bars: Bars) -> list[str]:
    return bars["ticker"].to_list()
