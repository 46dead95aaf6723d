"""SIGKILL at every step of publishing and delivering; `python -m bench crash` runs hundreds."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.runs import DEATHS, DISCORD_TOKEN, ROOT, SLACK_TOKEN, crashes, main
from tests.filled import until_today
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer
from tests.shared import Shared

SEEDS = range(8)


@pytest.mark.timeout(120)
async def test_whenever_it_is_killed_each_channel_has_one_digest_with_the_newest_content() -> None:
    told = await main(SEEDS, lambda run: None)
    assert len(told) == len(SEEDS)
    assert {problem for run in told for problem in run.problems} == set()
    died = [how for run in told for how in run.deaths]
    assert {how for how in DEATHS if any(d.startswith(how) for d in died)} == set(DEATHS)


async def test_the_judge_of_these_runs_sees_a_second_message_and_a_lost_edit() -> None:
    """What would be wrong is called wrong: otherwise the runs above prove nothing."""
    async with crashes() as running:
        told = await running.run(1000)
        assert told.problems == []
        channel = 200_000_000_000_000_000 + 10 * 1000 + 1
        (digest,) = running.discord.messages(channel)
        running.discord.channel(channel).messages.append(digest)
        assert running._wrong([channel], []) == [f"discord:{channel}: 2 messages"]
        running.discord.channel(channel).messages.pop()
        digest.embeds, digest.content = [], "GONE"
        assert "does not read as it should" in running._wrong([channel], [])[0]


DISCORD_CHANNEL, SLACK_CHANNEL = 123_456_789_012_345_678, "C0123ABCD"


async def _service(folder: Path, discord: DiscordServer, slack: SlackServer) -> "Process":
    """`python -m bot run` on the built-in market, speaking to both platforms."""
    settings = {
        "DATA_DIR": str(folder),
        "DISCORD_TOKEN": DISCORD_TOKEN,
        "DISCORD_API_URL": discord.api_url,
        "DISCORD_ALERT_CHANNEL": str(DISCORD_CHANNEL),
        "SLACK_BOT_TOKEN": SLACK_TOKEN,
        "SLACK_API_URL": slack.api_url,
        "SLACK_ALERT_CHANNEL": SLACK_CHANNEL,
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run"),
        cwd=ROOT,
        env=os.environ | settings,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


Process = asyncio.subprocess.Process


def _all_arrived(folder: Path) -> bool:
    """By the outbox itself: how many messages a day has is its own business."""
    with closing(sqlite3.connect(folder / "state.db")) as state:
        rows = state.execute("SELECT state FROM deliveries WHERE destination NOT LIKE 'console%'")
        states = [row[0] for row in rows]
    return len(states) >= 2 and set(states) == {"sent"}


@pytest.mark.timeout(90)
async def test_the_service_itself_killed_after_acceptance_says_its_digest_once(
    shared: Shared, tmp_path: Path
) -> None:
    await asyncio.to_thread(until_today, shared, tmp_path)
    async with (
        DiscordServer(token=DISCORD_TOKEN) as discord,
        SlackServer(token=SLACK_TOKEN) as slack,
    ):
        discord.add_channel(DISCORD_CHANNEL)
        slack.add_channel(SLACK_CHANNEL, name="alerts")
        for server, operation in ((discord, "messages.create"), (slack, "chat.postMessage")):
            process = await _service(tmp_path, discord, slack)

            def kill(seen: str, pid: int = process.pid, deadly: str = operation) -> None:
                if seen == deadly:
                    os.kill(pid, signal.SIGKILL)

            server.on_accept = kill
            assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
            server.on_accept = None
        process = await _service(tmp_path, discord, slack)
        for _ in range(600):
            await asyncio.sleep(0.1)
            if await asyncio.to_thread(_all_arrived, tmp_path):
                break
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0
        assert len(discord.messages(DISCORD_CHANNEL)) == 1
        digests = [m for m in slack.messages(SLACK_CHANNEL) if m.thread_ts in (None, m.ts)]
        assert len(digests) == 1
