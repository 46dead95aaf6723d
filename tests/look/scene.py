"""The messages to look at: the service's own, over the sample market, as servers stored them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from alerts.model import Destination, Letter, Message, Receipt
from bot.app import App, opened
from bot.links import LinkState
from bot.platforms.console import ConsoleSender
from bot.settings import Settings, load
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import NEW_YORK, sessions_ending, trading_day
from tests.filled import history
from tests.market import compiled_once
from tests.servers.discord import DiscordServer
from tests.servers.discord_store import StoredMessage as OnDiscord
from tests.servers.slack import APP_TOKEN, SlackServer
from tests.servers.slack_store import CHANNEL as ROOM
from tests.servers.slack_store import SOMEONE, Ephemeral, StoredFile
from tests.servers.slack_store import StoredMessage as OnSlack

SESSION = trading_day(date(2025, 11, 26))
"""Five lines, up and down, of three kinds."""
NOW = datetime.combine(SESSION.date + timedelta(days=1), time(11, 5), NEW_YORK)
ASKED = "XJAG"
"""One of the lines."""

CHANNEL = 900000000000000011
_TOLD = 4
"""So many sessions are announced: repeats fold by what was said before."""
_TOKEN = "invented"
_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What people have before them."""

    discord: OnDiscord
    slack: OnSlack
    terminal: Message
    files: Mapping[str, StoredFile]
    """Slack's, by their ids."""
    discord_answer: OnDiscord | None = None
    slack_answer: Ephemeral | None = None
    discord_thread: tuple[OnDiscord, ...] = ()
    slack_thread: tuple[OnSlack, ...] = ()


class Terminal(ConsoleSender):
    """Keeps what it prints, so that it can be printed at another width."""

    def __init__(self) -> None:
        super().__init__(lambda text: None)
        self.messages: list[Message] = []

    async def send(self, destination: Destination, letter: Letter) -> Receipt:
        """Prints, and keeps it."""
        self.messages.append(letter.message)
        return await super().send(destination, letter)


def real(folder: Path) -> Scene:
    """The newest digest of the sample market, and what is answered to who asks about a line."""
    for name in (*Settings.model_fields, "massive_api_key"):
        os.environ.pop(name.upper(), None)  # nobody's own keys and channels have a say
    compiled_once(folder)
    return asyncio.run(_played(folder))


async def _played(folder: Path) -> Scene:
    async with _stage(folder) as (app, on_discord, on_slack):
        terminal = Terminal()
        app.senders["console"] = terminal
        days = sessions_ending(SESSION, LOOKBACK_SESSIONS + _TOLD)
        await history(app, days[:-_TOLD])
        await app.name_channels(ending=True)
        for day in days[-_TOLD:]:
            await app.ladder.top.trading_day(day, announce=True)
            await app.courier.drain(patience_s=20)
        there, here = on_discord.messages(CHANNEL), on_slack.messages(ROOM)
        digests, thread = [m for m in here if not m.is_reply], there[-1].thread
        async with _listening(app, on_discord):
            asked = await on_discord.interact_command("ticker", {"symbol": ASKED})
            told = await on_slack.command("/ticker", ASKED, channel_id=ROOM)
            await asked.answered(_WITHIN_S)
            await told.answered(_WITHIN_S)
        return Scene(
            there[-1],
            digests[-1],
            terminal.messages[-1],
            on_slack.files,
            asked.original,
            on_slack.seen_by(SOMEONE)[-1],
            tuple(m for m in thread.messages if m.embeds or m.content) if thread else (),
            tuple(m for m in here if m.is_reply and m.thread_ts == digests[-1].ts),
        )


@asynccontextmanager
async def _stage(folder: Path) -> AsyncIterator[tuple[App, DiscordServer, SlackServer]]:
    async with AsyncExitStack() as stack:
        on_discord = await stack.enter_async_context(DiscordServer(token=_TOKEN))
        on_slack = await stack.enter_async_context(SlackServer(token=f"xoxb-{_TOKEN}"))
        on_discord.add_channel(CHANNEL)
        on_slack.add_channel(ROOM)
        settings = await asyncio.to_thread(
            load,
            _env_file=None,
            data_dir=folder,
            discord_token=_TOKEN,
            discord_api_url=on_discord.api_url,
            discord_gateway_url=on_discord.gateway_url,
            discord_alert_channel=str(CHANNEL),
            slack_bot_token=f"xoxb-{_TOKEN}",
            slack_app_token=APP_TOKEN,
            slack_api_url=on_slack.api_url,
            slack_alert_channel=ROOM,
        )
        app = await stack.enter_async_context(opened(settings, now=lambda: NOW))
        yield app, on_discord, on_slack


@asynccontextmanager
async def _listening(app: App, on_discord: DiscordServer) -> AsyncIterator[None]:
    """As the service listens, until the block ends."""
    tasks = [asyncio.create_task(app.listen(ear)) for ear in app.ears]
    try:
        await _until(lambda: all(ear.link.state is LinkState.UP for ear in app.ears))
        await _until(lambda: on_discord.commands.syncs > 0)
        yield
    finally:
        await asyncio.gather(*(ear.drain(1.0) for ear in app.ears))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(_WITHIN_S):
        while not holds():  # noqa: ASYNC110 - a link has no bell
            await asyncio.sleep(0.05)
