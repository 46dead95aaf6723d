"""A real bolt app, led to the local Slack by either of the two ways."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.local import Listener
from tests.servers.slack import SlackServer

SIGNING_SECRET, PATH = "invented-signing-secret", "/slack/events"


def bolt_app(server: SlackServer) -> AsyncApp:
    """An app that handles nothing yet."""
    client = AsyncWebClient(next(iter(server.tokens)), base_url=server.api_url, retry_handlers=[])
    return AsyncApp(client=client, signing_secret=SIGNING_SECRET)


@asynccontextmanager
async def by_socket(
    server: SlackServer, app: AsyncApp, *, ping_interval: float = 10.0
) -> AsyncIterator[AsyncSocketModeHandler]:
    """The app on a socket; it is connected once the server has a live one."""
    token = next(iter(server.app_tokens))
    handler = AsyncSocketModeHandler(app, token, ping_interval=ping_interval)
    connecting = asyncio.create_task(handler.connect_async())  # type: ignore[no-untyped-call]
    try:
        yield handler
    finally:
        connecting.cancel()
        await handler.close_async()  # type: ignore[no-untyped-call]
        await asyncio.sleep(0)


@asynccontextmanager
async def by_http(server: SlackServer, app: AsyncApp) -> AsyncIterator[str]:
    """The app behind an address of its own, which the server is told."""
    listener = Listener(web.AppRunner(app.web_app(path=PATH), access_log=None))
    try:
        url = await listener.open(0) + PATH
        server.http_to(url, SIGNING_SECRET)
        yield url
    finally:
        await listener.close()
