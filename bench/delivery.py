"""One day's digest to 500 channels on each platform, within the platforms' own limits.

The local platforms count as the real ones are said to: Discord 50 requests a second for the bot and
5 messages in 5 seconds a channel; Slack 1 message a second and channel and 300 a minute for the
workspace. The ceiling is what a client could do that knew each limit to the millisecond.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alerts.deliver import Courier, Sender
from alerts.model import ChartOf, Destination, Picture
from alerts.publish import Outbox
from bench.data import Data
from bench.harness import Goal
from bot.outbox_desk import OutboxDesk
from bot.platforms import discord, slack
from bot.requests import CommandRequest
from core.db import Db
from tests.crash.child import PNG
from tests.records import anomaly, judged
from tests.servers.chat import SeenRequest
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer

CHANNELS = 500
NAMES = 10
LEAST_REQUESTS = 3
_ASKED_EVERY_S = 0.25
_TOKEN = "xoxb-of-no-one"  # noqa: S105 - of the local servers


def run(data: Data) -> list[Goal]:
    """Both platforms at once, from one process."""
    seen = asyncio.run(_load())
    for name, one in seen.platforms.items():
        print(
            f"  {name}: {one.digests} digests in {one.digest_s:.1f} s; all {one.messages} messages"
            f" in {one.seconds:.1f} s, {one.per_second:.1f}/s; ceiling {one.ceiling_s:.1f} s;"
            f" {one.limited} answers were 429"
        )
    waits = sorted(seen.waits_s)
    p99 = waits[int(0.99 * (len(waits) - 1))]
    print(
        f"  /outbox answered {len(waits)} times meanwhile: median {statistics.median(waits):.3f} s,"
        f" p99 {p99:.3f} s, worst {waits[-1]:.3f} s"
    )
    goals = [
        Goal(f"{name}: every channel has one digest", one.digests == CHANNELS, f"{one.digests}")
        for name, one in seen.platforms.items()
    ]
    goals += [
        Goal(f"{name}: at least 90 % of the ceiling", one.share >= 0.9, f"{one.share:.0%}")
        for name, one in seen.platforms.items()
    ]
    return [*goals, Goal("commands are answered meanwhile", p99 < 0.25, f"p99 {p99:.3f} s")]


@dataclass(frozen=True, slots=True)
class Platform:
    """What one platform saw."""

    digests: int
    messages: int
    digest_s: float
    seconds: float
    ceiling_s: float
    """What the fewest requests that do it would take at the limit."""
    limited: int

    @property
    def per_second(self) -> float:
        """Messages."""
        return self.messages / self.seconds

    @property
    def share(self) -> float:
        """Of the ceiling."""
        return self.ceiling_s / self.seconds


@dataclass(frozen=True, slots=True)
class Load:
    """Both, and how long commands took meanwhile."""

    platforms: dict[str, Platform]
    waits_s: list[float]


async def _draw(of: ChartOf) -> Picture:
    return Picture(PNG, of.ticker)


def _now() -> datetime:
    return datetime.now(UTC)


async def _load() -> Load:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        there = await stack.enter_async_context(DiscordServer(token=_TOKEN))
        other = await stack.enter_async_context(SlackServer(token=_TOKEN))
        numbers = [200_000_000_000_000_000 + n for n in range(CHANNELS)]
        names = [f"C{n:08d}" for n in range(CHANNELS)]
        for number, name in zip(numbers, names, strict=True):
            there.add_channel(number)
            other.add_channel(name, name=name.lower())
        db = await stack.enter_async_context(Db.open(folder / "state.db"))
        senders: dict[str, Sender] = {
            "discord": await stack.enter_async_context(
                discord.connected(_TOKEN, there.api_url, now=_now)
            ),
            "slack": await stack.enter_async_context(
                slack.connected(_TOKEN, other.api_url, now=_now)
            ),
        }
        channels = [Destination("discord", str(n)) for n in numbers]
        channels += [Destination("slack", name) for name in names]
        found = judged(*(anomaly(f"TEST{n}") for n in range(NAMES)))
        async with db.transaction() as writer:
            await Outbox(channels, NAMES)(writer, found, _now())
        courier = Courier(db, senders, _now, _draw)
        done = asyncio.Event()
        asking = asyncio.create_task(_ask(OutboxDesk(courier, _now, ""), done))
        await courier.drain(patience_s=60)
        done.set()
        digests = sum(len(there.messages(n)) for n in numbers)
        posted = [m for name in names for m in other.messages(name)]
        first = sum(m.thread_ts in (None, m.ts) for m in posted)
        platforms = {
            "discord": _discord(there, digests),
            "slack": _slack(other, first),
        }
        return Load(platforms, await asking)


async def _ask(desk: OutboxDesk, done: asyncio.Event) -> list[float]:
    waits = []
    while not done.is_set():
        began = time.perf_counter()
        await desk.answer(CommandRequest.typed("/outbox"))
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(_ASKED_EVERY_S)
    return waits


def _discord(server: DiscordServer, digests: int) -> Platform:
    assert server.global_limit is not None
    posts = _posts(server.requests, "messages.create")
    # The digest, its thread, and what stands in it: no client needs fewer requests.
    least = LEAST_REQUESTS * CHANNELS
    ceiling = least / (server.global_limit.count / server.global_limit.seconds)
    return _platform(posts, posts, digests, ceiling, server.rate_limited)


def _slack(server: SlackServer, digests: int) -> Platform:
    assert server.workspace_limit is not None
    posts = _posts(server.requests, "chat.postMessage")
    per_second = server.workspace_limit.count / server.workspace_limit.seconds
    burst = server.workspace_limit.count
    # Neither faster than the workspace refills, nor two messages into a channel in one second.
    ceiling = max((len(posts) - burst) / per_second, len(posts) / CHANNELS - 1)
    return _platform(posts, posts, digests, ceiling, server.rate_limited)


def _posts(requests: Sequence[SeenRequest], operation: str) -> list[SeenRequest]:
    return [r for r in requests if r.operation == operation and (r.status or 0) < 400]


def _platform(
    counted: Sequence[SeenRequest],
    posts: Sequence[SeenRequest],
    digests: int,
    ceiling_s: float,
    limited: int,
) -> Platform:
    began, ended = counted[0].at, counted[-1].at
    first = posts[min(digests, len(posts)) - 1].at
    seconds = (ended - began).total_seconds()
    return Platform(
        digests, len(posts), (first - began).total_seconds(), seconds, ceiling_s, limited
    )
