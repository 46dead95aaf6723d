"""A gzipped stream of lines -> blocks of whole lines, unpacked in a thread one block ahead.

A line cut by the end of a block is carried to the front of the next.
"""

import gzip
import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, BinaryIO

from isal import igzip, isal_zlib

from core.errors import BadBars
from core.tape_lines import SLACK
from core.tape_sums import Limits

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_GZIP_FAULTS: tuple[type[Exception], ...] = (gzip.BadGzipFile, isal_zlib.error)  # type: ignore[assignment]


def blocks(stream: BinaryIO, name: str, limits: Limits) -> Iterator[tuple[bytearray, int, int]]:
    """Unpacked text in blocks of whole lines: a buffer and where the lines in it begin and end.

    Two buffers take turns; a block must have been used when the next one is asked for. `name` is
    what BadBars calls the file; the stream's own errors pass through. The stream is closed when
    this ends, or is left: what reads ahead may be waiting for the network, and nobody waits for it.
    """
    room, total, carry = limits.line_bytes, 0, b""
    buffers = [bytearray(room + limits.block_bytes + SLACK) for _ in range(2)]
    packed = _Tally(stream)
    unpacked = igzip.IGzipFile(fileobj=packed, mode="rb")  # type: ignore[no-untyped-call]
    with closing(stream), _thread() as pool:
        waiting = pool.submit(_fill, unpacked, memoryview(buffers[0])[room:-SLACK])
        while filled := _filled(waiting, name):
            buffer, end = buffers[0], room + filled
            buffers.reverse()
            waiting = pool.submit(_fill, unpacked, memoryview(buffers[0])[room:-SLACK])
            total += filled
            _refuse_bomb(total, packed.done, name, limits)
            first = room - len(carry)
            buffer[first:room] = carry
            cut = max(buffer.rfind(b"\n", first, end) + 1, first)
            carry = bytes(memoryview(buffer)[cut:end])
            if len(carry) > room:
                raise BadBars(f"a line of {name} is longer than {room:,} bytes")
            yield buffer, first, cut
    if carry:
        yield bytearray(carry + b"\n" + bytes(SLACK)), 0, len(carry) + 1


class _Tally(io.RawIOBase):
    """A stream, and how much of it has been read."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream, self.done = stream, 0

    def readable(self) -> bool:
        """Of course."""
        return True

    def readinto(self, into: "WriteableBuffer") -> int:
        """As the stream does."""
        came = self._stream.readinto(into)  # type: ignore[attr-defined]
        self.done += came
        return int(came)


@contextmanager
def _thread() -> Iterator[ThreadPoolExecutor]:
    """One that is not waited for."""
    pool = ThreadPoolExecutor(1, "unpack")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _refuse_bomb(total: int, read: int, name: str, limits: Limits) -> None:
    if total > limits.unpacked_bytes:
        raise BadBars(f"{name} unpack to more than {limits.unpacked_bytes:,} bytes")
    if total > limits.ratio_from and total > limits.ratio * read:
        raise BadBars(f"{name} unpack to more than {limits.ratio} times their size: a bomb?")


def _fill(unpacked: igzip.IGzipFile, into: memoryview) -> int:
    """Unpack until the buffer is full or the file ends; how many bytes."""
    done = 0
    while done < len(into) and (more := unpacked.readinto(into[done:])):
        done += more
    return done


def _filled(waiting: Future[int], name: str) -> int:
    try:
        return waiting.result()
    except EOFError as error:
        raise BadBars(f"{name} end in the middle: the gzip is cut off") from error
    except _GZIP_FAULTS as error:
        raise BadBars(f"{name} are no sound gzip: {error}") from error
