"""Discord's connection: what it survives, how fast, and what it says of what it cannot survive."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route as LibraryRoute

from bot.app import App
from bot.links import Link, LinkRefused, LinkState
from bot.platforms.discord_ear import DiscordEar
from bot.platforms.discord_line import Line
from tests.bot.discord_talk import CHANNEL, FAST, TOKEN, ear_of, served, until
from tests.bot.small_market import at
from tests.servers import faults
from tests.servers.discord import DiscordServer
from tests.servers.faults import Status

SOON_S = 3 * FAST.quiet_s + 4
"""Three silences, and the pauses of discord.py and of the supervisor."""


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer(token=TOKEN) as running:
        running.add_channel(CHANNEL)
        yield running


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with at(tmp_path) as opened:
        yield opened


async def comes(ear: DiscordEar, state: LinkState, within_s: float = SOON_S) -> Link:
    await until(lambda: ear.link.state is state, within_s)
    return ear.link


async def offered(server: DiscordServer) -> None:
    """Until the commands are registered: a line is up before that."""
    await until(lambda: "help" in server.commands.names())


async def answers(server: DiscordServer, within_s: float = SOON_S) -> bool:
    await offered(server)
    asked = await server.interact_command("help")
    await asked.answered(within_s)
    return asked.is_ephemeral


async def refused(app: App, server: DiscordServer, **more: Any) -> str:
    """What is said of a connection that nobody tries again."""
    ear = ear_of(app, server, **more)
    async with served(ear) as running:
        await comes(ear, LinkState.REFUSED)
        attempts, requests = server.gateway.attempts, len(server.requests)
        await asyncio.wait({running}, timeout=1)
        assert running.done()
        assert (server.gateway.attempts, len(server.requests)) == (attempts, requests)
    assert TOKEN not in ear.link.seen
    return ear.link.seen


async def test_a_connection_says_where_it_stands(server: DiscordServer, app: App) -> None:
    ear = ear_of(app, server)
    assert ear.link.state is LinkState.CONNECTING
    async with served(ear):
        link = await comes(ear, LinkState.UP)
        assert link.seen == ""
        assert link.since is not None
        assert await answers(server)
    (identify,) = [server.gateway.identifies]
    assert identify == 1


async def test_the_librarys_addresses_are_as_they_were(server: DiscordServer, app: App) -> None:
    usual = LibraryRoute.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP)
        assert server.api_url == LibraryRoute.BASE
    assert usual == (LibraryRoute.BASE, DiscordWebSocket.DEFAULT_GATEWAY)


async def test_a_port_that_nobody_listens_on_is_tried_again(
    server: DiscordServer, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    # discord.py pauses for up to two seconds before it fails.
    patient = replace(FAST, quiet_s=2.0)
    ear = ear_of(app, server, gateway_url="ws://127.0.0.1:1/gateway", patience=patient)
    async with served(ear):
        link = await comes(ear, LinkState.DOWN)
        await until(lambda: "unreachable" in link.seen, 5)
        assert "AttributeError" not in link.seen
        assert "127.0.0.1" not in link.seen
        ear._line = Line(server.api_url, server.gateway_url)
        await comes(ear, LinkState.UP, 10)
        assert await answers(server)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("status", [503, 403, None])
async def test_a_first_connection_that_is_turned_away_is_made_anew(
    server: DiscordServer, app: App, status: int | None
) -> None:
    server.gateway.refuse(status, times=1)
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP, 10)
        assert await answers(server)


@pytest.mark.parametrize("operation", ["users.me", "applications.me"])
async def test_a_server_in_trouble_is_tried_again(
    server: DiscordServer, app: App, operation: str
) -> None:
    server.before.add(faults.html(503), faults.Reset(), on=operation)
    ear = ear_of(app, server)
    async with served(ear):
        link = await comes(ear, LinkState.DOWN)
        assert "Discord" in link.seen
        await comes(ear, LinkState.UP, 10)
        assert await answers(server)


async def test_a_login_without_an_answer_is_given_up_and_made_anew(
    server: DiscordServer, app: App
) -> None:
    server.before.add(faults.Hang(), on="users.me")
    ear = ear_of(app, server, patience=replace(FAST, login_s=0.3))
    async with served(ear):
        await comes(ear, LinkState.UP)


async def test_a_token_that_is_not_known_is_said_and_not_tried_again(
    server: DiscordServer, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "bot")
    server.revoke(TOKEN)
    seen = await refused(app, server)
    assert "DISCORD_TOKEN" in seen
    assert "Reset Token" in seen
    assert TOKEN not in caplog.text


async def test_a_token_that_only_the_second_question_refuses(
    server: DiscordServer, app: App
) -> None:
    body = json.dumps({"message": "401: Unauthorized", "code": 0}).encode()
    server.before.add(Status(401, body, "application/json"), on="applications.me")
    assert "DISCORD_TOKEN" in await refused(app, server)


async def test_intents_that_are_not_granted_are_said_and_not_tried_again(
    server: DiscordServer, app: App
) -> None:
    server.gateway.disallowed_intents = ~0
    seen = await refused(app, server)
    assert "4014" in seen
    assert "Privileged Gateway Intents" in seen
    assert server.gateway.identifies == 1


async def test_a_token_that_is_revoked_meanwhile_is_said(server: DiscordServer, app: App) -> None:
    ear = ear_of(app, server)
    async with served(ear) as running:
        await comes(ear, LinkState.UP)
        server.revoke(TOKEN)
        server.gateway.close_all(4004)
        link = await comes(ear, LinkState.REFUSED)
        assert "DISCORD_TOKEN" in link.seen
        await asyncio.wait({running}, timeout=1)
        assert running.done()


@pytest.mark.parametrize("code", [4010, 4011, 4012, 4013])
async def test_what_would_be_refused_again_is_not_tried_again(
    server: DiscordServer, app: App, code: int
) -> None:
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP)
        server.gateway.close_all(code)
        assert str(code) in (await comes(ear, LinkState.REFUSED)).seen
    assert server.gateway.identifies == 1


async def test_who_supervises_nothing_hears_of_a_refusal(server: DiscordServer, app: App) -> None:
    server.revoke(TOKEN)
    with pytest.raises(LinkRefused, match="DISCORD_TOKEN"):
        await ear_of(app, server).serve()


@pytest.mark.parametrize(
    "how",
    ["close 4000", "close 1001", "dropped", "asked to come back", "invalid", "invalid, resumable"],
)
async def test_a_connection_that_is_lost_is_taken_up_again(
    server: DiscordServer, app: App, how: str
) -> None:
    ear, gateway = ear_of(app, server), server.gateway
    lose: dict[str, Callable[[], object]] = {
        "close 4000": lambda: gateway.close_all(4000),
        "close 1001": lambda: gateway.close_all(1001),
        "dropped": gateway.drop_all,
        "asked to come back": gateway.ask_reconnect,
        "invalid": gateway.invalidate,
        "invalid, resumable": lambda: gateway.invalidate(resumable=True),
    }
    async with served(ear):
        await comes(ear, LinkState.UP)
        before = gateway.connections
        lose[how]()
        await until(lambda: gateway.connections > before, SOON_S)
        await gateway.connected()
        await comes(ear, LinkState.UP)
        assert await answers(server)
    assert gateway.identifies == (2 if how == "invalid" else 1)


async def test_what_was_asked_while_the_line_was_down_is_answered(
    server: DiscordServer, app: App
) -> None:
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP)
        await answers(server)
        server.gateway.drop_all()
        asked = await server.interact_command("help")
        await asked.answered(SOON_S)
        assert asked.is_ephemeral


async def test_a_gateway_that_turns_us_away_for_a_while_is_come_back_to(
    server: DiscordServer, app: App
) -> None:
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP)
        server.gateway.refuse(503, times=None)
        server.gateway.drop_all()
        await comes(ear, LinkState.DOWN)
        await asyncio.sleep(4 * FAST.quiet_s)
        server.gateway.admit()
        await comes(ear, LinkState.UP)
        assert await answers(server)


async def test_a_half_open_line_is_noticed_and_taken_up_again(
    server: DiscordServer, app: App
) -> None:
    clock = asyncio.get_running_loop().time
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP)
        await offered(server)
        began = clock()
        server.gateway.go_silent()
        asked = await server.interact_command("help")
        await asked.answered(SOON_S)
        took = clock() - began
    assert took < 2.5 * FAST.quiet_s + 1
    assert (server.gateway.identifies, server.gateway.resumed) == (1, 1)


async def test_a_line_that_comes_back_silent_is_given_up_for_a_new_client(
    server: DiscordServer, app: App
) -> None:
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP)
        server.gateway.go_silent(next_connections=1)
        await until(lambda: server.gateway.identifies == 2, SOON_S)
        await comes(ear, LinkState.UP)
        assert await answers(server)


async def test_a_first_line_that_says_nothing_is_given_up(server: DiscordServer, app: App) -> None:
    server.gateway.go_silent(next_connections=1)
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP)
    assert server.gateway.connections == 2


async def test_a_quiet_line_is_kept(
    server: DiscordServer, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP)
        await asyncio.sleep(4 * FAST.quiet_s)
        assert server.gateway.connections == 1
        assert server.gateway.heartbeats > 2
    assert "behind" not in caplog.text


async def test_it_ends_at_once_although_the_other_side_is_silent(
    server: DiscordServer, app: App
) -> None:
    clock = asyncio.get_running_loop().time
    ear = ear_of(app, server)
    async with served(ear):
        await comes(ear, LinkState.UP)
        server.gateway.go_silent()
        began = clock()
    assert clock() - began < 2 * FAST.close_s + 0.5
