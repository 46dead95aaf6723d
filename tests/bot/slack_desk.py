"""A Slack ear over a small market, beside the local Slack whose people command and press."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.compose import no_picture
from bot.app import App
from bot.door import SLACK_PATH, Door
from bot.links import Link
from bot.platforms.slack_ear import SlackEar
from bot.platforms.slack_link import Timing
from bot.reception import Reception
from bot.supervise import supervised
from tests.bot.small_market import at
from tests.servers.local import utc_now
from tests.servers.slack import APP_TOKEN, SlackServer

TOKEN, SECRET = "xoxb-invented", "invented-signing-secret"
CHANNEL, ALICE, BOB = "C0ALERTS", "U0ALICE", "U0BOB"
BRISK = Timing(ping_s=2.0, look_s=0.05, down_s=5.0, answer_s=5.0)
MODES = ("socket", "http")


@dataclass(slots=True)
class Slack:
    """Both sides, running."""

    server: SlackServer
    ear: SlackEar
    app: App
    task: asyncio.Task[None]
    door: Door

    @property
    def posts_to(self) -> str:
        """Where Slack posts to, in HTTP mode."""
        return f"http://127.0.0.1:{self.door.bound}{SLACK_PATH}"

    async def ask(self, text: str, **more: Any) -> str:
        """What somebody reads who types a command: `/ticker NVDA`."""
        command, _, rest = text.partition(" ")
        asked = await self.server.command(command, rest, **more)
        return read((await asked.answered(10.0)).body)


@asynccontextmanager
async def local_slack(**more: Any) -> AsyncIterator[SlackServer]:
    """One channel, no limits."""
    free = {"channel_limit": None, "workspace_limit": None}
    async with SlackServer(**({"token": TOKEN} | free | more)) as server:
        server.add_channel(CHANNEL)
        yield server


def made(server: SlackServer, reception: Reception, mode: str = "socket", **more: Any) -> SlackEar:
    """An ear that is not served yet."""
    usual: dict[str, Any] = {
        "api_url": server.api_url,
        "app_token": APP_TOKEN if mode == "socket" else None,
        "signing_secret": SECRET,
        "door": Door(),
        "groups": (),
        "timing": BRISK,
    }
    return SlackEar(TOKEN, Link("slack", utc_now), reception, **(usual | more))


@asynccontextmanager
async def serving(
    server: SlackServer, app: App, mode: str = "socket", **more: Any
) -> AsyncIterator[Slack]:
    """It answers, under the supervisor; without pictures, unless `draw` makes them."""
    reception = more.pop("reception", app.reception)
    reception.draw = more.pop("draw", no_picture)
    door = Door(0)
    ear = made(server, reception, mode, door=door, **more)
    run = supervised("slack", ear.serve, longest_s=1.0, link=ear.link)
    task, opening = asyncio.create_task(run), asyncio.create_task(door.serve())
    try:
        await up(ear)
        if mode == "http":
            server.http_to(f"http://127.0.0.1:{door.bound}{SLACK_PATH}", SECRET)
        yield Slack(server, ear, app, task, door)
    finally:
        await ear.drain(5.0)
        for one in (task, opening):
            one.cancel()
        await asyncio.gather(task, opening, return_exceptions=True)


@asynccontextmanager
async def desk(folder: Path, mode: str = "socket", **more: Any) -> AsyncIterator[Slack]:
    """A server, the market in a folder, and an ear between them."""
    async with local_slack() as server, at(folder) as app, serving(server, app, mode, **more) as s:
        yield s


async def up(ear: SlackEar, within_s: float = 5.0) -> None:
    """Wait until commands arrive."""
    await until(lambda: ear.link.state == "connected", within_s)


async def until(holds: Callable[[], object], within_s: float = 5.0) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - nobody sets an event for it
            await asyncio.sleep(0.01)


def read(body: Any) -> str:
    """All words of a message, line by line."""
    return "\n".join([str(body.get("text") or ""), *words(body.get("blocks") or [])])


def words(blocks: Sequence[Any]) -> list[str]:
    """Every text in blocks, in order."""
    found: list[str] = []
    for block in blocks:
        if isinstance(block, dict):
            own = block.get("text")
            found += [own] if isinstance(own, str) else []
            found += words([v for v in block.values() if isinstance(v, dict | list)])
        elif isinstance(block, list):
            found += words(block)
    return found


def button(blocks: Sequence[Any], label: str) -> dict[str, Any]:
    """The button with this label."""
    made = [e for b in blocks if b["type"] == "actions" for e in b["elements"]]
    return next(e for e in made if e["type"] == "button" and e["text"]["text"] == label)
