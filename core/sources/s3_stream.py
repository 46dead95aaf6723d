"""One large object as a stream that outlives its connections. Blocking; nothing touches the disk.

Every connection asks for the copy that was listed, from the byte reached on. There is no thread
that reads ahead: the kernel's socket buffers do, and that is enough for a file to take no longer
than the slower of network and counting.
"""

import io
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import SourceUnavailable
from core.sources.s3_names import Listed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from core.sources.s3 import Body, S3Reader


@dataclass(frozen=True, slots=True)
class Patience:
    """How bad a line is put up with."""

    tries: int = 12
    """So many connections may be lost until `least_bytes` more have come."""
    least_bytes: int = 1 << 20
    """So much has to come ..."""
    least_s: float = 30
    """... in so many seconds of waiting for it; else the connection is as good as lost."""
    silence_s: float = 20
    """A read that brings nothing for so long is a lost connection; it is the S3Reader's to know."""
    first_wait_s: float = 0.5
    """Before another connection; twice as long before each next one."""
    longest_wait_s: float = 60
    """With these, six minutes without a network lose nothing of what has come."""


PATIENCE = Patience()


class S3Stream(io.RawIOBase):
    """The bytes of one listed copy, in order, each of them once.

    Reading raises SourceUnavailable when patience is at its end, Republished when the copy is no
    longer there, Gone, Forbidden and SourceRefused as they come.
    """

    def __init__(self, reader: "S3Reader", listed: Listed, patience: Patience = PATIENCE) -> None:
        super().__init__()
        self._reader, self._listed, self._patience = reader, listed, patience
        self.done = 0
        """Bytes that have come so far."""
        self._body: Body | None = None
        self._left = threading.Event()
        self._lost, self._came, self._waited_s = 0, 0, 0.0

    def readable(self) -> bool:
        """Of course."""
        return True

    def readinto(self, into: "WriteableBuffer") -> int:
        """Some bytes, 0 only at the end."""
        self._refuse_if_left()
        room = memoryview(into).cast("B")[: self._listed.size_bytes - self.done]
        while room:
            try:
                chunk = self._chunk(len(room))
            except SourceUnavailable as error:
                self._reconnect(error)
                self._refuse_if_left()
                continue
            room[: len(chunk)] = chunk
            self.done += len(chunk)
            return len(chunk)
        return 0

    def close(self) -> None:
        """Hang up; a thread that waits to connect again stops waiting."""
        self._left.set()
        self._hang_up()
        super().close()

    def _refuse_if_left(self) -> None:
        if self._left.is_set():
            self._hang_up()  # a thread may have connected while another one closed
            raise ValueError("the stream is closed")

    def _chunk(self, most_bytes: int) -> bytes:
        patience, began = self._patience, time.monotonic()
        if self._waited_s > patience.least_s:
            seen = f"get: fewer than {patience.least_bytes:,} bytes in {patience.least_s:g} s"
            raise SourceUnavailable(seen)
        if self._body is None:
            self._body = self._reader.open(self._listed, self.done)
        chunk = self._body.read(most_bytes)
        if not chunk:
            raise SourceUnavailable("get: the connection ended early")
        self._heed(len(chunk), time.monotonic() - began)
        return chunk

    def _heed(self, came: int, waited_s: float) -> None:
        """Every `least_bytes` that come in time make good what was before."""
        self._came += came
        self._waited_s += waited_s
        if self._came >= self._patience.least_bytes:
            self._lost, self._came, self._waited_s = 0, 0, 0.0

    def _reconnect(self, error: SourceUnavailable) -> None:
        """Wait, so that the next read opens a connection; raises the error if it is one too many"""
        self._hang_up()
        self._lost += 1
        patience, listed = self._patience, self._listed
        if self._lost > patience.tries:
            told = f"{error.seen} ({self.done:,} of {listed.size_bytes:,} bytes of {listed.key}"
            seen = f"{told} came, then {self._lost} connections brought next to nothing)"
            raise SourceUnavailable(seen, error.verdict) from error
        self._left.wait(min(patience.first_wait_s * 2 ** (self._lost - 1), patience.longest_wait_s))

    def _hang_up(self) -> None:
        self._waited_s = 0.0
        if self._body is not None:
            self._body.close()
            self._body = None
