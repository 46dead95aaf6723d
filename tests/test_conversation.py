"""`python -m bot run` itself, on both platforms: asked, stopped in mid-answer, begun anew."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.crash.runs import DISCORD_TOKEN, ROOT, SLACK_TOKEN
from tests.filled import until_today
from tests.servers.discord import DiscordServer
from tests.servers.discord_interaction import Interaction
from tests.servers.faults import Hang
from tests.servers.slack import APP_TOKEN, SlackServer
from tests.servers.slack_asked import Asked
from tests.shared import Shared

DISCORD_CHANNEL, SLACK_CHANNEL = 123_456_789_012_345_678, "C0123ABCD"
PERSON, BOSS = 900_000_000_000_000_777, 900_000_000_000_000_778


class Service:
    """The process, and the two platforms that it speaks to."""

    def __init__(self, folder: Path, discord: DiscordServer, slack: SlackServer) -> None:
        self.folder, self.discord, self.slack = folder, discord, slack

    @asynccontextmanager
    async def running(self, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Started, and never left behind."""
        env = {
            "DATA_DIR": str(self.folder / "data"),
            "DISCORD_TOKEN": DISCORD_TOKEN,
            "DISCORD_API_URL": self.discord.api_url,
            "DISCORD_GATEWAY_URL": self.discord.gateway_url,
            "DISCORD_ALERT_CHANNEL": str(DISCORD_CHANNEL),
            "DISCORD_OPERATORS": str(BOSS),
            "SLACK_BOT_TOKEN": SLACK_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_API_URL": self.slack.api_url,
            "SLACK_ALERT_CHANNEL": SLACK_CHANNEL,
        }
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "run"),
                cwd=ROOT,
                env=os.environ | env | settings,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def heard(self, within_s: float = 60.0) -> None:
        """Both connections are there."""
        await self.discord.gateway.connected(within_s)
        await self.slack.sockets.connected(within_s)

    async def told(self, within_s: float = 60.0) -> None:
        """Both channels have their digest."""
        until = time.monotonic() + within_s
        while not (self.discord.messages(DISCORD_CHANNEL) and self.slack.messages(SLACK_CHANNEL)):
            assert time.monotonic() < until, "no digest"
            await asyncio.sleep(0.1)

    async def on_discord(self, name: str, **options: object) -> Interaction:
        """A command; answered."""
        asked = await self.discord.interact_command(name, options, user_id=PERSON)
        return await asked.answered(30)

    async def on_slack(self, command: str, text: str = "") -> str:
        """The same there: the text of the answer."""
        asked = await self.slack.command(command, text, channel_id=SLACK_CHANNEL)
        return str((await asked.answered(30)).text)


@pytest.fixture
async def service(shared: Shared, tmp_path: Path) -> AsyncIterator[Service]:
    await asyncio.to_thread(until_today, shared, tmp_path / "data")
    async with (
        DiscordServer(token=DISCORD_TOKEN) as discord,
        SlackServer(token=SLACK_TOKEN) as slack,
    ):
        discord.add_channel(DISCORD_CHANNEL)
        slack.add_channel(SLACK_CHANNEL, name="alerts")
        yield Service(tmp_path, discord, slack)


@pytest.mark.timeout(150)
async def test_asked_stopped_in_mid_answer_and_begun_anew(service: Service) -> None:
    discord, slack = service.discord, service.slack
    async with service.running() as process:
        await service.heard()
        await service.told()
        helped = await service.on_discord("help")
        assert "What can be asked" in helped.original.content
        assert helped.is_ephemeral
        assert "What can be asked" in await service.on_slack("/tapewatch")
        assert "is for operators" in (await service.on_discord("unsubscribe")).original.content
        assert "is for operators" in await service.on_slack("/unsubscribe")

        scored = await slack.command("/scorecard", "3m", channel_id=SLACK_CHANNEL)
        others = await discord.interact_command("scorecard", {"months": "3m"}, user_id=PERSON)
        await scored.acknowledged(3)
        await others.acknowledged(3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0
        assert time.monotonic() - began < 10
        # Or told to ask again, if it took longer than there was time.
        await scored.answered(0.1)
        await others.answered(0.1)

    async with service.running() as process:
        await service.heard()
        (digest,) = discord.messages(DISCORD_CHANNEL)
        raw = next(
            part["custom_id"]
            for row in digest.components
            for part in row["components"]
            if part.get("label") == "Show raw"
        )
        pressed = await discord.interact_component(digest, raw, user_id=PERSON)
        assert (
            "over the cut only by what all names did"
            in (await pressed.answered(30)).original.content
        )
        await _once(service, helped, scored)
        # Platforms that take no answer any more keep nobody either.
        for platform in (discord, slack):
            platform.faults.always(Hang())
        await discord.interact_command("help", {}, user_id=PERSON)
        await slack.command("/tapewatch", channel_id=SLACK_CHANNEL)
        await asyncio.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0
        assert time.monotonic() - began < 10
    log = (service.folder / "log").read_text()
    assert "Traceback" not in log
    assert DISCORD_TOKEN not in log
    assert SLACK_TOKEN not in log
    assert APP_TOKEN not in log


async def _once(service: Service, helped: Interaction, scored: Asked) -> None:
    """What was carried out before the restart is not carried out again."""
    edits = helped.original.edits
    service.discord.redeliver(helped)
    copy = await service.slack.redeliver(scored)
    await copy.acknowledged(5)
    await asyncio.sleep(1)
    assert helped.refused == [40060]
    assert helped.original.edits == edits
    assert len(scored.shown) == 1
    assert copy.shown == []
