"""Routes on real SQLite, quiet hours by the clocks of the world, watchlists."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import TERMINAL, Destination
from alerts.subscriptions import (
    Named,
    first_routes,
    listening,
    quiet_until,
    routes,
    subscribe,
    unsubscribe,
    unwatch,
    wants_of,
    watch,
    watched,
)
from alerts.wants import EVERYTHING, QuietHours, Wants
from core.db import Db
from tests.states import new_state

NOW = datetime(2026, 12, 18, 6, tzinfo=UTC)
ONE, TWO = Destination("discord", "111111111111111111"), Destination("slack", "C0000001")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    """A fresh state database."""
    async with Db.open(await new_state(tmp_path)) as opened:
        yield opened


async def heard(db: Db) -> set[Destination]:
    """Where a digest goes now."""
    return set(await listening(db.rows, [TERMINAL]))


async def named(db: Db, *channels: Destination, ending: bool = True) -> Named:
    """A start with these channels in the environment."""
    return await first_routes(db, channels, NOW, ending=ending)


async def test_the_environment_names_the_first_routes(db: Db) -> None:
    await named(db, ONE, TWO)
    assert await heard(db) == {TERMINAL, ONE, TWO}
    assert [r.destination for r in (await named(db, ONE)).ended] == [TWO]
    assert await heard(db) == {TERMINAL, ONE}, "no longer named, and set by nobody"
    await named(db, ONE, TWO)
    assert await heard(db) == {TERMINAL, ONE, TWO}


async def test_a_command_that_is_typed_in_another_environment_ends_no_route(db: Db) -> None:
    await named(db, ONE)
    assert (await named(db, TWO, ending=False)).ended == ()
    assert await heard(db) == {TERMINAL, ONE, TWO}


async def test_what_a_person_said_holds_over_restarts(db: Db) -> None:
    await named(db, ONE)
    await unsubscribe(db, ONE, who="discord:@1", now=NOW)
    (off,) = (await named(db, ONE)).off
    assert off.ended_by == "discord:@1"
    assert await heard(db) == {TERMINAL}
    await subscribe(db, ONE, Wants(top=3), who="discord:@1", now=NOW)
    await named(db)
    assert (await listening(db.rows, []))[ONE] == Wants(top=3), "a command is more than a name"


async def test_wishes_read_back_as_they_were_set(db: Db) -> None:
    wants = Wants(
        min_tier="rare", quiet=QuietHours(time(22), time(7, 30), "Europe/Berlin"), silent=True
    )
    assert await subscribe(db, ONE, wants, who="me", now=NOW) is None
    assert await wants_of(db.rows, ONE) == wants
    assert await wants_of(db.rows, TWO) == EVERYTHING
    before = await subscribe(db, ONE, EVERYTHING, who="me", now=NOW)
    assert before is not None
    assert before.wants == wants


async def test_a_channel_that_was_never_subscribed_cannot_be_unsubscribed(db: Db) -> None:
    assert await unsubscribe(db, ONE, who="me", now=NOW) is None
    await subscribe(db, ONE, EVERYTHING, who="me", now=NOW)
    assert await unsubscribe(db, ONE, who="me", now=NOW) is not None
    assert await unsubscribe(db, ONE, who="me", now=NOW) is None
    assert [r.ended_by for r in await routes(db.rows)] == ["me"]


async def test_watchlists_of_a_channel_and_a_person_are_apart(db: Db) -> None:
    assert await watch(db, "discord:1", ["NVDA", "AMD"], who="me", now=NOW) == ["NVDA", "AMD"]
    assert await watch(db, "discord:1", ["AMD", "ABCD"], who="me", now=NOW) == ["ABCD"]
    assert await watch(db, "discord:@1", ["AMD"], who="me", now=NOW) == ["AMD"]
    assert await unwatch(db, "discord:1", ["AMD", "NONE"]) == ["AMD"]
    assert await watched(db.rows, ["discord:1", "discord:@1", "x"]) == {
        "discord:1": ("ABCD", "NVDA"),
        "discord:@1": ("AMD",),
        "x": (),
    }


NIGHT = QuietHours(time(22), time(7), "Europe/Berlin")
NOON = QuietHours(time(12), time(13, 30), "America/New_York")


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NIGHT, "2026-12-18T20:59:59", None),
        (NIGHT, "2026-12-18T21:00:00", "2026-12-19T06:00:00"),
        (NIGHT, "2026-12-19T05:59:59", "2026-12-19T06:00:00"),
        (NIGHT, "2026-12-19T06:00:00", None),
        (NOON, "2026-12-18T17:00:00", "2026-12-18T18:30:00"),
        (NOON, "2026-12-18T18:30:00", None),
        # Clocks go forward at 02:00 on 28 March: the night is an hour shorter.
        (NIGHT, "2027-03-27T21:30:00", "2027-03-28T05:00:00"),
        (NIGHT, "2026-10-24T20:30:00", "2026-10-25T06:00:00"),
    ],
)
def test_quiet_hours_end_by_the_clocks_of_their_zone(
    hours: QuietHours, now: str, until: str | None
) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    expected = None if until is None else datetime.fromisoformat(until).replace(tzinfo=UTC)
    assert quiet_until(Wants(quiet=hours), moment) == expected


CLOCKS = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@given(
    CLOCKS,
    CLOCKS,
    st.sampled_from(["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001
)
def test_quiet_hours_are_over_within_a_day_and_not_quiet_at_their_end(
    start: time, end: time, zone: str, naive: datetime
) -> None:
    if start == end:
        return
    now = naive.replace(tzinfo=UTC)
    wants = Wants(quiet=QuietHours(start, end, zone))
    until = quiet_until(wants, now)
    if until is None:
        return
    assert now < until <= now + timedelta(hours=25)
    at = until.astimezone(ZoneInfo(zone)).time()
    assert quiet_until(wants, until) is None or at != end, "a time that the clocks skipped"
