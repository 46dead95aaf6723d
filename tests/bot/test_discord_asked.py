"""What can be asked on Discord: every command with every field, by whom, and with hostile words."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.forms import FORMS, Kind
from bot.pace import Pace
from bot.permissions import Asker
from tests.bot.discord_talk import (
    ANN,
    CHANNEL,
    Talk,
    draw,
    ear_of,
    quiet,
    served,
    talking,
    told,
    words,
)
from tests.bot.small_market import at
from tests.market import NEWEST
from tests.servers.discord import DiscordServer
from tests.servers.discord_interaction import Interaction

MANAGER = discord.Permissions(manage_guild=True, use_application_commands=True)


# Every command can be asked, and every field arrives.

VALUES: dict[Kind, Any] = {
    Kind.TICKER: "QWOH",
    Kind.TICKERS: "QWOH XWUP",
    Kind.SESSION: str(NEWEST),
    Kind.DAY: str(NEWEST),
    Kind.FLAG: True,
    Kind.CHANNEL: CHANNEL,
    Kind.TEXT: "some words",
    Kind.WORDS: "some words",
}
FORMS_BY_NAME = {
    f"{form.command} {form.action}".strip(): form for forms in FORMS.values() for form in forms
}


def filled(name: str) -> dict[str, Any]:
    """Every field with a value that Discord's own client would send."""
    values = {}
    for one in FORMS_BY_NAME[name].fields:
        least = max(one.least or 0, 3)
        whole = least if one.kind is Kind.WHOLE else None
        choice = one.choices[0] if one.choices else None
        values[one.name] = VALUES.get(one.kind, choice if one.kind is Kind.CHOICE else whole)
    return values


def line_of(name: str, values: dict[str, Any]) -> str:
    """What a person would have typed."""
    there = {"channel": f"discord:{values['channel']}"} if "channel" in values else {}
    return FORMS_BY_NAME[name].line(values | there)


async def test_every_form_can_be_filled_in_and_arrives_as_a_line(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server) as (talk, reception):
        assert server.commands.names() == sorted(FORMS_BY_NAME)
        for name, form in FORMS_BY_NAME.items():
            await talk.command(name, filled(name))
            (once, asker, line) = reception.heard[-1]
            assert line == line_of(name, filled(name))
            assert (asker.who, asker.where) == (f"discord:@{ANN}", f"discord:{CHANNEL}")
            assert once.startswith("discord:")
            needed = {f.name: filled(name)[f.name] for f in form.fields if f.required}
            await talk.command(name, needed)
            assert reception.heard[-1][2] == line_of(name, needed)


@pytest.mark.parametrize("name", FORMS_BY_NAME)
async def test_every_command_is_answered(folder: Path, server: DiscordServer, name: str) -> None:
    async with talking(folder, server) as talk:
        text = await talk.asks(name, filled(name), permissions=MANAGER)
    assert "failed on our side" not in text
    assert "There is no command" not in text


async def test_a_command_that_is_gone_is_answered_with_what_there_is(
    talk: Talk, server: DiscordServer
) -> None:
    old = {"id": "7", "type": 1, "name": "anomalie", "description": "as it was", "options": []}
    server.commands.registered[None].append(old)
    assert "did you mean /anomalies?" in await talk.asks("anomalie")


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("ticker", {"symbol": "NOSUCH"}, "not a ticker"),
        ("ticker", {"symbol": "QWOH", "session": "someday"}, "someday"),
        ("anomalies", {"session": "1999-01-04"}, "1999-01-04"),
        ("mute ticker", {"symbol": "QWOH", "until": "never"}, "never"),
        ("preview", {"min": "lots"}, "lots"),
        ("why", {"symbol": "   "}, "why"),
    ],
)
async def test_what_is_typed_wrong_is_explained(
    talk: Talk, name: str, options: dict[str, Any], said: str
) -> None:
    text = await talk.asks(name, options)
    assert said in text
    assert "failed on our side" not in text


async def test_suggestions_while_a_ticker_is_typed(talk: Talk, server: DiscordServer) -> None:
    async def offered(name: str, option: str, typed: str) -> list[str]:
        asked = await server.autocomplete(name, option, typed)
        choices = (await asked.answered(10)).choices
        assert len(choices) <= 25
        return [str(choice["value"]) for choice in choices]

    assert "QWOH" in await offered("ticker", "symbol", "qw")
    assert "AAPL QWOH" in await offered("watch add", "symbols", "AAPL qwo")
    assert len(await offered("ticker", "symbol", "")) == 25
    assert await offered("ticker", "symbol", "NOSUCHNAME") == []
    assert await offered("watch add", "symbols", "x" * 300 + " q") == []
    assert (await offered("anomalies", "session", ""))[0] == str(NEWEST)
    assert str(NEWEST) in await offered("ticker", "session", "6 mar")


async def test_without_anything_stored_nothing_is_suggested(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with talking(tmp_path, server):
        for option in ("symbol", "session"):
            asked = await server.autocomplete(
                "ticker", option, "A", options={} if option == "symbol" else {"symbol": "A"}
            )
            assert (await asked.answered()).choices == []


# Who asks, and where.


async def asked_by(tmp_path: Path, server: DiscordServer, **who: Any) -> Asker:
    async with told(tmp_path, server) as (talk, reception):
        await talk.command("help", **who)
        return reception.heard[0][1]


async def test_who_manages_the_server_is_known(tmp_path: Path, server: DiscordServer) -> None:
    server.add_role(900000000000000099, "desk", discord.Permissions.none())
    admin = discord.Permissions(administrator=True, use_application_commands=True)
    for permissions, manages in ((MANAGER, True), (admin, True), (None, False)):
        who: dict[str, Any] = {} if permissions is None else {"permissions": permissions}
        asker = await asked_by(tmp_path, server, roles=[900000000000000099], **who)
        assert asker.manages is manages
        assert asker.roles == {"900000000000000099"}
        assert (asker.platform, asker.channel) == ("discord", str(CHANNEL))


async def test_in_a_conversation_with_the_bot_nobody_manages(
    tmp_path: Path, server: DiscordServer
) -> None:
    asker = await asked_by(tmp_path, server, guild=False)
    assert (asker.user, asker.manages, asker.roles) == (str(ANN), False, frozenset())
    assert asker.channel not in ("0", str(CHANNEL))


async def test_a_thread_belongs_to_its_channel(tmp_path: Path, server: DiscordServer) -> None:
    thread = server.say(CHANNEL, "a message")
    made = server.add_channel(thread, name="a thread")
    made.parent = server.channel(CHANNEL)
    assert (await asked_by(tmp_path, server, channel_id=thread)).channel == str(CHANNEL)


# Hostile words are words.

EVIL = [
    *("@everyone", "@here <@&1>", "**b** ```x", "[a](https://evil.example)", "<#1> <@1>"),
    *("\u202eabc", "a\x00b\ncd", "||x||", "# h", "{0} {} {!r}", "'; DROP TABLE kept; --"),
    "𝔘" * 50,
]
TYPED = [
    (name, field_.name)
    for name, form in FORMS_BY_NAME.items()
    for field_ in form.fields
    if field_.kind not in (Kind.WHOLE, Kind.CHOICE, Kind.FLAG, Kind.CHANNEL)
]


async def test_hostile_words_in_every_option_come_out_inert(
    folder: Path, server: DiscordServer
) -> None:
    async with at(folder) as app:
        hasty = replace(
            app.reception, draw=draw, per_person=Pace(9_999, 0.1), per_channel=Pace(9_999, 0.1)
        )
        ear = ear_of(app, server, reception=hasty)
        async with served(ear) as running:
            await server.gateway.connected(10)
            await quiet(ear)
            talk = Talk(server, app, ear, running)
            for n, (name, option) in enumerate(TYPED):
                for evil in EVIL[n % 3 :: 3]:
                    value = evil[:24] if "symbol" in option else evil[:40]
                    options = {**filled(name), option: value}
                    assert_inert(await talk.command(name, options, permissions=MANAGER))
    assert server.count(400) == 0


def assert_inert(it: Interaction) -> None:
    """Nobody is mentioned, nothing is markup of theirs, and it is no fault of ours."""
    text = words(it)
    assert "failed on our side" not in text
    for sign in ("@everyone", "@here", "<@1", "<#1", "[a](https://", "\u202e", "\x00"):
        assert not re.search(rf"(?<!\\){re.escape(sign)}", text)
