"""What a backfill could not read, in the plan of the next one: what is asked for again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import Verdict
from tests.bot.small_market import ask, told
from tests.bot.test_backfilling import AWAY, SPAN, WEEK, There, at, refused
from tests.filled import EVE, Kind, until
from tests.shared import Shared

OUTSIDE = refused("SourceRefused", Verdict.DATE_OUTSIDE_PLAN)


@pytest.fixture
async def there(shared: Shared, tmp_path: Path) -> AsyncIterator[There]:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, tmp_path / "data")
    async with at(folder) as it:
        it.app.backfilling.runner.rest_s = 0.001
        yield it


async def planned(there: There, policy: str = "missing") -> dict[str, str]:
    message = (await ask(there.app, f"/backfill plan {SPAN} {policy}")).message
    return {"lead": message.lead, **dict(message.facts)}


async def run(there: There, policy: str = "missing") -> str:
    there.doing.asked.clear()
    await told(there.app, f"/backfill run {SPAN} {policy}")
    return await there.ended()


async def test_what_the_plan_does_not_reach_failed_and_is_asked_for_when_that_is_wanted(
    there: There,
) -> None:
    there.doing.faults = {day: [OUTSIDE] for day in WEEK[:2]}
    assert await run(there) == "5 of 5 sessions, 2 failed: done."
    plan = await planned(there)
    assert (plan["stored"], plan["missing"]) == ("3", "0")
    assert plan["failed before"] == (
        "2 failed (2 date outside the plan); 2 read by missing+failed alone"
    )
    assert plan["lead"].endswith("nothing to read (missing).")
    assert "missing+failed reads what failed" in await told(there.app, f"/backfill run {SPAN}")
    wide = await planned(there, "missing+failed")
    assert wide["failed before"] == "2 failed (2 date outside the plan)"
    assert wide["lead"].endswith("2 sessions to read (missing+failed).")
    assert await run(there, "missing+failed") == "2 of 2 sessions: done."
    assert (await planned(there))["failed before"] == "0"


async def test_what_may_be_over_failed_and_is_read_again(there: There) -> None:
    there.doing.faults = {
        WEEK[0]: [OUTSIDE],
        WEEK[1]: [refused("NotPublished", Verdict.NOT_PUBLISHED_YET)],
        WEEK[2]: [AWAY] * 5,
    }
    assert await run(there) == "5 of 5 sessions, 1 not published, 2 failed: done."
    plan = await planned(there)
    assert plan["failed before"] == (
        "2 failed (1 date outside the plan, 1 unreachable), 1 not published (1 not published yet);"
        " 1 read again, as that may be over, 2 read by missing+failed alone"
    )
    assert plan["lead"].endswith("1 session to read (missing).")
    assert await run(there) == "1 of 1 session: done."
    assert there.doing.asked == [WEEK[2]]


async def test_a_file_that_is_of_no_use_is_called_that_by_the_card_and_by_the_plan(
    there: There,
) -> None:
    """The ledger calls it held."""
    there.doing.faults = {WEEK[0]: [refused("BadBars", Verdict.VENDOR_FAULT)]}
    assert await run(there) == "5 of 5 sessions, 1 failed: done."
    card = (await ask(there.app, "/backfill")).message
    assert dict(card.facts)["by cause"] == "1 failed (1 unusable file)"
    plan = await planned(there)
    assert plan["failed before"] == ("1 failed (1 unusable file); 1 read by missing+failed alone")
    assert plan["lead"].endswith("nothing to read (missing).")
    assert await run(there, "missing+failed") == "1 of 1 session: done."
    assert (await planned(there))["failed before"] == "0"


async def test_what_failed_of_another_series_or_was_not_come_to_is_missing(there: There) -> None:
    there.doing.faults = {day: [OUTSIDE] for day in WEEK}
    await run(there)
    async with there.app.db.transaction() as writer:
        await writer.execute("UPDATE job_sessions SET series = 'all-daily-raw'")
    plan = await planned(there)
    assert (plan["missing"], plan["failed before"]) == ("5", "0")
    there.app.backfilling.runner.free.clear()
    await told(there.app, f"/backfill run {SPAN}")
    await told(there.app, "/backfill cancel")
    plan = await planned(there)
    assert (plan["missing"], plan["failed before"]) == ("5", "0")
    async with there.app.db.transaction() as writer:
        await writer.execute("UPDATE job_sessions SET series = 'all-sample-raw'")
    plan = await planned(there)
    assert plan["missing"] == "0", "what is known of it is what came of it last"
