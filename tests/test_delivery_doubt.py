"""In doubt, at the same time, for the third time: one message all the same, and no lane stalls."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from alerts import outbox
from alerts.counted import tallies
from alerts.decisions import after_a_restart, drop, resend
from alerts.deliver import Courier
from alerts.model import ChartOf, Destination, Kind, Picture, State
from core.db import Db
from core.errors import CommandError, DeliveryRefused, Reason
from tests.chat import After, FakePlatform
from tests.fakes import FakeClock
from tests.states import new_state
from tests.test_delivery import (
    BUSY,
    NEXT,
    OPERATOR,
    OTHER,
    RESET,
    START,
    courier,
    publish,
    states,
)

FORBIDDEN = DeliveryRefused(Reason.NO_PERMISSION, "403")
NO_TOKEN = DeliveryRefused(Reason.TOKEN_REFUSED, "401")
HERE = (OTHER,)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    """A fresh state database."""
    async with Db.open(await new_state(tmp_path)) as opened:
        yield opened


@pytest.fixture
def clock() -> FakeClock:
    """To be moved."""
    return FakeClock(START)


async def later(db: Db, clock: FakeClock, platform: FakePlatform, minutes: float = 5) -> None:
    """Time passes, and what is due is delivered."""
    clock.at += timedelta(minutes=minutes)
    await courier(db, clock, fake=platform).drain()


async def number(db: Db, kind: Kind = Kind.DIGEST, revision: int = 1) -> int:
    """Of a delivery, as /outbox shows it."""
    row = await db.row(
        "SELECT id FROM deliveries WHERE kind = ? AND revision = ? AND destination = ?",
        (kind, revision, str(OTHER)),
    )
    assert row is not None
    return int(row["id"])


def digests(platform: FakePlatform) -> int:
    """Messages of their own in the channel."""
    return sum(post.letter.anchor is None for post in platform.at(OTHER))


async def test_a_refusal_after_a_doubt_proves_nothing_about_what_was_sent_before(
    db: Db, clock: FakeClock
) -> None:
    platform = FakePlatform(After(RESET))
    platform.finds_nothing = True  # as within the time of a nonce: sending again is harmless
    await publish(db, to=HERE)
    await later(db, clock, platform)
    platform.failures.append(FORBIDDEN)
    await later(db, clock, platform)
    assert await states(db) == ["ambiguous"]
    await publish(db, revision=2, names=("NEWN",), to=HERE)
    platform.finds_nothing = False
    await after_a_restart(db, clock())
    await later(db, clock, platform)
    assert digests(platform) == 1
    assert "NEWN" in platform.posts[0].message.rows[0].head


async def test_what_was_dropped_in_doubt_is_not_said_anew_by_a_later_revision(
    db: Db, clock: FakeClock
) -> None:
    platform = FakePlatform(After(RESET))
    platform.history_is_readable = False
    await publish(db, to=HERE)
    await later(db, clock, platform)
    await later(db, clock, platform)
    await drop(db, await number(db), "ann", clock())
    await publish(db, revision=2, names=("NEWN",), to=HERE)
    await later(db, clock, platform)
    assert digests(platform) == 1
    await publish(db, NEXT, to=HERE)
    await later(db, clock, platform)
    assert digests(platform) == 2, "the next session is another story"


async def test_what_was_decided_meanwhile_is_not_written_over(db: Db, clock: FakeClock) -> None:
    await publish(db, to=HERE)
    first = await outbox.first_in_line(db, OTHER, START)
    assert first is not None
    await publish(db, revision=2, names=("NEWN",), to=HERE)
    async with db.transaction() as writer:
        assert not await outbox.settle(
            writer,
            *(first.key, State.PENDING, Reason.QUIET_HOURS, START),
            expected=State.PENDING,
            next_try_at=START,
        )
    assert await states(db) == ["expired", "pending"]


async def test_an_operators_word_that_comes_too_late_is_refused(db: Db, clock: FakeClock) -> None:
    platform = FakePlatform(RESET)
    await publish(db, to=HERE)
    await later(db, clock, platform)
    first = await outbox.of_key(db, (await _key(db)))
    assert first is not None
    await later(db, clock, platform)
    assert await states(db) == ["sent"]
    for decide in (resend, drop):
        with pytest.raises(CommandError, match="arrived; there is nothing to do"):
            await decide(db, first.id, "ann", clock())
    assert await states(db) == ["sent"]


async def _key(db: Db) -> str:
    row = await db.row("SELECT key FROM deliveries WHERE kind = 'digest'")
    assert row is not None
    return str(row["key"])


async def test_a_correction_that_never_went_out_is_made_up_for_by_the_next_revision(
    db: Db, clock: FakeClock
) -> None:
    platform = FakePlatform()
    await publish(db, names=("STAY", "GONE"), to=HERE)
    await later(db, clock, platform)
    await publish(db, revision=2, names=("STAY", "CAME"), to=HERE)
    row = await number(db, Kind.CORRECTION, 2)
    async with db.transaction() as writer:
        await writer.execute("UPDATE deliveries SET next_try_at = '2999' WHERE id = ?", (row,))
    await publish(db, revision=3, names=("STAY", "CAME"), to=HERE)
    await later(db, clock, platform)
    assert [p.message.lead for p in platform.posts if "enters" in p.message.lead] == [
        "Thu 17 Dec 2026 was republished; on the new data CAME enters and GONE leaves the list."
    ]


async def test_what_goes_out_after_a_restart_is_edited_to_the_newest_revision(
    db: Db, clock: FakeClock
) -> None:
    platform = FakePlatform(NO_TOKEN)
    platform.gates[OTHER] = asyncio.Event()
    await publish(db, names=("OLDER",), to=HERE)
    one = courier(db, clock, fake=platform)
    sending = asyncio.create_task(one.drain())
    for _ in range(500):
        await asyncio.sleep(0.01)
        if await states(db) == ["sending"]:
            break
    await publish(db, revision=2, names=("NEWER",), to=HERE)
    platform.gates[OTHER].set()
    await sending
    assert await states(db, kind=Kind.EDIT) == ["expired"], "its digest never came"
    await after_a_restart(db, clock())
    await later(db, clock, platform)
    (post, *_) = platform.at(OTHER)
    assert "NEWER" in post.message.rows[0].head


async def test_an_older_edit_is_not_sent_over_a_newer_one(db: Db, clock: FakeClock) -> None:
    platform = FakePlatform()
    await publish(db, to=HERE)
    await later(db, clock, platform)
    platform.failures.append(FORBIDDEN)
    await publish(db, revision=2, to=HERE)
    await later(db, clock, platform)
    await publish(db, revision=3, to=HERE)
    await later(db, clock, platform)
    assert await states(db, kind=Kind.EDIT) == ["refused", "sent"]
    with pytest.raises(CommandError, match="was said by a later revision"):
        await resend(db, await number(db, Kind.EDIT, 2), "ann", clock())


async def test_a_clock_that_is_set_back_does_not_stall_a_lane(db: Db, clock: FakeClock) -> None:
    platform = FakePlatform(BUSY)
    await publish(db, to=HERE)
    await courier(db, clock, fake=platform).drain()
    clock.at -= timedelta(days=3)
    await courier(db, clock, fake=platform).drain()
    assert await states(db) == ["sent"]


async def test_pictures_that_no_platform_takes_hold_up_no_later_digest(
    db: Db, clock: FakeClock
) -> None:
    async def draw(of: ChartOf) -> Picture:
        return Picture(b"png", of.ticker)

    platform = FakePlatform()
    platform.takes_no_pictures = BUSY
    one = Courier(db, {"fake": platform}, clock, draw, OPERATOR)
    await publish(db, names=("AAA", "BBB"), to=HERE)
    await publish(db, NEXT, names=("CCC", "DDD"), to=HERE)
    for _ in range(8):
        await one.drain()
        clock.at += timedelta(minutes=5)
    assert await states(db) == ["sent", "sent"]
    assert [post.letter.pictures for post in platform.at(HERE[0])] == [(), ()]
    for _ in range(15):
        clock.at += timedelta(minutes=15)
        await one.drain()
    assert await states(db, kind=Kind.DETAILS) == ["expired", "expired"]
    assert "its pictures could not be made or taken" in platform.at(OPERATOR)[0].message.lead


async def test_what_fails_by_itself_each_time_is_an_operators_business_and_delays_nobody_for_long(
    db: Db, clock: FakeClock
) -> None:
    platform = FakePlatform(*[ZeroDivisionError()] * 3)
    await publish(db, to=HERE)
    await publish(db, NEXT, to=HERE)
    one = courier(db, clock, fake=platform)
    for _ in range(4):
        await one.drain()
        one._resting.clear()
        clock.at += timedelta(minutes=5)
    assert await states(db) == ["ambiguous", "sent"]
    (notice, *_) = platform.at(OPERATOR)
    assert "a fault of ours (ZeroDivisionError)" in notice.message.lead
    counts = {(t.what, t.reason): t.count for t in await tallies(db)}
    assert counts["send", Reason.OUR_FAULT] == 1, "who counts attempts would never know"


async def test_an_edition_that_cannot_be_read_delays_nobody_for_long(
    db: Db, clock: FakeClock
) -> None:
    platform = FakePlatform()
    await publish(db, to=HERE)
    async with db.transaction() as writer:
        await writer.execute("UPDATE editions SET report = '{'")
    await publish(db, NEXT, to=HERE)
    one = courier(db, clock, fake=platform)
    for _ in range(4):
        await one.drain()
        one._resting.clear()
        clock.at += timedelta(minutes=5)
    assert await states(db) == ["refused", "sent"]
    assert "a fault of ours (ValidationError)" in platform.at(OPERATOR)[0].message.lead


async def test_a_quiet_day_that_becomes_a_list_gets_its_pictures(db: Db, clock: FakeClock) -> None:
    platform = FakePlatform()
    await publish(db, names=(), to=HERE)
    await later(db, clock, platform)
    await publish(db, revision=2, names=("CAME", "TOO"), to=HERE)
    assert await states(db, kind=Kind.DETAILS) == ["pending"]


async def test_messages_stay_in_order_however_many_channels_there_are(
    db: Db, clock: FakeClock
) -> None:
    """Each lane reads what it has just written: no later session overtakes."""
    channels = [Destination("fake", f"C{n}") for n in range(40)]
    platform = FakePlatform()
    await publish(db, NEXT, to=channels)
    await publish(db, to=channels)
    await courier(db, clock, fake=platform).drain()
    for channel in channels:
        said = [p.message.title for p in platform.at(channel) if p.letter.anchor is None]
        assert ["17 Dec" in title for title in said] == [True, False]
