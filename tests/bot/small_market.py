"""A small stored market, two sessions of which were told, and people who ask about it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from bot.app import App, opened
from bot.commands import CommandRequest, Reply
from bot.platforms.console import render
from bot.settings import load
from core.calendar import sessions_ending
from tests.market import NEWEST, NOW, compiled_once
from tests.shared import Shared, copied

STORED = sessions_ending(NEWEST, 24)
TOLD = STORED[-2:]
JUDGEABLE = STORED[20:]
HERE, ANN, BOB = "discord:456", "discord:@1", "discord:@2"


@asynccontextmanager
async def at(folder: Path, now: datetime = NOW) -> AsyncIterator[App]:
    """The application over it."""
    settings = await asyncio.to_thread(load, data_dir=folder)
    async with opened(settings, now=lambda: now) as app:
        yield app


def stored_market(shared: Shared, to: Path) -> Path:
    """`to`, with the sample market's last sessions in it: filled once a run, then copied."""
    return copied(shared.once("small-market", _fill), to)


def _fill(folder: Path) -> None:
    async def fill() -> None:
        async with at(folder) as app:
            for day in STORED:
                await app.ladder.top.trading_day(day, announce=day in TOLD)

    compiled_once(folder)
    asyncio.run(fill())


async def ask(
    app: App, text: str, who: str = ANN, where: str = HERE, *, operator: bool = True
) -> Reply:
    """What somebody is answered."""
    return await app.commands.answer(CommandRequest.parse(text, who, where, operator=operator))


async def shown(app: App, text: str, who: str = ANN, where: str = HERE) -> str:
    """The same as they read it; it is no refusal."""
    reply = await ask(app, text, who, where)
    assert reply.ok, reply.message.lead
    assert "SAMPLE" in reply.message.stamp
    return render(reply.message, 100)


async def told(app: App, text: str, who: str = ANN, where: str = HERE, **more: bool) -> str:
    """The answer's first line."""
    return (await ask(app, text, who, where, **more)).message.lead
