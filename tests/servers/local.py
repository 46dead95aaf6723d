"""The part that the local servers share: a port, a clock, faults, and a shell that waits."""

import asyncio
import signal
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from aiohttp import web

from tests.servers.faults import Answer, Fault, Faults

NEW_YORK = ZoneInfo("America/New_York")


def utc_now() -> datetime:
    """The clock a server has unless a test gives it another."""
    return datetime.now(UTC)


class Listener:
    """A runner behind a port of 127.0.0.1."""

    def __init__(self, runner: web.BaseRunner) -> None:
        self._runner = runner
        self._line: socket.socket | None = None

    async def open(self, port: int) -> str:
        """Listen, with port 0 on one that is free; the address, without a slash at the end."""
        await self._runner.setup()
        self._line = socket.create_server(("127.0.0.1", port))
        await web.SockSite(self._runner, self._line).start()
        return f"http://127.0.0.1:{self._line.getsockname()[1]}"

    async def close(self) -> None:
        """Hang up on everyone."""
        if self._line is not None:
            # asyncio's Server must not close on a client it has accepted and not yet connected:
            # until 3.12 the client's socket would stay open and unowned (python/cpython#109564).
            asyncio.get_running_loop().remove_reader(self._line)
            await asyncio.sleep(0.001)
        await self._runner.cleanup()


class LocalServer(ABC):
    """An HTTP server on 127.0.0.1 whose every answer may be spoiled by a queued fault."""

    def __init__(self, *, port: int, now: Callable[[], datetime], clock_shift: timedelta) -> None:
        self.url = ""
        """Where it listens, without a slash at the end; empty until it does."""
        self.faults = Faults()
        self.clock_shift = clock_shift
        self._now = now
        self._port = port
        self._listener: Listener | None = None

    def now(self) -> datetime:
        """The server's own clock, aware, UTC."""
        return self._now().astimezone(UTC) + self.clock_shift

    def new_york_date(self) -> date:
        """The vendor's calendar date."""
        return self.now().astimezone(NEW_YORK).date()

    @abstractmethod
    async def answer(self, request: web.BaseRequest) -> tuple[str, Answer]:
        """The operation that was asked for, and its right answer."""

    @abstractmethod
    def record(self, request: web.BaseRequest, answer: Answer, sent_bytes: int) -> None:
        """Remember what was asked and what it got, `sent_bytes` of its body."""

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        operation, answer = await self.answer(request)
        return await self._send(request, self.faults.take(operation), answer)

    async def _send(
        self, request: web.BaseRequest, fault: Fault, answer: Answer
    ) -> web.StreamResponse:
        dated = {"Date": format_datetime(self.now(), usegmt=True), **answer.headers}
        answer = await asyncio.to_thread(_spoilt, fault, replace(answer, headers=dated))
        self.record(request, answer, fault.sent_bytes(answer))
        return await fault.send(request, answer)

    async def __aenter__(self) -> Self:
        """Listen; with port 0 on a port that is free."""
        # A handler must die with its client, and a hanging one must not delay the end of a test.
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._listener = Listener(web.ServerRunner(server, shutdown_timeout=0.05))
        self.url = await self._listener.open(self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up on everyone."""
        if self._listener is not None:
            await self._listener.close()


def _spoilt(fault: Fault, answer: Answer) -> Answer:
    """What is to be spoiled has to be in memory; what is not can stay on the disk."""
    return answer if type(fault) is Fault else fault.spoil(answer.in_memory())


async def serve(server: LocalServer) -> None:
    """Print the URL as the first line and serve until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stop.wait()
