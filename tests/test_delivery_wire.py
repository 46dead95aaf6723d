"""The courier, the real senders and both platforms' servers: one's trouble stays with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.deliver import Courier, Sender
from alerts.model import Destination
from alerts.publish import Outbox
from bot.platforms import discord, slack
from bot.platforms.pacing import Pacing
from core.db import Db
from tests.records import anomaly, judged
from tests.servers.discord import DiscordServer
from tests.servers.discord import too_many as discord_too_many
from tests.servers.faults import Status
from tests.servers.slack import SlackServer
from tests.servers.slack import too_many as slack_too_many
from tests.states import new_state

DISCORD = [111_111_111_111_111_111 + n for n in range(6)]
SLACK = [f"C000000{n}" for n in range(6)]
CHANNELS = [
    *(Destination("discord", str(channel)) for channel in DISCORD),
    *(Destination("slack", channel) for channel in SLACK),
]
TOKEN = "token-one"
OPERATORS = Destination("slack", "C0PERATOR")


def now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Wire:
    """Two platforms, and the state of one process."""

    discord: DiscordServer
    slack: SlackServer
    db: Db

    @asynccontextmanager
    async def process(
        self, discord_token: str = TOKEN, discord_url: str = ""
    ) -> AsyncIterator[Courier]:
        """One that has this token, and asks there."""
        async with AsyncExitStack() as stack:
            senders: dict[str, Sender] = {
                "discord": await stack.enter_async_context(
                    discord.connected(
                        discord_token,
                        discord_url or self.discord.api_url,
                        now=now,
                        pacing=Pacing(8),
                    )
                ),
                "slack": await stack.enter_async_context(
                    slack.connected("xoxb-one", self.slack.api_url, now=now, pacing=Pacing(8))
                ),
            }
            yield Courier(self.db, senders, now, operator=OPERATORS)

    def arrived(self) -> dict[str, int]:
        """How many messages each channel has."""
        found = {f"discord:{c}": len(self.discord.messages(c)) for c in DISCORD}
        return found | {f"slack:{c}": len(self.slack.messages(c)) for c in SLACK}

    async def states(self, platform: str) -> list[str]:
        """Of its digests, in the order of the channels."""
        rows = await self.db.rows(
            "SELECT state FROM deliveries WHERE destination LIKE ? AND kind = 'digest'"
            " AND destination != ? ORDER BY id",
            (f"{platform}:%", str(OPERATORS)),
        )
        return [row["state"] for row in rows]


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    """Both up, with channels; one session waits for all of them."""
    async with (
        DiscordServer(token=TOKEN) as discord_server,
        SlackServer(token="xoxb-one") as slack_server,
        Db.open(await new_state(tmp_path)) as db,
    ):
        for channel in DISCORD:
            discord_server.add_channel(channel)
        for name in (*SLACK, OPERATORS.channel):
            slack_server.add_channel(name, name=name.lower())
        async with db.transaction() as writer:
            await Outbox(CHANNELS, 10)(writer, judged(anomaly()), now())
        yield Wire(discord_server, slack_server, db)


def once(*channels: str) -> dict[str, int]:
    """One message in each channel but these."""
    return {str(c): int(str(c) not in channels) for c in CHANNELS}


async def test_each_channel_of_both_platforms_has_one_message(wire: Wire) -> None:
    async with wire.process() as courier:
        await courier.drain(patience_s=5)
    assert wire.arrived() == once()
    assert wire.discord.rate_limited == wire.slack.rate_limited == 0


async def test_a_channel_that_is_deleted_on_the_way_is_no_other_channels_business(
    wire: Wire,
) -> None:
    def gone(operation: str) -> None:
        if operation == "messages.create" and not wire.discord.channel(DISCORD[3]).deleted:
            wire.discord.delete_channel(DISCORD[3])

    wire.discord.on_request = gone
    async with wire.process() as courier:
        await courier.drain(patience_s=5)
    assert wire.arrived() == once(f"discord:{DISCORD[3]}")
    assert (await wire.states("discord")).count("refused") == 1
    (notice,) = wire.slack.messages(OPERATORS.channel)
    assert "no such channel" in notice.text


async def test_a_token_that_is_revoked_on_the_way_stops_its_platform_and_a_new_one_sends_the_rest(
    wire: Wire,
) -> None:
    seen = 0

    def revoke(operation: str) -> None:
        nonlocal seen
        seen += operation == "messages.create"
        if seen == 3:
            wire.discord.revoke(TOKEN)

    wire.discord.on_request = revoke
    async with wire.process() as courier:
        await courier.drain(patience_s=5)
    lost = (await wire.states("discord")).count("refused")
    assert lost >= 3
    assert await wire.states("slack") == ["sent"] * 6
    assert wire.discord.count(401) <= 8, "what was under way, and nothing after it"
    (notice,) = wire.slack.messages(OPERATORS.channel)
    assert "token refused" in notice.text

    wire.discord.on_request = None
    wire.discord.tokens.add("token-two")
    async with wire.process("token-two") as courier:
        running = asyncio.create_task(courier.run())
        for _ in range(500):
            await asyncio.sleep(0.01)
            if await wire.states("discord") == ["sent"] * 6:
                break
        await courier.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert wire.arrived() == once()


@pytest.mark.timeout(60)
async def test_a_storm_of_429_is_waited_out_and_posts_nothing_twice(wire: Wire) -> None:
    wire.discord.before.add(discord_too_many(0.2), on="messages.create", times=12)
    wire.slack.before.add(slack_too_many(1), on="chat.postMessage", times=6)
    async with wire.process() as courier:
        await courier.drain(patience_s=20)
    assert wire.arrived() == once()
    assert wire.slack.rate_limited == 6


async def test_a_platform_that_is_down_delays_nothing_on_the_other(wire: Wire) -> None:
    async with DiscordServer(token="unused") as elsewhere:
        nobody = elsewhere.api_url
    async with wire.process(discord_url=nobody) as courier:
        await courier.drain()
    assert await wire.states("slack") == ["sent"] * 6
    assert set(await wire.states("discord")) == {"pending"}


async def test_a_layout_that_is_refused_arrives_plainer_and_operators_hear_of_it(
    wire: Wire,
) -> None:
    wire.slack.before.add(
        Status(200, b'{"ok": false, "error": "invalid_blocks"}', "application/json"),
        on="chat.postMessage",
    )
    async with wire.process() as courier:
        await courier.drain(patience_s=5)
    assert {n for c, n in wire.arrived().items()} == {1}
    digests = [wire.slack.messages(c)[0] for c in SLACK]
    plainer = [m for m in digests if "table" not in {block["type"] for block in m.blocks}]
    assert len(plainer) == 1
    assert "XYZQ" in plainer[0].text
    (notice,) = wire.slack.messages(OPERATORS.channel)
    assert "not as it was made" in notice.text
