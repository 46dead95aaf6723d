"""Interactions on the local Discord, end to end with a real discord.py client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord
import pytest

from tests.servers.discord import DiscordServer
from tests.servers.discord_clients import live_discord_bot
from tests.servers.discord_commands import NotOffered
from tests.servers.discord_desk import PNG, Desk, Panel

TOKEN, CHANNEL = "invented.discord.token", 900000000000000011


@asynccontextmanager
async def desk(**settings: Any) -> AsyncIterator[tuple[DiscordServer, Desk]]:
    """A server, and a bot that is ready."""
    async with DiscordServer(token=TOKEN, **settings) as server:
        server.add_channel(CHANNEL)
        client = Desk()
        async with live_discord_bot(server, client, TOKEN):
            yield server, client


async def test_a_command_is_deferred_and_answered_with_a_chart_and_a_followup() -> None:
    async with desk() as (server, client):
        it = await server.interact_command("chart", {"symbol": "AAPL", "days": 30})
        callback = await it.acknowledged()
        await it.answered()
        (followup,) = await it.followed_up()
        async with aiohttp.ClientSession() as session:
            url = f"{server.url}/attachments/{CHANNEL}/{it.original.attachments[0].id}/chart.png"
            async with session.get(url) as answer:
                assert await answer.read() == PNG
        (message,) = [m async for m in client.get_partial_messageable(CHANNEL).history()]
    assert (callback.type, callback.is_ephemeral, it.is_ephemeral) == (5, False, False)
    assert it.original.embeds[0]["title"] == "AAPL 30d"
    assert [(a.filename, a.data) for a in it.original.attachments] == [("chart.png", PNG)]
    assert (followup.content, followup.flags) == ("a followup", 64)
    assert 0 < it.ack_s <= it.answer_s < 3
    assert (message.id, message.flags.loading) == (it.original.id, False)
    assert message.type is discord.MessageType.chat_input_command
    assert server.messages(CHANNEL) == []  # those are the posts, without the answers
    operations = [(s.operation, s.status) for s in server.requests[2:6]]
    assert operations == [
        ("commands.set", 200),
        ("interactions.callback", 200),
        ("webhooks.edit", 200),
        ("webhooks.create", 200),
    ]
    assert "Authorization" not in server.requests[3].call.headers


async def test_an_answer_for_one_reader_is_in_no_history() -> None:
    async with desk() as (server, client):
        it = await (await server.interact_command("export")).answered()
        history = [m async for m in client.get_partial_messageable(CHANNEL).history()]
        async with aiohttp.ClientSession() as session:
            url = f"{server.url}/attachments/{CHANNEL}/{it.original.attachments[0].id}/list.csv"
            async with session.get(url) as answer:
                assert await answer.read() == b"a,b\n"
    assert it.is_ephemeral
    assert history == []
    assert it.callback is not None
    assert it.callback.is_ephemeral


async def test_a_followup_takes_the_place_of_a_promise_and_stays_for_one_reader() -> None:
    async with desk() as (server, _):
        it = await (await server.interact_command("slow")).answered()
        assert (it.original.content, it.original.flags, it.followups) == ("at last", 64, [])


async def test_buttons_and_selects_on_a_message_that_the_bot_posted() -> None:
    async with desk() as (server, client):
        await client.get_partial_messageable(CHANNEL).send("alert", view=Panel())
        (posted,) = server.messages(CHANNEL)
        it = await (await server.interact_component(posted, "refresh")).answered()
        assert (it.original, posted.content) == (posted, "fresh")
        assert client.seen[0].message is not None
        assert client.seen[0].message.id == posted.id
        it = await (await server.interact_component(posted, "review", ["Noise"])).answered()
        assert (it.callback and it.callback.type, posted.content) == (6, "reviewed: Noise")
        for custom_id, values in (("gone", []), ("refresh", ["x"]), ("review", ["Other"])):
            with pytest.raises(NotOffered):
                await server.interact_component(posted, custom_id, values)
        posted.components[0]["components"][0]["disabled"] = True
        with pytest.raises(NotOffered, match="disabled"):
            await server.interact_component(posted, "refresh")


async def test_a_modal_is_opened_and_sent() -> None:
    async with desk() as (server, client):
        await client.get_partial_messageable(CHANNEL).send("alert", view=Panel())
        opened = await server.interact_component(server.messages(CHANNEL)[0], "note")
        await opened.answered()
        assert opened.modal["title"] == "A note"
        for values in ({}, {"text": "x" * 21}, {"other": "x"}):
            with pytest.raises(NotOffered):
                await server.submit_modal(opened, values)
        it = await (await server.submit_modal(opened, {"text": "hm"})).answered()
        assert (it.original.content, it.is_ephemeral) == ("noted: hm", True)


async def test_autocomplete() -> None:
    async with desk() as (server, _):
        it = await (await server.autocomplete("chart", "symbol", "a")).answered()
        assert it.choices == [{"name": n, "value": n} for n in ("AAPL", "AMZN")]
        with pytest.raises(NotOffered, match="autocomplete"):
            await server.autocomplete("chart", "days", "6", options={"symbol": "A"})


async def test_subcommands_channels_and_direct_messages() -> None:
    async with desk() as (server, client):
        given = {"symbol": "AAPL", "where": CHANNEL}
        it = await (await server.interact_command("watch add", given)).answered()
        assert it.original.content == f"watching AAPL in {CHANNEL}"
        it = await (
            await server.interact_command("watch add", {"symbol": "A"}, guild=False)
        ).answered()
        assert it.original.content == "watching A"
        assert (client.seen[-1].guild, client.seen[-1].context.dm_channel) == (None, True)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("stop", {}),
        ("chart", {}),
        ("chart", {"symbol": "A", "other": 1}),
        ("chart", {"symbol": 1}),
        ("chart", {"symbol": ""}),
        ("chart", {"symbol": "A", "days": 0}),
        ("chart", {"symbol": "A", "days": True}),
        ("watch", {}),
        ("watch drop", {}),
        ("watch add", {"symbol": "A", "where": 5}),
        ("halt", {}),
    ],
)
async def test_what_is_not_registered_cannot_be_sent(name: str, options: dict[str, Any]) -> None:
    async with desk() as (server, _):
        with pytest.raises(NotOffered):
            await server.interact_command(name, options)


async def test_a_command_for_some_members_only() -> None:
    async with desk() as (server, client):
        server.add_role(77, "Desk", discord.Permissions(manage_guild=True))
        boss = discord.Permissions(manage_guild=True)
        it = await server.interact_command("halt", permissions=boss, roles=[77])
        assert (await it.answered()).original.content == "halted"
        member = client.seen[0].user
        assert isinstance(member, discord.Member)
        assert member._roles.has(77)
        assert client.seen[0].permissions.manage_guild
        with pytest.raises(NotOffered, match="direct messages"):
            await server.interact_command("halt", guild=False)
        with pytest.raises(NotOffered, match="role"):
            await server.interact_command("halt", permissions=boss, roles=[78])


async def test_a_redelivered_interaction_has_the_same_id_and_one_answer() -> None:
    async with desk() as (server, client):
        it = await (await server.interact_command("export")).answered()
        server.redeliver(it)
        await it.until(lambda it: bool(it.refused), 2)
        assert [seen.id for seen in client.seen] == [it.id, it.id]
    assert (it.reached, it.refused, it.original.content) == (2, [40060], "here")
