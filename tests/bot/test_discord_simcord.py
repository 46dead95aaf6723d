"""The same bot on SimCord, a model of Discord that is not ours: an independent judge.

It knows no wire, no rate limits and no resumed sessions; the local server has those.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import discord
import pytest
import simcord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from simcord.backend.errors import OptionError

from bot.app import App
from bot.forms import FORMS
from bot.links import Link, LinkState
from bot.platforms.discord_answers import Answers
from bot.platforms.discord_bot import Bot, make_bot
from bot.platforms.discord_hearing import Hearing
from bot.platforms.discord_line import Line
from bot.platforms.discord_sync import Register
from bot.platforms.discord_watch import Patience
from bot.suggest import Suggestions
from tests.bot.discord_talk import draw
from tests.bot.small_market import at, stored_market
from tests.market import NEWEST
from tests.shared import Shared


@dataclass
class Scene:
    """A server with one channel, and somebody in it."""

    env: Any
    app: App
    hearing: Hearing
    link: Link
    channel: Any
    ann: Any
    bob: Any


@asynccontextmanager
async def scene(folder: Path, *, deaf: bool = False) -> AsyncIterator[Scene]:
    async with at(folder) as app:
        # SimCord stands where Discord does: nothing is sent there.
        line = Line(Route.BASE, str(DiscordWebSocket.DEFAULT_GATEWAY))
        hearing = Hearing(
            replace(app.reception, draw=draw), Suggestions(app.ladder), line, Answers(())
        )
        link = Link("discord", app.now)
        register = Register(app.db)
        bot = make_bot(hearing, register, link)
        if deaf:
            bot = Bot(lambda interaction: None, register.tell, link, Patience())
        async with simcord.run(bot) as env:
            guild = env.create_guild()
            channel = guild.create_text_channel("alerts")
            ann = guild.add_member(env.create_user("ann"))
            bob = guild.add_member(env.create_user("bob"))
            yield Scene(env, app, hearing, link, channel, ann, bob)


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return stored_market(shared, tmp_path / "data")


def labels(response: Any) -> dict[str, str]:
    rows = [part for row in response.components for part in row["components"]]
    return {part["label"]: part["custom_id"] for part in rows if part["type"] == 2}


def text(response: Any) -> str:
    parts = [response.content]
    parts += [f"{e.title or ''} {e.description or ''}" for e in response.embeds]
    return "\n".join(parts)


async def test_a_command_is_promised_then_answered_for_one_reader(folder: Path) -> None:
    async with scene(folder) as there:
        asked = await there.ann.slash(there.channel, "anomalies")
        assert there.link.state is LinkState.UP
        assert asked.ephemeral
        promise, kept = there.env.transcript().splitlines()[-2:]
        assert "{'type': 5, 'data': {'flags': 64}}" in promise
        assert "PATCH" in kept
        assert "QWOH" in text(asked.response)
        assert list(labels(asked.response))[-1] == "Share"


async def test_buttons_and_menus_answer_beside_their_message(folder: Path) -> None:
    async with scene(folder) as there:
        asked = await there.ann.slash(there.channel, "anomalies")
        before = text(asked.response)
        raw = await there.ann.click(asked.response, label="Show raw")
        assert raw.ephemeral
        assert raw.response.id != asked.response.id
        assert text(asked.response) == before
        (menu,) = [
            part
            for row in asked.response.components
            for part in row["components"]
            if part["type"] == 3
        ]
        line = await there.ann.select(
            asked.response, [menu["options"][0]["value"]], custom_id=menu["custom_id"]
        )
        assert line.ephemeral
        assert "QWOH" in text(line.response)


async def test_share_is_for_all_and_its_note_for_one(folder: Path) -> None:
    async with scene(folder) as there:
        asked = await there.ann.slash(there.channel, "help")
        shared = await there.ann.click(asked.response, label="Share")
        (public,) = shared.followups
        assert shared.ephemeral
        assert text(shared.response) == "Shared."
        assert not public.ephemeral
        assert there.channel.last_message.id == public.id


async def test_what_is_being_typed_gets_suggestions(folder: Path) -> None:
    async with scene(folder) as there:
        offered = await there.ann.autocomplete(there.channel, "ticker", "symbol", "qw")
        assert {"name": "QWOH", "value": "QWOH"} in offered
        days = await there.ann.autocomplete(there.channel, "why", "session", "", symbol="QWOH")
        assert days[0]["value"] == str(NEWEST)
        days = await there.ann.autocomplete(there.channel, "backfill plan", "first", "2016-01-04")
        assert days == [{"name": "Mon 4 Jan 2016", "value": "2016-01-04"}]


async def test_every_command_is_acknowledged(folder: Path) -> None:
    async with scene(folder) as there:
        names = there.ann.available_commands(there.channel)
        values = {
            **{"symbol": "QWOH", "symbols": "QWOH", "number": 1, "label": "news-like"},
            **{"rule": "trades", "first": "2026-03-05", "last": "2026-03-06"},
        }
        forms = {
            f"{form.command} {form.action}".strip(): form
            for all_ in FORMS.values()
            for form in all_
        }
        assert set(names) == set(forms)
        for name in names:
            needed = {
                field.name: values[field.name] for field in forms[name].fields if field.required
            }
            asked = await there.bob.slash(there.channel, name, **needed)
            assert asked.acknowledged, name
            assert asked.ephemeral, name
            assert text(asked.response), name


async def test_the_judge_sees_what_is_not_acknowledged(folder: Path) -> None:
    async with scene(folder, deaf=True) as there:
        asked = await there.ann.slash(there.channel, "help")
        assert not asked.acknowledged
        assert asked.response is None


async def test_operators_are_those_who_manage_the_server(folder: Path) -> None:
    async with scene(folder) as there:
        asked = await there.bob.slash(there.channel, "channels test")
        assert "for operators" in text(asked.response)
        guild = there.ann.guild
        desk = guild.create_role("desk", permissions=discord.Permissions(manage_guild=True))
        chief = guild.add_member(there.env.create_user("chief"), roles=[desk])
        asked = await chief.slash(there.channel, "channels test")
        assert "for operators" not in text(asked.response)


async def test_another_channel_is_picked_and_never_typed(folder: Path) -> None:
    async with scene(folder) as there:
        guild = there.ann.guild
        desk = guild.create_role("desk", permissions=discord.Permissions(manage_guild=True))
        chief = guild.add_member(there.env.create_user("chief"), roles=[desk])
        other = guild.create_text_channel("other")
        asked = await chief.slash(there.channel, "watch list", here=True, channel=other)
        assert "reaches beyond this server" in text(asked.response)
        asked = await chief.slash(there.channel, "watch list", here=True, channel=there.channel)
        assert "watchlist is empty" in text(asked.response), "one is in it"
        with pytest.raises(OptionError, match="channel"):
            await chief.slash(there.channel, "watch list", channel="add QWOH")


async def test_it_asks_for_nothing_that_must_be_granted(folder: Path) -> None:
    async with scene(folder) as there:
        assert there.env.bot.intents == discord.Intents(guilds=True)
