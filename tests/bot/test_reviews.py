"""/preview and /scorecard over the sample market."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.preview import preview
from bot.app import App
from bot.arguments import span_sessions
from bot.platforms.console import render
from bot.reviews import LateSplits, _told
from bot.spans import judgeable
from bot.trial import Standard, typed
from core.calendar import sessions_ending
from core.errors import SourceUnavailable
from core.splits import Split
from tests.bot.test_commands import ask, at, told
from tests.fakes import FakeClock, FakeSplits
from tests.market import NEWEST, NOW
from tests.shared import Shared, copied

COUNT = 24
"""Sessions that can be judged in the stored market, for a quick test."""
STORED = sessions_ending(NEWEST, COUNT + 20)


@pytest.fixture(scope="module")
def stored(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample market's last sessions, silently stored; a copy for this module."""
    return copied(shared.once("reviews", _fill), tmp_path_factory.mktemp("stored"))


def _fill(folder: Path) -> None:
    async def fill() -> None:
        async with at(folder, NOW) as app:
            for day in STORED:
                await app.ladder.top.trading_day(day, announce=day == NEWEST)

    asyncio.run(fill())


@pytest.fixture
def own(stored: Path, tmp_path: Path) -> Path:
    """A copy of it for who changes what is on record: what was measured stays true of `stored`."""
    return copied(stored, tmp_path / "own")


@pytest.fixture
async def app(stored: Path) -> AsyncIterator[App]:
    """The application over the stored market."""
    async with at(stored, NOW) as opened_app:
        yield opened_app


async def test_both_answer_as_reviewed(app: App, snapshot: SnapshotAssertion) -> None:
    for text in ("/preview min:5", "/preview", "/preview min:4", "/scorecard 1m"):
        reply = await ask(app, text)
        assert reply.ok, reply
        assert "SAMPLE" in reply.message.stamp
        assert render(reply.message, 100) == snapshot(name=text)


async def test_a_value_that_is_as_it_is_now_is_left_out(app: App) -> None:
    both, one = await ask(app, "/preview min:5 price:1"), await ask(app, "/preview min:5")
    assert both.message == one.message
    assert both.message.lead.startswith("With min 5 instead of 4: ")


async def test_the_present_settings_gain_and_lose_nothing(app: App) -> None:
    pipeline, now = app.ladder.top, Standard(app.ladder.top.rule, 10)
    found = preview([await _told(pipeline, day, (now, now), {}, []) for day in STORED[-3:]])
    assert found.gained == found.lost == ()
    assert found.now == found.then


async def test_a_preview_comes_true_when_it_is_set(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at(stored, NOW) as app:
        pipeline, now = app.ladder.top, Standard(app.ladder.top.rule, 10)
        then, tried = typed(["min:5", "floor:20M", "price:20", "top:2"], now)
        foretold = [(await _told(pipeline, day, (now, then), {}, [])).then for day in STORED[-9:-1]]
    for one in tried:
        name, _, value = one.line.partition("=")
        monkeypatch.setenv(name, value)
    async with at(stored, NOW) as app:
        reports = [await app.commands.digests.report(day) for day in STORED[-9:-1]]
    assert [tuple(a.ticker for a in said.pushed) for said in reports] == foretold
    assert any(foretold)


async def test_nothing_is_changed_and_nothing_sent(app: App) -> None:
    async def state() -> list[tuple[object, ...]]:
        queries = ("SELECT * FROM digests", "SELECT * FROM deliveries", "SELECT * FROM sessions")
        return [tuple(row) for query in queries for row in await app.db.rows(query)]

    before, rule = await state(), app.ladder.top.rule
    for text in ("/preview min:5 floor:5M price:5 top:3", "/scorecard 24"):
        assert (await ask(app, text)).ok
    assert await state() == before
    assert app.ladder.top.rule == rule


async def test_each_way_to_be_wrong_has_its_own_sentence(app: App) -> None:
    sentences = {
        "/preview min:abc": "min:abc should be a number from 2.5 to 12, such as min:4.5",
        "/preview max:5": "'max:5' is no setting that can be tried",
        "/scorecard 5x": "'5x' should be months from 1m to 12m, or a number of sessions",
        "/scorecard 1": "'1' should be months",
        "/scorecard 300": "'300' should be months",
        "/scorecard -3m": "'-3m' should be months",
        "/scorecard 13m": "'13m' should be months",
        "/scorecard 0m": "'0m' should be months",
        "/scorecard 3m 6m": "'6m' is one word too many. /scorecard [3m]",
        "/previw min:5": "There is no command /previw; did you mean /preview?",
    }
    for text, sentence in sentences.items():
        reply = await ask(app, text)
        assert not reply.ok
        assert reply.message.lead.startswith(sentence), text


@pytest.mark.parametrize(
    ("typed_text", "sessions"), [("1m", 21), ("3M", 63), ("12m", 252), ("60", 60), ("2", 2)]
)
def test_a_span_is_months_or_sessions(typed_text: str, sessions: int) -> None:
    assert span_sessions(typed_text, "") == sessions


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(min_size=1, max_size=40))
async def test_whatever_is_typed_there_is_an_answer(app: App, text: str) -> None:
    for typed_text in (f"/preview min:x{text}", f"/preview x{text}", f"/scorecard x{text}"):
        reply = await ask(app, typed_text)
        assert not reply.ok
        assert reply.message.lead
        assert "failed on our side" not in reply.message.lead


async def test_how_many_could_be_judged_is_said_with_the_way_to_the_rest(app: App) -> None:
    (said,) = (await ask(app, "/preview min:5")).message.banners
    first = sessions_ending(NEWEST, 60 + 81)[0]
    assert said == (
        "24 of the last 60 sessions could be judged: 16 not stored, 20 with fewer than 20 stored"
        " sessions before them; 24 of 24 rest on fewer than 60 sessions of history. `python -m bot"
        f" backfill {first} {NEWEST}` fetches what is missing"
    )


async def test_a_session_that_is_missing_in_between_is_left_out(own: Path) -> None:
    async with at(own, NOW) as app:
        gone, key = STORED[-2], app.ladder.top.series.key
        await asyncio.to_thread(os.unlink, own / "bars" / key / f"{gone}.parquet")
        span = await judgeable(app.ladder.top, NEWEST, 3)
        assert span.judged == (STORED[-3], NEWEST)
        assert span.absent == 1
        reply = await ask(app, "/scorecard 3")
        assert reply.ok
        assert "2 of the last 3 sessions could be judged: 1 not stored" in reply.message.banners[0]


async def test_too_little_history_says_what_fetches_it(tmp_path: Path) -> None:
    async with at(tmp_path, NOW) as app:
        for text in ("/preview min:5", "/scorecard"):
            assert (await told(app, text)).startswith("There is no data yet: `python -m bot once`")
        await app.ladder.top.trading_day(NEWEST, announce=False)
        said = await told(app, "/preview min:5")
    first = sessions_ending(NEWEST, 60 + 81)[0]
    assert said == (
        "None of the last 60 sessions can be judged yet: 20 stored sessions are needed before each."
        f" `python -m bot backfill {first} {NEWEST}` fetches them"
    )


async def test_two_who_ask_at_once_get_the_same_answer(app: App) -> None:
    first, second = await asyncio.gather(ask(app, "/scorecard 5"), ask(app, "/scorecard 5"))
    assert first == second
    assert first.ok


async def test_a_fifth_who_asks_at_once_is_asked_to_wait(app: App) -> None:
    replies = await asyncio.gather(*(ask(app, "/scorecard 5") for _ in range(5)))
    refused = [reply.message.lead for reply in replies if not reply.ok]
    assert refused == [
        "Sessions are being judged again for others just now; please ask again in a minute"
    ]
    assert (await ask(app, "/scorecard 5")).ok


class SplitsOf(FakeSplits):
    """Counts who asks, and answers late."""

    asked, late_s = 0, 0.0

    async def splits(self, first: date, last: date) -> list[Split]:
        """core.pipeline.SplitsSource."""
        self.asked += 1
        await asyncio.sleep(self.late_s)
        return await super().splits(first, last)


async def test_splits_are_asked_for_once_a_day_and_else_those_on_record_are_used(
    own: Path,
) -> None:
    clock, splits = FakeClock(NOW), SplitsOf(error=SourceUnavailable("HTTP 503"))
    async with at(own, NOW) as app:
        app.ladder.rungs = [replace(app.ladder.top, splits=splits, now=clock)]
        for text in ("/scorecard 5", "/scorecard 5"):
            said = (await ask(app, text)).message.banners[-1]
            assert said == ("the splits on record were used; asked for newer ones: unreachable")
        assert splits.asked == 1
        await ask(app, "/scorecard 6")
        assert splits.asked == 2

        splits.error = None
        clock.at += timedelta(days=1)
        said_then = (await ask(app, "/scorecard 5")).message.banners
        assert splits.asked == 3
        assert not any("splits" in banner for banner in said_then)


async def test_nobody_waits_long_for_splits(own: Path) -> None:
    split = Split(STORED[-2].date, "XWUP", 1, 2)
    first, last = STORED[0].date, NEWEST.date
    splits, late = SplitsOf([split]), LateSplits(deadline_s=0.05)
    async with at(own, NOW) as app:
        pipeline = replace(app.ladder.top, splits=splits)
        assert await LateSplits().learn(pipeline, first, last) == ()
        splits.late_s = 60
        (said,) = await late.learn(pipeline, first, last)
        assert said.endswith("no answer in 0.05 s")
        assert await pipeline.record.splits(first, last) == [split]


async def test_splits_that_nobody_could_tell_are_said(stored: Path) -> None:
    async with at(stored, NOW) as app:
        app.ladder.rungs = [replace(app.ladder.top, splits=None)]
        for text in ("/preview min:5", "/scorecard 5"):
            assert "splits unknown" in (await ask(app, text)).message.banners[-1]
