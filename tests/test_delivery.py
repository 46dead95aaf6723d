"""The outbox on real SQLite: in order, each destination alone, once, whatever a platform does."""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from alerts import outbox
from alerts.attempts import backed_off
from alerts.counted import depths
from alerts.decisions import after_a_restart
from alerts.deliver import Courier, Sender
from alerts.model import TERMINAL, ChartOf, Destination, Kind, Picture, Receipt, Report
from alerts.publish import HEARTBEAT, REPORT, Outbox, delivered, published, told
from alerts.subscriptions import subscribe
from alerts.troubled import troubled
from alerts.wants import QuietHours, Wants
from core.calendar import trading_day
from core.db import Db
from core.errors import DeliveryAmbiguous, DeliveryDeferred, DeliveryRefused, Reason
from core.migrate import MIGRATIONS, migrate
from tests.chat import After, FakePlatform
from tests.fakes import FakeClock
from tests.records import DAILY, SESSION, anomaly, judged, said
from tests.states import new_state

OTHER = Destination("fake", "C1")
OPERATOR = Destination("fake", "OPS")
NEXT = date(2026, 12, 18)
START = datetime(2026, 12, 18, 6, tzinfo=UTC)

BUSY = DeliveryDeferred(Reason.RATE_LIMITED, "429", retry_after_s=1)
RESET = DeliveryAmbiguous(Reason.CONNECTION_LOST, "reset")
GONE = DeliveryRefused(Reason.CHANNEL_GONE, "404")


def now() -> datetime:
    """A fixed clock."""
    return START


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    """A fresh state database."""
    async with Db.open(await new_state(tmp_path)) as opened:
        yield opened


def courier(db: Db, clock: FakeClock | None = None, **senders: Sender) -> Courier:
    """One that has these platforms."""
    return Courier(db, dict(senders), clock or now, operator=OPERATOR)


async def publish(
    db: Db,
    session: date = SESSION,
    revision: int = 1,
    names: Sequence[str] = ("XYZQ",),
    to: Sequence[Destination] = (TERMINAL, OTHER),
    *,
    heartbeat: bool = False,
) -> None:
    """One judged session into the outbox."""
    made = (anomaly(name, session=session) for name in names)
    async with db.transaction() as writer:
        await Outbox(to, 10, heartbeat=heartbeat)(
            writer, judged(*made, session=session, revision=revision), now()
        )


async def states(db: Db, destination: Destination = OTHER, kind: Kind = Kind.DIGEST) -> list[str]:
    """The states at one destination, by session."""
    rows = await db.rows(
        "SELECT state FROM deliveries WHERE destination = ? AND kind = ?"
        " ORDER BY session, revision, id",
        (str(destination), kind),
    )
    return [row["state"] for row in rows]


async def reasons(db: Db, destination: Destination = OTHER) -> list[tuple[str, str]]:
    """Every attempt there: what it did and how it ended."""
    rows = await db.rows(
        "SELECT a.what, a.reason FROM delivery_attempts AS a JOIN deliveries AS d"
        " ON d.key = a.delivery WHERE d.destination = ? ORDER BY a.id",
        (str(destination),),
    )
    return [(row["what"], row["reason"]) for row in rows]


async def test_publishing_twice_is_one_message(db: Db) -> None:
    await publish(db)
    await publish(db)
    assert await states(db) == ["pending"]


async def test_a_revision_with_the_same_names_edits_the_message_without_a_word(db: Db) -> None:
    platform = FakePlatform()
    await publish(db)
    await courier(db, fake=platform).drain()
    await publish(db, revision=2)
    await courier(db, fake=platform).drain()
    (post,) = platform.posts
    assert [m.context[-1].split(" · ")[-1] for m in post.versions] == [
        "data revision 1",
        "data revision 2",
    ]
    said = await published(db, DAILY, trading_day(SESSION))
    assert [one.judged.revision for one in said] == [1, 2]


async def test_a_name_that_enters_or_leaves_is_one_line_in_the_thread(db: Db) -> None:
    platform = FakePlatform()
    await publish(db, names=("STAY", "GONE"))
    await courier(db, fake=platform).drain()
    await publish(db, revision=2, names=("STAY", "GONE"))
    await publish(db, revision=3, names=("STAY", "CAME"))
    await courier(db, fake=platform).drain()
    digest, correction = platform.posts
    assert "EOD anomalies" in digest.letter.message.title
    assert len(digest.versions) == 2, "the edit of revision 2 gave way to that of revision 3"
    assert digest.message.rows[1].head.startswith("2. CAME")
    assert correction.letter.anchor is not None
    assert correction.letter.anchor.message_id == digest.id
    assert "CAME enters and GONE leaves the list" in correction.message.lead


async def test_a_correction_that_waits_is_replaced_by_what_a_later_revision_says(db: Db) -> None:
    platform = FakePlatform()
    await publish(db, names=("STAY", "GONE"))
    await courier(db, fake=platform).drain()
    await publish(db, revision=2, names=("STAY",))
    await publish(db, revision=3, names=("STAY", "GONE"))
    await courier(db, fake=platform).drain()
    assert len(platform.posts) == 1
    await publish(db, revision=4, names=("GONE",))
    await courier(db, fake=platform).drain()
    assert "STAY leaves the list" in platform.leads[1]


async def test_a_digest_that_waits_goes_out_with_the_newest_numbers_only(db: Db) -> None:
    platform, clock = FakePlatform(BUSY), FakeClock(START)
    await publish(db, names=("OLDER",))
    assert await courier(db, clock, fake=platform).drain() == 0
    await publish(db, revision=2, names=("NEWER",))
    assert await courier(db, clock, fake=platform).drain() == 1
    (lead,) = platform.leads
    assert "NEWER" in lead
    assert "OLDER" not in lead


async def test_what_may_have_arrived_is_not_replaced_by_a_later_revision(db: Db) -> None:
    """A pending digest may be withdrawn; an ambiguous one is there, or will be: it is edited."""
    platform, clock = FakePlatform(After(RESET)), FakeClock(START)
    await publish(db, names=("OLDER",))
    await courier(db, clock, fake=platform).drain()
    await publish(db, revision=2, names=("NEWER",))
    clock.at += timedelta(minutes=1)
    await courier(db, clock, fake=platform).drain()
    digest, correction = platform.posts
    assert digest.message.rows[0].head.startswith("1. NEWER")
    assert "NEWER enters and OLDER leaves" in correction.message.lead


async def test_only_what_was_a_line_of_the_last_digests_is_folded(db: Db) -> None:
    names = [f"T{n}" for n in range(11)]
    labels = ["news-like", "crowd"]

    async def say(session: date, *, again: bool) -> Report:
        made = (anomaly(name, session=session, label=labels[n % 2], continuing=again)
                for n, name in enumerate(names))  # fmt: skip
        async with db.transaction() as writer:
            await Outbox([OTHER], 10)(writer, judged(*made, session=session), now())
        return (await published(db, DAILY, trading_day(session)))[-1]

    first = await say(SESSION, again=False)
    second = await say(NEXT, again=True)
    assert [a.ticker for a in first.beyond] == ["T10"]
    assert [a.ticker for a in second.pushed] == ["T10"], "it was never said"
    assert len(second.folded) == 10
    assert await told(db.rows, DAILY, SESSION) is None
    assert await told(db.rows, DAILY, NEXT) == set(names[:10])
    platform = FakePlatform()
    await courier(db, fake=platform).drain()
    digests = [post.message for post in platform.posts if post.letter.anchor is None]
    assert [len(message.rows) for message in digests] == [10, 1], "as the channel heard it"
    (details,) = (post.message for post in platform.posts if post.letter.anchor is not None)
    assert [row.head.split()[0] for row in details.rows] == ["T10"], "past the cap, in the thread"


async def test_what_was_delivered_is_what_was_sent(db: Db) -> None:
    platform = FakePlatform(BUSY)
    await publish(db, names=("OLDER",))
    await courier(db, fake=platform).drain()
    assert await delivered(db, DAILY, trading_day(SESSION)) == []
    await publish(db, revision=2, names=("NEWER",))
    await courier(db, fake=platform).drain()
    (sent,) = await delivered(db, DAILY, trading_day(SESSION))
    assert sent.judged.revision == 2


async def test_what_was_refused_is_said_anew_by_a_later_revision(db: Db) -> None:
    platform = FakePlatform(GONE)
    await publish(db, names=("OLDER", "SECOND"))
    await courier(db, fake=platform).drain()
    await publish(db, revision=2, names=("NEWER", "SECOND"))
    await courier(db, fake=platform).drain()
    assert [post.letter.message.title.split(" · ")[0] for post in platform.at(OTHER)] == [
        "EOD anomalies"
    ]
    assert await states(db, kind=Kind.DETAILS) == ["expired", "expired"]


async def test_a_report_reads_back_as_it_was_published(db: Db) -> None:
    await publish(db)
    said = await published(db, DAILY, trading_day(SESSION))
    assert said[0].judged == judged(anomaly(session=SESSION), session=SESSION)


async def test_messages_go_out_in_order_and_once(db: Db) -> None:
    platform = FakePlatform()
    await publish(db, NEXT)
    await publish(db)
    assert await courier(db, fake=platform).drain() == 2
    assert await courier(db, fake=platform).drain() == 0
    assert ["17 Dec" in title for title in platform.sent] == [True, False]
    assert await states(db, TERMINAL) == ["pending", "pending"], "nobody was there to send them"


async def test_a_deferred_message_is_not_overtaken(db: Db) -> None:
    platform, clock = FakePlatform(BUSY), FakeClock(START)
    await publish(db)
    await publish(db, NEXT)
    assert await courier(db, clock, fake=platform).drain() == 0
    assert await states(db) == ["pending", "pending"]
    clock.at += timedelta(seconds=0.9)
    assert await courier(db, clock, fake=platform).drain() == 0, "it was told to wait a second"
    clock.at += timedelta(seconds=2)
    assert await courier(db, clock, fake=platform).drain() == 2
    assert await reasons(db) == [
        ("send", "rate limited"),
        ("send", "delivered"),
        ("send", "delivered"),
    ]


async def test_a_refusal_is_recorded_and_delays_nobody_else(db: Db) -> None:
    failing, well = FakePlatform(GONE), FakePlatform()
    await publish(db)
    await courier(db, fake=failing, console=well).drain()
    assert await states(db) == ["refused"]
    assert await states(db, TERMINAL) == ["sent"]
    row = await db.row("SELECT reason, seen FROM deliveries WHERE state = 'refused'")
    assert row is not None
    assert tuple(row) == ("no such channel", "404")


async def test_a_destination_that_hangs_delays_nobody_else(db: Db) -> None:
    platform = FakePlatform()
    platform.gates[OTHER] = asyncio.Event()
    third = Destination("fake", "C3")
    await publish(db, to=(OTHER, third))
    slow = courier(db, fake=platform)
    running = asyncio.create_task(slow.run())
    for _ in range(400):
        await asyncio.sleep(0.01)
        if await states(db, third) == ["sent"]:
            break
    await publish(db, NEXT, to=(OTHER, third))
    slow.ring()
    for _ in range(400):
        await asyncio.sleep(0.01)
        if await states(db, third) == ["sent", "sent"]:
            break
    assert await states(db, OTHER) == ["sending", "pending"]
    assert await states(db, third) == ["sent", "sent"]
    platform.gates[OTHER].set()
    await slow.close()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await states(db, OTHER) == ["sent", "pending"], "begun is finished, nothing new begins"


async def test_two_drains_at_once_send_once(db: Db) -> None:
    platform = FakePlatform()
    await publish(db)
    await asyncio.gather(*(courier(db, fake=platform).drain() for _ in range(5)))
    assert len(platform.posts) == 1


@pytest.mark.parametrize("arrived", [True, False])
async def test_what_may_have_arrived_is_looked_for_before_it_is_sent_again(
    db: Db, arrived: bool
) -> None:
    platform, clock = FakePlatform(After(RESET) if arrived else RESET), FakeClock(START)
    await publish(db)
    await courier(db, clock, fake=platform).drain()
    assert await states(db) == ["ambiguous"]
    clock.at += timedelta(minutes=5)
    await courier(db, clock, fake=platform).drain()
    assert await states(db) == ["sent"]
    assert len(platform.posts) == 1
    assert platform.looks[0].since == START
    assert await reasons(db) == [
        ("send", "connection lost"),
        *(
            [("look", "found already there")]
            if arrived
            else [("look", "not there, or harmless to repeat"), ("send", "delivered")]
        ),
    ]


async def test_patience_that_is_asked_for_proves_nothing_about_the_attempt_before(db: Db) -> None:
    """Not there when looked for, then a 429: the next step is to look once more, not to send."""
    platform, clock = FakePlatform(RESET, BUSY), FakeClock(START)
    await publish(db)
    await courier(db, clock, fake=platform).drain()
    clock.at += timedelta(minutes=5)
    await courier(db, clock, fake=platform).drain()
    assert await states(db) == ["ambiguous"]
    clock.at += timedelta(minutes=5)
    await courier(db, clock, fake=platform).drain()
    assert await states(db) == ["sent"]
    assert [what for what, _ in await reasons(db)] == ["send", "look", "send", "look", "send"]


async def test_where_nobody_can_look_it_waits_for_an_operator_and_delays_no_later_session(
    db: Db,
) -> None:
    platform, clock = FakePlatform(After(RESET)), FakeClock(START)
    platform.history_is_readable = False
    await publish(db)
    await publish(db, NEXT)
    await courier(db, clock, fake=platform).drain()
    clock.at += timedelta(minutes=5)
    await courier(db, clock, fake=platform).drain()
    assert await states(db) == ["ambiguous", "sent"]
    assert await outbox.heads(db, START) == {TERMINAL: START}
    (notice,) = platform.at(OPERATOR)
    assert "may or may not have arrived" in notice.message.lead


async def test_an_edit_is_repeated_without_looking(db: Db) -> None:
    platform, clock = FakePlatform(), FakeClock(START)
    await publish(db)
    await courier(db, clock, fake=platform).drain()
    await publish(db, revision=2)
    platform.failures.append(After(RESET))
    await courier(db, clock, fake=platform).drain()
    clock.at += timedelta(minutes=5)
    await courier(db, clock, fake=platform).drain()
    assert platform.looks == []
    assert len(platform.posts) == 1
    assert await states(db, kind=Kind.EDIT) == ["sent"]


async def test_after_a_crash_while_sending_it_is_looked_for_and_the_terminal_shows_it_again(
    db: Db,
) -> None:
    platform, terminal = FakePlatform(), FakePlatform()
    await publish(db)
    for destination in (OTHER, TERMINAL):
        first = await outbox.first_in_line(db, destination, START)
        assert first is not None
        assert await outbox.begin(db, first, outbox.What.SEND, now()) is not None
    assert await courier(db, fake=platform, console=terminal).drain() == 0, "who knows who sends it"
    await outbox.interrupted(db, now())
    assert await courier(db, fake=platform, console=terminal).drain() == 2
    assert len(platform.looks) == 1
    assert (len(platform.posts), len(terminal.posts)) == (1, 1)


async def test_pauses_grow_are_bounded_and_no_shorter_than_asked_for(db: Db) -> None:
    pauses = [backed_off(n).total_seconds() for n in range(1, 40)]
    assert all(min(2.0**n, 600) / 2 <= p <= 600 for n, p in enumerate(pauses))
    assert backed_off(1, 30).total_seconds() >= 30
    assert len(set(pauses)) == len(pauses), "jitter"


async def test_what_could_not_be_delivered_in_a_week_is_given_up_and_told(db: Db) -> None:
    platform, clock = FakePlatform(*[BUSY] * 3), FakeClock(START)
    await publish(db, to=(OTHER,))
    for _ in range(3):
        await courier(db, clock, fake=platform).drain()
        clock.at += timedelta(days=2)
    clock.at += timedelta(days=2)
    await courier(db, clock, fake=platform).drain()
    assert await states(db) == ["expired"]
    assert [post.destination for post in platform.posts] == [OPERATOR]


async def test_where_nobody_can_speak_any_more_it_is_given_up_after_a_week_as_well(db: Db) -> None:
    """A token was taken out of the settings."""
    platform, clock = FakePlatform(), FakeClock(START)
    gone, left = Destination("gone", "C9"), courier(db, clock, fake=platform)
    await publish(db, names=("AAA", "BBB"), to=(gone, OTHER))
    await publish(db, NEXT, to=(gone,))
    await left.drain()
    clock.at += timedelta(days=7)
    await left.drain()
    assert await states(db, gone) == ["pending", "pending"]
    clock.at += timedelta(seconds=1)
    await left.drain()
    assert await states(db, gone) == ["expired", "expired"]
    assert await states(db, gone, Kind.DETAILS) == ["expired"]
    await left.drain()
    assert "too old" in platform.at(OPERATOR)[0].message.lead


async def test_behind_what_quiet_hours_hold_up_nothing_is_late(db: Db) -> None:
    """Nobody is to be woken by it; once they are over, what still waits counts as what it is."""
    platform, clock = FakePlatform(*[BUSY] * 9), FakeClock(START)
    wants = Wants(quiet=QuietHours(time(0), time(12), "UTC"))
    await subscribe(db, OTHER, wants, who="ann", now=START)
    await publish(db, names=("AAA", "BBB"), to=(OTHER,))
    await publish(db, NEXT, names=("CCC", "DDD"), to=(OTHER,))
    await courier(db, clock, fake=platform).drain()
    assert {d.state: d.count for d in await depths(db, clock.at)} == {"quiet": 4}
    clock.at += timedelta(hours=6, seconds=1)
    assert {d.state: d.count for d in await depths(db, clock.at)} == {"pending": 4}
    await courier(db, clock, fake=platform).drain()
    assert {d.state: d.count for d in await depths(db, clock.at)} == {"pending": 4}


async def test_a_picture_that_cannot_be_drawn_delays_nothing(
    db: Db, caplog: pytest.LogCaptureFixture
) -> None:
    async def draw(of: ChartOf) -> Picture:
        raise ValueError(of.ticker)

    platform = FakePlatform()
    await publish(db, names=("AAA", "BBB"), to=(OTHER,))
    await publish(db, NEXT, names=("CCC", "DDD"), to=(OTHER,))
    await Courier(db, {"fake": platform}, now, draw).drain()
    assert await states(db) == ["sent", "sent"]
    assert await states(db, kind=Kind.DETAILS) == ["expired", "expired"]
    assert "a picture cannot be drawn" in caplog.text


async def test_a_change_of_wishes_is_no_change_of_the_market(db: Db) -> None:
    platform = FakePlatform()
    await subscribe(db, OTHER, Wants(), who="me", now=now())
    await publish(db, names=("AAA", "BBB"), to=())
    await courier(db, fake=platform).drain()
    await subscribe(db, OTHER, Wants(top=1), who="me", now=now())
    await publish(db, revision=2, names=("AAA", "BBB"), to=())
    await courier(db, fake=platform).drain()
    (post,) = platform.posts
    assert len(post.message.rows) == 2, "by the wishes of the session's first revision"
    await publish(db, NEXT, names=("AAA", "BBB"), to=())
    await courier(db, fake=platform).drain()
    digests = [p.message for p in platform.posts if p.letter.anchor is None]
    assert [len(message.rows) for message in digests] == [2, 1]


async def test_operators_hear_once_of_a_channel_that_fails_session_after_session(db: Db) -> None:
    platform = FakePlatform(GONE)
    await publish(db, to=(OTHER,))
    await courier(db, fake=platform).drain()
    platform.failures.append(GONE)
    await publish(db, NEXT, to=(OTHER,))
    await courier(db, fake=platform).drain()
    assert await states(db) == ["refused", "refused"]
    (notice,) = platform.at(OPERATOR)
    assert not notice.letter.silent, "somebody has to do something"
    seen = await troubled(db, 25)
    assert (seen.stuck, len(seen.first), list(seen.alike.values())) == (2, 1, [1])


async def test_what_a_refused_token_cost_goes_out_after_a_restart_once(db: Db) -> None:
    platform = FakePlatform()
    for revision, name in enumerate(("OLDER", "NEWER"), 1):
        platform.failures.append(DeliveryRefused(Reason.TOKEN_REFUSED, "401"))
        await publish(db, revision=revision, names=(name,), to=(OTHER,))
        await courier(db, fake=platform).drain()
    assert await states(db) == ["refused", "refused"]
    platform.posts.clear()
    await after_a_restart(db, now())
    await after_a_restart(db, now())
    await courier(db, fake=platform).drain()
    (post,) = platform.at(OTHER)
    assert "NEWER" in post.message.lead


async def test_operators_hear_of_many_refusals_of_one_kind_once(db: Db) -> None:
    channels = [Destination("fake", f"C{n}") for n in range(20)]
    platform = FakePlatform(*[GONE] * 20)
    await publish(db, to=channels)
    await courier(db, fake=platform).drain()
    (notice,) = platform.posts
    assert "was not delivered: no such channel (404)" in notice.message.lead


@contextmanager
def full_disk() -> Iterator[None]:
    """The kernel refuses every write behind a file's first page."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_is_full_after_a_send_loses_nothing_and_sends_nothing_twice(
    db: Db, caplog: pytest.LogCaptureFixture
) -> None:
    platform, room = FakePlatform(), ExitStack()
    platform.on_send = lambda: room.enter_context(full_disk())
    await publish(db, to=(OTHER,))
    one = courier(db, fake=platform)
    with room, pytest.raises(sqlite3.OperationalError):
        await one.drain()
    assert "a lane failed" in caplog.text
    assert await states(db) == ["sending"], "what became of it could not be written down"
    one._resting.clear()
    await one.drain()
    assert await states(db) == ["sent"]
    assert ("look", "found already there") in await reasons(db)
    assert len(platform.posts) == 1


async def test_with_a_full_disk_nothing_is_sent_that_was_not_written_down(db: Db) -> None:
    platform = FakePlatform()
    await publish(db, to=(OTHER,))
    one = courier(db, fake=platform)
    with full_disk():
        await one.drain()
    assert platform.posts == []
    one._resting.clear()
    await one.drain()
    assert len(platform.posts) == 1


async def test_publishing_beats_the_heart_once_a_session(db: Db) -> None:
    heart = FakePlatform()
    await publish(db, heartbeat=True)
    await publish(db, revision=2, heartbeat=True)
    await courier(db, heartbeat=heart).drain()
    assert [post.destination for post in heart.posts] == [HEARTBEAT]


async def test_a_quiet_day_is_one_line_without_a_sound(db: Db) -> None:
    platform = FakePlatform()
    await publish(db, names=())
    await courier(db, fake=platform).drain()
    (post,) = platform.posts
    assert post.message.brief
    assert post.letter.silent
    assert await states(db, kind=Kind.DETAILS) == []


async def test_one_picture_is_in_the_digest_and_the_others_in_its_thread(db: Db) -> None:
    async def draw(of: ChartOf) -> Picture:
        return Picture(of.ticker.encode(), f"chart of {of.ticker}")

    platform, clock = FakePlatform(RESET), FakeClock(START)
    await publish(db, names=("AAA", "BBB", "CCC", "DDD"), to=(OTHER,))
    one = Courier(db, {"fake": platform}, clock, draw)
    await one.drain()
    assert platform.posts == [], "the pictures wait for the digest"
    clock.at += timedelta(minutes=5)
    await one.drain()
    digest, details = platform.posts
    assert details.letter.anchor == Receipt(digest.id)
    assert [p.png for p in digest.letter.pictures] == [b"AAA"]
    assert [p.png for p in details.letter.pictures] == [b"BBB", b"CCC"]


def older_database(folder: Path) -> Path:
    """A state database as the schema before had it, with one digest sent and one waiting."""
    older, path = folder / "older", folder / "state.db"
    older.mkdir()
    for script in sorted(MIGRATIONS.glob("[0-9]*.sql"))[:4]:
        (older / script.name).write_text(script.read_text())
    migrate(path, older)
    of = (DAILY.key, str(SESSION))
    report = REPORT.dump_json(said(anomaly("OLDN"))).decode()
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("INSERT INTO digests VALUES (?, ?, 1, ?, '')", (*of, report))
        old.execute("INSERT INTO anomalies VALUES (?, ?, 1, 1, 'OLDN', 'crowd', 9, 5, 1)", of)
        for state in ("sent", "pending"):
            old.execute(
                "INSERT INTO deliveries (key, destination, series, session, revision, state,"
                " created_at, changed_at) VALUES (?, ?, ?, ?, 1, ?, ?, ?)",
                (state, str(TERMINAL), *of, state, *["2026-12-18T06:00:00+00:00"] * 2),
            )
    return path


async def test_a_database_of_the_schema_before_keeps_what_was_said(tmp_path: Path) -> None:
    path = await asyncio.to_thread(older_database, tmp_path)
    async with Db.open(path) as db:
        assert sorted(await states(db, TERMINAL)) == ["expired", "sent"]
        (sent,) = await delivered(db, DAILY, trading_day(SESSION))
        assert [a.ticker for a in sent.pushed] == ["OLDN"]
        await publish(db, revision=2, names=("NEWN",), to=(TERMINAL,))
        terminal = FakePlatform()
        await courier(db, console=terminal).drain()
        assert await states(db, TERMINAL, Kind.CORRECTION) == ["expired"], "no receipt to answer to"
