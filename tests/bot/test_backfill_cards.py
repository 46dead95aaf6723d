"""The card of a backfill: one message, whatever dies between posting it and knowing that."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alerts.model import Destination
from bot.app import App
from core.errors import DeliveryAmbiguous, DeliveryDeferred, Reason
from core.jobs import Job
from tests.bot.small_market import ask
from tests.bot.test_backfilling import WEEK, There, at
from tests.chat import After, FakePlatform
from tests.contracts.senders import CHATS, HISTORY, Platform, requests
from tests.filled import EVE, Kind, until
from tests.market import NOW
from tests.shared import Shared

RUN = f"/backfill run {WEEK[0]} {WEEK[0]} announce"
HERE = Destination("discord", "456")
LOST = After(DeliveryAmbiguous(Reason.NO_ANSWER, "reset"))


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@pytest.fixture(params=list(CHATS))
async def chat(request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    """Discord and Slack."""
    async with CHATS[request.param]() as platform:
        platform.clock.at = NOW
        yield platform


async def newest(app: App) -> Job:
    job = await app.backfilling.runner.jobs.newest()
    assert job is not None
    return job


async def worked_off(there: There) -> None:
    runner = there.app.backfilling.runner
    await runner.work_off(await newest(there.app))
    while (job := await runner._afterwards.unsettled()) is not None:
        await runner.settle(job)


async def forgotten(app: App) -> None:
    """As if the process had died before it wrote down what it had posted."""
    async with app.db.transaction() as writer:
        await writer.execute("UPDATE jobs SET receipt = NULL, summary = NULL")


async def test_what_a_dead_process_has_posted_is_found_and_edited(
    folder: Path, chat: Platform
) -> None:
    async with at(folder, running=False, now=chat.clock) as there:
        app = there.app
        app.senders[chat.name] = chat.sender
        await ask(app, RUN, where=str(chat.to))
        await app.backfilling.runner.told(await newest(app))
        (card,) = chat.said()
        assert "0 of 1 session: under way" in card.whole
        assert requests(chat, HISTORY[chat.name]) == 0, "a new job's card is nowhere yet"
        await forgotten(app)
    chat.later(3600)
    async with at(folder, running=False, now=chat.clock) as there:
        there.app.senders[chat.name] = chat.sender
        chat.later(60)
        await worked_off(there)
        card, summary = chat.said()
        assert "1 of 1 session: done" in card.whole
        assert "Backfilled: 1 of 1 session" in summary.whole
        await forgotten(there.app)
    chat.later(3600)
    async with at(folder, running=False, now=chat.clock) as there:
        there.app.senders[chat.name] = chat.sender
        chat.later(60)
        await there.app.backfilling.runner.told(await newest(there.app))
        assert len(chat.said()) == 2
        job = await newest(there.app)
        assert job.receipt
        assert job.summary


async def test_a_lost_answer_is_looked_for_in_the_same_process(folder: Path) -> None:
    async with at(folder, running=False) as there:
        app, sender = there.app, FakePlatform(LOST)
        app.senders["discord"] = sender
        await ask(app, RUN)
        await app.backfilling.runner.told(await newest(app))
        assert (await newest(app)).receipt is None
        await worked_off(there)
        card, _ = sender.at(HERE)
        assert card.message.lead.endswith("1 of 1 session: done.")


async def test_what_a_platform_puts_off_is_said_a_little_later(folder: Path) -> None:
    async with at(folder, running=False) as there:
        busy = DeliveryDeferred(Reason.RATE_LIMITED, "429", retry_after_s=0.01)
        app, sender = there.app, FakePlatform()
        app.senders["discord"] = sender
        await ask(app, RUN.removesuffix(" announce"))
        await app.backfilling.runner.told(await newest(app))
        sender.failures.append(busy)
        await worked_off(there)
        (card,) = sender.at(HERE)
        for _ in range(200):
            if card.message.lead.endswith("1 of 1 session: done."):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(card.message.lead)


async def test_where_nobody_can_look_nothing_is_posted_twice(folder: Path) -> None:
    async with at(folder, running=False) as there:
        app, sender = there.app, FakePlatform(LOST)
        sender.history_is_readable = False
        app.senders["discord"] = sender
        await ask(app, RUN.removesuffix(" announce"))
        await app.backfilling.runner.told(await newest(app))
        await worked_off(there)
        assert len(sender.posts) == 1
