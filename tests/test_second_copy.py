"""Two copies on one folder: one works, one waits; whatever ends the first, nothing is twice."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.crash.runs import DISCORD_TOKEN, ROOT, SLACK_TOKEN
from tests.filled import until_today
from tests.grid import free_port
from tests.servers.discord import DiscordServer
from tests.servers.faults import Delay
from tests.servers.slack import SlackServer
from tests.shared import Shared

DISCORD_CHANNEL, SLACK_CHANNEL = 123_456_789_012_345_678, "C0123ABCD"
HAND_OVER_S = 30.0


@dataclass(slots=True)
class Copy:
    """One `python -m bot run`."""

    process: asyncio.subprocess.Process
    port: int
    log: Path
    asking: aiohttp.ClientSession

    async def asks(self, path: str) -> tuple[int, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.asking.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status, await answer.json()

    async def stands(self, standing: str, within_s: float = HAND_OVER_S) -> float:
        """How long that took."""
        began = time.monotonic()
        async with asyncio.timeout(within_s):
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):
                    if (await self.asks("/healthz"))[1]["standing"] == standing:
                        return time.monotonic() - began
                await asyncio.sleep(0.1)

    async def is_able(self) -> None:
        async with asyncio.timeout(HAND_OVER_S):
            while (await self.asks("/readyz"))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


class World:
    """Both platforms, and a folder that every copy has."""

    def __init__(self, folder: Path, asking: aiohttp.ClientSession) -> None:
        self.folder, self.asking = folder, asking
        self.discord = DiscordServer(token=DISCORD_TOKEN)
        self.slack = SlackServer(token=SLACK_TOKEN)
        self.copies: list[Copy] = []

    async def start(self) -> Copy:
        port = free_port()
        settings = {
            "DATA_DIR": str(self.folder),
            "DISCORD_TOKEN": DISCORD_TOKEN,
            "DISCORD_API_URL": self.discord.api_url,
            "DISCORD_GATEWAY_URL": self.discord.gateway_url,
            "DISCORD_ALERT_CHANNEL": str(DISCORD_CHANNEL),
            "SLACK_BOT_TOKEN": SLACK_TOKEN,
            "SLACK_API_URL": self.slack.api_url,
            "SLACK_ALERT_CHANNEL": SLACK_CHANNEL,
            "PORT": str(port),
        }
        path = self.folder.parent / f"log-{len(self.copies)}"
        with path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "run"),
                cwd=ROOT,
                env=os.environ | settings,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        self.copies.append(Copy(process, port, path, self.asking))
        return self.copies[-1]

    def said(self) -> tuple[int, int]:
        """How many digests each channel has."""
        slack = [m for m in self.slack.messages(SLACK_CHANNEL) if m.thread_ts in (None, m.ts)]
        return len(self.discord.messages(DISCORD_CHANNEL)), len(slack)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as asking:
        there = World(folder, asking)
        async with there.discord, there.slack:
            there.discord.add_channel(DISCORD_CHANNEL)
            there.slack.add_channel(SLACK_CHANNEL, name="alerts")
            try:
                yield there
            finally:
                for copy in there.copies:
                    with suppress(ProcessLookupError):
                        copy.process.kill()
                    await copy.process.wait()


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("sent", "ends"), [(signal.SIGKILL, -9), (signal.SIGTERM, 0), (signal.SIGSTOP, 75)]
)
async def test_whatever_ends_the_first_in_the_midst_of_its_digest_the_second_says_no_other(
    shared: Shared, tmp_path: Path, sent: signal.Signals, ends: int
) -> None:
    await asyncio.to_thread(until_today, shared, tmp_path / "data")
    async with world(tmp_path / "data") as there:
        # The first digest is on its way until the second copy is there.
        there.discord.before.add(Delay(10.0), on="messages.create")
        first, hit = await there.start(), asyncio.Event()

        def end(seen: str) -> None:
            if seen == "messages.create" and not hit.is_set():
                first.process.send_signal(sent)
                hit.set()

        there.discord.on_accept = end
        await first.stands("active")
        second = await there.start()
        await second.stands("passive")
        status, told = await second.asks("/readyz")
        assert status == 503
        assert "another copy works" in str(told)
        assert not hit.is_set()
        await asyncio.wait_for(hit.wait(), 60)
        assert await second.stands("active") < HAND_OVER_S
        await second.is_able()
        await settled(there)
        if sent is signal.SIGSTOP:
            first.process.send_signal(signal.SIGCONT)
        assert await asyncio.wait_for(first.process.wait(), 15) == ends
        if sent is signal.SIGSTOP:
            assert "another copy has taken over" in first.log.read_text()

        second.process.terminate()
        assert await asyncio.wait_for(second.process.wait(), 15) == 0
        assert there.said() == (1, 1)
        assert "another copy works; this one waits" in second.log.read_text()


async def settled(there: World) -> None:
    """Until both channels have theirs."""
    async with asyncio.timeout(60):
        while there.said() != (1, 1):  # noqa: ASYNC110 - nobody sets an event for it
            await asyncio.sleep(0.1)
