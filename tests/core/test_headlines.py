"""core.headlines: a session's headlines, and unknown where nobody can tell."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from core.headlines import READ_FOR, Newsstand
from core.sources.reference import Reference
from tests import files
from tests.files import API_KEY, Clock
from tests.frames import day
from tests.servers.vendor_reference import news_row

FRIDAY = day("2026-11-20")
EVENING = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)
NEWS = [
    news_row("Thursday noon", "2026-11-19T17:00:00Z", "AAA"),
    news_row("Thursday night", "2026-11-20T01:00:00Z", "AAA", "BBB"),
    news_row("Friday noon", "2026-11-20T17:00:00Z", "AAA"),
    news_row("Saturday night", "2026-11-22T01:00:00Z", "AAA"),
]


async def test_the_newest_since_the_close_before() -> None:
    async with files.rest(Clock(EVENING), news=NEWS) as rest:
        found = await Newsstand(Reference(rest.client), Clock(EVENING)).headlines(FRIDAY)
        (asked,) = rest.server.requests
    assert found is not None
    assert {t: h.title for t, h in found.found.items()} == {
        "AAA": "Friday noon",
        "BBB": "Thursday night",
    }
    assert found.whole
    assert asked.query["published_utc.gte"] == "2026-11-19T21:00:00Z"
    assert asked.query["published_utc.lte"] == "2026-11-21T01:30:00Z"


async def test_a_session_that_is_said_late_does_not_get_later_news() -> None:
    async with files.rest(news=NEWS) as rest:
        late = Newsstand(Reference(rest.client), lambda: EVENING + timedelta(days=4))
        found = await late.headlines(FRIDAY)
        (asked,) = rest.server.requests
    assert found is not None
    assert found.found["AAA"].title == "Friday noon"
    until = datetime.fromisoformat(asked.query["published_utc.lte"])
    assert until == FRIDAY.tape_end + READ_FOR


async def test_unknown_where_nobody_can_tell(caplog: pytest.LogCaptureFixture) -> None:
    assert await Newsstand(None, lambda: EVENING).headlines(FRIDAY) is None
    assert not caplog.records
    async with files.rest(news=NEWS, refuses={"news"}) as rest:
        with caplog.at_level(logging.WARNING):
            refused = await Newsstand(Reference(rest.client), lambda: EVENING).headlines(FRIDAY)
    assert refused is None
    assert [record.message for record in caplog.records] == ["headlines unknown"]
    assert API_KEY not in caplog.text
