"""/backfill: what a refusal names is the line that helps, as it is to be typed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import SPAN, WEEK, There, at
from tests.filled import EVE, Kind, until
from tests.shared import Shared

DOWN = "series:all-sample-raw"


@pytest.fixture
async def there(shared: Shared, tmp_path: Path) -> AsyncIterator[There]:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, tmp_path / "data")
    async with at(folder, running=False) as it:
        yield it


@pytest.mark.parametrize("action", ["resume", "retry"])
@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (SPAN, SPAN),
        (f"{SPAN} all oldest-first", f"{SPAN} all oldest-first"),
        (f"{SPAN} announce: oldest-first", f"{SPAN} oldest-first announce"),
        (f"{WEEK[0]} to {WEEK[-1]} missing+failed {DOWN}", f"{SPAN} missing+failed"),
    ],
)
async def test_what_goes_on_no_more_is_begun_anew_by_the_line_that_is_named(
    there: There, action: str, typed: str, named: str
) -> None:
    await told(there.app, f"/backfill run {typed}")
    await told(there.app, "/backfill cancel")
    reply = await ask(there.app, f"/backfill {action}")
    assert not reply.ok
    assert reply.message.lead.endswith(f"; /backfill run {named} begins it anew")
    assert "0 of 5 sessions" in await told(there.app, f"/backfill run {named}")


async def test_only_what_was_cancelled_is_said_to_be_begun_anew(there: There) -> None:
    await told(there.app, f"/backfill run {SPAN}")
    for action in ("resume", "retry"):
        assert "anew" not in await told(there.app, f"/backfill {action}")
    await told(there.app, "/backfill cancel")
    for action in ("cancel", "pause"):
        assert "anew" not in await told(there.app, f"/backfill {action}")


async def test_another_span_beside_a_job_that_is_paused_names_what_goes_on_with_that(
    there: There,
) -> None:
    await told(there.app, f"/backfill run {SPAN}")
    wider = f"/backfill run {WEEK[0]} today"
    assert "is running; /backfill shows how far it is," in await told(there.app, wider)
    await told(there.app, "/backfill pause")
    assert "is paused; /backfill resume goes on with it," in await told(there.app, wider)
    assert (await ask(there.app, "/backfill resume")).ok


@pytest.mark.parametrize(
    ("words", "announced"),
    [
        ("announce:false", False),
        ("ANNOUNCE:False", False),
        ("announce announce:false", False),
        ("announce:true", True),
    ],
)
async def test_whether_it_is_announced_is_said_either_way(
    there: There, words: str, *, announced: bool
) -> None:
    plan = await ask(there.app, f"/backfill plan {SPAN} {words}")
    assert plan.ok, plan.message.lead
    await told(there.app, plan.message.actions[0].command)
    job = await there.app.backfilling.runner.jobs.newest()
    assert job is not None
    assert job.announce is announced
