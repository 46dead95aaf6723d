"""The local Discord against the real discord.py, on which the tests of delivery stand."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import discord
import pytest

from tests.servers.clients import Clock, discord_bot
from tests.servers.discord import DiscordServer
from tests.servers.discord_store import EVERYONE

TOKEN, KEY = "invented.discord.token", "a1b2c3d4e5f6a1b2c3d4e5f6"
GUILD, CHANNEL = 900000000000000010, 900000000000000011
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


@asynccontextmanager
async def discord_server(**settings: Any) -> AsyncIterator[DiscordServer]:
    """One channel."""
    async with DiscordServer(**({"token": TOKEN} | settings)) as server:
        server.add_channel(CHANNEL)
        yield server


def channel_of(client: discord.Client, channel_id: int = CHANNEL) -> discord.PartialMessageable:
    return client.get_partial_messageable(channel_id)


def alert_view() -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Why", custom_id=f"why:{KEY}"))
    choice: discord.ui.Select[discord.ui.View] = discord.ui.Select(
        placeholder="Review", custom_id="review", options=[discord.SelectOption(label="Noise")]
    )
    return view.add_item(choice)


async def text_channel(client: discord.Client) -> discord.TextChannel:
    """What can start threads, unlike a partial channel: it knows its guild."""
    guild = await client.fetch_guild(GUILD)
    channel = await guild.fetch_channel(CHANNEL)
    assert isinstance(channel, discord.TextChannel)
    return channel


async def refused(awaitable: Any) -> tuple[int, int]:
    """The status and the code of what is refused."""
    with pytest.raises(discord.HTTPException) as caught:
        await awaitable
    return caught.value.status, caught.value.code


async def test_a_bot_logs_in_and_posts_an_alert_with_all_its_parts() -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        assert (client.application_id, str(client.user)) == (server.guild.bot_id, "tapewatch")
        embed = discord.Embed(title="AAPL", description="**unusual**", color=0x22AA66)
        embed.add_field(name="volume", value="9.1×").set_image(url="attachment://chart.png")
        file = discord.File(io.BytesIO(PNG), "chart.png", description="a line")
        sent = await channel_of(client).send(
            "alert", embed=embed, file=file, view=alert_view(), nonce=KEY
        )
        (stored,) = server.messages(CHANNEL)
        read = await channel_of(client).fetch_message(sent.id)
        assert await read.attachments[0].read() == PNG
    assert (stored.id, stored.content, stored.nonce, stored.flags) == (sent.id, "alert", KEY, 0)
    assert stored.embeds[0]["title"] == "AAPL"
    assert stored.components[0]["components"][0]["custom_id"] == f"why:{KEY}"
    assert [(a.filename, a.data, a.description) for a in stored.attachments] == [
        ("chart.png", PNG, "a line")
    ]
    assert (sent.nonce, read.nonce) == (KEY, None)
    assert read.embeds[0].image.url == read.attachments[0].url
    assert abs(datetime.now(UTC) - read.created_at) < timedelta(minutes=1)
    seen = [(seen.operation, seen.status) for seen in server.requests]
    assert seen[:3] == [("users.me", 200), ("applications.me", 200), ("messages.create", 200)]


async def test_a_nonce_makes_one_message_within_its_window() -> None:
    clock = Clock()
    async with (
        discord_server(now=clock, channel_limit=None) as server,
        discord_bot(server, TOKEN) as client,
    ):
        first = await channel_of(client).send("once", nonce=KEY)
        clock.at += timedelta(minutes=4)
        again = await channel_of(client).send("once", nonce=KEY)
        other = await channel_of(client).send("once")
        clock.at += timedelta(minutes=1)
        late = await channel_of(client).send("once", nonce=KEY)
        server.forget_nonces()
        forgotten = await channel_of(client).send("once", nonce=KEY)
        assert len(server.messages(CHANNEL)) == 4
    assert first.id == again.id < other.id < late.id < forgotten.id


async def test_a_nonce_of_a_deleted_message_is_an_unknown_message() -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        sent = await channel_of(client).send("once", nonce=KEY)
        await sent.delete()
        assert await refused(channel_of(client).send("once", nonce=KEY)) == (404, 10008)
        assert [message.deleted for message in server.messages(CHANNEL)] == [True]
        assert [m async for m in channel_of(client).history()] == []


async def test_a_history_comes_newest_first_in_pages() -> None:
    async with discord_server(channel_limit=None) as server, discord_bot(server, TOKEN) as client:
        ids = [server.say(CHANNEL, f"line {i}") for i in range(6)]
        url, headers = (
            f"{server.api_url}/channels/{CHANNEL}/messages",
            {"Authorization": f"Bot {TOKEN}"},
        )
        async with aiohttp.ClientSession(headers=headers) as http:

            async def asked(**query: int) -> list[int]:
                async with http.get(url, params=query) as answer:
                    assert answer.headers["Content-Type"] == "application/json"
                    return [int(message["id"]) for message in await answer.json()]

            assert await asked() == ids[::-1]
            assert await asked(limit=2) == [ids[5], ids[4]]
            assert await asked(after=ids[1], limit=2) == [ids[3], ids[2]]
            assert await asked(before=ids[3], limit=2) == [ids[2], ids[1]]
            assert await asked(around=ids[3], limit=3) == [ids[4], ids[3], ids[2]]
            assert (await http.get(url, params={"limit": 101})).status == 400
        since = discord.Object(ids[2] - 1)
        oldest_first = [m.id async for m in channel_of(client).history(after=since, limit=None)]
    assert oldest_first == ids[2:]


async def test_an_edit_keeps_what_was_and_tells_when() -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        embed = discord.Embed(title="one")
        file = discord.File(io.BytesIO(PNG), "chart.png")
        sent = await channel_of(client).send("first", embed=embed, file=file)
        edited = await sent.edit(content="second", embed=discord.Embed(title="two"))
        await sent.edit(attachments=[discord.File(io.BytesIO(b"new"), "new.png")])
        (stored,) = server.messages(CHANNEL)
        foreign = channel_of(client).get_partial_message(server.say(CHANNEL, "mine"))
        assert await refused(foreign.edit(content="yours")) == (403, 50005)
        assert await refused(sent.edit(content="x" * 2001)) == (400, 50035)
    assert (stored.content, stored.embeds[0]["title"]) == ("second", "two")
    assert [a.data for a in stored.attachments] == [b"new"]
    before = [(old.content, old.embeds[0]["title"], len(old.attachments)) for old in stored.edits]
    assert before == [("first", "one", 1), ("second", "two", 1)]
    assert edited.edited_at is not None


async def test_a_thread_has_the_id_of_its_message_and_there_is_but_one() -> None:
    async with discord_server(channel_limit=None) as server, discord_bot(server, TOKEN) as client:
        channel = await text_channel(client)
        sent = await channel.send("digest")
        thread = await sent.create_thread(name="AAPL")
        assert await refused(sent.create_thread(name="again")) == (400, 160004)
        assert await refused(sent.create_thread(name="x" * 101)) == (400, 50035)
        inside = await channel_of(client, thread.id).send("in the thread")
        read = await channel.guild.fetch_channel(thread.id)
        types = [message.type async for message in channel_of(client, thread.id).history()]
        parent = await channel_of(client).fetch_message(sent.id)
        assert [m.id for m in server.messages(thread.id)] == [inside.id]
    assert isinstance(read, discord.Thread)
    assert (read.id, read.parent_id, read.name) == (sent.id, CHANNEL, "AAPL")
    assert types == [discord.MessageType.default, discord.MessageType.thread_starter_message]
    assert parent.flags.has_thread


MISSING = [
    ({}, None, None),
    ({"view_channel": False}, (403, 50001), (403, 50001)),
    ({"send_messages": False}, (403, 50013), None),
    ({"read_message_history": False}, None, (403, 50013)),
    ({"attach_files": False}, (403, 50013), None),
]


@pytest.mark.parametrize(("missing", "post", "read"), MISSING, ids=str)
async def test_discord_py_computes_the_permissions_that_the_server_enforces(
    missing: dict[str, bool], post: tuple[int, int] | None, read: tuple[int, int] | None
) -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        guild = await client.fetch_guild(server.guild.id)
        member = await guild.fetch_member(server.guild.bot_id)
        known = channel_of(client).get_partial_message(server.say(CHANNEL, "x"))
        wanted = discord.Permissions(EVERYONE.value)
        wanted.update(**missing)
        server.channel(CHANNEL).permissions = wanted
        if missing.get("view_channel", True):
            channel = await guild.fetch_channel(CHANNEL)
            assert channel.permissions_for(member) == server.channel(CHANNEL).allowed()
        else:
            assert await refused(guild.fetch_channel(CHANNEL)) == (403, 50001)
        sending = channel_of(client).send("x", file=discord.File(io.BytesIO(PNG), "x.png"))
        assert (await refused(sending) if post else bool(await sending)) == (post or True)
        assert (await refused(known.fetch()) if read else bool(await known.fetch())) == (
            read or True
        )


async def test_what_may_not_be_read_is_empty_and_embeds_without_permission_vanish() -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        wanted = discord.Permissions(EVERYONE.value)
        wanted.update(read_message_history=False, embed_links=False, send_messages_in_threads=False)
        thread = await (await (await text_channel(client)).send("x")).create_thread(name="t")
        server.channel(CHANNEL).permissions = wanted
        await channel_of(client).send("kept", embed=discord.Embed(title="lost"))
        empty = channel_of(client).send(embed=discord.Embed(title="lost"))
        assert await refused(empty) == (400, 50006)
        assert await refused(channel_of(client, thread.id).send("x")) == (403, 50013)
        assert [m async for m in channel_of(client).history()] == []
        assert server.messages(CHANNEL)[-1].embeds == []


async def test_a_deleted_channel_is_unknown_and_so_are_its_threads() -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        thread = await (await (await text_channel(client)).send("x")).create_thread(name="t")
        server.delete_channel(CHANNEL)
        assert await refused(channel_of(client).send("x")) == (404, 10003)
        assert await refused(channel_of(client, thread.id).send("x")) == (404, 10003)
        assert len(server.messages(CHANNEL)) == 1


async def test_a_wrong_body_is_refused_with_its_places() -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        embed = discord.Embed(description="x" * 4097).add_field(name=" ", value="y")
        with pytest.raises(discord.HTTPException) as caught:
            await channel_of(client).send("x" * 2001, embed=embed)
        assert await refused(channel_of(client).send(" ")) == (400, 50006)
        assert server.messages(CHANNEL) == []
    assert caught.value.code == 50035
    for place in ("content: Must be 2000", "embeds.0.description: Must", "fields.0.name: This"):
        assert place in caught.value.text


async def test_a_revoked_token_is_refused_at_login_and_after_it() -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        server.revoke(TOKEN)
        assert await refused(channel_of(client).send("x")) == (401, 0)
        with pytest.raises(discord.LoginFailure):
            async with discord_bot(server, TOKEN):
                pass
        server.tokens.add("new")
        async with discord_bot(server, "new") as other:
            await channel_of(other).send("x")
        assert server.count(401) == 2
