"""What the two chat platforms' servers share: calls, faults before acceptance, hooks, rates.

A fault in `faults` spoils an answer whose request was carried out: the message is stored. One in
`before` takes the place of the whole request: nothing is stored. The exception is a Delay in
`before`: the request is carried out late, even when its client has gone in the meantime.
"""

import asyncio
import json
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from aiohttp import web

from tests.servers.faults import Answer, Delay, Fault, Faults
from tests.servers.local import LocalServer

Row = dict[str, Any]
Hook = Callable[[str], object]
"""Is called with the name of an operation."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read to its end; `ids` are what its path names."""

    operation: str
    method: str
    path: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """What the body is, with its parameters."""
        return self.headers.get("Content-Type", "")


@dataclass(slots=True)
class SeenRequest:
    """One request; its status is None until there is an answer, which may be a fault's."""

    call: Call
    at: datetime
    status: int | None = None

    @property
    def operation(self) -> str:
        """The name of what was asked for, empty for what the server does not know."""
        return self.call.operation


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so many seconds."""

    count: int
    seconds: float


@dataclass(slots=True)
class Windows:
    """Counters that start anew when their time is over, as Discord's do."""

    _open: dict[str, tuple[float, int]] = field(default_factory=dict)

    def take(self, key: str, rate: Rate) -> tuple[bool, int, float]:
        """Whether there was room, how much is left, and the seconds until there is more.

        A client waits by its own clock, so this is not the server's, which a test may have set.
        """
        at = time.monotonic()
        began, used = self._open.get(key, (at, 0))
        if at - began >= rate.seconds:
            began, used = at, 0
        allowed = used < rate.count
        self._open[key] = (began, used + allowed)
        return allowed, rate.count - used - allowed, began + rate.seconds - at


@dataclass(slots=True)
class Buckets:
    """Token buckets, as Slack's limits behave: a burst, then a steady trickle."""

    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, key: str, rate: Rate, burst: int) -> float:
        """The seconds to wait; 0 when there was a token, which is taken."""
        at, per_second = time.monotonic(), rate.count / rate.seconds
        left, since = self._left.get(key, (float(burst), at))
        left = min(float(burst), left + (at - since) * per_second)
        allowed = left >= 1
        self._left[key] = (left - allowed, at)
        return 0.0 if allowed else (1 - left) / per_second


_SEEN = web.RequestKey("seen", SeenRequest)


class ChatServer(LocalServer):
    """A server whose clients must know whether a message was accepted when they hear nothing."""

    def __init__(self, *, port: int, now: Callable[[], datetime], clock_shift: timedelta) -> None:
        super().__init__(port=port, now=now, clock_shift=clock_shift)
        self.before = Faults()
        """What goes wrong before anything is stored."""
        self.on_request: Hook | None = None
        """Called before anything else is done about a request.

        A client that is killed here has sent it all the same: for it to be lost as well, a Reset
        must be waiting in `before`.
        """
        self.on_accept: Hook | None = None
        """Called when something was stored, before the answer leaves."""
        self.requests: list[SeenRequest] = []
        self._late: set[asyncio.Task[tuple[str, Answer]]] = set()

    @abstractmethod
    def route(self, method: str, path: str) -> tuple[str, Mapping[str, str]]:
        """The operation of a request and the ids in its path."""

    @abstractmethod
    async def respond(self, call: Call) -> Answer:
        """Carry out what is asked."""

    def count(self, *statuses: int) -> int:
        """How many requests were answered with one of these statuses."""
        return sum(seen.status in statuses for seen in self.requests)

    def accepted(self, operation: str) -> None:
        """To be called by what stores something, after it has."""
        if self.on_accept is not None:
            self.on_accept(operation)

    async def answer(self, request: web.BaseRequest) -> tuple[str, Answer]:
        """The right answer."""
        call = request[_SEEN].call
        return call.operation, await self.respond(call)

    def record(self, request: web.BaseRequest, answer: Answer, sent_bytes: int) -> None:
        """Complete the line in `requests` that began when the request came."""
        request[_SEEN].status = answer.status

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        operation, ids = self.route(request.method, request.path)
        if self.on_request is not None:
            self.on_request(operation)
        # The stream has no upper limit, unlike aiohttp's read(): charts are large.
        body = await request.content.read()
        call = Call(
            operation, request.method, request.path, ids, request.query, request.headers, body
        )
        request[_SEEN] = SeenRequest(call, self.now())
        self.requests.append(request[_SEEN])
        early = self.before.take(operation)
        if isinstance(early, Delay):
            return await self._send(request, *await self._delayed(request, early.seconds))
        if type(early) is not Fault:
            return await self._send(request, early, json_answer(500, {}))
        return await super()._handle(request)

    async def _delayed(self, request: web.BaseRequest, seconds: float) -> tuple[Fault, Answer]:
        late = asyncio.create_task(self._answered_after(request, seconds))
        self._late.add(late)
        late.add_done_callback(self._late.discard)
        operation, answer = await asyncio.shield(late)
        return self.faults.take(operation), answer

    async def _answered_after(self, request: web.BaseRequest, seconds: float) -> tuple[str, Answer]:
        await asyncio.sleep(seconds)
        return await self.answer(request)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up on everyone and forget what was to be carried out later."""
        for late in self._late:
            late.cancel()
        await super().__aexit__(kind, error, trace)


def json_answer(
    status: int, body: object, headers: Mapping[str, str] | None = None, *, charset: str = ""
) -> Answer:
    """An answer in JSON."""
    kind = f"application/json; charset={charset}" if charset else "application/json"
    return Answer(status, json.dumps(body).encode(), {"Content-Type": kind, **(headers or {})})
