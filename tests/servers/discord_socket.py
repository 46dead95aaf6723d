"""One WebSocket of the local Discord's gateway: frames in, frames out, and ways to fail.

What is pushed leaves in its order and never holds up who pushes it. A silent socket behaves as one
whose peer has lost its network: nothing is refused, nothing is answered, not even a close.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator

from aiohttp import WSMsgType, web

from tests.servers.chat import Row

_MAX_PAYLOAD = 4096
_LOST = 1006


class Socket:
    """A connection from its upgrade to its end."""

    def __init__(self, request: web.BaseRequest) -> None:
        self.silent = False
        self.session_id = ""
        """Whose session it is; empty until it identified or resumed."""
        self._request = request
        self._ws = web.WebSocketResponse(autoclose=False, autoping=False, timeout=1.0)
        self._out: asyncio.Queue[Row | int] = asyncio.Queue()

    async def open(self) -> web.WebSocketResponse:
        """Answer the upgrade."""
        await self._ws.prepare(self._request)
        return self._ws

    def push(self, op: int, data: object = None, **more: object) -> None:
        """Send a frame after those that wait."""
        self._out.put_nowait({"op": op, "d": data, **more})

    def close(self, code: int) -> None:
        """Close after the frames that wait."""
        self._out.put_nowait(code)

    def drop(self) -> None:
        """Cut the line without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def run(self, received: Callable[["Socket", Row], None]) -> int:
        """Read until it ends; the code that the client closed with, 1006 when it is just gone.

        A handler is cancelled when the line is gone, but what came before is still to be read: a
        client that closes does not wait for the answer.
        """
        reader = asyncio.create_task(self._read(received))
        try:
            return await asyncio.shield(reader)
        except asyncio.CancelledError:
            if not self.silent:
                await asyncio.wait({reader}, timeout=1.0)
            if reader.done():
                return reader.result()
            raise
        finally:
            reader.cancel()

    async def _read(self, received: Callable[["Socket", Row], None]) -> int:
        writer = asyncio.create_task(self._write())
        code = _LOST
        try:
            while True:
                message = await self._ws.receive()
                if self.silent:
                    await self._nothing()
                if message.type is WSMsgType.TEXT:
                    self._take(message.data, received)
                    continue
                if message.type is WSMsgType.CLOSE:
                    code = int(message.data or _LOST)
                    await self._ws.close(code=code if code != _LOST else 1000)
                if message.type is WSMsgType.CLOSING:
                    await asyncio.wait({writer})
                return code
        finally:
            writer.cancel()

    def _take(self, text: str, received: Callable[["Socket", Row], None]) -> None:
        if len(text.encode()) > _MAX_PAYLOAD:
            self.close(4002)
            return
        try:
            frame = json.loads(text)
        except ValueError:
            self.close(4002)
            return
        received(self, frame)

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                out = await self._out.get()
                if self.silent:
                    continue
                if isinstance(out, int):
                    await self._ws.close(code=out)
                    return
                await self._ws.send_str(json.dumps(out))

    async def _nothing(self) -> None:
        """Until the line is cut, which ends the task."""
        await asyncio.Event().wait()


class Sockets:
    """Those that are open."""

    def __init__(self) -> None:
        self._open: list[Socket] = []

    def __iter__(self) -> Iterator[Socket]:
        return iter(list(self._open))

    def __len__(self) -> int:
        """How many, the silent among them."""
        return len(self._open)

    @contextlib.contextmanager
    def held(self, socket: Socket) -> Iterator[None]:
        """One of them until the end."""
        self._open.append(socket)
        try:
            yield
        finally:
            self._open.remove(socket)
