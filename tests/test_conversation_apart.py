"""One platform in trouble, at the start or later: the other answers; it comes back by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from alerts.model import Destination
from alerts.publish import Outbox
from bot.app import App, opened
from bot.ears import Ear
from bot.links import LinkState
from bot.platforms.discord_ear import DiscordEar
from bot.platforms.slack_ear import SlackEar
from bot.platforms.slack_link import Timing
from bot.settings import load
from tests.bot.discord_talk import FAST
from tests.bot.small_market import stored_market
from tests.market import NOW
from tests.records import anomaly, judged
from tests.servers.discord import DiscordServer
from tests.servers.faults import Status
from tests.servers.local import LocalServer
from tests.servers.slack import APP_TOKEN, SlackServer, refusal
from tests.shared import Shared

DISCORD_TOKEN, SLACK_TOKEN = "discord-token-of-a-test", "xoxb-slack-token-of-a-test"
CHANNEL, SLACK_CHANNEL, PERSON = 123_456_789_012_345_678, "C0123ABCD", 900_000_000_000_000_777
OPERATORS = "C0OPERATORS"
BACK_WITHIN_S = 30.0
QUICK = Timing(ping_s=0.5, look_s=0.02, down_s=1.5)


@dataclass
class Both:
    """Two platforms, and the service that listens to both."""

    app: App
    discord: DiscordServer
    slack: SlackServer

    def ear(self, platform: str) -> Ear:
        return next(ear for ear in self.app.ears if ear.link.platform == platform)

    async def discord_answers(self) -> None:
        """Within the three seconds and a little: one command."""
        async with asyncio.timeout(BACK_WITHIN_S):
            # Told beside the connection: on a busy machine a person is offered them a little later.
            while "help" not in self.discord.commands.names():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        asked = await self.discord.interact_command("help", user_id=PERSON)
        await asked.acknowledged(BACK_WITHIN_S)
        assert "What can be asked" in (await asked.answered(10)).original.content

    async def slack_answers(self) -> None:
        asked = await self.slack.command("/tapewatch", "help", channel_id=SLACK_CHANNEL)
        await asked.acknowledged(BACK_WITHIN_S)
        assert "What can be asked" in (await asked.answered(10)).text

    async def is_back(self, platform: str) -> None:
        """By itself and in time: it answers again."""
        began = time.monotonic()
        await self.until(platform, LinkState.UP)
        await (self.discord_answers() if platform == "discord" else self.slack_answers())
        assert time.monotonic() - began < BACK_WITHIN_S

    async def until(self, platform: str, state: LinkState) -> float:
        """Seconds until its link stands so."""
        began, link = time.monotonic(), self.ear(platform).link
        async with asyncio.timeout(BACK_WITHIN_S):
            while link.state is not state:  # noqa: ASYNC110 - a link has no bell
                await asyncio.sleep(0.02)
        return time.monotonic() - began


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return stored_market(shared, tmp_path / "data")


@pytest.fixture
async def servers() -> AsyncIterator[tuple[DiscordServer, SlackServer]]:
    async with (
        DiscordServer(token=DISCORD_TOKEN) as discord,
        SlackServer(token=SLACK_TOKEN) as slack,
    ):
        discord.add_channel(CHANNEL)
        slack.add_channel(SLACK_CHANNEL, name="alerts")
        slack.add_channel(OPERATORS, name="operators")
        yield discord, slack


@asynccontextmanager
async def both(
    folder: Path, servers: tuple[DiscordServer, SlackServer], *, quick: bool = False
) -> AsyncIterator[Both]:
    """The service, listening; `quick` to notice that nothing comes, which takes seconds else."""
    discord, slack = servers
    settings = await asyncio.to_thread(
        lambda: load(
            data_dir=folder,
            discord_token=DISCORD_TOKEN,
            discord_api_url=discord.api_url,
            discord_gateway_url=discord.gateway_url,
            slack_bot_token=SLACK_TOKEN,
            slack_app_token=APP_TOKEN,
            slack_api_url=slack.api_url,
            operator_channel=f"slack:{OPERATORS}",
        )
    )
    async with opened(settings, now=lambda: NOW) as app:
        for ear in app.ears if quick else ():
            if isinstance(ear, DiscordEar):
                ear._patience = FAST
            elif isinstance(ear, SlackEar):
                ear._timing = QUICK
        tasks = [asyncio.create_task(app.listen(ear)) for ear in app.ears]
        try:
            yield Both(app, discord, slack)
        finally:
            for ear in app.ears:
                await ear.drain(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


Trouble = Callable[[DiscordServer, SlackServer], None]


def _refused_upgrade(discord: DiscordServer, slack: SlackServer) -> None:
    discord.gateway.refuse(503, times=2)


def _no_rest(discord: DiscordServer, slack: SlackServer) -> None:
    discord.before.add(Status(503), on="users.me", times=2)


@pytest.mark.parametrize("trouble", [_refused_upgrade, _no_rest])
async def test_discord_is_away_at_the_start(
    folder: Path, servers: tuple[DiscordServer, SlackServer], trouble: Trouble
) -> None:
    trouble(*servers)
    async with both(folder, servers) as running:
        await running.slack_answers()
        assert await running.until("discord", LinkState.UP) < BACK_WITHIN_S
        await running.discord_answers()


def _no_ticket(discord: DiscordServer, slack: SlackServer) -> None:
    slack.before.add(Status(503), on="apps.connections.open", times=2)


def _no_socket(discord: DiscordServer, slack: SlackServer) -> None:
    slack.before.add(Status(503), on="link", times=2)


@pytest.mark.parametrize("trouble", [_no_ticket, _no_socket])
async def test_slack_is_away_at_the_start(
    folder: Path, servers: tuple[DiscordServer, SlackServer], trouble: Trouble
) -> None:
    trouble(*servers)
    async with both(folder, servers) as running:
        await running.until("discord", LinkState.UP)
        await running.discord_answers()
        assert await running.until("slack", LinkState.UP) < BACK_WITHIN_S
        await running.slack_answers()


async def test_a_token_that_discord_refuses_is_told_once_and_slack_answers(
    folder: Path, servers: tuple[DiscordServer, SlackServer]
) -> None:
    discord, slack = servers
    discord.revoke(DISCORD_TOKEN)
    async with both(folder, servers) as running:
        await running.until("discord", LinkState.REFUSED)
        await running.slack_answers()
        asked = await slack.command("/channels", channel_id=SLACK_CHANNEL)
        text = (await asked.answered(10)).text
        assert "discord" in str(asked.bodies)
        assert "DISCORD_TOKEN" in str(asked.bodies), text
        seen = discord.count(401)
        await running.app.courier.drain()
        (told,) = slack.messages(OPERATORS)
        assert "Commands on discord do not arrive" in told.text
        assert DISCORD_TOKEN not in told.text
        await asyncio.sleep(1.5)
        assert discord.count(401) == seen, "it is not asked again"


async def test_a_token_that_slack_refuses_is_told_and_discord_answers(
    folder: Path, servers: tuple[DiscordServer, SlackServer]
) -> None:
    servers[1].before.add(refusal("invalid_auth"), on="apps.connections.open", times=9)
    async with both(folder, servers) as running:
        await running.until("slack", LinkState.REFUSED)
        await running.until("discord", LinkState.UP)
        await running.discord_answers()
        assert "SLACK_APP_TOKEN" in running.ear("slack").link.seen
        assert APP_TOKEN not in running.ear("slack").link.seen


Cut = Callable[[Both], Awaitable[None]]


async def _dropped(running: Both) -> None:
    running.discord.gateway.drop_all()


async def _told_to_reconnect(running: Both) -> None:
    running.discord.gateway.ask_reconnect()


async def _closed(running: Both) -> None:
    running.discord.gateway.close_all(4000)


async def _slack_dropped(running: Both) -> None:
    running.slack.sockets.drop()


async def _too_many(running: Both) -> None:
    await running.slack.sockets.disconnect("too_many_websockets")


async def test_connections_are_cut_in_mid_life(
    folder: Path, servers: tuple[DiscordServer, SlackServer]
) -> None:
    async with both(folder, servers) as running:
        for cut in (_dropped, _told_to_reconnect, _closed, _slack_dropped, _too_many):
            await running.until("discord", LinkState.UP)
            await running.until("slack", LinkState.UP)
            await cut(running)
            began = time.monotonic()
            await asyncio.gather(running.discord_answers(), running.slack_answers())
            assert time.monotonic() - began < BACK_WITHIN_S, cut


async def _hung_up(server: LocalServer) -> None:
    """Nobody listens on its port any more, until it is entered again."""
    server._port = int(server.url.rpartition(":")[2])
    await server.__aexit__(None, None, None)


async def _until_it_listens(
    running: Both, platform: str, server: LocalServer, other: Callable[[], Awaitable[None]]
) -> None:
    await running.until(platform, LinkState.DOWN)
    await other()
    assert running.ear(platform).link.state is LinkState.DOWN
    await server.__aenter__()
    await running.is_back(platform)


async def test_discord_is_in_one_trouble_after_another_and_slack_answers_in_each(
    folder: Path, servers: tuple[DiscordServer, SlackServer]
) -> None:
    discord = servers[0]
    await _hung_up(discord)
    async with both(folder, servers, quick=True) as running:
        await running.until("slack", LinkState.UP)
        await _until_it_listens(running, "discord", discord, running.slack_answers)
        await _hung_up(discord)
        await _until_it_listens(running, "discord", discord, running.slack_answers)

        before = discord.gateway.connections
        discord.gateway.go_silent()
        await running.slack_answers()
        async with asyncio.timeout(BACK_WITHIN_S):
            while discord.gateway.connections == before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await running.is_back("discord")

        discord.revoke(DISCORD_TOKEN)
        discord.gateway.close_all(4004)
        await running.until("discord", LinkState.REFUSED)
        await running.slack_answers()
        seen = running.ear("discord").link.seen
        assert "DISCORD_TOKEN" in seen
        assert DISCORD_TOKEN not in seen


async def test_slack_is_in_one_trouble_after_another_and_discord_answers_in_each(
    folder: Path, servers: tuple[DiscordServer, SlackServer]
) -> None:
    slack = servers[1]
    await _hung_up(slack)
    async with both(folder, servers, quick=True) as running:
        await running.until("discord", LinkState.UP)
        await _until_it_listens(running, "slack", slack, running.discord_answers)
        await _hung_up(slack)
        await _until_it_listens(running, "slack", slack, running.discord_answers)

        opens = slack.sockets.opens
        slack.before.add(Status(408), on="link", times=3)  # its ticket has expired
        slack.sockets.drop()
        await running.until("slack", LinkState.DOWN)
        await running.discord_answers()
        await running.is_back("slack")
        assert slack.sockets.opens >= opens + 2

        before = slack.sockets.connections
        slack.sockets.silence()
        await running.discord_answers()
        async with asyncio.timeout(BACK_WITHIN_S):
            while slack.sockets.connections == before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await running.is_back("slack")

        slack.revoke(SLACK_TOKEN, "account_inactive")
        slack.app_tokens.clear()
        slack.sockets.drop()
        await running.until("slack", LinkState.REFUSED)
        await running.discord_answers()
        seen = running.ear("slack").link.seen
        assert "SLACK_BOT_TOKEN: account_inactive" in seen
        assert SLACK_TOKEN not in seen


async def test_intents_that_discord_does_not_grant_are_told_and_slack_answers(
    folder: Path, servers: tuple[DiscordServer, SlackServer]
) -> None:
    servers[0].gateway.disallowed_intents = ~0
    async with both(folder, servers) as running:
        await running.until("discord", LinkState.REFUSED)
        await running.slack_answers()
        assert "4014" in running.ear("discord").link.seen
        assert servers[0].gateway.identifies == 1


async def test_digests_go_out_while_nobody_can_be_heard(
    folder: Path, servers: tuple[DiscordServer, SlackServer]
) -> None:
    discord, slack = servers
    discord.gateway.refuse(503, times=None)
    slack.before.add(Status(503), on="link", times=50)
    async with both(folder, servers) as running:
        there = [Destination("discord", str(CHANNEL)), Destination("slack", SLACK_CHANNEL)]
        async with running.app.db.transaction() as writer:
            await Outbox(there, 10)(writer, judged(anomaly("XYZQ")), NOW)
        await running.app.courier.drain()
        assert len(discord.messages(CHANNEL)) == len(slack.messages(SLACK_CHANNEL)) == 1
        links = [ear.link.state for ear in running.app.ears]
        assert LinkState.UP not in links
