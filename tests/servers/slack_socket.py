"""Slack's Socket Mode: tickets, up to ten sockets, envelopes and their acks, and how they break.

To refuse upgrades, queue faults in the server's `before` for the operation `link`; to let
apps.connections.open fail, queue them there for its name.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from tests.servers.chat import Row
from tests.servers.slack_asked import Asked, Changes
from tests.servers.slack_store import APP

LINK = "/link/"
_FOR_EVER_S = 3600.0
Reason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]
Acknowledge = Callable[[Asked, object], None]


@dataclass(slots=True, eq=False)
class Connection:
    """One socket; `pings` are what the client sent, `pongs` its answers to the server's."""

    number: int
    socket: web.WebSocketResponse
    request: web.BaseRequest
    silent: bool = False
    """Half open: whatever comes is taken, nothing is ever answered or sent."""
    retired: bool = False
    """It was told to go, and gets nothing new."""
    pings: list[bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)

    async def send(self, frame: Row) -> None:
        """Say something, unless it is silent."""
        if not self.silent:
            await self.socket.send_str(json.dumps(frame))


class Sockets:
    """Everything about Socket Mode. Every setting is an attribute, to be changed while it runs."""

    def __init__(
        self, now: Callable[[], datetime], changes: Changes, acknowledge: Acknowledge
    ) -> None:
        self.ticket_lifetime = timedelta(seconds=30)
        self.most = 10
        self.patience_s = 10.0
        """How long an envelope waits for somebody to connect, before it is lost."""
        self.opens = 0
        """How many addresses were given out."""
        self.connections = 0
        """How many sockets there have ever been."""
        self.disconnects = 0
        """How many of them are gone, whoever ended them."""
        self.refused: list[int] = []
        """The statuses of upgrades that were refused for their ticket."""
        self.strange: list[str] = []
        """Frames that are no ack of anything that was sent."""
        self.open: list[Connection] = []
        self._now = now
        self._changes = changes
        self._acknowledge = acknowledge
        self._tickets: dict[str, datetime | None] = {}
        self._sent: dict[str, Asked] = {}
        self._waiting: deque[Asked] = deque()
        self._next = 0

    @property
    def live(self) -> list[Connection]:
        """Those that get envelopes."""
        return [c for c in self.open if not c.retired and not c.socket.closed]

    @property
    def tickets(self) -> list[str]:
        """What the addresses that were given out have in them, used or not."""
        return list(self._tickets)

    def address(self, url: str) -> Row:
        """A new address, good for one socket."""
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = self._now()
        self.opens += 1
        socket_url = url.replace("http", "ws", 1)
        return {"url": f"{socket_url}{LINK}?ticket={ticket}&app_id={APP}"}

    async def connect(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take a socket and hold it to its end."""
        if status := self._refusal(request.query.get("ticket", "")):
            self.refused.append(status)
            self._changes.tell()
            return web.Response(status=status)
        # Its pings and its goodbye are answered by hand, so that it can fall silent.
        socket = web.WebSocketResponse(autoping=False, autoclose=False, timeout=0.5)
        await socket.prepare(request)
        self.connections += 1
        connection = Connection(self.connections, socket, request)
        if len(self.open) >= self.most:
            await connection.send(self._disconnect("too_many_websockets"))
            await socket.close()
            self.disconnects += 1
            return socket
        self.open.append(connection)
        try:
            await self._welcome(connection)
            async for message in socket:
                await self._heard(connection, message)
            # Whoever is silent does not say goodbye either: the client has to hang up.
            await (asyncio.sleep(_FOR_EVER_S) if connection.silent else socket.close())
        finally:
            self.open.remove(connection)
            self.disconnects += 1
            self._changes.tell()
        return socket

    async def dispatch(self, asked: Asked) -> None:
        """Send an envelope to one socket, in turn; with none it waits for the next one."""
        self._sent[asked.envelope_id] = asked
        while live := self.live:
            connection = live[self._next % len(live)]
            self._next += 1
            try:
                asked.leaves()
                asked.connection = connection.number
                await connection.send(_envelope(asked))
                return
            except ConnectionError:
                connection.retired = True
        asked.dispatched_at = asked.connection = None
        self._waiting.append(asked)
        asyncio.get_running_loop().call_later(self.patience_s, self._give_up, asked)

    async def disconnect(self, reason: Reason, *, close_after_s: float | None = None) -> None:
        """Tell every socket to go; after a warning it still gets envelopes until it does.

        The client closes its socket; the server does too if it is given a time.
        """
        for connection in list(self.open):
            connection.retired = connection.retired or reason != "warning"
            with suppress(ConnectionError):
                await connection.send(self._disconnect(reason))
        if close_after_s is not None:
            await asyncio.sleep(close_after_s)
            await self.close()

    async def close(self, code: int = WSCloseCode.OK) -> None:
        """End every socket with this code, without having said so before."""
        await asyncio.gather(*(c.socket.close(code=code) for c in self.open))

    def drop(self) -> None:
        """Every line is cut, without a word."""
        for connection in list(self.open):
            if connection.request.transport is not None:
                connection.request.transport.abort()

    def silence(self) -> None:
        """Every socket there is stays open and is of no use any more; new ones are well."""
        for connection in self.open:
            connection.silent = True

    async def ping(self) -> None:
        """Ping every socket, as Slack does now and then."""
        for connection in self.live:
            if not connection.silent:
                await connection.socket.ping(b"Ping from applink-local")

    async def connected(self, within_s: float = 3.0, *, count: int = 1) -> None:
        """Wait until so many sockets are live."""
        there = await self._changes.until(lambda: len(self.live) >= count, within_s)
        assert there, f"{len(self.live)} of {count} sockets within {within_s} s"

    def _refusal(self, ticket: str) -> int:
        born = self._tickets.get(ticket)
        if born is None:
            return 401
        self._tickets[ticket] = None
        return 408 if self._now() - born > self.ticket_lifetime else 0

    async def _welcome(self, connection: Connection) -> None:
        hello = {"type": "hello", "num_connections": len(self.open)}
        about = {"host": "applink-local", "build_number": 10, "approximate_connection_time": 18060}
        await connection.send(
            {**hello, "debug_info": about, "connection_info": {"app_id": APP}},
        )
        await connection.socket.ping(b"Ping from applink-local")
        self._changes.tell()
        while self._waiting:
            await self.dispatch(self._waiting.popleft())

    async def _heard(self, connection: Connection, message: WSMessage) -> None:
        if message.type is WSMsgType.PING:
            connection.pings.append(message.data)
            if not connection.silent:
                await connection.socket.pong(message.data)
        elif message.type is WSMsgType.PONG:
            connection.pongs.append(message.data)
        elif message.type is WSMsgType.TEXT:
            connection.frames.append(message.data)
            self._ack(connection, message.data)
        self._changes.tell()

    def _ack(self, connection: Connection, text: str) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            frame = None
        asked = self._sent.get(frame.get("envelope_id", "")) if isinstance(frame, dict) else None
        if asked is None:
            self.strange.append(text)
        elif not connection.silent:
            self._acknowledge(asked, frame.get("payload"))

    def _give_up(self, asked: Asked) -> None:
        if asked in self._waiting:
            self._waiting.remove(asked)
            asked.is_lost("nobody is connected")

    def _disconnect(self, reason: Reason) -> Row:
        return {
            **{"type": "disconnect", "reason": reason, "num_connections": len(self.open)},
            "debug_info": {"host": "applink-local"},
            "connection_info": {"app_id": APP},
        }


def _envelope(asked: Asked) -> Row:
    takes_payload = asked.kind == "slash_commands" or asked.payload["type"] == "view_submission"
    envelope: Row = {
        **{"envelope_id": asked.envelope_id, "type": asked.kind, "payload": asked.payload},
        "accepts_response_payload": takes_payload,
    }
    if asked.kind == "events_api" or asked.retry_attempt:
        envelope["retry_attempt"] = asked.retry_attempt
        envelope["retry_reason"] = asked.retry_reason
    return envelope
