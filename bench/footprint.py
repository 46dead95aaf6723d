"""Memory and start-up: a normal day and a trades day, beside what the libraries alone take.

The real service between local platforms, on a generated market of 10,900 tickers of which all
sessions but the newest are stored. Peaks are of the largest process, and of all of them together at
one moment: resident, and with shared pages counted once (what a host with a limit counts).

python -m bench footprint [MILLIONS OF TRADES]
"""

import asyncio
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import tree
from bench.acknowledge import publish_trades, published, stored
from bench.chat_load import DISCORD_TOKEN, SLACK_TOKEN
from bench.chat_process import Service, connected, of_platforms, service
from bench.data import SESSIONS as STORED
from bench.data import Data
from bench.harness import Goal, lined_up
from bench.stream import _serving
from core.calendar import TradingDay, last_complete, sessions_ending
from tests.servers.discord import DiscordServer
from tests.servers.finra import FinraServer
from tests.servers.slack import SlackServer

MILLIONS, LIMIT_MB = 20.0, 512.0
DISCORD_CHANNEL, SLACK_CHANNEL = 700_000_000_000_000_001, "C0FOOTPRINT"
_LOOK_S, _SETTLED_S, _PATIENCE_S, _STARTS = 0.1, 5.0, 300.0, 3
_NEVER = {"EOD_SCHEDULE_TIME": "23:57", "EOD_DEADLINE": "23:58"}
_OFF = {"USE_TRADES_FILES": "false", "DARK_POOL_ONLY": "false"}


def main() -> None:
    """As large as is asked for."""
    for goal in measured(*(float(word) for word in sys.argv[1:])):
        print(goal)


def run(_: Data, *asked: float) -> list[Goal]:
    """On a market of its own, for the service goes by today's date."""
    return measured(*asked)


@dataclass(slots=True)
class Seen:
    """One process and those below it, from its start."""

    name: str
    ready_s: list[float] = field(default_factory=list)
    """Until both platforms have it."""
    idle_mb: float = 0.0
    """Resident, some seconds later."""
    largest_mb: float = 0.0
    """The peak of the service's own process."""
    all_mb: float = 0.0
    """The peak of all processes together, resident."""
    shared_once_mb: float = 0.0
    """The same, a page that two of them have counted once."""


def measured(millions: float = MILLIONS) -> list[Goal]:
    """Each in turn, on copies of the same folder."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-footprint-") as name:
        folder, days = Path(name), sessions_ending(last_complete(datetime.now(UTC)), STORED + 1)
        vendor = published(folder, days, days[-1:], int(millions * 1e6))
        with _serving(str(vendor)) as s3_url:
            seen = asyncio.run(_measured(folder, s3_url, days))
    head = ("process", "starts in", "idle", "its peak", "all, resident", "all, shared once")
    rows = [
        (one.name, f"{min(one.ready_s):.2f} s", *(f"{mb:.0f} MB" if mb else "" for mb in (
            one.idle_mb, one.largest_mb, one.all_mb, one.shared_once_mb)))
        for one in seen
    ]  # fmt: skip
    print(lined_up([head, *rows]))
    return [
        Goal(f"{one.name} fits {LIMIT_MB:.0f} MB", one.shared_once_mb < LIMIT_MB,
             f"{one.shared_once_mb:.0f} MB; the largest process {one.largest_mb:.0f} MB")
        for one in seen[2:]
    ]  # fmt: skip


async def _measured(folder: Path, s3_url: str, days: Sequence[TradingDay]) -> list[Seen]:
    settings = await stored(folder, s3_url, days[:-1])
    bare, idle = Seen("discord.py, slack-bolt, polars"), Seen("ours, nothing to do")
    for _ in range(_STARTS):
        await _watched(bare, folder, {}, _nothing, "bench.footprint_bare")
        await _watched(idle, folder, settings | _OFF | _NEVER, _nothing)
    normal, trades = Seen("ours, a normal day"), Seen("ours, a trades day")
    await _watched(normal, folder, settings | _OFF, _said(days[-1]))
    publish_trades(folder)
    await _watched(trades, folder, settings, _counted(days[-1]))
    return [bare, idle, normal, trades]


Until = Callable[[Path, DiscordServer, SlackServer], Awaitable[bool]]


async def _watched(
    seen: Seen, folder: Path, settings: Mapping[str, str], until: Until, *command: str
) -> None:
    """Start it, and look at it until what is waited for has happened and it is at rest."""
    place = folder / f"{seen.name}-{time.monotonic_ns()}".replace(" ", "-")
    data = place / "data"
    await asyncio.to_thread(shutil.copytree, folder / "stored", data, symlinks=True)
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(DiscordServer(token=DISCORD_TOKEN))
        slack = await stack.enter_async_context(SlackServer(token=SLACK_TOKEN))
        finra = await stack.enter_async_context(FinraServer())
        discord.add_channel(DISCORD_CHANNEL)
        slack.add_channel(SLACK_CHANNEL, name="alerts")
        told = {**settings, **of_platforms(discord, slack), "DATA_DIR": str(data),
                "FINRA_URL": finra.daily_url, "DISCORD_ALERT_CHANNEL": str(DISCORD_CHANNEL),
                "SLACK_ALERT_CHANNEL": SLACK_CHANNEL}  # fmt: skip
        began = time.monotonic()
        running = await stack.enter_async_context(service(place, told, *command))
        looking = asyncio.create_task(_look(seen, running))
        if command:
            await _up(discord, slack)
        else:
            await connected(discord, slack, running)
        seen.ready_s.append(time.monotonic() - began)
        deadline = time.monotonic() + _PATIENCE_S
        while not await until(data, discord, slack):
            assert running.is_alive, running.said()
            assert time.monotonic() < deadline, running.said()
            await asyncio.sleep(_LOOK_S)
        await asyncio.sleep(_SETTLED_S)
        seen.idle_mb = running.rss_mb()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _up(discord: DiscordServer, slack: SlackServer) -> None:
    while not (discord.gateway.is_connected and slack.sockets.live):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def _look(seen: Seen, running: Service) -> None:
    while True:
        all_mb, once_mb, own_mb = await asyncio.to_thread(_taken, running.pid)
        seen.all_mb = max(seen.all_mb, all_mb)
        seen.shared_once_mb = max(seen.shared_once_mb, once_mb)
        seen.largest_mb = max(seen.largest_mb, own_mb)
        await asyncio.sleep(_LOOK_S)


def _taken(pid: int) -> tuple[float, float, float]:
    resident = once = own = 0.0
    for one in tree.below(pid):
        with suppress(OSError):
            told = _rollup(Path(f"/proc/{one.pid}/smaps_rollup"))
            resident, once = resident + told["Rss"], once + told["Pss"]
        own = max(own, one.peak_mb if one.pid == pid else 0.0)
    return resident, once, own


def _rollup(path: Path) -> dict[str, float]:
    fields = (line.split() for line in path.read_text().splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in fields}


async def _nothing(data: Path, discord: DiscordServer, slack: SlackServer) -> bool:
    return True


def _said(day: TradingDay) -> Until:
    """Both channels have the digest, and its pictures."""

    async def until(data: Path, discord: DiscordServer, slack: SlackServer) -> bool:
        posted = slack.messages(SLACK_CHANNEL)
        return bool(discord.messages(DISCORD_CHANNEL)) and len(posted) > 1

    return until


def _counted(day: TradingDay) -> Until:
    """Its trades are counted and stored, and what could be said of it was."""

    async def until(data: Path, discord: DiscordServer, slack: SlackServer) -> bool:
        asked = (
            "SELECT count(*) FROM sessions WHERE session = ? AND series LIKE '%trades%'"
            " AND status = 'finished'"
        )
        with closing(sqlite3.connect(f"file:{data / 'state.db'}?mode=ro", uri=True)) as db:
            (found,) = db.execute(asked, (str(day),)).fetchone()
        return bool(found) and bool(discord.messages(DISCORD_CHANNEL))

    return until


if __name__ == "__main__":
    main()
