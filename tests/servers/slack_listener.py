"""A real bolt app that answers all there is at the local Slack, for the tests of the server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.slack import SlackServer
from tests.servers.slack_apps import bolt_app, by_http, by_socket
from tests.servers.slack_store import StoredMessage

TOKEN, CHANNEL, ALICE = "xoxb-invented", "C0ALERTS", "U0ALICE"


def plain(words: str) -> dict[str, str]:
    """A plain text."""
    return {"type": "plain_text", "text": words}


def option(value: str) -> dict[str, Any]:
    """One line of a menu."""
    return {"text": plain(value.upper()), "value": value}


def button(action_id: str, value: str) -> dict[str, Any]:
    """A button."""
    return {"type": "button", "action_id": action_id, "text": plain("Why"), "value": value}


def alert_blocks() -> list[dict[str, Any]]:
    """Two buttons of one name, and two menus."""
    menu = {"type": "overflow", "action_id": "more", "options": [option("a"), option("b")]}
    select = {"type": "static_select", "action_id": "rung", "options": [option("1"), option("2")]}
    return [
        {"type": "section", "text": plain("AAPL"), "accessory": button("why", "AAPL")},
        {"type": "section", "text": plain("MSFT"), "accessory": button("why", "MSFT")},
        {"type": "actions", "block_id": "row", "elements": [menu, select]},
    ]


def watch_view() -> dict[str, Any]:
    """One input of each kind."""
    kinds: list[dict[str, Any]] = [
        {"type": "plain_text_input", "action_id": "symbol", "max_length": 5},
        {"type": "datepicker", "action_id": "since", "initial_date": "2026-11-02"},
        {"type": "number_input", "action_id": "days", "is_decimal_allowed": False},
        {"type": "checkboxes", "action_id": "kinds", "options": [option("a"), option("b")]},
        {"type": "static_select", "action_id": "rung", "options": [option("1"), option("2")]},
    ]
    kinds[2] |= {"min_value": "1", "max_value": "60"}
    blocks = [
        {"type": "input", "block_id": e["action_id"], "label": plain("?"), "element": e}
        for e in kinds
    ]
    blocks[3]["optional"] = True
    named = {"callback_id": "watch", "private_metadata": "kept"}
    return {"type": "modal", "title": plain("Watch"), "submit": plain("Save"), **named} | {
        "blocks": blocks
    }


FILLED = {"symbol": "MSFT", "days": 30, "rung": "2"}


class Listener:
    """A bolt app that answers all there is, and keeps what it was told."""

    def __init__(self, server: SlackServer) -> None:
        self.app: AsyncApp = bolt_app(server)
        self.bodies: list[dict[str, Any]] = []
        self.conclusion: dict[str, Any] = {}
        self.app.command("/watch")(self.watch)
        for name in ("why", "more", "rung"):
            self.app.action(name)(self.pressed)
        self.app.view("watch")(self.submitted)
        self.app.event("app_mention")(self.mentioned)

    async def watch(self, ack: Any, client: AsyncWebClient, body: Any) -> None:
        """Open the modal."""
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=watch_view())

    async def pressed(self, ack: Any, respond: Any, body: Any) -> None:
        """Answer with something that can be pressed again."""
        await ack()
        self.bodies.append(body)
        await respond(text="pressed", blocks=alert_blocks(), replace_original=False)

    async def submitted(self, ack: Any, body: Any) -> None:
        """Conclude as the test has said."""
        self.bodies.append(body)
        await ack(**self.conclusion)

    async def mentioned(self, event: Any, body: Any, say: Any) -> None:
        """Answer in the thread."""
        self.bodies.append(body)
        await say(text="yes?", thread_ts=event.get("thread_ts", event["ts"]))


@asynccontextmanager
async def listening(
    mode: str = "socket", **settings: Any
) -> AsyncIterator[tuple[SlackServer, Listener]]:
    """The app, reached by either way."""
    async with SlackServer(token=TOKEN, **settings) as server:
        server.add_channel(CHANNEL)
        listener = Listener(server)
        if mode == "http":
            async with by_http(server, listener.app):
                yield server, listener
            return
        async with by_socket(server, listener.app):
            await server.sockets.connected()
            yield server, listener


def client_of(server: SlackServer) -> AsyncWebClient:
    """The bot's own client; it tries once."""
    return AsyncWebClient(TOKEN, base_url=server.api_url, retry_handlers=[])


async def posted(server: SlackServer, **more: Any) -> StoredMessage:
    """An alert in the channel."""
    message = {"text": "alert", "blocks": alert_blocks(), **more}
    await client_of(server).chat_postMessage(channel=CHANNEL, **message)
    return server.messages(CHANNEL)[-1]


async def refused(awaitable: Any) -> dict[str, Any]:
    """The answer to what is refused."""
    with pytest.raises(SlackApiError) as caught:
        await awaitable
    return dict(caught.value.response.data)
