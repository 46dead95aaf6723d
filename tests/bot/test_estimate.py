"""/backfill plan: how far back each source goes, and which one serves which part."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest

from alerts.model import Message
from bot.app import App, opened
from bot.reach import Reaches, reaches
from bot.settings import load
from bot.stale import stale
from core.bars import Family, Scope, Series
from core.calendar import FIRST_DAY, TradingDay, sessions, sessions_ending
from core.errors import (
    BadBars,
    CommandError,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)
from core.jobs import Outcome, Policy, Unit
from core.ledger import Entry, Status
from core.sources import Chain, Served
from core.sources.day_aggs import key
from core.tried import pace_s
from tests import market
from tests.bot.small_market import ask
from tests.market import NEWEST, NOW, Vendor

THIRTY_YEARS = sessions_ending(NEWEST, 5750)
FEW = market.window(count=30)
SERIES = Series(Scope.ALL, Family.DAILY)
SPLITS = 1
"""A page of them, which every job asks for."""


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
    silent_before: TradingDay | None = None
    gaps: Collection[TradingDay] = ()
    series: Series = SERIES

    async def look(self, day: TradingDay) -> int:
        """A megabyte."""
        self.asked.append(day)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.silent.is_set() or (self.silent_before and day < self.silent_before):
            await asyncio.Event().wait()
        if day < self.first:
            raise self.error(day)
        if day in self.gaps:
            raise NotPublished(f"no {day}")
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
    assert told.oldest.first == 4321
    assert len(files.asked) <= 28
    assert 2 <= files.most_at_once <= 4


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
async def test_it_is_found_wherever_it_is(place: int) -> None:
    files = Files("files", FEW[place])
    assert (await found(files, days=FEW[:6])).oldest.first == place


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
    assert (await found(files)).oldest.first == 5000


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
    assert facts["the plan serves"] == f"{FEW[0]} and later"
    # Of three older ones it is found out that the flat files refuse them: 4 requests each.
    assert facts["requests"] == f"{10 * 2 + 3 * 4 + 20 + SPLITS}"


@pytest.mark.parametrize("place", [0, 1, 17, 3000, 5600])
async def test_who_has_all_of_the_span_is_asked_how_much_further_back_it_goes(place: int) -> None:
    every = sessions(FIRST_DAY, NEWEST.date)
    files = Files("files", every[place], lambda day: NotPublished(f"no {day}"))
    told = await found(files, days=every[5600:])
    assert told.words == "files: all of it"
    assert told.oldest.since == f"{every[place]} and later"
    assert len(files.asked) <= 28


async def test_a_next_one_that_has_all_of_it_is_asked_as_well() -> None:
    every = sessions(FIRST_DAY, NEWEST.date)
    files, rest = Files("files", every[5620]), Files("rest", every[4000])
    told = await found(files, rest, days=every[5600:])
    assert told.oldest.since == f"{every[4000]} and later"


async def test_few_calls_tell_no_more_than_they_can() -> None:
    every = sessions(FIRST_DAY, NEWEST.date)
    rest = Files("rest", every[1000])
    told = await reaches([rest], every[5600:], [1], 5.0)
    assert told.oldest.since == f"{every[2799]} and later at the latest"


async def test_an_answer_that_does_not_come_costs_only_the_answer() -> None:
    every = sessions(FIRST_DAY, NEWEST.date)
    files = Files("files", every[5], silent_before=every[5600])
    told = await reaches([files], every[5600:], [None], 0.05)
    assert told.words == "files: all of it"
    assert told.oldest.since == f"{every[5600]} and later at the latest"


async def test_all_stored_sessions_are_compared_as_far_as_there_is_time(
    vendor: Vendor, tmp_path: Path
) -> None:
    settings = await vendor.settings(tmp_path / "data", polygon_calls_per_minute="0")
    async with opened(settings, now=lambda: NOW) as app:
        for day in FEW[2:28]:
            await app.ladder.top.trading_day(day, announce=False)
        for day in (FEW[2], FEW[20]):
            await asyncio.to_thread(republished, tmp_path / "vendor" / key("day_aggs_v1", day.date))
        message = await planned(app, FEW[0])
        assert dict(message.facts)["stored"] == "26, 2 of them stale (all reads those)"
        assert not any("compared" in note for note in message.banners)


async def test_a_source_without_a_listing_is_asked_for_the_newest(tmp_path: Path) -> None:
    days, rest = FEW[:25], Copies()
    entries = [stored(day, "files", "one") for day in days]
    rest.now = {days[0]: "two", days[-1]: "two", days[-20]: "two"}
    many, notes = await stale(Chain([rest]), entries, 5.0)
    assert many == 2
    assert notes[0].startswith("20 of 25 stored sessions, the newest, were compared")


async def test_what_came_of_a_source_that_is_no_more_cannot_be_compared() -> None:
    entries = [stored(FEW[0], "gone", "one"), stored(FEW[1], "files", None)]
    many, notes = await stale(Chain([Copies()]), entries, 5.0)
    assert many == 0
    assert notes == ["0 of 1 stored session, the newest, were compared with what is published"]


async def test_a_source_that_does_not_answer_is_said_to_be_unknown() -> None:
    copies = Copies(error=SourceUnavailable("reset", Verdict.UNREACHABLE))
    told = await stale(Chain([copies]), [stored(FEW[0], "files", "one")], 5.0)
    assert told == (0, ["whether stored sessions are stale is not known: unreachable"])
    copies = Copies(is_silent=True)
    told = await stale(Chain([copies]), [stored(FEW[0], "files", "one")], 0.05)
    assert told == (0, ["whether stored sessions are stale is not known: no answer in 0.05 s"])


@dataclass(slots=True)
class Copies:
    """A source that names the copy of a session: `one`, or what it is `now`."""

    name: str = "files"
    series: Series = SERIES
    now: dict[TradingDay, str] = field(default_factory=dict)
    error: SourceError | None = None
    is_silent: bool = False

    async def bars(self, day: TradingDay) -> Served:
        """Nobody reads here."""
        raise AssertionError(day)

    async def version(self, day: TradingDay) -> str | None:
        """By day."""
        if self.error is not None:
            raise self.error
        if self.is_silent:
            await asyncio.Event().wait()
        return self.now.get(day, "one")


def stored(day: TradingDay, source: str, version: str | None) -> Entry:
    return Entry(
        day=day, status=Status.FINISHED, revision=1, source=source, version=version, row_count=1,
        tried_at=NOW, stored_at=NOW, finished_at=NOW, refused=(), note=None, announced=False,
    )  # fmt: skip


def republished(file: Path) -> None:
    """The same rows, packed anew."""
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), 1, mtime=7))


async def test_rest_is_known_by_the_size_of_the_answers_that_tell_how_far_back_it_goes(
    vendor: Vendor, tmp_path: Path
) -> None:
    plain = {"polygon_calls_per_minute": "0", "use_flat_files": "false"}
    settings = await vendor.settings(tmp_path / "data", **plain)
    async with opened(settings, now=lambda: NOW) as app:
        facts = dict((await planned(app, FEW[0])).facts)
    assert facts["download"].startswith("about ")
    assert facts["requests"] == f"{30 + SPLITS}"


async def test_workers_that_cannot_be_counted_are_named_and_the_time_is_that_of_one(
    tmp_path: Path,
) -> None:
    settings = await asyncio.to_thread(load, data_dir=tmp_path)
    async with opened(settings, now=lambda: NOW) as app:

        def nobody() -> int:
            raise OSError("the scheduler at tcp://x:1 cannot be reached: refused")

        estimates = replace(app.backfilling.estimates, workers=nobody)
        plan = await estimates.plan(app.ladder.top, FEW, Policy.MISSING)
    assert plan.notes[0] == (
        "the scheduler at tcp://x:1 cannot be reached: refused; the time is that of one worker"
    )


async def test_one_plan_at_a_time_asks_the_sources_and_the_same_one_asks_once_a_minute(
    tmp_path: Path,
) -> None:
    settings = await asyncio.to_thread(load, data_dir=tmp_path)
    clock = [0.0]
    async with opened(settings, now=lambda: NOW) as app:
        files = Files("files", FEW[0])
        pipeline = replace(app.ladder.top, chain=Chain([files]), beside=None)
        estimates = replace(app.backfilling.estimates, clock=lambda: clock[0])

        async def plan(first: int) -> str:
            plan = await estimates.plan(pipeline, FEW[first:], Policy.MISSING)
            return plan.serves

        assert len(set(await asyncio.gather(*(plan(0) for _ in range(4))))) == 1
        once = len(files.asked)
        clock[0] = 61.0
        await plan(0)
        assert len(files.asked) == 2 * once
        before, files.most_at_once = len(files.asked), 0
        await asyncio.gather(*(plan(n) for n in range(1, 5)))
        assert len(files.asked) > before
        assert files.most_at_once <= 3

        files.silent.set()
        told = [asyncio.create_task(plan(n)) for n in range(5, 10)]
        done, _ = await asyncio.wait(told, return_when=asyncio.FIRST_COMPLETED)
        for task in told:
            task.cancel()
        with pytest.raises(CommandError, match="asked for other plans just now"):
            done.pop().result()


async def test_what_nobody_serves_is_counted_with_what_asking_for_it_costs(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.s3.entitled = lambda name: name[-17:-7] >= str(FEW[20])
    vendor.rest.plan_from = FEW[20].date
    settings = await vendor.settings(tmp_path / "data", polygon_calls_per_minute="0")
    async with opened(settings, now=lambda: NOW) as app:
        wide = dict((await planned(app, FEW[0])).facts)
        narrow = dict((await planned(app, FEW[18])).facts)
        within = dict((await planned(app, FEW[20])).facts)
        message = (await ask(app, f"/backfill plan {FEW[0]} {NEWEST} oldest-first")).message
        oldest_first = dict(message.facts)
    assert wide["requests"] == f"{10 * 2 + SPLITS}"
    assert wide["not to be had"] == (
        "20 sessions that no source serves, the oldest: some 18 more requests until the backfill"
        " sees that"
    )
    assert narrow["not to be had"].startswith(
        "2 sessions that no source serves, the oldest: some 12"
    )
    assert "not to be had" not in within
    # Each is asked for, and another session beside it: 4 of flat files, 2 of REST.
    assert oldest_first["not to be had"].startswith(
        "20 sessions that no source serves, the oldest: some 120 more requests"
    )


@pytest.mark.parametrize(("newest_first", "calls"), [(True, 10 + 3 * 2), (False, 10 + 20 * 2)])
async def test_the_calls_for_what_the_plan_does_not_reach_take_their_time(
    vendor: Vendor, tmp_path: Path, *, newest_first: bool, calls: int
) -> None:
    vendor.s3.entitled = lambda name: name[-17:-7] >= str(FEW[20])
    vendor.rest.plan_from = FEW[20].date
    settings = await vendor.settings(tmp_path / "data", use_flat_files="false")
    async with opened(settings, now=lambda: NOW) as app:
        estimates = replace(app.backfilling.estimates, calls_per_minute=40)
        told = (app.ladder.top, FEW, Policy.MISSING)
        plan = await estimates.plan(*told, newest_first=newest_first)
    assert plan.requests == 10 + SPLITS
    assert plan.seconds == 60 * (calls + SPLITS) / 40


async def test_what_an_archive_has_not_got_is_asked_for_whatever_is_read_first(
    vendor: Vendor, tmp_path: Path
) -> None:
    settings = await vendor.settings(tmp_path / "data", polygon_calls_per_minute="0")
    files = Files("files", FEW[20], lambda day: NotPublished(f"no {day}"))
    async with opened(settings, now=lambda: NOW) as app:
        pipeline = replace(app.ladder.top, chain=Chain([files]), beside=None)
        plan = await app.backfilling.estimates.plan(pipeline, FEW, Policy.MISSING)
    assert (plan.beyond, plan.asked_beyond) == (20, 20)


async def test_what_nobody_serves_is_no_work_and_waiting_is_none_either(tmp_path: Path) -> None:
    settings = await asyncio.to_thread(load, data_dir=tmp_path)
    async with opened(settings, now=lambda: NOW) as app:
        pipeline = replace(app.ladder.top, chain=Chain([Files("files", FEW[20])]), beside=None)
        jobs = app.backfilling.runner.jobs
        job = await jobs.begin(
            pipeline.series.key, {FEW[29]: 0}, Policy.ALL, who="console:@me",
            place="console:terminal", span=(FEW[29].date, FEW[29].date),
        )  # fmt: skip
        await jobs.take(job)
        await jobs.put(job, FEW[29], Outcome(Unit.STORED, 90.0, worked=2.0))
        plan = await app.backfilling.estimates.plan(pipeline, FEW, Policy.MISSING)
        assert await pace_s(app.db, job) == 90.0, "what is left of a job waits as well"
    assert (len(plan.to_read), plan.beyond) == (30, 20)
    assert plan.seconds == 10 * 2.0


async def test_past_what_is_refused_it_is_looked_where_the_plan_begins() -> None:
    files, rest = Files("files", FEW[28]), Files("rest", FEW[25])
    told = await reaches([files, rest], FEW[:20], [None, None], 5.0, NEWEST)
    assert told.oldest.since == f"{FEW[25]} and later"
    assert (
        told.words == "files: nothing: date outside the plan; rest: nothing: date outside the plan"
    )


async def test_what_is_stored_of_a_source_tells_that_without_a_call(
    vendor: Vendor, tmp_path: Path
) -> None:
    files = Files("files", FEW[20])
    settings = await vendor.settings(tmp_path / "data", polygon_calls_per_minute="0")
    async with opened(settings, now=lambda: NOW) as app:
        pipeline = replace(app.ladder.top, chain=Chain([files]), beside=None)
        for day in FEW[20:]:
            await pipeline.ledger.stored(
                day, revision=1, source="files", version=None, row_count=1, refused=(), notes=(),
                now=NOW,
            )  # fmt: skip
        estimates = app.backfilling.estimates
        plan = await estimates.plan(pipeline, FEW[:20], Policy.MISSING)
        asked = list(files.asked)
    assert plan.serves == f"{FEW[20]} and later"
    assert max(asked) == FEW[19]
    assert plan.served_by == ("files: nothing: date outside the plan",)


async def test_who_knows_its_first_day_is_not_asked_for_it(tmp_path: Path) -> None:
    """The sample's trades: to invent one session takes longer than anybody waits."""
    settings = await asyncio.to_thread(load, data_dir=tmp_path, dark_pool_only="true")
    async with opened(settings, now=lambda: NOW) as app:
        estimates = replace(app.backfilling.estimates, patience_s=0.001)
        plan = await estimates.plan(app.ladder.top, FEW, Policy.MISSING)
    assert plan.served_by == ("built-in sample market: all of it",)
    assert plan.serves == f"{FIRST_DAY} and later"


async def test_a_first_day_within_the_span_is_where_it_begins() -> None:
    told = await found(FromADay(name="files", first=FEW[20], oldest=FEW[20].date), days=FEW)
    assert told.words == f"files: {FEW[20]} and later"
    told = await found(FromADay(name="files", first=NEWEST, oldest=NEWEST.date), days=FEW[:20])
    assert told.words == "files: nothing: not published"


@dataclass(slots=True, kw_only=True)
class FromADay(Files):
    """It knows its first day."""

    oldest: date
