"""A conversation on Discord: promised at once, private, and carried out once."""

import asyncio
import json
import logging
from pathlib import Path

import discord
import pytest

from bot.platforms.discord_hearing import AT_ONCE
from tests.bot.discord_talk import (
    ANN,
    BOB,
    CHANNEL,
    PNG,
    Talk,
    clickable,
    menus,
    quiet,
    refused,
    seen,
    talking,
    told,
    until,
    words,
)
from tests.servers import faults
from tests.servers.discord import DiscordServer
from tests.servers.faults import Reset

MANAGER = discord.Permissions(manage_guild=True, use_application_commands=True)


# Promised at once, private, shared only when its reader wants it.


async def test_a_slow_answer_is_promised_at_once(tmp_path: Path, server: DiscordServer) -> None:
    async with told(tmp_path, server) as (_, reception):
        reception.ready.clear()
        asked = [await server.interact_command("help") for _ in range(5)]
        for it in asked:
            promise = await it.acknowledged(1)
            assert (promise.type, promise.is_ephemeral, it.answered_at) == (5, True, None)
        assert max(it.ack_s for it in asked) < 0.5
        reception.ready.set()
        for it in asked:
            assert words(await it.answered()) == "so it is"


async def test_more_than_can_be_answered_at_once_are_promised_at_once(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server) as (_, reception):
        reception.ready.clear()
        asked = [await server.interact_command("help") for _ in range(3 * AT_ONCE)]
        for it in asked:
            await it.acknowledged(2)
        await until(lambda: len(reception.heard) == AT_ONCE)
        await asyncio.sleep(0.05)
        assert len(reception.heard) == AT_ONCE
        reception.ready.set()
        for it in asked:
            await it.answered()
    assert len(reception.heard) == 3 * AT_ONCE


async def test_nothing_is_looked_up_before_the_promise(folder: Path, server: DiscordServer) -> None:
    async with talking(folder, server) as talk, talk.app.db.transaction():
        # Whoever writes now waits for this transaction; the promise does not.
        it = await server.interact_command("watch add", {"symbols": "AAPL"})
        await it.acknowledged(1)
        assert it.answered_at is None
    assert it.ack_s < 0.5


async def test_answers_are_for_who_asked_alone(talk: Talk, server: DiscordServer) -> None:
    asked = await talk.command("anomalies")
    assert asked.is_ephemeral
    assert server.channel(CHANNEL).messages == []
    assert words(asked).count("QWOH") > 1
    for body in seen(server, "webhooks.edit"):
        assert body["allowed_mentions"] == {"parse": []}


async def test_share_says_it_to_all_and_leaves_a_note(talk: Talk, server: DiscordServer) -> None:
    asked = await talk.command("anomalies")
    shared = await talk.clicks(asked, clickable(asked)["Share"])
    (public,) = await shared.followed_up()
    await quiet(talk.ear)
    assert shared.is_ephemeral
    assert words(shared) == "Shared."
    assert public in server.channel(CHANNEL).messages
    assert public.flags & 64 == 0
    text = json.dumps([public.content, public.embeds], ensure_ascii=False)
    assert "QWOH" in text
    assert f"(shared by <@{ANN}>)" in text
    assert not any("share:" in json.dumps(row) for row in public.components)
    clicked = await server.interact_component(public, clickable(asked)["CSV"], user_id=BOB)
    await clicked.answered()
    assert clicked.is_ephemeral


async def test_nobody_else_shares_an_answer(talk: Talk, server: DiscordServer) -> None:
    asked = await talk.command("help")
    shared = await talk.clicks(asked, clickable(asked)["Share"], user_id=BOB)
    assert "cannot be shared any more" in words(shared)
    assert shared.followups == []


async def test_what_cannot_be_shared_is_said(talk: Talk, server: DiscordServer) -> None:
    asked = await talk.command("help")
    server.before.add(refused(403, 50001), on="webhooks.create")
    shared = await talk.clicks(asked, clickable(asked)["Share"])
    await quiet(talk.ear)
    assert "cannot be shared here" in words(shared)
    assert server.channel(CHANNEL).messages == []


async def test_a_refusal_cannot_be_shared(talk: Talk) -> None:
    asked = await talk.command("ticker", {"symbol": "NOSUCH"})
    assert "not a ticker" in words(asked)
    assert clickable(asked) == {}


# Buttons, menus, and what becomes of them.


async def test_a_button_types_its_command_and_leaves_its_message_alone(talk: Talk) -> None:
    asked = await talk.command("anomalies")
    before = words(asked)
    raw = await talk.clicks(asked, clickable(asked)["Show raw"])
    assert raw.callback is not None
    assert (raw.callback.type, raw.is_ephemeral) == (5, True)
    assert raw.original is not asked.original
    assert words(raw) != before
    assert words(asked) == before


async def test_a_menu_opens_the_line_that_was_chosen(talk: Talk) -> None:
    asked = await talk.command("anomalies")
    (menu,) = menus(asked)
    assert menu["custom_id"] == "pick:0"
    line = await talk.clicks(asked, "pick:0", (menu["options"][1]["value"],))
    assert "XWUP" in words(line)
    assert {"Chart", "Why", "Mute for me", "Watch"} <= set(clickable(line))


async def test_a_file_comes_with_its_answer(talk: Talk) -> None:
    asked = await talk.command("anomalies", {"show": "csv"})
    (file,) = asked.original.attachments
    assert file.filename.endswith(".csv")
    assert b"QWOH" in file.data


async def test_a_picture_comes_with_its_answer(talk: Talk) -> None:
    asked = await talk.command("ticker", {"symbol": "QWOH"})
    (chart,) = asked.original.attachments
    assert (chart.data, chart.description) == (PNG, "QWOH, a line")
    assert "attachment://chart0.png" in json.dumps(asked.original.embeds)


async def test_buttons_outlive_a_restart(folder: Path, server: DiscordServer) -> None:
    async with talking(folder, server) as talk:
        asked = await talk.command("anomalies")
    async with talking(folder, server) as talk:
        raw = await talk.clicks(asked, clickable(asked)["Show raw"])
        assert "not known here any more" not in words(raw)
        shared = await talk.clicks(asked, clickable(asked)["Share"])
        await shared.followed_up()


async def test_a_button_that_nobody_knows_is_explained(talk: Talk, server: DiscordServer) -> None:
    asked = await talk.command("anomalies")
    for row in asked.original.components:
        for part in row["components"]:
            part["custom_id"] = f"do:{'0' * 15}{part['custom_id'][-1]}"
    strange = next(iter(clickable(asked).values()))
    assert "not known here any more" in words(await talk.clicks(asked, strange))


# Once.


async def test_the_same_twice_is_answered_once(talk: Talk, server: DiscordServer) -> None:
    asked = await talk.command("watch add", {"symbols": "QWOH"})
    edits = len(seen(server, "webhooks.edit"))
    server.redeliver(asked)
    await asyncio.sleep(0.1)
    await quiet(talk.ear)
    assert len(seen(server, "webhooks.edit")) == edits
    assert "failed" not in words(asked)


async def test_the_same_after_a_restart_is_answered_once(
    folder: Path, server: DiscordServer
) -> None:
    async with talking(folder, server) as talk:
        asked = await talk.command("watch add", {"symbols": "QWOH"})
    edits = len(seen(server, "webhooks.edit"))
    async with talking(folder, server) as talk:
        # Even if Discord had forgotten that it was acknowledged.
        asked.callback = None
        server.redeliver(asked)
        await asked.acknowledged()
        await quiet(talk.ear)
    assert len(seen(server, "webhooks.edit")) == edits


async def test_who_acknowledged_first_answers(
    tmp_path: Path, server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with told(tmp_path, server) as (talk, reception):
        for code, status in ((40060, 400), (10062, 404)):
            server.before.add(refused(status, code), on="interactions.callback")
            await server.interact_command("help")
            await asyncio.sleep(0.1)
            await quiet(talk.ear)
    assert reception.heard == []
    assert [r.levelname for r in caplog.records if r.message == "not acknowledged"] == ["INFO"] * 2


@pytest.mark.parametrize("fault", [Reset(), faults.html(502)], ids=["reset", "bad gateway"])
async def test_a_promise_whose_receipt_was_lost_is_kept(
    tmp_path: Path, server: DiscordServer, fault: faults.Fault
) -> None:
    async with told(tmp_path, server) as (_, reception):
        server.faults.add(fault, on="interactions.callback")
        asked = await server.interact_command("help")
        assert words(await asked.answered()) == "so it is"
    assert len(reception.heard) == 1


async def test_a_promise_that_did_not_arrive_is_made_again(
    tmp_path: Path, server: DiscordServer
) -> None:
    async with told(tmp_path, server):
        server.before.add(Reset(), on="interactions.callback")
        asked = await server.interact_command("help")
        assert words(await asked.answered()) == "so it is"


@pytest.mark.parametrize("fault", [Reset(), faults.html(502)], ids=["reset", "bad gateway"])
async def test_an_answer_is_put_there_again_after_a_fault(
    tmp_path: Path, server: DiscordServer, fault: faults.Fault
) -> None:
    async with told(tmp_path, server):
        server.before.add(fault, on="webhooks.edit")
        asked = await server.interact_command("help")
        assert words(await asked.answered(10)) == "so it is"
