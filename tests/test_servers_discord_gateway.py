"""The local Discord's gateway against the real discord.py: sessions, and ways to lose them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import discord
import pytest

from tests.servers.discord import DiscordServer
from tests.servers.discord_clients import discord_addresses, live_discord_bot
from tests.servers.discord_desk import Desk

TOKEN, CHANNEL = "invented.discord.token", 900000000000000011


@asynccontextmanager
async def gateway_server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer(token=TOKEN) as server:
        server.add_channel(CHANNEL, name="alerts")
        yield server


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for something that shows on the server alone."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - a server's counters have no event
            await asyncio.sleep(0.005)


async def started(server: DiscordServer, client: discord.Client, token: str = TOKEN) -> None:
    """Run until it fails."""
    with discord_addresses(server):
        async with client:
            await client.start(token)


async def test_a_bot_is_ready_and_knows_its_guild_and_channels() -> None:
    async with gateway_server() as server:
        server.gateway.heartbeat_interval_s = 0.03
        client = Desk()
        async with live_discord_bot(server, client, TOKEN):
            (guild,) = client.guilds
            channel = guild.get_channel(CHANNEL)
            assert (guild.id, str(channel)) == (server.guild.id, "alerts")
            assert isinstance(channel, discord.TextChannel)
            assert channel.permissions_for(guild.me).send_messages
            await until(lambda: server.gateway.heartbeats >= 3)
            assert client.latency < 1
            assert (server.gateway.identifies, server.gateway.connections) == (1, 1)
        await until(lambda: server.gateway.open_sockets == 0)


async def test_what_is_missed_while_the_line_is_down_is_replayed() -> None:
    async with gateway_server() as server:
        client = Desk()
        async with live_discord_bot(server, client, TOKEN):
            server.gateway.drop_all()
            it = await server.interact_command("chart", {"symbol": "AAPL"})
            await it.answered()
            assert (server.gateway.identifies, server.gateway.resumed) == (1, 1)
            assert it.original.embeds[0]["title"] == "AAPL 60d"


@pytest.mark.parametrize("code", [1001, 4000])
async def test_a_closed_session_is_resumed(code: int) -> None:
    async with gateway_server() as server:
        client = Desk()
        async with live_discord_bot(server, client, TOKEN):
            server.gateway.close_all(code)
            await until(lambda: server.gateway.resumed == 1)
            await (await server.interact_command("export")).answered()
            assert server.gateway.identifies == 1


async def test_a_bot_that_is_asked_to_reconnect_resumes() -> None:
    async with gateway_server() as server, live_discord_bot(server, Desk(), TOKEN):
        server.gateway.ask_reconnect()
        await until(lambda: server.gateway.resumed == 1)
        assert (server.gateway.identifies, server.gateway.connections) == (1, 2)


@pytest.mark.parametrize(("resumable", "identifies"), [(True, 1), (False, 2)])
async def test_an_invalid_session(resumable: bool, identifies: int) -> None:
    async with gateway_server() as server, live_discord_bot(server, Desk(), TOKEN):
        server.gateway.invalidate(resumable=resumable)
        await until(lambda: server.gateway.connections == 2)
        await server.gateway.connected()
        assert server.gateway.identifies == identifies
        await (await server.interact_command("export")).answered()


async def test_a_session_that_is_forgotten_is_begun_anew() -> None:
    async with gateway_server() as server, live_discord_bot(server, Desk(), TOKEN):
        server.gateway.forget_sessions()
        server.gateway.drop_all()
        await until(lambda: server.gateway.identifies == 2)
        assert (server.gateway.resumes, server.gateway.resumed) == (1, 0)


async def test_a_token_that_was_revoked_is_closed_with_4004() -> None:
    async with gateway_server() as server:
        client = Desk()
        async with live_discord_bot(server, client, TOKEN) as running:
            server.revoke(TOKEN)
            server.gateway.drop_all()
            await asyncio.wait({running}, timeout=5)
            error = running.exception()
        assert isinstance(error, discord.ConnectionClosed)
        assert error.code == 4004


async def test_sessions_are_counted_and_the_last_one_costs_the_token() -> None:
    async with gateway_server() as server:
        server.gateway.start_limit.remaining = 2
        server.gateway.disowns = True
        client = Desk()
        with discord_addresses(server):
            async with client:
                await client.login(TOKEN)
                _, _, limit = await client.http.get_bot_gateway()
                assert (limit["total"], limit["remaining"]) == (1000, 2)
                with pytest.raises(discord.ConnectionClosed) as closed:
                    await client.connect()
        assert (closed.value.code, server.gateway.identifies) == (4004, 3)
        assert server.tokens == set()


async def test_intents_that_are_not_allowed_are_closed_with_4014() -> None:
    async with gateway_server() as server:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await started(server, Desk(discord.Intents(guilds=True, members=True)))
        assert server.gateway.identifies == 1
        server.gateway.disallowed_intents = 0
        async with live_discord_bot(server, Desk(discord.Intents.all()), TOKEN):
            assert server.gateway.identifies == 2


async def test_an_upgrade_is_refused_for_so_many_tries() -> None:
    async with gateway_server() as server, aiohttp.ClientSession() as session:
        server.gateway.refuse(503, times=2)
        server.gateway.refuse(None, times=2)
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(server.gateway_url)
            assert refused.value.status == 503
        with pytest.raises(aiohttp.ClientError):
            await session.ws_connect(server.gateway_url)
        async with session.ws_connect(server.gateway_url):
            assert (server.gateway.attempts, server.gateway.connections) == (5, 1)


async def test_a_bot_whose_first_connection_is_refused_dies() -> None:
    async with gateway_server() as server:
        server.gateway.refuse()
        # A known fault of the library, Rapptz/discord.py#10520; it pauses up to two seconds first.
        with pytest.raises(AttributeError, match="sequence"):
            await started(server, Desk())
        assert (server.gateway.attempts, server.gateway.connections) == (1, 0)


async def test_a_bot_comes_back_when_it_is_admitted_again() -> None:
    async with gateway_server() as server, live_discord_bot(server, Desk(), TOKEN):
        server.gateway.refuse(503, times=None)
        server.gateway.drop_all()
        await until(lambda: server.gateway.attempts == 2)
        server.gateway.admit()
        await server.gateway.connected()
        assert server.gateway.resumed == 1


async def test_a_line_that_is_dead_swallows_all_until_the_bot_comes_back() -> None:
    async with gateway_server() as server:
        client = Desk()
        async with live_discord_bot(server, client, TOKEN):
            server.gateway.go_silent()
            assert (server.gateway.is_connected, server.gateway.open_sockets) == (False, 1)
            it = await server.interact_command("export")
            with pytest.raises(TimeoutError, match="export was not acknowledged"):
                await it.acknowledged(0.1)
            server.gateway.drop_all()
            await it.answered()
            assert server.gateway.resumed == 1


async def test_a_new_line_may_be_dead_from_the_beginning() -> None:
    async with gateway_server() as server, aiohttp.ClientSession() as session:
        server.gateway.go_silent(next_connections=1)
        async with session.ws_connect(server.gateway_url) as dead:
            with pytest.raises(TimeoutError):
                await dead.receive(timeout=0.05)
            server.gateway.drop_all()
        async with session.ws_connect(server.gateway_url) as alive:
            assert (await alive.receive_json(timeout=1))["op"] == 10


async def test_heartbeats_that_are_not_answered() -> None:
    async with gateway_server() as server, aiohttp.ClientSession() as session:
        server.gateway.ack_heartbeats = False
        async with session.ws_connect(server.gateway_url) as line:
            assert (await line.receive_json(timeout=1))["op"] == 10
            await line.send_json({"op": 1, "d": None})
            with pytest.raises(TimeoutError):
                await line.receive(timeout=0.05)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"op": 99}, 4001),
        ({"op": 3, "d": {}}, 4003),
        ({"op": 2, "d": {"token": "other", "intents": 1}}, 4004),
        ({"op": 2, "d": {"token": TOKEN}}, 4013),
        ({"op": 6, "d": {"token": "other", "session_id": "x", "seq": 1}}, 4004),
        ({"op": 1, "d": "x" * 5000}, 4002),
    ],
)
async def test_frames_that_are_refused(frame: dict[str, object], code: int) -> None:
    async with (
        gateway_server() as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.gateway_url) as line,
    ):
        await line.receive()
        await line.send_json(frame)
        closed = await line.receive(timeout=1)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, code)


async def test_an_interaction_that_no_bot_is_there_for_is_lost() -> None:
    async with gateway_server() as server:
        async with live_discord_bot(server, Desk(), TOKEN):
            pass
        await until(lambda: not server.gateway.open_sockets)
        it = await server.interact_command("export")
        client = Desk()
        async with live_discord_bot(server, client, TOKEN):
            await (await server.interact_command("export")).answered()
        assert (it.reached, it.callback) == (0, None)


async def test_channels_that_come_and_go_are_told() -> None:
    async with gateway_server() as server:
        client = Desk()
        async with live_discord_bot(server, client, TOKEN):
            server.add_channel(CHANNEL + 1, name="more")
            await until(lambda: client.get_channel(CHANNEL + 1) is not None)
            server.delete_channel(CHANNEL)
            await until(lambda: client.get_channel(CHANNEL) is None)


async def test_the_gateway_ends_with_the_server() -> None:
    async with aiohttp.ClientSession() as session:
        async with gateway_server() as server:
            line = await session.ws_connect(server.gateway_url)
            await line.receive()
        ended = await line.receive(timeout=1)
        assert ended.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        await line.close()
