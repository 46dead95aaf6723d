"""What can go wrong with one answer of a local server, and the queue that tests put it in.

A fault has two halves: `spoil` changes what is answered, `send` changes how its bytes travel. The
kinds are those that HTTP clients meet in the wild; the vendor's own ones are built on them.
"""

import asyncio
import socket
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from aiohttp import web

_FOR_EVER_S = 3600.0
_CHUNK = b" " * 65_536
_MEGABYTE = b" " * 1_000_000
_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes of a file, from start up to, not including, stop."""

    path: Path
    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many they are."""
        return self.stop - self.start

    def read(self) -> bytes:
        """All of them."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server is about to say."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    part: FilePart | None = None
    """The body, if it is not in memory."""

    @property
    def size(self) -> int:
        """Of the body, wherever it is."""
        return len(self.body) if self.part is None else self.part.size

    def in_memory(self) -> "Answer":
        """The same with its bytes at hand."""
        return self if self.part is None else replace(self, body=self.part.read(), part=None)


@dataclass(frozen=True, slots=True)
class Fault:
    """One answer's fault; this one, the root, changes nothing."""

    def spoil(self, answer: Answer) -> Answer:
        """The answer to send instead."""
        return answer

    def sent_bytes(self, answer: Answer) -> int:
        """How much of this answer's body goes out, if the client takes it all."""
        return answer.size

    async def send(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Send it, well or badly."""
        if answer.part is not None:
            return await _from_disk(request, answer, answer.part)
        return _whole(answer)


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """Another answer instead: any status, body, content type and headers."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)

    def spoil(self, answer: Answer) -> Answer:
        """The server's clock is all that is left of the right answer."""
        kept = {"Date": answer.headers["Date"]} if "Date" in answer.headers else {}
        kind = {"Content-Type": self.content_type}
        return Answer(self.status, self.body, {**kept, **kind, **self.headers})


def html(status: int = 200, *, well_formed: bool = True) -> Status:
    """A web page, as proxies and maintenance windows send it; XML readers may take it for XML."""
    title = "Welcome" if status < 400 else f"{status} Bad Gateway"
    page = _PAGE.format(title).replace("<h1>", "<h1>" if well_formed else "<br><h1>")
    return Status(status, page.encode(), "text/html; charset=utf-8")


def empty(status: int = 200, content_type: str = "application/json") -> Status:
    """No body at all."""
    return Status(status, b"", content_type)


@dataclass(frozen=True, slots=True)
class ContentType(Fault):
    """The right body under a wrong name."""

    content_type: str = "text/plain"

    def spoil(self, answer: Answer) -> Answer:
        """Only the header changes."""
        return replace(answer, headers={**answer.headers, "Content-Type": self.content_type})


@dataclass(frozen=True, slots=True)
class Clipped(Fault):
    """A body that ends early and whose Content-Length agrees: only its reader can notice."""

    share: float = 0.5

    def spoil(self, answer: Answer) -> Answer:
        """Keep the first `share` of the bytes."""
        return replace(answer, body=answer.body[: int(len(answer.body) * self.share)])


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """The right answer, `seconds` late."""

    seconds: float

    async def send(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Wait, then answer."""
        await asyncio.sleep(self.seconds)
        return _whole(answer)


@dataclass(frozen=True, slots=True)
class Hang(Fault):
    """Silence: before the first byte, or after `after_bytes` bytes of the body."""

    after_bytes: int | None = None
    seconds: float = _FOR_EVER_S

    def sent_bytes(self, answer: Answer) -> int:
        """What comes before the silence."""
        return min(self.after_bytes or 0, len(answer.body))

    async def send(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Fall silent; the client must give up by itself."""
        response = await _begun(request, answer, self.after_bytes)
        await asyncio.sleep(self.seconds)
        _cut(request)
        return response


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """TCP reset: before the answer, or after `after_bytes` bytes of its body."""

    after_bytes: int | None = None

    def sent_bytes(self, answer: Answer) -> int:
        """Sent; what the client had not read yet is lost all the same."""
        return min(self.after_bytes or 0, len(answer.body))

    async def send(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Cut the line hard."""
        response = await _begun(request, answer, self.after_bytes)
        _cut(request)
        return response


@dataclass(frozen=True, slots=True)
class Truncated(Fault):
    """An orderly close on the way: Content-Length promises all, `share` or `after_bytes` comes."""

    share: float = 0.5
    after_bytes: int | None = None

    def sent_bytes(self, answer: Answer) -> int:
        """All of this arrives."""
        if self.after_bytes is not None:
            return min(self.after_bytes, len(answer.body))
        return int(len(answer.body) * self.share)

    async def send(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Close politely, too early."""
        response = await _begun(request, answer, self.sent_bytes(answer))
        if request.transport is not None:
            request.transport.close()
        return response


@dataclass(frozen=True, slots=True)
class Drip(Fault):
    """The right answer in small sips, each soon enough for a read time-out to be content."""

    chunk_bytes: int = 64
    pause_s: float = 0.01
    after_bytes: int = 0
    """So much comes at once, before it begins to drip."""

    async def send(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Sip by sip."""
        if request.method == "HEAD":
            return _whole(answer)
        response = await _begun(request, answer, self.after_bytes)
        for start in range(self.after_bytes, len(answer.body), self.chunk_bytes):
            await response.write(answer.body[start : start + self.chunk_bytes])
            await asyncio.sleep(self.pause_s)
        return response


@dataclass(frozen=True, slots=True)
class Endless(Fault):
    """Blanks without end; `claims_bytes` announces so many by Content-Length, else chunked."""

    claims_bytes: int | None = None

    async def send(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Write until the client has had enough."""
        if request.method == "HEAD":
            return _whole(answer)
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.content_length = self.claims_bytes
        await response.prepare(request)
        sent = 0
        while self.claims_bytes is None or sent < self.claims_bytes:
            await response.write(_CHUNK)
            await asyncio.sleep(0)
            sent += len(_CHUNK)
        return response


@dataclass(frozen=True, slots=True)
class GzipBomb(Fault):
    """A small body that unpacks, by its Content-Encoding, to `megabytes` of blanks."""

    megabytes: int = 256

    def spoil(self, answer: Answer) -> Answer:
        """The bomb has the right status and content type."""
        packed = {"Content-Encoding": "gzip"}
        return replace(answer, body=_bomb(self.megabytes), headers={**answer.headers, **packed})


class Faults:
    """What is still to go wrong: each fault serves the next request of its operation, in order."""

    def __init__(self) -> None:
        self._queue: list[tuple[str, Fault]] = []
        self._always: list[tuple[str, Fault]] = []

    def add(self, *faults: Fault, on: str = "", times: int = 1) -> None:
        """Queue faults for the next requests of the operation `on` (empty: of any operation)."""
        self._queue += [(on, fault) for fault in faults for _ in range(times)]

    def always(self, fault: Fault, on: str = "") -> None:
        """From now on spoil every such request that has no fault of its own queued."""
        self._always.append((on, fault))

    def clear(self) -> None:
        """All is well again."""
        self._queue.clear()
        self._always.clear()

    def take(self, operation: str) -> Fault:
        """The fault for a request that is being answered now."""
        for i, (on, fault) in enumerate(self._queue):
            if on in ("", operation):
                del self._queue[i]
                return fault
        return next((f for on, f in self._always if on in ("", operation)), Fault())

    def __len__(self) -> int:
        """How many queued faults have not happened yet."""
        return len(self._queue)


def _whole(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


async def _from_disk(
    request: web.BaseRequest, answer: Answer, part: FilePart
) -> web.StreamResponse:
    """The kernel copies from the file to the line: a large body costs next to nothing here."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = part.size
    with await asyncio.to_thread(part.path.open, "rb") as file:
        await response.prepare(request)
        if request.method != "HEAD" and part.size:
            if request.transport is None:
                raise ConnectionResetError
            loop = asyncio.get_running_loop()
            await loop.sendfile(request.transport, file, part.start, part.size)
    await response.write_eof()
    return response


async def _begun(
    request: web.BaseRequest, answer: Answer, body_bytes: int | None
) -> web.StreamResponse:
    """An answer that promises its whole body, of which so many bytes (None: nothing) are out."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    if body_bytes is None:
        return response
    response.content_length = len(answer.body)
    await response.prepare(request)
    if body_bytes and request.method != "HEAD":
        await response.write(answer.body[:body_bytes])
    await asyncio.sleep(0.02)  # let the bytes arrive before the line is cut
    return response


def _cut(request: web.BaseRequest) -> None:
    """Abort with a TCP reset: a linger time of zero makes the kernel send one."""
    if request.transport is None:
        return
    line = request.transport.get_extra_info("socket")
    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.transport.abort()


@cache
def _bomb(megabytes: int) -> bytes:
    return b"".join(_packed(megabytes))


def _packed(megabytes: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=31)
    for _ in range(megabytes):
        yield packer.compress(_MEGABYTE)
    yield packer.flush()
