"""Sessions on Discord: a thousand a day, and who takes more gets a new token."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from discord.gateway import KeepAliveHandler

from bot.app import App
from bot.links import LinkState
from bot.platforms.discord_bot import IDENTIFIES
from bot.platforms.discord_ear import FEW_IDENTIFIES
from tests.bot.discord_talk import FAST, TOKEN, ear_of, served, until
from tests.bot.small_market import at
from tests.servers.discord import DiscordServer
from tests.servers.discord_gateway import StartLimit
from tests.servers.faults import Status


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with at(tmp_path) as opened:
        yield opened


async def test_few_sessions_are_left_for_those_who_need_them(
    server: DiscordServer, app: App
) -> None:
    server.gateway.start_limit = StartLimit(remaining=3, reset_after=600)
    clock = asyncio.get_running_loop().time
    ear = ear_of(app, server)
    async with served(ear):
        began = clock()
        await until(lambda: "no more connections" in ear.link.seen)
        assert server.gateway.attempts == 0
        await until(lambda: ear.link.state is LinkState.UP)
    assert clock() - began > 0.6


@pytest.mark.parametrize("remaining", [10, 999])
async def test_while_there_are_sessions_nobody_waits(
    server: DiscordServer, app: App, remaining: int
) -> None:
    server.gateway.start_limit.remaining = remaining
    ear = ear_of(app, server)
    async with served(ear):
        await until(lambda: ear.link.state is LinkState.UP)


async def test_sessions_that_are_taken_back_at_once_end_before_the_token_does(
    server: DiscordServer, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    server.gateway.disowns = True
    server.gateway.start_limit.remaining = left = FEW_IDENTIFIES + 2
    ear = ear_of(app, server)
    async with served(ear):
        await until(lambda: "no more connections" in ear.link.seen, 10)
        await asyncio.sleep(0.5)
        assert server.gateway.identifies == IDENTIFIES < left
    assert server.tokens == {TOKEN}
    await until(lambda: not any(isinstance(t, KeepAliveHandler) for t in threading.enumerate()))
    assert [r.seen for r in caplog.records if hasattr(r, "seen")] == [
        "Discord took 5 sessions in a row back"
    ]
    gc.collect()  # a connection that nobody closed says so now, and not in another test


async def test_sessions_that_last_may_be_followed_by_any_number(
    server: DiscordServer, app: App
) -> None:
    ear = ear_of(app, server, patience=replace(FAST, lasting_s=0.0))
    async with served(ear):
        for begun in range(2 * IDENTIFIES):
            await until(lambda n=begun: server.gateway.identifies > n)  # type: ignore[misc]
            await until(lambda: ear.link.state is LinkState.UP)
            server.gateway.invalidate()
    assert sum(seen.operation == "gateway.bot" for seen in server.requests) == 1


@pytest.mark.parametrize("body", [b"{}", b'{"url": 1, "shards": 1, "session_start_limit": {}}'])
async def test_an_odd_answer_about_sessions_is_no_reason_to_stay_away(
    server: DiscordServer, app: App, body: bytes
) -> None:
    server.before.add(Status(200, body, "application/json"), on="gateway.bot")
    ear = ear_of(app, server)
    async with served(ear):
        await until(lambda: ear.link.state is LinkState.UP)
