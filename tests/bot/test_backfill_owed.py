"""What the card of a backfill is owed: whoever moved the job, and whatever ended meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.model import Destination
from bot.app import App
from bot.job_cards import JobCards
from core.afterwards import Afterwards
from core.errors import DeliveryDeferred, DeliveryRefused, Reason
from core.jobs import Jobs, JobState, Outcome, Unit
from tests.bot.small_market import ask, told
from tests.bot.test_backfill_cards import newest, worked_off
from tests.bot.test_backfilling import SPAN, WEEK, Threads, at
from tests.chat import FakePlatform
from tests.filled import EVE, Kind, until
from tests.market import NOW
from tests.shared import Shared

HERE = Destination("discord", "456")
RUN = f"/backfill run {WEEK[0]} {WEEK[0]}"
DOWN = DeliveryDeferred(Reason.UNREACHABLE, "the platform is away", retry_after_s=900)


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@asynccontextmanager
async def shown(app: App, sender: FakePlatform) -> AsyncIterator[None]:
    """The service's part: whatever is owed is shown."""
    app.senders["discord"] = sender
    showing = asyncio.create_task(app.cards.run())
    yield
    showing.cancel()
    with suppress(asyncio.CancelledError):
        await showing


async def says(sender: FakePlatform, words: str) -> None:
    """The card, within seconds."""
    for _ in range(300):
        if (there := sender.at(HERE)) and words in there[0].message.lead:
            return
        await asyncio.sleep(0.01)
    raise AssertionError([post.message.lead for post in sender.at(HERE)])


async def test_a_pause_while_it_rests_is_on_the_card(folder: Path) -> None:
    sender = FakePlatform()
    async with at(folder) as there, shown(there.app, sender):
        runner = there.app.backfilling.runner
        runner.rest_s = 60
        assert isinstance(runner.pool.crew, Threads)
        runner.pool.crew.away = "they are on holiday"
        await told(there.app, f"/backfill run {SPAN}")
        await says(sender, "under way")
        await told(there.app, "/backfill pause")
        await says(sender, "0 of 5 sessions: paused")
        (card,) = sender.at(HERE)
        assert card.message.actions[0].label == "Resume"


@pytest.mark.parametrize(("word", "state"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_a_word_while_the_newest_session_comes_in_is_on_the_card_at_once(
    folder: Path, word: str, state: str
) -> None:
    sender = FakePlatform()
    async with at(folder) as there, shown(there.app, sender):
        there.app.backfilling.runner.free.clear()
        await told(there.app, f"/backfill run {SPAN}")
        await says(sender, "under way")
        await told(there.app, f"/backfill {word}")
        await says(sender, state)
        assert not there.app.backfilling.runner.free.is_set()


async def test_what_another_process_has_done_is_on_the_card(folder: Path) -> None:
    sender = FakePlatform()
    async with at(folder, running=False) as there, shown(there.app, sender):
        app = there.app
        await ask(app, RUN)
        await says(sender, "under way")
        app.cards.look_s = 0.05
        app.backfilling.runner.wake()
        await asyncio.sleep(0.1)
        # As a shell does it: the tables are all that they share.
        await Jobs(app.db, app.now).state(await newest(app), JobState.CANCELLED)
        await says(sender, "cancelled")


async def test_an_end_and_a_summary_that_a_platform_did_not_take_are_owed_after_a_restart(
    folder: Path,
) -> None:
    sender = FakePlatform()
    async with at(folder, running=False) as there:
        there.app.senders["discord"] = sender
        await ask(there.app, f"{RUN} announce")
        await there.app.backfilling.runner.told(await newest(there.app))
        sender.failures += [DOWN] * 9
        await worked_off(there)
        assert (await newest(there.app)).state is JobState.DONE
    sender.failures.clear()
    assert "under way" in sender.at(HERE)[0].message.lead
    async with at(folder) as there, shown(there.app, sender):
        await says(sender, "1 of 1 session: done")
        for _ in range(300):
            if len(sender.at(HERE)) == 2:
                break
            await asyncio.sleep(0.01)
        card, summary = sender.at(HERE)
        assert summary.message.lead.startswith("Backfilled: 1 of 1 session")
        async with asyncio.timeout(10):
            while await Afterwards(there.app.db).owed(NOW):  # noqa: ASYNC110 - a table rings nobody
                await asyncio.sleep(0.01)
        versions = len(card.versions)
    async with at(folder) as there, shown(there.app, sender):
        await asyncio.sleep(0.2)
    card, _ = sender.at(HERE)
    assert len(card.versions) == versions, "nothing is owed any more"


async def test_what_ended_long_ago_is_owed_nobody(folder: Path) -> None:
    async with at(folder, running=False) as there:
        await ask(there.app, f"{RUN} announce")
        await worked_off(there)
    sender = FakePlatform()
    async with (
        at(folder, running=False, now=lambda: NOW + timedelta(days=8)) as there,
        shown(there.app, sender),
    ):
        await asyncio.sleep(0.2)
        assert sender.at(HERE) == []


async def test_a_channel_that_refuses_the_summary_is_asked_once(folder: Path) -> None:
    refused = DeliveryRefused(Reason.CHANNEL_GONE, "no such channel")
    sender = FakePlatform()
    async with at(folder, running=False) as there:
        app = there.app
        await ask(app, f"{RUN} announce")
        await worked_off(there)
        sender.failures += [refused] * 2
        app.cards.look_s, app.cards.every_s = 0.01, 0.0
        async with shown(app, sender):
            for _ in range(300):
                if not sender.failures:
                    break
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
        assert sender.posts == []
        assert (await newest(app)).summary == ""


async def stored(app: App) -> None:
    """One more session has come in."""
    jobs = app.backfilling.runner.jobs
    day = await jobs.take(await newest(app))
    assert day is not None
    await jobs.put(await newest(app), day, Outcome(Unit.STORED, 1.0))


async def test_an_edit_that_came_too_early_is_made_up_for(folder: Path) -> None:
    sender = FakePlatform()
    async with at(folder, running=False) as there:
        app = there.app
        app.senders["discord"], app.cards.every_s = sender, 0.2
        await ask(app, f"/backfill run {SPAN}")
        await app.cards(await newest(app))
        await stored(app)
        await app.cards(await newest(app))
        (card,) = sender.at(HERE)
        assert len(card.versions) == 1, "at a humane pace"
        await says(sender, "1 of 5 sessions")
        await asyncio.sleep(0.5)
        assert len(card.versions) == 2, "what it shows already is not said again"


@pytest.mark.parametrize("is_begun_anew", [False, True])
async def test_a_card_that_was_deleted_is_posted_once_more(
    folder: Path, *, is_begun_anew: bool
) -> None:
    sender = FakePlatform()

    async def shown(app: App) -> None:
        own = app.cards if not is_begun_anew else await JobCards.over(app.backfilling, app.senders)
        own.every_s = 0.0
        await own(await newest(app))

    async with at(folder, running=False) as there:
        app = there.app
        app.senders["discord"] = sender
        await ask(app, f"/backfill run {SPAN}")
        await shown(app)
        for many in (1, 0):
            sender.posts.clear()
            await stored(app)
            await shown(app)
            assert len(sender.at(HERE)) == many
