"""/backfill plan: how far back each source goes, and which one serves which part."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from alerts.model import Message
from bot.app import App, opened
from bot.reach import Reaches, reaches
from core.bars import Family, Scope, Series
from core.calendar import TradingDay, sessions_ending
from core.errors import (
    BadBars,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)
from core.sources import Served
from tests import market
from tests.bot.small_market import ask
from tests.market import NEWEST, NOW, Vendor

THIRTY_YEARS = sessions_ending(NEWEST, 5750)
FEW = market.window(count=30)
SERIES = Series(Scope.ALL, Family.DAILY)


def outside(day: TradingDay) -> SourceError:
    return SourceRefused(f"403 for {day}", Verdict.DATE_OUTSIDE_PLAN)


@dataclass(slots=True)
class Files:
    """A source that tells of a session without reading it, from `first` on."""

    name: str
    first: TradingDay
    error: Callable[[TradingDay], SourceError] = outside
    asked: list[TradingDay] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    series: Series = SERIES

    async def look(self, day: TradingDay) -> int:
        """A megabyte."""
        self.asked.append(day)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.silent.is_set():
            await asyncio.Event().wait()
        if day < self.first:
            raise self.error(day)
        return 1_000_000

    async def bars(self, day: TradingDay) -> Served:
        """Nobody reads here."""
        raise AssertionError(day)

    async def version(self, day: TradingDay) -> str | None:
        """None."""
        return None


async def found(*sources: Files, days: Sequence[TradingDay] = THIRTY_YEARS) -> Reaches:
    return await reaches(sources, days, [None] * len(sources), 5.0)


async def test_a_source_that_has_the_oldest_session_is_asked_for_no_other_and_nobody_else() -> None:
    files, rest = Files("files", THIRTY_YEARS[0]), Files("rest", THIRTY_YEARS[0])
    assert (await found(files, rest)).words == "files: all of it"
    # The oldest one, and three for their size.
    assert len(files.asked) == 4
    assert rest.asked == []


async def test_the_oldest_session_of_thirty_years_is_found_with_few_questions_at_once() -> None:
    files = Files("files", THIRTY_YEARS[4321])
    told = await found(files)
    assert told.words == f"files: {THIRTY_YEARS[4321]} and later"
    assert told.oldest.served == 4321
    assert len(files.asked) <= 28
    assert 2 <= files.most_at_once <= 4


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
async def test_it_is_found_wherever_it_is(place: int) -> None:
    files = Files("files", FEW[place])
    assert (await found(files, days=FEW[:6])).oldest.served == place


async def test_what_the_first_does_not_serve_the_next_one_does() -> None:
    first, next_one = Files("files", THIRTY_YEARS[5000]), Files("rest", THIRTY_YEARS[3000])
    told = await found(first, next_one)
    assert told.words == (
        f"files: {THIRTY_YEARS[5000]} and later; rest: {THIRTY_YEARS[3000]} to {THIRTY_YEARS[4999]}"
    )
    assert [(p.first, p.end) for p in told.parts] == [(5000, 5750), (3000, 5000)]


async def test_a_next_one_that_reaches_no_further_serves_nothing_of_it() -> None:
    told = await found(Files("files", THIRTY_YEARS[3000]), Files("rest", THIRTY_YEARS[5000]))
    assert told.words == f"files: {THIRTY_YEARS[3000]} and later"


async def test_what_an_archive_does_not_have_yet_is_not_served() -> None:
    files = Files("files", THIRTY_YEARS[5000], lambda day: NotPublished(f"no {day}"))
    assert (await found(files)).oldest.served == 5000


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SourceRefused("403", Verdict.PLAN_LACKS_DATA_SET), "nothing: plan lacks this data set"),
        (SourceUnavailable("reset", Verdict.UNREACHABLE), "unknown: unreachable"),
        (BadBars("doubled"), "all of it"),
    ],
)
async def test_what_it_says_of_every_session_is_said(error: SourceError, said: str) -> None:
    files = Files("files", NEWEST, lambda day: error)
    assert (await found(files, days=FEW)).words == f"files: {said}"


async def test_who_does_not_answer_keeps_nobody_waiting() -> None:
    silent, other = Files("files", FEW[10]), Files("rest", FEW[3])
    silent.silent.set()
    told = await reaches([silent, other], FEW, [None, None], 0.05)
    assert told.words.startswith("files: unknown: no answer in 0.05 s")
    assert [p.reach.source.name for p in told.likely] == ["files"]


async def test_few_calls_make_few_questions() -> None:
    rest = Files("rest", THIRTY_YEARS[4321])
    told = await reaches([rest], THIRTY_YEARS, [1], 5.0)
    assert len(rest.asked) == 2
    assert told.words == (
        f"rest: nothing up to {rest.asked[1]} (date outside the plan), unknown of later ones"
    )
    (likely,) = told.likely
    assert likely.end - likely.first == 5750 // 2 - 1


@pytest.fixture
async def vendor(tmp_path: Path) -> AsyncIterator[Vendor]:
    async with market.vendor(tmp_path / "vendor", FEW) as running:
        yield running


async def planned(app: App, first: TradingDay) -> Message:
    return (await ask(app, f"/backfill plan {first} {NEWEST}")).message


async def test_flat_files_of_five_years_and_rest_for_what_is_older(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.s3.entitled = lambda name: name[-17:-7] >= str(FEW[20])
    settings = await vendor.settings(tmp_path / "data", polygon_calls_per_minute="0")
    async with opened(settings, now=lambda: NOW) as app:
        message = await planned(app, FEW[0])
    facts = dict(message.facts)
    assert facts["served by"] == (
        f"flat files (day aggregates): {FEW[20]} and later;"
        f" REST grouped daily: {FEW[0]} to {FEW[19]}"
    )
    assert facts["the plan serves"] == f"{FEW[0]} and later, as far as was asked"
    assert facts["requests"] == f"{10 * 2 + 20}"
