"""/backfill: planned, begun by operators, told while it goes on, stopped."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import App, opened
from bot.settings import load
from core.calendar import sessions_ending
from tests.bot.small_market import ask, told
from tests.filled import EVE, Kind, until
from tests.market import NOW
from tests.shared import Shared

WEEK = sessions_ending(EVE, 100)[:5]
SPAN = f"{WEEK[0]} {WEEK[-1]}"


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@pytest.fixture
async def app(folder: Path) -> AsyncIterator[App]:
    settings = await asyncio.to_thread(load, data_dir=folder)
    async with opened(settings, now=lambda: NOW) as app:
        yield app


async def ended(app: App) -> str:
    """The card, once nothing is under way any more."""
    for _ in range(400):
        lead = await told(app, "/backfill")
        if "under way" not in lead and "stops after" not in lead:
            return lead
        await asyncio.sleep(0.05)
    raise AssertionError(lead)


async def test_a_span_is_planned_read_and_told(app: App) -> None:
    assert "Nothing is being read" in await told(app, "/backfill")
    plan = (await ask(app, f"/backfill plan {SPAN}")).message
    assert plan.lead == f"5 sessions from {WEEK[0]} to {WEEK[-1]}: 5 sessions to read."
    assert [action.command for action in plan.actions] == [f"backfill run {SPAN}"]
    assert "0 of 5 sessions through" in await told(app, f"/backfill run {SPAN}")
    assert "one is under way" in await told(app, f"/backfill run {SPAN}")
    assert await ended(app) == "5 of 5 sessions through, 5 stored, 0 failed: done."
    assert "all are stored" in await told(app, f"/backfill plan {SPAN}")
    assert "are stored" in await told(app, f"/backfill run {SPAN}")
    assert await app.db.rows("SELECT 1 FROM deliveries WHERE session <= ?", (str(WEEK[-1]),)) == []


async def test_it_stops_after_the_session_that_is_being_read(app: App) -> None:
    assert await told(app, "/backfill stop") == "nothing is being read"
    await told(app, f"/backfill run {SPAN}")
    assert "stops after this session" in await told(app, "/backfill stop")
    assert "stopped" in await ended(app)
    stored = await app.db.rows("SELECT 1 FROM sessions WHERE session <= ?", (str(WEEK[-1]),))
    assert len(stored) < 5


async def test_the_newest_session_does_not_stand_behind_a_span(app: App) -> None:
    async with app.turn:
        await told(app, f"/backfill run {SPAN}")
        await asyncio.sleep(0.2)
        assert "0 of 5 sessions through" in await told(app, "/backfill")
    assert "5 stored" in await ended(app)


async def test_what_a_stop_interrupts_is_called_so(app: App) -> None:
    async with app.turn:
        await told(app, f"/backfill run {SPAN}")
        (job,) = (task for task in asyncio.all_tasks() if task.get_name() == "backfill")
        await asyncio.sleep(0.1)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
    assert "interrupted by a restart" in await told(app, "/backfill")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/backfill everything", "there is /backfill [plan|run FROM TO] [stop]"),
        ("/backfill plan", "From when to when? /backfill plan 2026-06-01 2026-11-25"),
        (f"/backfill plan {WEEK[0]}", "From when to when?"),
        (f"/backfill plan {WEEK[-1]} {WEEK[0]}", "FROM comes first"),
        ("/backfill plan yesterday today", "'yesterday' is no date"),
        (f"/backfill run {SPAN} please", "'please' is one word too many"),
        ("/backfill stop now", "'now' is one word too many"),
        ("/backfill plan 2030-01-01 2030-02-01", "is in the future"),
    ],
)
async def test_what_is_wrong_is_said(app: App, text: str, said: str) -> None:
    assert said in await told(app, text)


@pytest.mark.parametrize("text", [f"/backfill run {SPAN}", "/backfill stop"])
async def test_only_operators_begin_and_stop(app: App, text: str) -> None:
    assert "is for operators" in await told(app, text, operator=False)
