"""The outbox on real SQLite: in order, each destination alone, once, whatever a platform does."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from alerts.deliver import drain, recover
from alerts.model import TERMINAL, Destination, Message, Receipt, Report, State
from alerts.publish import Outbox, delivered, published, told
from core.calendar import trading_day
from core.db import Db
from core.errors import DeliveryAmbiguous, DeliveryDeferred, DeliveryRefused
from tests.records import DAILY, SESSION, anomaly, judged

OTHER = Destination("fake", "C1")
NEXT = date(2026, 12, 18)


def now() -> datetime:
    """A fixed clock."""
    return datetime(2026, 12, 18, 6, tzinfo=UTC)


class FakePlatform:
    """A Sender that keeps what it accepted and fails as it is told."""

    def __init__(self, *failures: Exception) -> None:
        self.sent: list[str] = []
        self.leads: list[str] = []
        self._failures = list(failures)

    async def send(self, destination: Destination, message: Message, key: str) -> Receipt:
        """Fails once for each failure, then accepts."""
        await asyncio.sleep(0)
        if self._failures:
            raise self._failures.pop(0)
        self.sent.append(message.title)
        self.leads.append(message.lead)
        return Receipt(f"m{len(self.sent)}")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    """A fresh state database."""
    async with Db.open(tmp_path / "state.db") as opened:
        yield opened


async def publish(
    db: Db, session: date = SESSION, revision: int = 1, names: Sequence[str] = ("XYZQ",)
) -> None:
    """One judged session into the outbox of two destinations."""
    made = (anomaly(name, session=session) for name in names)
    async with db.transaction() as writer:
        await Outbox([TERMINAL, OTHER], 10)(
            writer, judged(*made, session=session, revision=revision), now()
        )


async def states(db: Db, destination: Destination = OTHER) -> list[str]:
    """The states at one destination, by session."""
    rows = await db.rows(
        "SELECT state FROM deliveries WHERE destination = ? ORDER BY session, revision",
        (str(destination),),
    )
    return [row["state"] for row in rows]


async def test_publishing_twice_is_one_message(db: Db) -> None:
    await publish(db)
    await publish(db)
    assert await states(db) == ["pending"]


async def test_a_revision_with_the_same_names_is_recorded_without_a_word(db: Db) -> None:
    platform = FakePlatform()
    await publish(db)
    await drain(db, {"fake": platform}, now)
    await publish(db, revision=2)
    assert await drain(db, {"fake": platform}, now) == 0
    said = await published(db, DAILY, trading_day(SESSION))
    assert [one.judged.revision for one in said] == [1, 2]


async def test_a_name_that_enters_or_leaves_is_one_correction(db: Db) -> None:
    platform = FakePlatform()
    await publish(db, names=("STAY", "GONE"))
    await drain(db, {"fake": platform}, now)
    await publish(db, revision=2, names=("STAY", "GONE"))
    await publish(db, revision=3, names=("STAY", "CAME"))
    await drain(db, {"fake": platform}, now)
    digest, correction = platform.sent
    assert "EOD anomalies" in digest
    assert correction.startswith("Correction · EOD anomalies")
    assert "CAME enters and GONE leaves the list" in platform.leads[1]


async def test_a_correction_that_waits_is_replaced_by_what_a_later_revision_says(db: Db) -> None:
    platform = FakePlatform()
    await publish(db, names=("STAY", "GONE"))
    await drain(db, {"fake": platform}, now)
    await publish(db, revision=2, names=("STAY",))
    await publish(db, revision=3, names=("STAY", "GONE"))
    assert await drain(db, {"fake": platform}, now) == 0
    await publish(db, revision=4, names=("GONE",))
    await drain(db, {"fake": platform}, now)
    assert "STAY leaves the list" in platform.leads[1]


async def test_a_digest_that_waits_goes_out_with_the_newest_numbers_only(db: Db) -> None:
    platform = FakePlatform(DeliveryDeferred("429", retry_after_s=1.0))
    await publish(db, names=("OLDER",))
    assert await drain(db, {"fake": platform}, now) == 0
    await publish(db, revision=2, names=("NEWER",))
    assert await drain(db, {"fake": platform}, now) == 1
    (lead,) = platform.leads
    assert "NEWER" in lead
    assert "OLDER" not in lead


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


async def test_what_was_delivered_is_what_was_sent(db: Db) -> None:
    platform = FakePlatform(DeliveryDeferred("429", retry_after_s=1.0))
    await publish(db, names=("OLDER",))
    await drain(db, {"fake": platform}, now)
    assert await delivered(db, DAILY, trading_day(SESSION)) == []
    await publish(db, revision=2, names=("NEWER",))
    await drain(db, {"fake": platform}, now)
    (sent,) = await delivered(db, DAILY, trading_day(SESSION))
    assert sent.judged.revision == 2


@pytest.mark.parametrize(
    ("failure", "said"),
    [(DeliveryAmbiguous("reset"), ["Correction"]), (DeliveryRefused("gone"), ["EOD anomalies"])],
)
async def test_what_may_have_arrived_is_corrected_and_what_did_not_is_said_anew(
    db: Db, failure: Exception, said: list[str]
) -> None:
    platform = FakePlatform(failure)
    await publish(db, names=("OLDER",))
    await drain(db, {"fake": platform}, now)
    await publish(db, revision=2, names=("NEWER",))
    await drain(db, {"fake": platform}, now)
    assert [title.split(" · ")[0] for title in platform.sent] == said


async def test_a_report_reads_back_as_it_was_published(db: Db) -> None:
    await publish(db)
    said = await published(db, DAILY, trading_day(SESSION))
    assert said[0].judged == judged(anomaly(session=SESSION), session=SESSION)


async def test_messages_go_out_in_order_and_once(db: Db) -> None:
    platform = FakePlatform()
    await publish(db, NEXT)
    await publish(db)
    assert await drain(db, {"fake": platform}, now) == 2
    assert await drain(db, {"fake": platform}, now) == 0
    assert ["17 Dec" in title for title in platform.sent] == [True, False]
    assert await states(db, TERMINAL) == ["pending", "pending"], "nobody was there to send them"


async def test_a_deferred_message_is_not_overtaken(db: Db) -> None:
    platform = FakePlatform(DeliveryDeferred("429", retry_after_s=1))
    await publish(db)
    await publish(db, NEXT)
    assert await drain(db, {"fake": platform}, now) == 0
    assert await states(db) == ["pending", "pending"]
    assert await drain(db, {"fake": platform}, now) == 2


@pytest.mark.parametrize(
    ("failure", "state"),
    [(DeliveryAmbiguous("reset"), "ambiguous"), (DeliveryRefused("gone"), "refused")],
)
async def test_a_failure_is_recorded_with_its_reason_and_delays_nobody_else(
    db: Db, failure: Exception, state: str
) -> None:
    failing, well = FakePlatform(failure), FakePlatform()
    await publish(db)
    await drain(db, {"fake": failing, "console": well}, now)
    assert await states(db) == [state]
    assert await states(db, TERMINAL) == ["sent"]
    row = await db.row("SELECT reason FROM deliveries WHERE state = ?", (state,))
    assert row is not None
    assert row["reason"] == str(failure)


async def test_two_drains_at_once_send_once(db: Db) -> None:
    platform = FakePlatform()
    await publish(db)
    await asyncio.gather(*(drain(db, {"fake": platform}, now) for _ in range(5)))
    assert len(platform.sent) == 1


async def test_after_a_crash_while_sending_it_is_ambiguous_and_the_terminal_shows_it_again(
    db: Db,
) -> None:
    await publish(db)
    async with db.transaction() as writer:
        await writer.execute("UPDATE deliveries SET state = ?", (State.SENDING,))
    await recover(db, now)
    assert await states(db) == ["ambiguous"]
    assert await states(db, TERMINAL) == ["pending"]
