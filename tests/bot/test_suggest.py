"""What is suggested while somebody types."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import App
from bot.suggest import MOST, Suggestions
from core.calendar import sessions_ending
from tests.bot.small_market import STORED, at
from tests.market import NEWEST


@pytest.fixture
async def app(folder: Path) -> AsyncIterator[App]:
    async with at(folder) as opened:
        yield opened


async def test_tickers_that_begin_with_it_come_first_and_the_most_traded_of_them(app: App) -> None:
    suggest = Suggestions(app.ladder)
    everything = await suggest.tickers("")
    assert len(everything) == MOST
    first = everything[0]
    assert (await suggest.tickers(first.lower()))[0] == first
    assert (await suggest.tickers(f"${first}"))[0] == first
    by_letter = await suggest.tickers(first[0])
    assert all(name.startswith(first[0]) for name in by_letter)
    assert await suggest.tickers("no such thing at all??") == []


async def test_of_several_words_the_last_is_completed(app: App) -> None:
    suggest = Suggestions(app.ladder)
    first = (await suggest.tickers(""))[0]
    for between in (" ", ",", ", ", ";", "  "):
        before = f"ZVZZT{between}"
        assert f"{before}{first}" in await suggest.tickers(f"{before}{first[:3]}")


async def test_sessions_are_those_that_are_stored_newest_first(app: App) -> None:
    suggest = Suggestions(app.ladder)
    found = await suggest.sessions("")
    assert [date for _, date in found] == [str(day) for day in reversed(STORED)][:MOST]
    assert [date for _, date in await suggest.sessions(str(STORED[3]))] == [str(STORED[3])]
    assert await suggest.sessions("never") == []


async def test_of_the_past_every_session_is_suggested(app: App) -> None:
    suggest = Suggestions(app.ladder)
    newest = sessions_ending(NEWEST, MOST)
    assert [date for _, date in await suggest.days("")] == [str(day) for day in reversed(newest)]
    assert await suggest.days("2016-01-04") == [("Mon 4 Jan 2016", "2016-01-04")]
    assert ("Fri 6 Jun 2008", "2008-06-06") in await suggest.days("jun 2008")
    assert await suggest.days("2016-01-02") == [], "a Saturday"


async def test_nothing_is_suggested_where_nothing_is_stored(tmp_path: Path) -> None:
    async with at(tmp_path) as empty:
        assert await Suggestions(empty.ladder).tickers("N") == []
        assert await Suggestions(empty.ladder).sessions("") == []
