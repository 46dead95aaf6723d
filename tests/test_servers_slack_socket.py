"""The local Slack's Socket Mode against the real bolt: how it connects, breaks and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.clients import Clock
from tests.servers.faults import Status
from tests.servers.slack import SlackServer, refusal, too_many
from tests.servers.slack_apps import bolt_app, by_socket

TOKEN, APP_TOKEN, CHANNEL = "xoxb-invented", "xapp-invented", "C0ALERTS"


@asynccontextmanager
async def slack_server(**settings: Any) -> AsyncIterator[SlackServer]:
    """One channel, and nobody is connected."""
    async with SlackServer(token=TOKEN, app_token=APP_TOKEN, **settings) as server:
        server.add_channel(CHANNEL)
        yield server


def echo(server: SlackServer) -> AsyncApp:
    """An app that acknowledges one command and then says it back."""
    app = bolt_app(server)

    @app.command("/echo")
    async def _echo(ack: Any, respond: Any, command: Any) -> None:
        await ack()
        await respond(text=command["text"])

    return app


@asynccontextmanager
async def echoing(
    *, ping_interval: float = 10.0, **settings: Any
) -> AsyncIterator[tuple[SlackServer, AsyncSocketModeHandler]]:
    """The app is connected."""
    async with (
        slack_server(**settings) as server,
        by_socket(server, echo(server), ping_interval=ping_interval) as handler,
    ):
        await server.sockets.connected()
        yield server, handler


async def opened(server: SlackServer, token: str = APP_TOKEN) -> str:
    """The address of a socket."""
    client = AsyncWebClient(base_url=server.api_url, retry_handlers=[])
    return str((await client.apps_connections_open(app_token=token))["url"])


async def upgrade_status(url: str) -> int:
    """The status of the answer to an upgrade; 101 when it is accepted."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(url):
                return 101
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status


async def test_a_command_is_acknowledged_and_answered() -> None:
    async with echoing() as (server, _):
        asked = await server.command("/echo", "AAPL 30")
        assert await asked.acknowledged(within_s=1) == {}
        shown = await asked.answered(within_s=1)
        [connection] = server.sockets.open
    assert (shown.how, shown.text) == ("response_url", "AAPL 30")
    assert [e.text for e in server.seen_by("U0ALICE")] == ["AAPL 30"]
    assert asked.acks == 1
    assert 0 < asked.ack_took_s < 1
    assert 0 < asked.answer_took_s < 1
    assert connection.pings[0].startswith(b"sdk-ping-pong:")
    assert connection.pongs == [b"Ping from applink-local"]
    sockets = server.sockets
    assert (sockets.opens, sockets.connections, sockets.disconnects) == (1, 1, 1)
    assert server.messages(CHANNEL) == []


async def test_only_an_app_token_opens_a_socket() -> None:
    async with slack_server() as server:
        for token, error in (
            ("xapp-wrong", "invalid_auth"),
            (TOKEN, "not_allowed_token_type"),
        ):
            with pytest.raises(SlackApiError) as caught:
                await opened(server, token)
            assert caught.value.response["error"] == error
        with pytest.raises(SlackApiError) as caught:
            await AsyncWebClient(APP_TOKEN, base_url=server.api_url).auth_test()
    assert caught.value.response["error"] == "not_allowed_token_type"


async def test_a_ticket_is_good_once_and_for_a_while() -> None:
    clock = Clock()
    async with slack_server(now=clock) as server:
        url = await opened(server)
        assert [await upgrade_status(url), await upgrade_status(url)] == [101, 401]
        late = await opened(server)
        clock.at += timedelta(seconds=31)
        assert await upgrade_status(late) == 408
    assert server.sockets.refused == [401, 408]
    assert server.sockets.opens == 2


async def test_a_stale_address_wedges_the_library_until_it_is_taken_away() -> None:
    clock = Clock()
    async with slack_server(now=clock) as server:
        handler = AsyncSocketModeHandler(echo(server), APP_TOKEN, ping_interval=0.02)
        handler.client.wss_uri = await opened(server)
        clock.at += timedelta(minutes=1)
        connecting = asyncio.create_task(handler.connect_async())  # type: ignore[no-untyped-call]
        await server.until(lambda: len(server.sockets.refused) >= 3)
        assert server.sockets.opens == 1
        handler.client.wss_uri = None
        await server.sockets.connected()
        assert server.sockets.opens == 2
        await connecting
        await handler.close_async()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_socket_that_is_told_to_go_is_replaced(reason: Any) -> None:
    async with echoing() as (server, _):
        await server.sockets.disconnect(reason)
        await server.until(lambda: server.sockets.disconnects == 1)
        await server.sockets.connected()
        asked = await server.command("/echo", "again")
        assert (await asked.answered()).text == "again"
        assert (server.sockets.opens, asked.connection) == (2, 2)


async def test_what_is_asked_while_nobody_is_connected_waits_or_is_lost() -> None:
    async with slack_server() as server:
        server.sockets.patience_s = 0.02
        lost = await server.command("/echo", "lost")
        assert not await lost.settled()
        assert lost.lost == "nobody is connected"
        server.sockets.patience_s = 5
        waits = await server.command("/echo", "waits")
        assert waits.dispatched_at is None
        async with by_socket(server, echo(server)):
            assert (await waits.answered()).text == "waits"
        assert lost.shown == []


async def test_each_envelope_goes_to_one_of_many_sockets_and_there_are_ten_at_most() -> None:
    async with slack_server() as server, aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(await opened(server)) for _ in range(10)]
        hellos = [await socket.receive_json() for socket in sockets]
        assert [hello["num_connections"] for hello in hellos] == list(range(1, 11))
        asked = [await server.command("/echo", str(i)) for i in range(10)]
        assert len({each.connection for each in asked}) == 10
        envelopes = [await socket.receive_json() for socket in sockets]
        assert [e["payload"]["text"] for e in envelopes] == [str(i) for i in range(10)]
        one_more = await session.ws_connect(await opened(server))
        refused = await one_more.receive_json()
        assert (refused["type"], refused["reason"]) == ("disconnect", "too_many_websockets")
        assert (await one_more.receive()).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize("breaks", ["close", "drop", "silence"])
async def test_a_broken_socket_is_replaced(breaks: str) -> None:
    async with echoing(ping_interval=0.1) as (server, _):
        if breaks == "close":
            await server.sockets.close(4000)
        elif breaks == "drop":
            server.sockets.drop()
        else:
            server.sockets.silence()
            asked = await server.command("/echo", "into the void")
            assert not await asked.settled(within_s=0.05)
        await server.until(lambda: server.sockets.connections >= 2, within_s=5)
        await server.sockets.connected()
        asked = await server.command("/echo", "again")
        assert (await asked.answered()).text == "again"


async def test_an_upgrade_can_be_refused_so_many_times() -> None:
    async with slack_server() as server:
        server.before.add(Status(503), on="link", times=2)
        async with by_socket(server, echo(server), ping_interval=0.02):
            await server.sockets.connected()
        # The address is not spent by an upgrade that never came to its check.
        assert (server.sockets.opens, server.sockets.connections) == (1, 1)


async def test_opening_a_socket_can_fail() -> None:
    async with slack_server() as server:
        faults = (Status(503), refusal("invalid_auth"), refusal("too_many_websockets"))
        server.before.add(*faults, too_many(1), on="apps.connections.open")
        async with by_socket(server, echo(server), ping_interval=0.02):
            await server.sockets.connected()
        tried = [s.status for s in server.requests if s.operation == "apps.connections.open"]
    assert tried == [503, 200, 200, 429, 200]


async def test_nobody_acknowledges_what_nobody_handles() -> None:
    async with echoing() as (server, _):
        asked = await server.command("/unknown")
        assert not await asked.settled(within_s=0.1)
        with pytest.raises(AssertionError, match="no ack"):
            await asked.acknowledged(within_s=0.01)
