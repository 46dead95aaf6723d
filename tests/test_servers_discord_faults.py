"""Limits, faults and hooks of the local Discord against the real discord.py."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord
import pytest

from tests.servers import faults
from tests.servers.chat import Rate
from tests.servers.clients import discord_bot
from tests.servers.discord import DiscordServer

TOKEN, KEY = "invented.discord.token", "a1b2c3d4e5f6a1b2c3d4e5f6"
GUILD, CHANNEL = 900000000000000010, 900000000000000011


@asynccontextmanager
async def discord_server(**settings: Any) -> AsyncIterator[DiscordServer]:
    """One channel."""
    async with DiscordServer(**({"token": TOKEN} | settings)) as server:
        server.add_channel(CHANNEL)
        yield server


def channel_of(client: discord.Client, channel_id: int = CHANNEL) -> discord.PartialMessageable:
    return client.get_partial_messageable(channel_id)


async def text_channel(client: discord.Client) -> discord.TextChannel:
    """What can start threads, unlike a partial channel: it knows its guild."""
    guild = await client.fetch_guild(GUILD)
    channel = await guild.fetch_channel(CHANNEL)
    assert isinstance(channel, discord.TextChannel)
    return channel


async def test_discord_py_waits_out_the_limits_that_it_is_told() -> None:
    async with (
        discord_server(channel_limit=Rate(1, 0.2)) as server,
        discord_bot(server, TOKEN) as one,
        discord_bot(server, TOKEN) as two,
    ):
        accepted = asyncio.Event()
        server.on_accept = lambda _: accepted.set()
        # A send that empties the bucket comes back only when the bucket is full again.
        first = asyncio.create_task(channel_of(one).send("first"))
        await accepted.wait()
        assert not first.done()
        second = await channel_of(two).send("second")
        assert (server.rate_limited, server.invalid_requests) == (1, 1)
        server.global_limit = Rate(1, 0.05)
        await asyncio.gather(*(channel_of(c).fetch_message(second.id) for c in (one, two)))
        assert server.rate_limited == 2
        assert [m.id for m in server.messages(CHANNEL)] == [(await first).id, second.id]


async def test_a_limit_is_told_in_the_headers() -> None:
    async with (
        discord_server(channel_limit=Rate(1, 60.0)) as server,
        aiohttp.ClientSession() as http,
    ):
        url, headers = (
            f"{server.api_url}/channels/{CHANNEL}/messages",
            {"Authorization": f"Bot {TOKEN}"},
        )
        first = await http.post(url, json={"content": "x"}, headers=headers)
        second = await http.post(url, json={"content": "x"}, headers=headers)
        server.global_limit = Rate(0, 60.0)
        third = await http.post(url, json={"content": "x"}, headers=headers)
        bodies = [await answer.json() for answer in (second, third)]
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == (
        "1",
        "0",
    )
    assert (second.status, second.headers["X-RateLimit-Scope"]) == (429, "user")
    assert (third.status, third.headers["X-RateLimit-Scope"]) == (429, "global")
    assert [body["global"] for body in bodies] == [False, True]
    assert all(59 < body["retry_after"] <= 60 for body in bodies)
    assert second.headers["Retry-After"] == "60"
    assert "Via" in second.headers
    assert "X-RateLimit-Global" in third.headers


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (faults.Reset(), aiohttp.ClientError),
        (faults.html(503), discord.DiscordServerError),
        (faults.Hang(), TimeoutError),
    ],
)
@pytest.mark.parametrize("stored", [0, 1])
async def test_a_fault_before_acceptance_stores_nothing_and_one_after_it_does(
    fault: faults.Fault, raised: type[Exception], stored: int
) -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        (server.faults if stored else server.before).add(fault, on="messages.create")
        await channel_of(client).fetch_message(server.say(CHANNEL, "not this operation"))
        with pytest.raises(raised):
            await asyncio.wait_for(channel_of(client).send("x", nonce=KEY), 0.2)
        assert len(server.messages(CHANNEL)) == stored
        await channel_of(client).send("x", nonce=KEY)
        assert len(server.messages(CHANNEL)) == 1


async def test_a_request_may_be_carried_out_when_its_client_has_gone() -> None:
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        server.before.add(faults.Delay(0.1), on="messages.create")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(channel_of(client).send("x"), 0.05)
        assert server.messages(CHANNEL) == []
        await asyncio.sleep(0.1)
        assert len(server.messages(CHANNEL)) == 1


async def test_hooks_tell_of_requests_and_of_what_was_stored() -> None:
    told: list[tuple[str, int]] = []
    async with discord_server() as server, discord_bot(server, TOKEN) as client:
        server.on_request = lambda name: told.append(
            (f"asked {name}", len(server.messages(CHANNEL)))
        )
        server.on_accept = lambda name: told.append((name, len(server.messages(CHANNEL))))
        channel = await text_channel(client)
        told.clear()
        sent = await channel.send("x", nonce=KEY)
        await channel.send("x", nonce=KEY)
        await sent.edit(content="y")
        await sent.create_thread(name="t")
        await sent.delete()
    assert told == [
        ("asked messages.create", 0),
        ("messages.create", 1),
        ("asked messages.create", 1),
        ("asked messages.edit", 1),
        ("messages.edit", 1),
        ("asked threads.create", 1),
        ("threads.create", 1),
        ("asked messages.delete", 1),
        ("messages.delete", 1),
    ]
