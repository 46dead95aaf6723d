"""The bot on the local Discord: the real ear and reception over a small stored market."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alerts.model import ChartOf, Message, Picture
from bot.answers import Answer
from bot.app import App
from bot.links import Link
from bot.permissions import Asker
from bot.platforms.discord_bot import REGISTERING
from bot.platforms.discord_ear import DiscordEar
from bot.platforms.discord_watch import Patience
from bot.reception import Reception
from bot.suggest import Suggestions
from bot.supervise import supervised
from tests.bot.small_market import at
from tests.servers.discord import DiscordServer
from tests.servers.discord_interaction import Interaction
from tests.servers.faults import Status

TOKEN = "invented.discord.token"
CHANNEL = 900000000000000011
ANN, BOB = 900000000000000020, 900000000000000021
PNG = b"\x89PNG\r\n\x1a\n"
FAST = Patience(
    quiet_s=0.4,
    login_s=5.0,
    close_s=0.3,
    identify_pause_s=0.05,
    register_pause_s=0.05,
    answer_again_s=[0.05] * 5,
)


@dataclass
class Talk:
    """A server and the bot that listens to it."""

    server: DiscordServer
    app: App
    ear: DiscordEar
    running: "asyncio.Task[None]"

    async def asks(self, name: str, options: dict[str, Any] | None = None, **who: Any) -> str:
        """What is read by the one who typed it."""
        return words(await self.command(name, options, **who))

    async def command(
        self, name: str, options: dict[str, Any] | None = None, **who: Any
    ) -> Interaction:
        """A command that was answered."""
        asked = await self.server.interact_command(name, options or {}, **who)
        return await asked.answered(20)

    async def clicks(
        self, on: Interaction, custom_id: str, values: tuple[str, ...] = (), **who: Any
    ) -> Interaction:
        """A button or a menu of an answer, and what came of it."""
        clicked = await self.server.interact_component(on.original, custom_id, values, **who)
        return await clicked.answered(20)


async def draw(of: ChartOf) -> Picture:
    """A picture without the process that draws real ones."""
    return Picture(PNG, f"{of.ticker}, a line")


def ear_of(app: App, server: DiscordServer, **more: Any) -> DiscordEar:
    """Not served yet."""
    own = replace(app.reception, draw=draw)
    settings: dict[str, Any] = {"patience": FAST, "token": TOKEN, "reception": own}
    settings |= more
    reception: Reception = settings.pop("reception")
    urls = {"api_url": server.api_url, "gateway_url": server.gateway_url}
    link = Link("discord", app.now)
    token = settings.pop("token")
    return DiscordEar(token, link, reception, Suggestions(app.ladder), **{**urls, **settings})


@asynccontextmanager
async def served(ear: DiscordEar) -> AsyncIterator["asyncio.Task[None]"]:
    """As the process serves it, until the block ends."""
    running = asyncio.create_task(supervised("discord", ear.serve, longest_s=1.0, link=ear.link))
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def talking(folder: Path, server: DiscordServer, **more: Any) -> AsyncIterator[Talk]:
    """Connected, and its commands are registered."""
    async with at(folder) as app:
        ear = ear_of(app, server, **more)
        async with served(ear) as running:
            await server.gateway.connected(10)
            await quiet(ear)
            yield Talk(server, app, ear, running)


async def until(true: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - a link and a server's counters have no event
            await asyncio.sleep(0.01)


async def quiet(ear: DiscordEar) -> None:
    """Until everything that was asked is answered, and the commands are registered."""
    await until(lambda: not len(ear.hearing.work) and not registering())


def registering() -> bool:
    """Whether Discord is still to be told the commands."""
    return any(REGISTERING in task.get_name() for task in asyncio.all_tasks())


def words(it: Interaction) -> str:
    """All that is read in an answer."""
    message = it.original
    parts: list[str | None] = [message.content]
    for embed in message.embeds:
        parts += [embed.get("author", {}).get("name"), embed.get("title")]
        parts += [embed.get("description"), embed.get("footer", {}).get("text")]
    return "\n".join(part for part in parts if part)


def clickable(it: Interaction) -> dict[str, str]:
    """The labels of an answer's buttons, with their ids."""
    rows = [part for row in it.original.components for part in row["components"]]
    return {part["label"]: part["custom_id"] for part in rows if part["type"] == 2}


def menus(it: Interaction) -> list[dict[str, Any]]:
    """The menus of an answer."""
    rows = [part for row in it.original.components for part in row["components"]]
    return [part for part in rows if part["type"] == 3]


@dataclass(slots=True)
class Told(Reception):
    """A reception that says what it is told to, when it is told to."""

    says: Answer | Exception = field(default_factory=lambda: Answer(Message("", "so it is")))
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[tuple[str, Asker, str]] = field(default_factory=list)

    async def typed(self, once: str, asker: Asker, line: str) -> Answer | None:
        """Whatever it is."""
        return await self._said(once, asker, line)

    async def pressed(self, once: str, asker: Asker, button: str) -> Answer | None:
        """Likewise."""
        return await self._said(once, asker, button)

    async def _said(self, *what: Any) -> Answer:
        self.heard.append(what)
        await self.ready.wait()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@asynccontextmanager
async def told(
    tmp_path: Path, server: DiscordServer, says: Answer | Exception | None = None, **more: Any
) -> AsyncIterator[tuple[Talk, Told]]:
    """A bot whose answers are known."""
    async with at(tmp_path) as app:
        own = app.reception
        reception = Told(own.db, own.commands, own.operators, own.now)
        reception.says = says or reception.says
        reception.ready.set()
        ear = ear_of(app, server, reception=reception, **more)
        async with served(ear) as running:
            await server.gateway.connected(10)
            await quiet(ear)
            yield Talk(server, app, ear, running), reception


def refused(status: int, code: int) -> Status:
    body = json.dumps({"code": code, "message": "no"}).encode()
    return Status(status, body, "application/json")


def seen(server: DiscordServer, operation: str) -> list[dict[str, Any]]:
    """The JSON bodies that came."""
    found = [s.call for s in server.requests if s.operation == operation]
    return [json.loads(call.body) for call in found if call.content_type == "application/json"]
