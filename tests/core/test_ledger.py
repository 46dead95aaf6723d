"""core.ledger: what is remembered of each session."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from core.bars import Family, Scope, Series
from core.calendar import TradingDay
from core.db import Db
from core.errors import Refusal, Verdict
from core.ledger import Ledger, Status
from tests.frames import day
from tests.states import new_state

DAY, NEXT = day("2026-11-19"), day("2026-11-20")
NOW = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
SERIES = Series(Scope.ALL, Family.DAILY)
REFUSED = Refusal("flat files", Verdict.PLAN_LACKS_DATA_SET, 'HTTP 403: "no"')


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    async with Db.open(await new_state(tmp_path)) as opened:
        yield opened


@pytest.fixture
def ledger(db: Db) -> Ledger:
    return Ledger(db, SERIES)


async def store(ledger: Ledger, day: TradingDay, revision: int = 1) -> None:
    await ledger.stored(
        day, revision=revision, source="REST", version=f"v{revision}", row_count=7,
        refused=[REFUSED], notes=["one", "two"], now=NOW,
    )  # fmt: skip


async def finish(db: Db, ledger: Ledger, day: TradingDay, *, announced: bool) -> None:
    async with db.transaction() as writer:
        await ledger.finish(writer, day, announced=announced, now=NOW)


async def test_a_session_never_tried_has_no_line(ledger: Ledger) -> None:
    assert await ledger.entry(DAY) is None
    assert await ledger.entries([DAY, NEXT]) == {}
    assert await ledger.entries([]) == {}
    assert await ledger.newest(Status.FINISHED) is None
    assert await ledger.span() is None


async def test_a_stored_session_remembers_where_it_came_from(ledger: Ledger) -> None:
    await store(ledger, DAY)

    entry = await ledger.entry(DAY)
    assert entry is not None
    assert (entry.day, entry.status, entry.revision) == (DAY, Status.STORED, 1)
    assert (entry.source, entry.version, entry.row_count) == ("REST", "v1", 7)
    assert entry.refused == (REFUSED,)
    assert entry.note == "one; two"
    assert (entry.announced, entry.finished_at) == (False, None)
    assert entry.stored_at == entry.tried_at == NOW


async def test_a_source_serves_what_is_as_old_as_the_oldest_session_that_it_gave(
    ledger: Ledger,
) -> None:
    """A plan of two years moves on with the days."""
    assert await ledger.serving(NOW) == {}
    await store(ledger, NEXT)
    await store(ledger, DAY)
    await ledger.absent(day("2026-11-18"), "not there", [], NOW)
    assert await ledger.serving(NOW) == {"REST": DAY.date}
    assert await ledger.serving(NOW + timedelta(days=30)) == {"REST": date(2026, 12, 19)}


async def test_times_are_kept_as_moments_whatever_their_zone(ledger: Ledger) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-5)))
    await ledger.absent(DAY, "not there", [], there)

    entry = await ledger.entry(DAY)
    assert entry is not None
    assert entry.tried_at == NOW


async def test_a_finished_session_stays_announced_once_it_was(db: Db, ledger: Ledger) -> None:
    await store(ledger, DAY)
    await finish(db, ledger, DAY, announced=True)
    await finish(db, ledger, DAY, announced=False)

    entry = await ledger.entry(DAY)
    assert entry is not None
    assert (entry.status, entry.announced, entry.finished_at) == (Status.FINISHED, True, NOW)


async def test_finishing_is_undone_with_the_transaction_it_is_part_of(
    db: Db, ledger: Ledger
) -> None:
    await store(ledger, DAY)

    async def fail() -> None:
        async with db.transaction() as writer:
            await ledger.finish(writer, DAY, announced=True, now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    entry = await ledger.entry(DAY)
    assert entry is not None
    assert entry.status is Status.STORED


async def test_held_and_absent_sessions_have_nothing_stored(ledger: Ledger) -> None:
    await ledger.held(DAY, "volumes look doubled", [REFUSED], NOW)
    await ledger.absent(NEXT, "no file", [], NOW)

    lines = await ledger.entries([NEXT, DAY])
    assert [lines[d.date].status for d in (DAY, NEXT)] == [Status.HELD, Status.ABSENT]
    assert lines[DAY.date].note == "volumes look doubled"
    assert lines[DAY.date].refused == (REFUSED,)
    assert {line.revision for line in lines.values()} == {0}
    assert await ledger.span() is None


async def test_a_held_or_missing_copy_takes_nothing_from_what_is_stored(
    db: Db, ledger: Ledger
) -> None:
    await store(ledger, DAY)
    await finish(db, ledger, DAY, announced=True)

    await ledger.held(DAY, "the later copy is cut short", [], NOW)
    entry = await ledger.entry(DAY)
    assert entry is not None
    assert (entry.status, entry.revision, entry.version) == (Status.FINISHED, 1, "v1")
    assert entry.note == "one; two", "what was said of the bars that stand"

    await ledger.absent(DAY, "the later copy is gone", [], NOW)
    entry = await ledger.entry(DAY)
    assert entry is not None
    assert (entry.status, entry.revision) == (Status.FINISHED, 1)


async def test_the_same_bars_under_another_name_are_no_revision(ledger: Ledger) -> None:
    await store(ledger, DAY)
    await ledger.same_again(DAY, "v1-again", NOW + timedelta(hours=1))

    entry = await ledger.entry(DAY)
    assert entry is not None
    assert (entry.version, entry.revision, entry.status) == ("v1-again", 1, Status.STORED)
    assert (entry.stored_at, entry.tried_at) == (NOW, NOW + timedelta(hours=1))


async def test_a_new_revision_is_to_be_judged_again(db: Db, ledger: Ledger) -> None:
    await store(ledger, DAY)
    await finish(db, ledger, DAY, announced=True)

    await store(ledger, DAY, revision=2)

    entry = await ledger.entry(DAY)
    assert entry is not None
    assert (entry.status, entry.revision, entry.announced) == (Status.STORED, 2, True)


async def test_the_newest_session_of_a_status_is_found_up_to_a_date(db: Db, ledger: Ledger) -> None:
    for stored in (NEXT, DAY):
        await store(ledger, stored)
        await finish(db, ledger, stored, announced=False)

    newest = await ledger.newest(Status.FINISHED)
    before = await ledger.newest(Status.FINISHED, DAY.date)
    assert newest is not None
    assert before is not None
    assert (newest.day, before.day) == (NEXT, DAY)
    assert await ledger.newest(Status.FINISHED, day("2026-11-18").date) is None
    assert await ledger.span() == (DAY.date, NEXT.date)


async def test_series_have_ledgers_of_their_own(db: Db, ledger: Ledger) -> None:
    await store(ledger, DAY)

    assert await Ledger(db, Series(Scope.ALL, Family.SAMPLE)).entry(DAY) is None


async def test_every_time_a_source_was_asked_is_logged(db: Db, ledger: Ledger) -> None:
    await ledger.log(DAY, [REFUSED, REFUSED], NOW)
    await ledger.log(DAY, [], NOW)

    rows = await db.rows("SELECT session, source, verdict, seen FROM attempts")
    assert [tuple(row) for row in rows] == 2 * [
        ("2026-11-19", "flat files", "plan lacks this data set", 'HTTP 403: "no"')
    ]
