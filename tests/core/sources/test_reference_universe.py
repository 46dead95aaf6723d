"""The vendor's list of tickers, their renames and the news: whole, broken off, hostile, refused."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from core.errors import BadBars, SourceError, SourceRefused, SourceUnavailable, Verdict
from core.instruments import Instrument
from core.news import Headline
from core.renames import Rename
from core.sources.reference import MAX_NEWS_PAGES, MIN_TICKERS, Reference
from tests import files
from tests.files import Rest
from tests.servers import faults, vendor_faults
from tests.servers.faults import Fault
from tests.servers.vendor import NEWS, TICKERS
from tests.servers.vendor_faults import Edited
from tests.servers.vendor_reference import events_body, instrument_row, news_row, whole_market

SINCE = datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
UNTIL = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
META = (("2012-05-18", "FB"), ("2022-06-09", "META"))

Ask = Callable[[Reference], Awaitable[Any]]
ASKS: dict[str, Ask] = {
    "tickers": lambda reference: reference.tickers(),
    "events": lambda reference: reference.renamed("META"),
    "news": lambda reference: reference.news(SINCE, UNTIL),
}


async def failure(rest: Rest, ask: Ask) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await ask(Reference(rest.client))
    assert files.says_no_secret(caught.value)
    return caught.value


def full(**settings: Any) -> Any:
    """A vendor that can answer all three."""
    news = [news_row("Some news", "2026-11-20T14:00:00Z", "AAA")]
    usual = {"instruments": whole_market(), "changes": {"META": META}, "news": news}
    return files.rest(**(usual | settings))


async def test_the_whole_list_of_tickers_is_read_page_by_page() -> None:
    some = [
        instrument_row("AAP"),
        instrument_row("AAp", "PFD", composite_figi="BBG000000001", name="Preferred"),
        instrument_row("NA", None, composite_figi=None, name=None),
        instrument_row("GONE", active=False),
    ]
    async with full(instruments=whole_market(*some, count=2_345)) as rest:
        found = {one.ticker: one for one in await Reference(rest.client).tickers()}
        first = rest.server.requests[0]
        assert rest.paths == [TICKERS] * 3
    assert dict(first.query) == {"market": "stocks", "active": "true", "limit": "1000"}
    assert len(found) == 2_344
    assert found["AAp"] == Instrument("AAp", "PFD", "Preferred", "BBG000000001")
    assert found["NA"] == Instrument("NA", None, "", None)
    assert found["AAP"].type == "CS"


async def test_a_list_that_breaks_off_in_the_middle_is_no_list() -> None:
    async with full(instruments=whole_market(count=2_500)) as rest:
        rest.server.faults.add(Edited(lambda body: body), faults.Status(500), on="tickers")
        error = await failure(rest, ASKS["tickers"])
        assert rest.paths == [TICKERS] * 2
    assert isinstance(error, SourceUnavailable)


@pytest.mark.parametrize("count", [0, 1, MIN_TICKERS - 1])
async def test_a_list_too_short_to_be_the_market_is_bad_bars(count: int) -> None:
    async with full(instruments=whole_market(count=count)) as rest:
        error = await failure(rest, ASKS["tickers"])
    assert isinstance(error, BadBars)
    assert f"{count} of 1,000" in error.seen


ODD_ROWS: dict[str, Any] = {
    "a number for a row": 5,
    "no ticker": {"type": "CS"},
    "a list for a ticker": {"ticker": ["A"], "type": "CS"},
    "a ticker that is none": {"ticker": "<!channel>", "type": "CS"},
    "half a surrogate pair": {"ticker": "A\ud800", "type": "CS"},
}


@pytest.mark.parametrize("odd", ODD_ROWS.values(), ids=ODD_ROWS.keys())
async def test_a_row_without_a_ticker_is_left_out_and_counted(
    odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    more = Edited(lambda body: body | {"results": [odd, *body["results"], odd]})
    async with full(instruments=whole_market(count=1_000)) as rest:
        rest.server.faults.add(more)
        with caplog.at_level(logging.WARNING):
            assert len(await Reference(rest.client).tickers()) == 1_000
    assert [vars(record)["skipped"] for record in caplog.records] == [2]


async def test_what_a_row_says_beside_its_ticker_is_bounded_and_on_one_line() -> None:
    hostile: dict[str, Any] = {"name": "A\x1b[31m\nB\u202eC \ud800" + "x" * 500}
    hostile |= {"type": "<script>", "composite_figi": {"a": 1}}
    async with full(instruments=whole_market(instrument_row("EVIL") | hostile)) as rest:
        found = {one.ticker: one for one in await Reference(rest.client).tickers()}["EVIL"]
    assert (found.type, found.figi, len(found.name)) == (None, None, 120)
    assert found.name.startswith("A [31m B C xxx")
    assert found.name.isprintable()


async def test_the_renames_of_a_ticker() -> None:
    asked: dict[str, str] = {}
    async with full() as rest:
        assert await Reference(rest.client).renamed("META") == [
            Rename(date(2022, 6, 9), "FB", "META")
        ]
        asked |= rest.server.requests[0].query
        assert rest.paths == ["/vX/reference/tickers/META/events"]
    assert asked == {"types": "ticker_change"}


CHAINS: dict[str, tuple[tuple[tuple[str, str], ...], list[Rename]]] = {
    "never renamed": ((("2015-01-02", "XYZ"),), []),
    "twice": (
        (("2010-01-04", "A"), ("2015-01-02", "B"), ("2020-01-02", "XYZ")),
        [Rename(date(2015, 1, 2), "A", "B"), Rename(date(2020, 1, 2), "B", "XYZ")],
    ),
    "said twice": ((("2010-01-04", "A"), ("2020-01-02", "XYZ"), ("2020-01-02", "XYZ")),
                   [Rename(date(2020, 1, 2), "A", "XYZ")]),
    "announced": ((("2010-01-04", "XYZ"), ("2027-01-04", "NEW")),
                  [Rename(date(2027, 1, 4), "XYZ", "NEW")]),
    "confirmed": ((("2010-01-04", "XYZ"), ("2012-01-04", "XYZ")), []),
    "of another": ((("2003-01-02", "BRK"), ("2005-01-03", "BRK.A")), []),
    "other case": ((("2003-01-02", "XYz"), ("2005-01-03", "XyZ")), []),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CHAINS.values(), ids=CHAINS.keys())
async def test_a_history_is_the_tickers_own_or_nothing(
    changes: tuple[tuple[str, str], ...], expected: list[Rename]
) -> None:
    async with full(changes={"XYZ": changes}) as rest:
        assert await Reference(rest.client).renamed("XYZ") == expected


async def test_a_ticker_that_the_vendor_does_not_know_was_never_renamed() -> None:
    async with full() as rest:
        assert await Reference(rest.client).renamed("NEWCO") == []


async def test_a_ticker_cannot_lead_to_another_address() -> None:
    async with full(changes={"BF/B": (("2010-01-04", "BF/A"), ("2020-01-02", "BF/B"))}) as rest:
        assert len(await Reference(rest.client).renamed("BF/B")) == 1
        assert await Reference(rest.client).renamed("X?types=all#") == []


def event(day: Any = "2020-01-02", ticker: Any = "XYZ", **fields: Any) -> dict[str, Any]:
    return {"date": day, "type": "ticker_change", "ticker_change": {"ticker": ticker}} | fields


ODD_EVENTS: dict[str, list[Any]] = {
    "a day that is none": [event("2020-02-30")],
    "a number for a day": [event(20200102)],
    "a list for a ticker": [event(ticker=["XYZ"])],
    "a ticker that is none": [event(ticker="@everyone")],
    "no change": [{"date": "2020-01-02", "type": "ticker_change"}],
    "no type": [{"date": "2020-01-02"}],
    "a text": ["XYZ"],
    "a number": [5],
    "two tickers on one day": [event(), event(ticker="ZYX")],
}


@pytest.mark.parametrize("events", ODD_EVENTS.values(), ids=ODD_EVENTS.keys())
async def test_events_that_cannot_be_read_are_bad_bars(events: list[Any]) -> None:
    odd = Edited(lambda body: body | {"results": {"events": events}})
    async with full() as rest:
        rest.server.faults.add(odd)
        assert isinstance(await failure(rest, ASKS["events"]), BadBars)


NO_EVENTS: dict[str, tuple[Any, bool]] = {
    "no results": (None, True),
    "no events": ({}, True),
    "events of another kind": ({"events": [event(type="merger")]}, True),
    "a text": ("none", False),
    "events that are a text": ({"events": "none"}, False),
    "a list of results": ([events_body(META)["results"]], False),
}


@pytest.mark.parametrize(("results", "fine"), NO_EVENTS.values(), ids=NO_EVENTS.keys())
async def test_an_answer_without_events(results: Any, fine: bool) -> None:
    async with full() as rest:
        rest.server.faults.add(Edited(lambda body: body | {"results": results}))
        if fine:
            assert await Reference(rest.client).renamed("META") == []
        else:
            assert isinstance(await failure(rest, ASKS["events"]), BadBars)


async def test_news_newest_first_between_two_moments() -> None:
    told = [
        news_row("Before", "2026-11-19T20:59:59Z", "AAA"),
        news_row("At the close", "2026-11-19T21:00:00Z", "AAA"),
        news_row("Later", "2026-11-20T14:00:00Z", "AAA", "BApA"),
        news_row("After", "2026-11-21T05:00:01Z", "AAA"),
    ]
    async with full(news=told) as rest:
        news = await Reference(rest.client).news(SINCE, UNTIL)
        query = dict(rest.server.requests[0].query)
    assert query == {
        "published_utc.gte": "2026-11-19T21:00:00Z",
        "published_utc.lte": "2026-11-21T05:00:00Z",
        "order": "desc",
        "sort": "published_utc",
        "limit": "1000",
    }
    assert [story.headline.title for story in news.stories] == ["Later", "At the close"]
    at = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
    later = Headline("Later", "The Wire", "https://wire.example/Later", at)
    assert news.stories[0].headline == later
    assert news.stories[0].tickers == ("AAA", "BApA")
    assert news.whole


@pytest.mark.parametrize(("count", "whole"), [(3_000, True), (3_001, False)])
async def test_of_a_flood_of_news_only_the_newest_is_read_and_that_is_said(
    count: int, whole: bool
) -> None:
    flood = [
        news_row(f"N{n}", f"2026-11-20T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z", "AAA")
        for n in range(count)
    ]
    async with full(news=flood) as rest:
        news = await Reference(rest.client).news(SINCE, UNTIL)
        assert rest.paths == [NEWS] * MAX_NEWS_PAGES
    assert (len(news.stories), news.whole) == (3_000, whole)
    assert news.stories[0].headline.title == f"N{count - 1}"


async def test_no_news_is_an_answer() -> None:
    async with full(news=[]) as rest:
        news = await Reference(rest.client).news(SINCE, UNTIL)
    assert (news.stories, news.whole) == ((), True)


ODD_STORIES: dict[str, dict[str, Any]] = {
    "no title": {"title": None},
    "a title of control characters": {"title": "\x00\u202e\n"},
    "no moment": {"published_utc": "2026-11-20"},
    "a moment without a zone": {"published_utc": "2026-11-20T14:00:00"},
    "a text for tickers": {"tickers": "AAA"},
    "no link": {"article_url": None},
    "a script for a link": {"article_url": "javascript:alert(1)"},
    "a link to nowhere": {"article_url": "https://"},
    "a link that pretends": {"article_url": "https://wire.example@evil.example/"},
    "a link without a host": {"article_url": "https://[::1"},
    "an endless link": {"article_url": "https://wire.example/" + "x" * 3000},
    "half a surrogate pair in a link": {"article_url": "https://wire.example/\ud800"},
}


@pytest.mark.parametrize("fields", ODD_STORIES.values(), ids=ODD_STORIES.keys())
async def test_a_story_that_cannot_be_read_is_left_out_and_counted(
    fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    good = news_row("Good", "2026-11-20T14:00:00Z", "AAA")
    more = Edited(lambda body: body | {"results": [good | fields, *body["results"], 5]})
    async with full(news=[good]) as rest:
        rest.server.faults.add(more, Edited(lambda body: body | {"results": [good | fields]}))
        with caplog.at_level(logging.WARNING):
            news = await Reference(rest.client).news(SINCE, UNTIL)
        assert isinstance(await failure(rest, ASKS["news"]), BadBars)
    assert [story.headline.title for story in news.stories] == ["Good"]
    assert vars(caplog.records[0])["skipped"] == 2


async def test_hostile_text_in_a_story_stays_text_on_one_line() -> None:
    evil = news_row("Evil", "2026-11-20T14:00:00Z", "AAA")
    evil |= {"title": "<!channel>\r\n@everyone \u202egnp.exe \x07" + "y" * 400}
    evil |= {"publisher": {"name": "W\x00ire" * 40}, "tickers": ["AAA", 5, "x y", "AAA", "BBB"]}
    evil |= {"article_url": "https://wire.example/a_(b)>|<[c](d) e\n?q='%20\"&x=é#f"}
    async with full(news=[evil, news_row("B", "2026-11-20T13:00:00Z") | {"publisher": 7}]) as rest:
        first, second = (await Reference(rest.client).news(SINCE, UNTIL)).stories
    assert first.headline.title.startswith("<!channel> @everyone gnp.exe yyy")
    assert (len(first.headline.title), len(first.headline.publisher)) == (240, 60)
    assert (first.headline.title + first.headline.publisher).isprintable()
    assert not set(first.headline.url) & set("()[]<>|'\"\n ")
    assert first.headline.url.startswith("https://wire.example/a_%28b%29")
    assert "%20" in first.headline.url
    assert first.tickers == ("AAA", "BBB")
    assert (second.headline.publisher, second.tickers) == ("", ())


REFUSALS: dict[str, tuple[Fault, type[SourceError], Verdict]] = {
    "401": (faults.Status(401), SourceRefused, Verdict.WRONG_ACCESS_KEY),
    "403": (vendor_faults.refused(), SourceRefused, Verdict.PLAN_LACKS_DATA_SET),
    "a refusal in a 200": (
        vendor_faults.refused_200(),
        SourceRefused,
        Verdict.PLAN_LACKS_DATA_SET,
    ),
    "404 of an address": (faults.Status(404), SourceRefused, Verdict.PLAN_LACKS_DATA_SET),
    "429": (vendor_faults.too_many(), SourceUnavailable, Verdict.RATE_LIMITED),
    "500": (faults.Status(500), SourceUnavailable, Verdict.VENDOR_FAULT),
    "a web page": (faults.html(), SourceUnavailable, Verdict.VENDOR_FAULT),
    "a reset": (faults.Reset(), SourceUnavailable, Verdict.UNREACHABLE),
    "no status": (
        Edited(lambda body: {"results": body["results"]}),
        SourceUnavailable,
        Verdict.VENDOR_FAULT,
    ),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS.keys())
@pytest.mark.parametrize(("fault", "kind", "verdict"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_every_failure_is_one_of_the_four(
    fault: Fault, kind: type[SourceError], verdict: Verdict, ask: Ask
) -> None:
    async with full() as rest:
        rest.server.faults.always(fault)
        error = await failure(rest, ask)
    assert (type(error), error.verdict) == (kind, verdict)


@pytest.mark.parametrize("refused", ASKS)
async def test_a_plan_without_one_part_has_the_others(refused: str) -> None:
    async with full(refuses={refused}) as rest:
        error = await failure(rest, ASKS[refused])
        for name, ask in ASKS.items():
            if name != refused:
                assert await ask(Reference(rest.client))
    assert isinstance(error, SourceRefused)
    assert "not entitled" in error.seen
