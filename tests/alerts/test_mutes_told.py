"""Mutes through the outbox to what a channel reads: hidden, counted, over, and over once."""

import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from alerts.deliver import Courier
from alerts.model import Destination, Kind, Message
from alerts.mutes import TERM, end, mutes_of, put
from alerts.publish import Outbox
from core.anomaly import Anomaly
from core.db import Db
from core.labels import CORPORATE_ACTION
from tests.alerts.test_mutes import (
    HALF,
    HERE,
    MON,
    PERSON,
    START,
    THERE,
    TUE,
    TUE_AFTER,
    WED,
    a_mute,
)
from tests.chat import FakePlatform
from tests.fakes import FakeClock
from tests.records import anomaly, judged
from tests.states import new_state


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    """A fresh state database."""
    async with Db.open(await new_state(tmp_path)) as opened:
        yield opened


class Channels:
    """Two channels that are told every session, and what they read."""

    def __init__(self, db: Db) -> None:
        self.db, self.platform, self.clock = db, FakePlatform(), FakeClock(START)

    async def say(self, session: date, *lines: Anomaly, revision: int = 1) -> Message:
        """Publish and deliver; the digest of the session in HERE as it reads now."""
        found = judged(*lines, session=session, revision=revision)
        async with self.db.transaction() as writer:
            await Outbox([HERE, THERE], 10)(writer, found, self.clock())
        await Courier(self.db, {"fake": self.platform}, self.clock).drain()
        return self.read(HERE, session)

    def read(self, where: Destination, session: date) -> Message:
        """The digest of a session, with its edits."""
        day = f"{session.day} {session:%b %Y}"
        posts = [p for p in self.platform.at(where) if p.letter.message.title.startswith("EOD")]
        return next(p.message for p in posts if day in p.message.title)

    async def kinds(self, session: date) -> list[str]:
        """What HERE was sent about a session."""
        rows = await self.db.rows(
            "SELECT kind FROM deliveries WHERE destination = ? AND session = ? AND kind IN"
            " ('digest', 'edit', 'correction') ORDER BY id",
            (str(HERE), str(session)),
        )
        return [row["kind"] for row in rows]


def over(message: Message) -> list[str]:
    """The ends that a digest says."""
    return [banner for banner in message.banners if banner.startswith("mute over")]


def muted(message: Message) -> list[str]:
    """What it says of mutes: in its footer or, where that is not shown, in its lead."""
    said = re.findall(r"\d+ lines? muted: /mutes", message.lead)
    return said + [line for line in message.footer if "muted" in line]


@pytest.fixture
def channels(db: Db) -> Channels:
    """Both, told nothing yet."""
    return Channels(db)


async def test_lines_are_hidden_counted_and_back_with_one_word(channels: Channels) -> None:
    await put(channels.db, a_mute())
    for session in (WED, HALF):
        said = await channels.say(session, anomaly(session=session))
        assert "no line for this channel" in said.lead
        assert muted(said) == ["1 line muted: /mutes"]
        assert over(said) == []
        assert "XYZQ" in channels.read(THERE, session).lead
    both = anomaly(session=MON), anomaly("STAY", session=MON)
    said = await channels.say(MON, *both)
    assert over(said) == ["mute over: XYZQ (2 sessions; set by fake:@7)"]
    assert [row.head[:7] for row in said.rows] == ["1. XYZQ", "2. STAY"]
    assert muted(said) == []
    assert over(channels.read(THERE, MON)) == []
    assert over(await channels.say(TUE_AFTER, *both)) == []


async def test_a_quiet_session_counts_and_says_the_end_as_well(channels: Channels) -> None:
    await put(channels.db, a_mute(sessions=1))
    assert muted(await channels.say(WED)) == []
    assert len(over(await channels.say(HALF))) == 1


async def test_the_lines_that_a_label_hides_make_room_for_others(channels: Channels) -> None:
    await put(channels.db, a_mute(kind="label", value="crowd", sessions=1))
    crowd = [anomaly(f"C{n}", session=WED, label="crowd") for n in range(3)]
    said = await channels.say(WED, *crowd, anomaly("STAY", session=WED))
    assert [row.head[:7] for row in said.rows] == ["1. STAY"]
    assert muted(said) == ["3 lines muted: /mutes"]


async def test_a_score_that_doubles_is_shown_and_ends_it_for_good(channels: Channels) -> None:
    await put(channels.db, a_mute(sessions=None, score=5.0))
    assert muted(await channels.say(WED, anomaly(session=WED, score=9.9)))
    said = await channels.say(HALF, anomaly(session=HALF, score=10.1))
    assert over(said) == ["mute over: XYZQ (its score doubled; set by fake:@7)"]
    assert [row.head[:7] for row in said.rows] == ["1. XYZQ"]
    said = await channels.say(MON, anomaly(session=MON, score=6.0))
    assert (over(said), muted(said), len(said.rows)) == ([], [], 1)
    # The data of that session change: the line is said, and its end still is.
    said = await channels.say(HALF, anomaly(session=HALF, score=6.0), revision=2)
    assert (len(over(said)), len(said.rows)) == (1, 1)


async def test_a_repeat_that_doubles_is_a_line_and_not_folded(channels: Channels) -> None:
    await channels.say(TUE, anomaly(session=TUE, score=5.0), anomaly("FOLD", session=TUE))
    await put(channels.db, a_mute(sessions=None, score=5.0))
    again = [anomaly(name, session=WED, score=10.0, continuing=True) for name in ("XYZQ", "FOLD")]
    for revision in (1, 2):
        said = await channels.say(WED, *again, revision=revision)
        assert len(over(said)) == 1
        assert [row.head[:7] for row in said.rows] == ["1. XYZQ"]
        (again_there,) = said.sections
        assert again_there.title == "Still elevated"
        assert again_there.rows[0].head.startswith("FOLD")
    again = [anomaly("XYZQ", session=HALF, score=10.0, continuing=True)]
    assert (await channels.say(HALF, *again)).rows == (), "told on Wednesday"


@pytest.mark.parametrize("changes", [{"suspected": "2-for-1"}, {"label": CORPORATE_ACTION}])
async def test_a_split_does_not_end_it(channels: Channels, changes: dict[str, str]) -> None:
    await put(channels.db, a_mute(sessions=None, score=5.0))
    assert over(await channels.say(WED, anomaly(session=WED, score=50.0, **changes))) == []
    assert muted(await channels.say(HALF, anomaly(session=HALF)))


async def test_of_several_ends_the_first_one_comes(channels: Channels) -> None:
    await put(channels.db, a_mute(sessions=1, until=MON, score=5.0))
    await channels.say(WED, anomaly(session=WED, score=9.0))
    (said,) = over(await channels.say(HALF, anomaly(session=HALF, score=11.0)))
    assert said.startswith("mute over: XYZQ (1 session or until 2026-11-30 or until its score d")


async def test_a_later_revision_changes_neither_what_is_hidden_nor_what_is_said(
    channels: Channels,
) -> None:
    await channels.say(TUE, anomaly(session=TUE))
    # Set while today's digest is out: what was said stays, whatever its data do.
    await put(channels.db, a_mute(sessions=1))
    assert len((await channels.say(TUE, anomaly(session=TUE, score=8.8), revision=2)).rows) == 1
    await channels.say(WED, anomaly(session=WED))
    assert muted(await channels.say(WED, anomaly(session=WED, score=8.8), revision=2))
    await channels.say(HALF, anomaly(session=HALF))
    said = await channels.say(HALF, anomaly(session=HALF, score=8.8), revision=2)
    assert len(over(said)) == 1, "the edit is the same message: its end is still said there"
    assert muted(await channels.say(WED, anomaly(session=WED, score=8.7), revision=3))
    for session in (TUE, WED, HALF):
        assert Kind.CORRECTION not in await channels.kinds(session)


async def test_one_that_a_person_ends_is_over_from_the_next_session_on(channels: Channels) -> None:
    one, _ = await put(channels.db, a_mute(sessions=9))
    await channels.say(WED, anomaly(session=WED))
    await end(channels.db, one, who=PERSON, newest=WED)
    assert muted(await channels.say(WED, anomaly(session=WED, score=8.8), revision=2))
    said = await channels.say(HALF, anomaly(session=HALF))
    assert (over(said), muted(said), len(said.rows)) == ([], [], 1)
    assert await channels.kinds(WED) == ["digest", "edit"]


async def test_after_an_outage_the_end_is_said_by_the_next_session_that_is(
    channels: Channels,
) -> None:
    await put(channels.db, a_mute(sessions=1))
    assert len(over(await channels.say(MON, anomaly(session=MON)))) == 1
    # Held back until then: it is said late, and the end not once more.
    said = await channels.say(HALF, anomaly(session=HALF))
    assert (over(said), len(said.rows)) == ([], 1)
    assert over(await channels.say(TUE_AFTER, anomaly(session=TUE_AFTER))) == []


async def test_a_persons_own_hides_nothing_from_others_and_ends_on_record(
    channels: Channels,
) -> None:
    await put(channels.db, a_mute(owner=PERSON, sessions=1))
    for session in (WED, HALF):
        said = await channels.say(session, anomaly(session=session))
        assert (over(said), muted(said), len(said.rows)) == ([], [], 1)
    (one,) = await mutes_of(channels.db.rows, [PERSON], TUE)
    assert (one.ended_on, one.ended_by) == (HALF, TERM)
    assert one.over(HALF)
    assert not one.over(MON)
