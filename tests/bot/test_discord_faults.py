"""Answers on Discord when something goes wrong, and when the process ends."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import discord
import pytest

from alerts.model import File, Message, Picture
from bot.answers import Answer
from bot.pace import Pace
from bot.platforms.discord_hearing import RESTARTING
from core.errors import TapewatchError
from tests.bot.discord_talk import (
    BOB,
    PNG,
    Talk,
    ear_of,
    quiet,
    refused,
    served,
    told,
    words,
)
from tests.bot.small_market import at
from tests.servers.discord import DiscordServer

MANAGER = discord.Permissions(manage_guild=True, use_application_commands=True)


# What Discord refuses, and what we do wrong.

FULL = Answer(
    Message("A title", "so it is", files=(File("../list of names.csv", "a,b\n"),)),
    (Picture(PNG, "a line"),),
)


async def test_an_answer_whose_layout_is_refused_comes_in_words(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server, FULL):
        server.before.add(refused(400, 50035), on="webhooks.edit")
        asked = await (await server.interact_command("help")).answered()
    assert words(asked) == "A title\nso it is"
    assert asked.original.attachments == []


@pytest.mark.parametrize(("status", "code"), [(413, 40005), (403, 50013)])
async def test_an_answer_whose_files_are_refused_comes_without_them(
    tmp_path: Path, server: DiscordServer, status: int, code: int
) -> None:
    async with told(tmp_path, server, FULL):
        server.before.add(refused(status, code), on="webhooks.edit")
        asked = await (await server.interact_command("help")).answered()
    assert "so it is" in words(asked)
    assert "cannot be attached" in words(asked)
    assert asked.original.attachments == []


async def test_files_have_harmless_names_and_their_words(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server, FULL):
        asked = await (await server.interact_command("help")).answered()
    names = [(a.filename, a.description) for a in asked.original.attachments]
    assert names == [("chart0.png", "a line"), ("list-of-names.csv", None)]


@pytest.mark.parametrize(("status", "code"), [(404, 10015), (401, 50027), (404, 10008)])
async def test_an_answer_that_comes_too_late_is_noted(
    tmp_path: Path, server: DiscordServer, caplog: pytest.LogCaptureFixture, status: int, code: int
) -> None:
    caplog.set_level(logging.INFO)
    async with told(tmp_path, server) as (talk, _):
        server.before.add(refused(status, code), on="webhooks.edit")
        it = await server.interact_command("help")
        await it.acknowledged()
        await quiet(talk.ear)
    (record,) = [r for r in caplog.records if "too late" in r.message]
    assert record.levelname == "INFO"
    assert it.token not in caplog.text


async def test_a_fault_of_ours_is_said_and_logged(
    tmp_path: Path, server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with told(tmp_path, server, TapewatchError("no disk")) as (talk, _):
        asked = await (await server.interact_command("help")).answered()
        await quiet(talk.ear)
    assert "failed on our side" in words(asked)
    assert "no disk" not in words(asked)
    assert "not answered" in caplog.text


async def test_who_asks_too_much_is_told_to_wait(folder: Path, server: DiscordServer) -> None:
    async with at(folder) as app:
        slow = replace(app.reception, per_person=Pace(2, 60.0))
        ear = ear_of(app, server, reception=slow)
        async with served(ear) as running:
            await server.gateway.connected(10)
            await quiet(ear)
            talk = Talk(server, app, ear, running)
            said = [await talk.asks("help") for _ in range(3)]
            assert "a lot at once" in said[2]
            assert "a lot at once" not in said[1]
            assert "a lot at once" not in await talk.asks("help", user_id=BOB)


# The end.


async def test_what_is_being_answered_is_answered_before_the_end(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server) as (talk, reception):
        reception.ready.clear()
        asked = await server.interact_command("help")
        await asked.acknowledged()
        draining = asyncio.create_task(talk.ear.drain(5))
        await asyncio.sleep(0.05)
        late = await (await server.interact_command("help")).answered()
        typing = await (await server.autocomplete("ticker", "symbol", "A")).answered()
        assert not draining.done()
        reception.ready.set()
        await draining
        assert words(asked) == "so it is"
    assert late.callback is not None
    assert (late.callback.type, late.is_ephemeral, words(late)) == (4, True, RESTARTING)
    assert typing.choices == []


async def test_the_end_does_not_wait_for_ever(tmp_path: Path, server: DiscordServer) -> None:
    async with told(tmp_path, server) as (talk, reception):
        reception.ready.clear()
        asked = await server.interact_command("help")
        await asked.acknowledged()
        await talk.ear.drain(0.1)
        assert len(talk.ear.hearing.work) == 0
