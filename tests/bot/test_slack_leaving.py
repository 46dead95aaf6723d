"""Slack answers outlive a connection; when the process stops they are waited for."""

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest

from alerts.model import ChartOf, Picture
from bot.links import LinkState
from tests.bot.slack_desk import (
    MODES,
    Slack,
    button,
    desk,
    local_slack,
    read,
    serving,
    until,
    up,
)
from tests.bot.small_market import at, stored_market
from tests.servers.faults import Hang
from tests.servers.slack import SlackServer, too_many
from tests.shared import Shared

RESTARTED = "Tapewatch is being restarted"


@pytest.fixture
def stored(shared: Shared, tmp_path: Path) -> Path:
    """A market of its own for each test."""
    return stored_market(shared, tmp_path / "data")


async def drawn(of: ChartOf) -> Picture:
    """Another picture each time."""
    return Picture(secrets.token_bytes(64), f"{of.ticker} in a line")


def uploads(server: SlackServer) -> int:
    """How many have begun."""
    return sum(request.operation == "files.getUploadURLExternal" for request in server.requests)


def hooked(server: SlackServer) -> int:
    """How many answers came by an address."""
    return sum(request.operation == "response_url" for request in server.requests)


async def ended(slack: Slack) -> None:
    """The connection, and all that was built for it."""
    await slack.server.sockets.disconnect("too_many_websockets")
    await until(lambda: slack.ear.link.state == LinkState.DOWN)


async def test_an_answer_is_neither_cancelled_nor_waited_for_when_a_connection_ends(
    stored: Path,
) -> None:
    async with desk(stored) as slack:
        async with slack.app.db.transaction():
            asked = await slack.server.command("/ticker", "QWOH text")
            await asked.acknowledged()
            await ended(slack)
            await up(slack.ear)
            assert asked.shown == []
        assert "QWOH $3.21" in read((await asked.answered(10.0)).body)


async def test_a_stop_waits_for_answers_also_after_a_connection_has_ended(stored: Path) -> None:
    async with desk(stored) as slack:
        async with slack.app.db.transaction():
            for _ in range(2):
                asked = await slack.server.command("/ticker", "QWOH text")
                await asked.acknowledged()
                await ended(slack)
                await up(slack.ear)
            leaving = asyncio.create_task(slack.ear.drain(5.0))
            await asyncio.sleep(0.1)
            assert not leaving.done()
        await leaving
        assert "QWOH $3.21" in read(asked.shown[0].body)


async def test_a_stop_waits_for_answers_also_while_there_is_no_connection(stored: Path) -> None:
    async with desk(stored) as slack:
        async with slack.app.db.transaction():
            asked = await slack.server.command("/ticker", "QWOH text")
            await asked.acknowledged()
            await ended(slack)
            leaving = asyncio.create_task(slack.ear.drain(5.0))
            await asyncio.sleep(0.1)
        await leaving
        assert "QWOH $3.21" in read(asked.shown[0].body)
        await asyncio.sleep(1.5)
        assert slack.ear.link.state == LinkState.DOWN


@pytest.mark.parametrize("mode", MODES)
async def test_whoever_asks_while_it_stops_is_told_to_ask_again(stored: Path, mode: str) -> None:
    async with desk(stored, mode) as slack:
        server = slack.server
        first = await server.command("/ticker", "QWOH text", user_id="U0FIRST")
        why = button((await first.answered(10.0)).body["blocks"], "Why")
        form = await server.command("/ticker", user_id="U0FORM")
        await form.answered(10.0)
        async with slack.app.db.transaction():
            slow = await server.command("/ticker", "QWOH text", user_id="U0SLOW")
            await slow.acknowledged()
            leaving = asyncio.create_task(slack.ear.drain(5.0))
            await asyncio.sleep(0.05)
            command = await server.command("/ticker", "QWOH", user_id="U0LATE")
            pressed = await server.press(first.ephemerals[0], why["action_id"])
            mention = await server.mention("why QWOH")
            sent = await server.submit(form.views[0], {"symbol": "QWOH"})
            await sent.acknowledged()
            shown: list[Any] = [await each.answered() for each in (command, pressed, mention)]
            shown.append(await form.answered(count=2))
            assert not leaving.done()
        await leaving
        assert [RESTARTED in read(each.body) for each in shown] == [True] * 4
        assert "QWOH $3.21" in read(slow.shown[0].body)


async def test_what_was_turned_away_can_be_asked_again(stored: Path) -> None:
    async with local_slack() as server, at(stored) as app:
        async with serving(server, app) as slack:
            asked = await server.command("/ticker", "QWOH text")
            why = button((await asked.answered(10.0)).body["blocks"], "Why")
            assert slack.ear._desk is not None
            slack.ear._desk.leaving = True
            pressed = await server.press(asked.ephemerals[0], why["action_id"])
            assert RESTARTED in read((await pressed.answered()).body)
        async with serving(server, app):
            again = await server.redeliver(pressed)
            await again.acknowledged()
            assert "flagged" in read((await pressed.answered(10.0, count=2)).body)


async def test_what_could_not_be_shared_before_the_stop_can_be_shared_afterwards(
    stored: Path,
) -> None:
    async with local_slack() as server, at(stored) as app:
        async with serving(server, app, draw=drawn) as slack:
            asked = await server.command("/ticker", "QWOH")
            share = button((await asked.answered(10.0)).body["blocks"], "Share")
            server.before.add(Hang(), on="files.upload")
            pressed = await server.press(asked.ephemerals[0], share["action_id"])
            await until(lambda: uploads(server) == 2)
            await slack.ear.drain(0.1)
            assert RESTARTED in read(pressed.shown[0].body)
            assert pressed.messages == []
        async with serving(server, app, draw=drawn):
            again = await server.press(asked.ephemerals[0], share["action_id"])
            await again.answered(10.0, count=2)
            assert "QWOH $3.21" in read({"blocks": again.messages[0].blocks})


async def test_what_was_about_to_be_shared_at_the_stop_can_be_shared_afterwards(
    stored: Path,
) -> None:
    async with local_slack() as server, at(stored) as app:
        async with serving(server, app) as slack:
            asked = await server.command("/ticker", "QWOH text")
            share = button((await asked.answered(10.0)).body["blocks"], "Share")
            server.before.add(too_many(15), on="response_url")
            pressed = await server.press(asked.ephemerals[0], share["action_id"])
            await until(lambda: server.rate_limited == 1)
            await slack.ear.drain(0.1)
            assert RESTARTED in read(pressed.shown[0].body)
            assert pressed.messages == []
        async with serving(server, app):
            again = await server.press(asked.ephemerals[0], share["action_id"])
            await again.answered(10.0, count=2)
            assert "QWOH $3.21" in read({"blocks": again.messages[0].blocks})


async def test_who_shared_something_as_it_stopped_is_told_that_nobody_knows(stored: Path) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.command("/ticker", "QWOH text")
        share = button((await asked.answered(10.0)).body["blocks"], "Share")
        slack.server.before.add(Hang(), on="response_url")
        before = hooked(slack.server)
        pressed = await slack.server.press(asked.ephemerals[0], share["action_id"])
        await until(lambda: hooked(slack.server) > before)
        await slack.ear.drain(0.1)
        assert "it is not known whether this was shared" in read(pressed.shown[0].body)
