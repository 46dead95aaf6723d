"""core.universe: asked for weekly, kept over restarts, never lost to a vendor who is away."""

import logging
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from core.db import Db, Value, insert
from core.errors import BadBars, SourceError, SourceRefused, SourceUnavailable
from core.instruments import Instrument
from core.renames import Rename, concerning
from core.universe import (
    ASK_AFTER,
    QUESTIONS_A_NIGHT,
    TRY_AGAIN_AFTER,
    WORTH_ASKING_USD,
    Census,
    Universe,
)
from tests.fakes import FakeClock
from tests.states import new_state

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
META = [Rename(date(2022, 6, 9), "FB", "META")]
EVER = (date(2000, 1, 1), date(2030, 1, 1))


def listed(*tickers: str, kind: str | None = "CS") -> list[Instrument]:
    return [Instrument(t, kind, f"{t} Inc.", None) for t in tickers]


def many(count: int) -> list[Instrument]:
    return listed(*(f"Q{n}" for n in range(count)))


def traded(**dollars: float | None) -> pl.DataFrame:
    """As core.listings has it, in the order given."""
    schema = {"ticker": pl.String, "dollar_volume": pl.Float64}
    return pl.DataFrame({"ticker": list(dollars), "dollar_volume": list(dollars.values())}, schema)


@dataclass
class FakeReference:
    """Gives these tickers and renames, or what it raises instead."""

    list_: list[Instrument] | SourceError = field(default_factory=lambda: many(10))
    events: dict[str, list[Rename] | SourceError] = field(default_factory=dict)
    lists: int = 0
    asked: list[str] = field(default_factory=list)

    async def tickers(self) -> list[Instrument]:
        """core.universe.Asked."""
        self.lists += 1
        if isinstance(self.list_, SourceError):
            raise self.list_
        return self.list_

    async def renamed(self, ticker: str) -> list[Rename]:
        """core.universe.Asked."""
        self.asked.append(ticker)
        found = self.events.get(ticker, [])
        if isinstance(found, SourceError):
            raise found
        return found


@dataclass
class House:
    """One database, a vendor, a clock."""

    db: Db
    vendor: FakeReference = field(default_factory=FakeReference)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    def census(self) -> Census:
        """As after a restart."""
        return Census(self.db, self.vendor, self.clock)

    def universe(self) -> Universe:
        """What is known."""
        return Universe(self.db)

    async def refresh(self, after: timedelta = timedelta()) -> None:
        self.clock.at += after
        await self.census().refresh()

    async def verify(self, after: timedelta = timedelta(), /, **dollars: float | None) -> list[str]:
        """Who was asked about."""
        self.clock.at += after
        self.vendor.asked.clear()
        await self.census().verify(traded(**dollars))
        return self.vendor.asked


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with Db.open(await new_state(tmp_path)) as db:
        yield House(db)


async def test_without_a_key_nothing_is_known_and_nobody_is_asked(house: House) -> None:
    census, universe = Census(house.db, None, house.clock), house.universe()

    await census.refresh()
    await census.verify(traded(AAA=1e9))

    assert not await census.is_due()
    assert (await universe.types(), await universe.names()) == ({}, {})
    assert await universe.renames(*EVER) == []


async def test_the_list_is_kept_over_restarts_and_asked_for_again_after_a_week(
    house: House,
) -> None:
    house.vendor.list_ = [*listed("AAP"), *listed("AAp", kind="PFD"), *listed("NA", kind=None)]
    await house.refresh()
    await house.refresh(ASK_AFTER - timedelta(seconds=1))

    assert house.vendor.lists == 1
    assert await house.universe().types() == {"AAP": "CS", "AAp": "PFD"}
    assert (await house.universe().names())["NA"] == "NA Inc."

    house.vendor.list_ = [*listed("AAP", kind="ETF"), *listed("NEW")]
    await house.refresh(timedelta(seconds=1))

    assert house.vendor.lists == 2
    # Delisted since: its earlier sessions are still judged.
    assert await house.universe().types() == {"AAP": "ETF", "AAp": "PFD", "NEW": "CS"}


@pytest.mark.parametrize(
    "error", [SourceUnavailable("HTTP 503"), SourceRefused("403"), BadBars("12 of 1,000")]
)
async def test_a_list_that_cannot_be_had_changes_nothing_and_is_asked_for_again_in_an_hour(
    house: House, error: SourceError, caplog: pytest.LogCaptureFixture
) -> None:
    house.vendor.list_ = listed("AAA", kind="ETF")
    await house.refresh()
    house.vendor.list_ = error

    with caplog.at_level(logging.WARNING):
        await house.refresh(ASK_AFTER)
    await house.refresh(TRY_AGAIN_AFTER - timedelta(seconds=1))
    assert house.vendor.lists == 2
    assert await house.universe().types() == {"AAA": "ETF"}
    assert [vars(record)["seen"] for record in caplog.records] == [str(error)]

    house.vendor.list_ = listed("AAA", "BBB")
    await house.refresh(timedelta(seconds=1))
    assert house.vendor.lists == 3
    assert await house.universe().types() == {"AAA": "CS", "BBB": "CS"}


async def test_a_first_list_that_cannot_be_had_is_asked_for_again_in_an_hour(house: House) -> None:
    house.vendor.list_ = SourceUnavailable("HTTP 503")
    await house.refresh()
    await house.refresh()
    await house.refresh(TRY_AGAIN_AFTER)

    assert house.vendor.lists == 2


@pytest.mark.parametrize(("count", "taken"), [(49, False), (50, True), (300, True)])
async def test_a_list_half_as_long_as_the_last_one_is_not_believed(
    house: House, count: int, taken: bool
) -> None:
    house.vendor.list_ = many(100)
    await house.refresh()
    house.vendor.list_ = [Instrument(f"Q{n}", "ETF", "", None) for n in range(count)]

    await house.refresh(ASK_AFTER)

    assert ((await house.universe().types())["Q0"] == "ETF") is taken


async def test_a_whole_market_is_kept(house: House) -> None:
    house.vendor.list_ = many(13_192)
    await house.refresh()

    assert len(await house.universe().types()) == 13_192


async def test_renames_that_the_vendor_tells_of_are_remembered(house: House) -> None:
    second = [Rename(date(2015, 1, 2), "A", "B"), Rename(date(2020, 1, 2), "B", "XYZ")]
    house.vendor.events = {"META": META, "XYZ": second, "B": second}

    await house.verify(META=1e9, XYZ=2e9, B=3e9, NEWCO=1e8)

    found = house.universe()
    assert await found.renames(*EVER) == [*second, *META]
    assert await found.renames(date(2020, 1, 2), date(2022, 6, 9)) == [second[1], *META]
    assert await found.renames(date(2020, 1, 3), date(2022, 6, 8)) == []


async def test_the_renames_of_a_few_are_those_that_concern_them(house: House) -> None:
    chance, names = random.Random(3), [f"T{n}" for n in range(40)]
    renames = {
        Rename(date(2020, 1, 1) + timedelta(days=chance.randrange(2_000)), *chance.sample(names, 2))
        for _ in range(30)
    }
    async with house.db.transaction() as writer:
        for r in renames:
            row: dict[str, Value] = {"asked": r.new, "old": r.old, "new": r.new}
            await insert(writer, "renames", row | {"renamed_on": str(r.on)})
    found = house.universe()
    since, last = date(2021, 6, 1), date(2024, 6, 1)
    known = await found.renames(since, last)
    assert 0 < len(known) < len(renames)
    for name in (*names, "NONE"):
        assert await found.renames_of([name], since, last) == concerning(name, known)
    both = await found.renames_of(names[:2], since, last)
    assert both == sorted({r for name in names[:2] for r in concerning(name, known)})


async def test_each_is_asked_about_once_a_week_whatever_the_answer(house: House) -> None:
    house.vendor.events = {"META": META, "ODD": BadBars("two tickers on one day")}
    new: dict[str, float | None] = {"META": 1e9, "NEWCO": 1e8, "ODD": 1e7}

    assert await house.verify(**new) == ["META", "NEWCO", "ODD"]
    assert await house.verify(timedelta(days=6), **new, LATER=2e6) == ["LATER"]
    assert await house.verify(timedelta(days=1), **new) == ["META", "NEWCO", "ODD"]


async def test_an_answer_takes_the_place_of_the_last_one_and_garbage_does_not(
    house: House,
) -> None:
    house.vendor.events = {"META": META}
    await house.verify(META=1e9)
    house.vendor.events = {"META": BadBars("garbage")}
    await house.verify(ASK_AFTER, META=1e9)
    assert await house.universe().renames(*EVER) == META

    moved = [Rename(date(2022, 6, 10), "FB", "META")]
    house.vendor.events = {"META": moved}
    await house.verify(ASK_AFTER, META=1e9)
    assert await house.universe().renames(*EVER) == moved


async def test_only_what_trades_enough_is_asked_about_and_the_largest_first(house: House) -> None:
    asked = await house.verify(SMALL=WORTH_ASKING_USD - 1, A=WORTH_ASKING_USD, B=5e6, NONE=None)

    assert asked == ["B", "A"]
    assert await house.verify(**{"AAp": 2e6, "AAP": 2e6}) == ["AAP", "AAp"]


async def test_few_are_asked_about_in_a_night(house: House) -> None:
    new: dict[str, float | None] = {f"T{n:02d}": 1e9 - n for n in range(QUESTIONS_A_NIGHT + 5)}

    first = list(await house.verify(**new))
    assert first == list(new)[:QUESTIONS_A_NIGHT]
    assert await house.verify(timedelta(hours=1), **new) == []
    assert await house.verify(timedelta(days=1), **new) == list(new)[QUESTIONS_A_NIGHT:]


async def test_a_plan_without_events_is_asked_once_a_session(house: House) -> None:
    house.vendor.events = {t: SourceRefused("403") for t in ("A", "B", "C")}

    assert await house.verify(A=3e9, B=2e9, C=1e9) == ["A"]
    assert await house.verify(A=3e9, B=2e9, C=1e9) == ["A"]


async def test_one_that_the_vendor_stumbles_over_does_not_keep_the_others_waiting(
    house: House,
) -> None:
    house.vendor.events = {"A": SourceUnavailable("HTTP 500"), "C": META}

    assert await house.verify(A=4e9, B=3e9, C=2e9, D=1e9) == ["A", "B", "C", "D"]
    assert await house.universe().renames(*EVER) == META

    house.vendor.events["E"] = house.vendor.events["F"] = SourceUnavailable("HTTP 500")
    assert await house.verify(A=9e9, E=8e9, F=7e9) == ["A", "E"]


async def test_a_refusal_after_an_outage_ends_it_too(house: House) -> None:
    house.vendor.events = {"A": SourceUnavailable("HTTP 500"), "B": SourceRefused("403")}

    assert await house.verify(A=4e9, B=3e9, C=2e9) == ["A", "B"]


async def test_nothing_new_is_nothing_to_ask(house: House) -> None:
    assert await house.verify() == []
