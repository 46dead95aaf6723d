"""Answers on Discord when something goes wrong, and when the process ends."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import discord
import pytest
from discord.http import Route

from alerts.model import File, Message, Picture
from bot.answers import Answer
from bot.links import LinkState
from bot.pace import Pace
from bot.platforms.discord_hearing import AT_ONCE, PERHAPS_SHARED, RESTARTING
from bot.platforms.discord_watch import Patience
from core.errors import TapewatchError
from tests.bot.discord_talk import (
    BOB,
    FAST,
    PNG,
    TOKEN,
    Talk,
    clickable,
    ear_of,
    quiet,
    refused,
    seen,
    served,
    talking,
    told,
    until,
    words,
)
from tests.bot.small_market import at
from tests.servers.discord import DiscordServer
from tests.servers.faults import Fault, Hang, Reset, Status

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


UNMADE = Message("", "so it is", facts=(("a name alone",),))  # type: ignore[arg-type]
"""What nobody can render, as a mistake of ours would make it."""


@pytest.mark.parametrize("public", [False, True])
async def test_an_answer_that_we_cannot_make_is_apologised_for_and_traced(
    tmp_path: Path, server: DiscordServer, caplog: pytest.LogCaptureFixture, public: bool
) -> None:
    answer = Answer(UNMADE, public=public, shares="0" if public else "")
    async with told(tmp_path, server, answer) as (talk, _):
        asked = await server.interact_command("help")
        await asked.acknowledged()
        await until(lambda: "failed on our side" in words(asked))
        await quiet(talk.ear)
    (record,) = [r for r in caplog.records if r.message == "not answered"]
    assert record.exc_info is not None
    assert "values to unpack" in str(record.exc_info[1])
    assert asked.followups == []


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


# A Discord that is away for a while.

SHARED = Answer(Message("", "so it is"), public=True, shares="0")
NOBODY = "http://127.0.0.1:9/api/v10"


async def test_an_answer_waits_for_a_discord_that_is_away(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server):
        server.before.add(Reset(), on="webhooks.edit", times=5)
        asked = await server.interact_command("help")
        assert words(await asked.answered(10)) == "so it is"


def test_it_waits_for_minutes_and_not_for_longer_than_it_can_be_given() -> None:
    assert 5 * 60 < sum(Patience().answer_again_s) < 14 * 60


async def test_who_waits_for_a_discord_that_is_away_is_told_of_the_end(
    tmp_path: Path, server: DiscordServer
) -> None:
    slow = replace(FAST, answer_again_s=[3_600.0])
    async with told(tmp_path, server, patience=slow) as (talk, _):
        server.before.add(Reset(), on="webhooks.edit")
        asked = await server.interact_command("help")
        await until(lambda: not len(server.before))
        await talk.ear.drain(0.1)
        assert words(asked) == RESTARTING


async def test_what_was_surely_not_shared_is_shared_when_discord_is_back(
    tmp_path: Path, server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    slow = replace(FAST, answer_again_s=[0.05] * 100)
    async with told(tmp_path, server, SHARED, patience=slow) as (talk, _):
        there = Route.BASE

        def cut(operation: str) -> None:
            if operation == "webhooks.edit" and not caplog.records:
                Route.BASE = NOBODY

        server.on_accept = cut
        asked = await server.interact_command("help")
        await until(lambda: "an answer waits for Discord" in caplog.text)
        assert (words(asked), asked.followups) == ("Sharing ...", [])
        Route.BASE = there
        await asked.followed_up()
        await quiet(talk.ear)
        assert words(asked) == "Shared."
        assert [public.content for public in asked.followups] == ["so it is"]


@pytest.mark.parametrize("fault", [Reset(), Status(500), Status(502), Status(503)], ids=str)
async def test_what_may_be_shared_is_not_shared_again_and_its_reader_is_told(
    tmp_path: Path, server: DiscordServer, fault: Fault
) -> None:
    async with told(tmp_path, server, SHARED) as (talk, _):
        server.faults.add(fault, on="webhooks.create")
        asked = await server.interact_command("help")
        await asked.followed_up()
        await quiet(talk.ear)
        assert "may not have been shared here" in words(asked)
        assert [public.content for public in asked.followups] == ["so it is"]


# A client that is given up.


async def test_what_was_asked_of_a_client_that_is_given_up_is_answered(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server, SHARED) as (talk, reception):
        reception.ready.clear()
        asked = [await server.interact_command("help") for _ in range(2)]
        for it in asked:
            await it.acknowledged(1)
        server.gateway.go_silent(next_connections=1)
        await until(lambda: server.gateway.identifies == 2, 10)
        await until(lambda: talk.ear.link.state is LinkState.UP)
        reception.ready.set()
        await talk.ear.drain(5)
        for it in asked:
            assert words(it) == "Shared."
            assert [public.content for public in it.followups] == ["so it is"]


async def test_what_was_asked_is_answered_while_there_is_no_client(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server) as (talk, reception):
        reception.ready.clear()
        asked = await server.interact_command("help")
        await asked.acknowledged(1)
        server.revoke(TOKEN)
        server.gateway.close_all(4004)
        await until(lambda: talk.ear.link.state is LinkState.REFUSED)
        await asyncio.wait({talk.running}, timeout=1)
        reception.ready.set()
        assert words(await asked.answered()) == "so it is"
        await quiet(talk.ear)
    assert server.api_url != Route.BASE


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


async def test_nobody_is_left_with_a_promise_at_the_end(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server) as (talk, reception):
        reception.ready.clear()
        # More than are made at once: some have not been begun.
        asked = [await server.interact_command("help") for _ in range(AT_ONCE + 2)]
        for it in asked:
            await it.acknowledged()
        await talk.ear.drain(0.1)
    assert {words(it) for it in asked} == {RESTARTING}


async def test_what_nobody_saw_before_the_end_can_be_shared_after_it(
    folder: Path, server: DiscordServer
) -> None:
    async with talking(folder, server) as talk:
        asked = await talk.command("help")
        server.before.add(Hang(), on="webhooks.edit")
        stopped = await server.interact_component(asked.original, clickable(asked)["Share"])
        await until(lambda: len(seen(server, "webhooks.edit")) == 2)
        await talk.ear.drain(0.1)
        assert words(stopped) == RESTARTING
    async with talking(folder, server) as talk:
        shared = await talk.clicks(asked, clickable(asked)["Share"])
        await shared.followed_up()
        await quiet(talk.ear)
        assert words(shared) == "Shared."


async def test_who_shared_something_as_it_stopped_is_told_that_nobody_knows(
    folder: Path, server: DiscordServer
) -> None:
    async with talking(folder, server) as talk:
        asked = await talk.command("help")
        server.before.add(Hang(), on="webhooks.create")
        stopped = await server.interact_component(asked.original, clickable(asked)["Share"])
        await until(lambda: any(s.operation == "webhooks.create" for s in server.requests))
        await talk.ear.drain(0.1)
        assert words(stopped) == PERHAPS_SHARED


async def test_what_cannot_even_be_noted_can_be_shared_again(
    talk: Talk, server: DiscordServer
) -> None:
    asked = await talk.command("help")
    server.before.add(refused(404, 10015), on="webhooks.edit")
    failed = await server.interact_component(asked.original, clickable(asked)["Share"])
    await failed.acknowledged()
    await quiet(talk.ear)
    assert failed.followups == []
    shared = await talk.clicks(asked, clickable(asked)["Share"])
    await shared.followed_up()
    await quiet(talk.ear)
    assert words(shared) == "Shared."


async def test_the_end_does_not_wait_for_ever(tmp_path: Path, server: DiscordServer) -> None:
    async with told(tmp_path, server) as (talk, reception):
        reception.ready.clear()
        asked = await server.interact_command("help")
        await asked.acknowledged()
        await talk.ear.drain(0.1)
        assert len(talk.ear.hearing.work) == 0
