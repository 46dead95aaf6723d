"""/backfill plan where sessions were never published: a gap is not where a source begins."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bot.app import opened
from bot.reach import reaches
from core.calendar import FIRST_DAY, TradingDay, sessions
from core.errors import NotPublished, SourceError, SourceUnavailable, Verdict
from core.sources import NoneServed
from core.sources.day_aggs import key
from tests import market
from tests.bot.small_market import ask
from tests.bot.test_estimate import FEW, SPLITS, Files, found, outside
from tests.market import NEWEST, NOW, Vendor

ABSENT = [FEW[15], FEW[20], FEW[25]]
EVERY = sessions(FIRST_DAY, NEWEST.date)


@pytest.fixture
async def vendor(tmp_path: Path) -> AsyncIterator[Vendor]:
    async with market.vendor(tmp_path / "vendor", FEW) as running:
        yield running


async def test_neither_a_session_that_nobody_published_nor_what_is_stored_is_where_a_plan_begins(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.rest.plan_from = FEW[11].date
    for day in ABSENT:
        (tmp_path / "vendor" / key("day_aggs_v1", day.date)).unlink()
    settings = await vendor.settings(
        tmp_path / "data", use_flat_files="false", flatfiles_access_key_id=None
    )
    async with opened(settings, now=lambda: NOW) as app:
        for day in FEW[11:]:
            with suppress(NoneServed):
                await app.ladder.top.trading_day(day, announce=False)
        vendor.rest.requests.clear()
        wanted = f"/backfill plan {FEW[0]} {NEWEST} missing+failed"
        facts = dict((await ask(app, wanted)).message.facts)
        calls = len(vendor.rest.requests)
        alone = dict((await ask(app, f"/backfill plan {ABSENT[1]} {ABSENT[1]} all")).message.facts)
    assert (facts["stored"], facts["failed before"]) == ("16", "3 not published")
    assert facts["served by"] == f"REST grouped daily: {FEW[11]} and later"
    assert facts["the plan serves"] == alone["the plan serves"] == f"{FEW[11]} and later"
    assert facts["requests"] == f"{3 + SPLITS}"
    assert facts["not to be had"] == (
        "11 sessions that no source serves, the oldest: some 6 more requests until the backfill"
        " sees that"
    )
    assert calls <= 2 * 8
    said = f"REST grouped daily: all of it but for {ABSENT[1]} (not published)"
    assert (alone["served by"], alone["requests"]) == (said, f"{1 + SPLITS}")


@pytest.mark.parametrize("error", [outside, lambda day: NotPublished(f"no {day}")])
@pytest.mark.parametrize("gap", [EVERY[5620:5621], EVERY[5620:5622], EVERY[5612:5621]])
async def test_a_gap_is_no_first_session(
    gap: list[TradingDay], error: Callable[[TradingDay], SourceError]
) -> None:
    files, rest = Files("files", EVERY[5155], error, gaps=gap), Files("rest", EVERY[0])
    told = await found(files, rest, days=gap[-1:])
    assert told.words == f"files: all of it but for {gap[-1]} (not published)"
    assert told.oldest.since == f"{EVERY[5155]} and later"
    assert len(files.asked) <= 28
    assert rest.asked == []


@pytest.mark.parametrize("error", [outside, lambda day: NotPublished(f"no {day}")])
@pytest.mark.parametrize("place", [5400, 5501, 5580])
async def test_a_search_is_not_led_astray_by_gaps(
    place: int, error: Callable[[TradingDay], SourceError]
) -> None:
    gaps = [day for n, day in enumerate(EVERY) if n % 10 in (3, 7) and n - place > 10]
    files = Files("files", EVERY[place], error, gaps=gaps)
    told = await found(files, days=EVERY[5300:])
    assert told.words.startswith(f"files: {EVERY[place]} and later")
    assert (told.oldest.first, told.oldest.beyond) == (place - 5300, place - 5300)
    assert len(files.asked) <= 28


async def test_among_gaps_alone_it_is_looked_where_the_plan_begins() -> None:
    wanted = [*FEW[:11], *ABSENT]
    told = await found(Files("files", FEW[11], gaps=ABSENT), days=wanted)
    assert told.oldest.since == f"{FEW[11]} and later"
    assert [(p.first, p.end) for p in told.parts] == [(11, 14)]
    assert told.beyond == 11


@pytest.mark.parametrize(("days", "asked"), [(FEW[20:21], 3), (FEW[:1], 2)])
async def test_few_calls_are_enough_for_a_gap(days: list[TradingDay], asked: int) -> None:
    rest = Files("rest", FEW[0], gaps=FEW[20:21])
    told = await reaches([rest], days, [1], 5.0, NEWEST)
    assert told.words.startswith("rest: all of it")
    assert len(set(rest.asked)) == asked


async def test_what_was_served_once_is_a_bound_unless_a_later_one_is_refused() -> None:
    rest = Files("rest", FEW[12], gaps=FEW[20:21])
    within = await reaches([rest], FEW[20:21], [1], 5.0, NEWEST, {"rest": FEW[14].date})
    assert within.oldest.served <= EVERY.index(FEW[14])
    since, served = within.oldest.since, {"rest": FEW[3].date}
    assert since == f"{FEW[14]} and later at the latest; not {rest.asked[-1]}"
    told = await reaches([rest], FEW[5:], [None], 5.0, NEWEST, served)
    assert told.words == f"rest: {FEW[12]} and later"
    told = await reaches([Files("rest", FEW[12], lost)], FEW[5:], [None], 5.0, NEWEST, served)
    assert told.words == "rest: unknown: unreachable", "who does not answer serves nothing now"


def lost(day: TradingDay) -> SourceError:
    return SourceUnavailable(f"reset: {day}", Verdict.UNREACHABLE)
