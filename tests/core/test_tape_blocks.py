"""Blocks of an unpacked file: bombs are refused, and a refusal waits for nobody."""

import gzip
import io
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import pytest

from core.conditions import bundled
from core.errors import BadBars
from core.sources.sample_market import SampleMarket
from core.tape import read_tape
from core.tape_blocks import blocks
from core.tape_sums import LIMITS, Limits
from tests.core.test_tape import DAY, TEXT, read

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Silent(io.RawIOBase):
    """A line that brings these bytes and then nothing, until somebody hangs up."""

    def __init__(self, packed: bytes) -> None:
        super().__init__()
        self._packed, self._hung_up = io.BytesIO(packed), threading.Event()

    def readable(self) -> bool:
        """Of course."""
        return True

    def readinto(self, into: "WriteableBuffer") -> int:
        """Some bytes, or a long wait."""
        if came := self._packed.readinto(into):
            return came
        if not self._hung_up.wait(30):
            raise AssertionError("nobody hung up")
        raise ValueError("closed")

    def close(self) -> None:
        """Hang up."""
        self._hung_up.set()
        super().close()


class Heavy(io.BytesIO):
    """Bytes that are weighed as they are read."""

    weighed = 0

    def readinto(self, into: "WriteableBuffer") -> int:
        """As io.BytesIO does."""
        came = super().readinto(into)
        self.weighed += came
        return came


def unpackers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("unpack")]


def all_end_within(seconds: float) -> bool:
    end = time.monotonic() + seconds
    while unpackers():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_a_bomb_of_50_gb_is_over_the_limit_and_twice_a_real_day_is_not() -> None:
    assert 2 * 20 * 10**9 <= LIMITS.unpacked_bytes < 50 * 10**9
    assert 6 < LIMITS.ratio <= 40
    assert LIMITS.ratio_from <= 10**9


def test_what_unpacks_to_many_times_its_size_is_refused_early() -> None:
    bomb = gzip.compress(TEXT + b"\n" * 50_000_000)
    assert len(bomb) * 100 < 50_000_000
    with pytest.raises(BadBars, match="more than 40 times their size"):
        read(bomb, ratio_from=2_000_000, block_bytes=100_000)
    assert read(bomb, block_bytes=100_000).lines == TEXT.count(b"\n") - 1


def test_the_ratio_is_of_what_was_read_so_far() -> None:
    bomb = Heavy(gzip.compress(b"\n" * 50_000_000) * 100)
    size = len(bomb.getbuffer())
    sizes = Limits(unpacked_bytes=10**12, ratio_from=0)
    with pytest.raises(BadBars, match="more than 40 times"):
        deque(blocks(bomb, "the trades", sizes), maxlen=0)
    assert 0 < bomb.weighed < size / 2


def test_a_days_trades_are_no_bomb() -> None:
    packed = SampleMarket().trades(DAY)
    tape = read_tape(io.BytesIO(packed), DAY, bundled(), Limits(ratio_from=0))
    assert tape.unpacked_bytes < 10 * len(packed)


@pytest.mark.parametrize(
    ("text", "words", "limits"),
    [
        (b"a,b\n" + b"1,2\n" * 5_000, "are missing from the trades", Limits(block_bytes=10_000)),
        (TEXT + b"x" * 70_000, "longer than 16,384", Limits(block_bytes=10_000)),
        (TEXT * 2, "more than 50,000 bytes", Limits(block_bytes=10_000, unpacked_bytes=50_000)),
    ],
    ids=["by its header", "by a block", "by its size"],
)
def test_a_refusal_does_not_wait_for_the_line(text: bytes, words: str, limits: Limits) -> None:
    assert all_end_within(5)
    line, began = Silent(gzip.compress(text)), time.monotonic()
    with pytest.raises(BadBars, match=words):
        read_tape(line, DAY, bundled(), limits)  # type: ignore[arg-type]
    assert time.monotonic() - began < 5
    assert line.closed
    assert all_end_within(5)


def test_a_reading_that_is_left_lets_go_of_line_and_thread() -> None:
    line = Silent(gzip.compress(TEXT))
    left = blocks(line, "the trades", Limits(block_bytes=10_000, unpacked_bytes=10**9))  # type: ignore[arg-type]
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert line.closed
    assert all_end_within(5)


def test_a_whole_reading_closes_its_stream() -> None:
    stream = io.BytesIO(gzip.compress(TEXT))
    assert read_tape(stream, DAY, bundled()).lines == TEXT.count(b"\n") - 1
    assert stream.closed
    assert all_end_within(5)
