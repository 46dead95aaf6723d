"""What goes on during a soak: commands, cuts, revisions, and a look at the process now and then."""

import asyncio
import gzip
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.chat_cuts import LAST_S, Cuts
from bench.chat_load import (
    CHANNELS,
    DISCORD_TOKEN,
    SLACK_TOKEN,
    Crowd,
    Given,
    discord_channel,
    paced,
    slack_channel,
)
from bench.chat_process import Service, backfilled, connected, of_platforms, service
from bench.data import SESSIONS as STORED
from bench.soak_child import TOLD
from core.calendar import last_complete, sessions_ending
from core.sources.day_aggs import key
from tests import market
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer

PER_SECOND, LAST = 2.0, 20
"""Commands; and so many at once right before SIGTERM."""

_LOOK_S, _REPUBLISH_S, _FIRST_REVISION_S = 30.0, 120.0, 30.0
_LATE = timedelta(seconds=60)
_ALERTED = 2
_NAMES = 40
_HOURS = {"EOD_SCHEDULE_TIME": "00:00", "EOD_DEADLINE": "23:59", "EOD_POLL_MINUTES": "1"}


@dataclass(frozen=True, slots=True)
class Look:
    """The process at one time."""

    at_s: float
    rss_mb: float
    tasks: int
    names: Counter[str]
    threads: int
    files: int


@dataclass(frozen=True, slots=True)
class End:
    """What was seen when the process was told to go in the middle of its work."""

    code: int | None
    seconds: float
    last: Sequence[Given]


@dataclass(slots=True)
class Soak:
    """Everything that is running, and what was seen of it."""

    crowd: Crowd
    cuts: Cuts
    running: Service
    file: Path
    """The newest session at the vendor's."""
    looks: list[Look] = field(default_factory=list)
    revisions: int = 0
    complaints: Counter[str] = field(default_factory=Counter)
    """What the service had to say in its log."""
    began: float = field(default_factory=time.monotonic)

    async def last(self, minutes: float) -> None:
        """All of it at once."""
        until = self.began + 60 * minutes
        # The last cuts are early enough for the service to be back when it is told to go.
        doings = (self._look(minutes), self._republish(), self.cuts.go_on(until - LAST_S))
        beside = [asyncio.create_task(doing) for doing in doings]
        await paced(self.crowd.ask, PER_SECOND, until=until)
        for task in beside:
            task.cancel()
        for told in await asyncio.gather(*beside, return_exceptions=True):
            if isinstance(told, Exception):
                raise told

    async def end(self) -> End:
        """Many at once, and SIGTERM while they are being answered."""
        before = len(self.crowd.given)
        await asyncio.gather(*(self.crowd.ask() for _ in range(LAST)))
        await asyncio.sleep(0.1)
        code, seconds = await self.running.stop()
        self.crowd.take_stock()
        return End(code, seconds, self.crowd.given[before:])

    async def _look(self, minutes: float) -> None:
        while True:
            await asyncio.sleep(min(_LOOK_S, 6 * minutes))
            names = await asyncio.to_thread(_tasks, self.running.out)
            self.crowd.take_stock()
            service, at_s = self.running, time.monotonic() - self.began
            process = (service.rss_mb(), names.total(), names, service.threads())
            look = Look(at_s, *process, service.open_files())
            self.looks.append(look)
            waiting = [
                g for g in self.crowd.given if not (g.is_answered or self.cuts.is_excused(g))
            ]
            print(
                f"  {look.at_s / 60:5.1f} min: {look.rss_mb:.1f} MB, {look.tasks} tasks,"
                f" {look.threads} threads, {look.files} descriptors;"
                f" {len(self.crowd.given)} commands, {len(waiting)} not answered yet",
                flush=True,
            )

    async def _republish(self) -> None:
        original = await asyncio.to_thread(self.file.read_bytes)
        await asyncio.sleep(_FIRST_REVISION_S)
        while True:
            self.revisions += 1
            changed = await asyncio.to_thread(_louder, original, self.revisions)
            await asyncio.to_thread(self.file.write_bytes, changed)
            await asyncio.sleep(_REPUBLISH_S)

    def told(self) -> dict[str, list[str]]:
        """What the channels of the environment were told, by channel, their threads included."""
        discord, slack = self.crowd.discord, self.crowd.slack
        found = {}
        for n in range(CHANNELS, CHANNELS + _ALERTED):
            there = discord.messages(discord_channel(n))
            threads = [m.thread.id for m in there if m.thread is not None]
            inside = [m for thread in threads for m in discord.messages(thread)]
            found[f"discord {n}"] = [m.content + json.dumps(m.embeds) for m in [*there, *inside]]
            posted = slack.messages(slack_channel(n))
            found[f"slack {n}"] = [m.text + json.dumps(m.blocks) for m in posted]
        return found


@asynccontextmanager
async def begun() -> AsyncIterator[Soak]:
    """The vendor, the platforms, a stored market, and the service between them."""
    days = sessions_ending(last_complete(datetime.now(UTC)), STORED + 1)
    async with AsyncExitStack() as stack:
        scratch = tempfile.TemporaryDirectory(prefix="tapewatch-soak-")
        folder = Path(stack.enter_context(scratch))
        vendor = await stack.enter_async_context(
            market.vendor(folder / "vendor", days, datetime.now(UTC))
        )
        environment = vendor.environment(folder / "data")
        await backfilled(folder, environment, str(days[0]), str(days[-2]))
        discord = await stack.enter_async_context(DiscordServer(token=DISCORD_TOKEN))
        slack = await stack.enter_async_context(SlackServer(token=SLACK_TOKEN))
        # What is replayed after the real three seconds is to be told from what is lost.
        discord.interactions.callback_window = _LATE
        slack.sockets.patience_s = slack.ack_within_s = _LATE.total_seconds()
        newest = folder / "vendor" / key("day_aggs_v1", days[-1].date)
        crowd = Crowd(discord, slack, await asyncio.to_thread(_known, newest))
        crowd.move_in(CHANNELS + _ALERTED)
        told = {**environment, **_HOURS, **of_platforms(discord, slack), **_alerted()}
        running = await stack.enter_async_context(service(folder, told, "bench.soak_child"))
        await connected(discord, slack, running)
        yield Soak(crowd, Cuts(crowd), running, newest)


def _alerted() -> dict[str, str]:
    """Channels that get digests, in which nobody types."""
    numbers = range(CHANNELS, CHANNELS + _ALERTED)
    return {
        "DISCORD_ALERT_CHANNEL": ",".join(str(discord_channel(n)) for n in numbers),
        "SLACK_ALERT_CHANNEL": ",".join(slack_channel(n) for n in numbers),
    }


def _tasks(out: Path) -> Counter[str]:
    """The newest count, by name."""
    lines = out.read_text(errors="replace").splitlines()
    told = next((line for line in reversed(lines) if line.startswith(TOLD)), TOLD + "{}")
    return Counter(json.loads(told.removeprefix(TOLD)))


def _rows(packed: bytes) -> tuple[list[str], list[dict[str, str]]]:
    """The columns, and the rows with the largest volume in dollars first."""
    head, *rows = [line.split(",") for line in gzip.decompress(packed).decode().splitlines()]
    named = [dict(zip(head, row, strict=True)) for row in rows]
    return head, sorted(named, key=lambda r: -float(r["volume"]) * float(r["close"]))


def _known(path: Path) -> list[str]:
    """Names that people ask about."""
    return [row["ticker"] for row in _rows(path.read_bytes())[1][:_NAMES]]


def _louder(packed: bytes, revision: int) -> bytes:
    """The session with one of its larger names at forty times its volume."""
    head, rows = _rows(packed)
    loud = rows[20 + revision % 60]
    loud["volume"] = f"{40 * float(loud['volume']):.6f}"
    loud["transactions"] = str(40 * int(loud["transactions"]))
    rows.sort(key=lambda row: row["ticker"].encode())
    lines = [",".join(head), *(",".join(row[name] for name in head) for row in rows)]
    return gzip.compress("\n".join(lines).encode() + b"\n")
