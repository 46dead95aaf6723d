"""Small downloads that a parser would make gigabytes of, and large ones just within the bounds."""

import gzip
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from core.calendar import trading_day
from tests.files import FINRA_HEADER, HEADER

DAY = trading_day(date(2026, 10, 2))
MB = 2**20


@dataclass(frozen=True)
class Bomb:
    """Made when it is wanted: all of them together take seconds."""

    make: Callable[[], bytes]
    said: str
    """Of it."""

    @cached_property
    def body(self) -> bytes:
        """What comes in."""
        return self.make()


def packed(*parts: tuple[bytes, int]) -> bytes:
    """Gzip of each part so many times over, never held unpacked."""
    packer = zlib.compressobj(6, wbits=31)
    return b"".join([*(packer.compress(piece) for piece in _pieces(parts)), packer.flush()])


def _pieces(parts: tuple[tuple[bytes, int], ...]) -> Iterator[bytes]:
    for part, times in parts:
        at_once = max(1, min(times, MB // len(part)))
        for done in range(0, times, at_once):
            yield part * min(at_once, times - done)


def dull(size: int) -> bytes:
    """Letters of so many bytes that gzip makes 1/20 of: larger than a bound, and no bomb."""
    letters = random.Random(1).randbytes(size // 40).hex().encode()
    return b"".join(letters[n : n + 64] + b"x" * 1216 for n in range(0, len(letters), 64))


_OPEN, _CLOSE = b'{"status":"OK","results":[', b"{}]}"
JSON: dict[str, Bomb] = {
    "unpacks too far": Bomb(
        lambda: packed((_OPEN, 1), (b"{},", 21_000_000), (_CLOSE, 1)), "times its size"
    ),
    "numbers that unpack too far": Bomb(
        lambda: packed((_OPEN, 1), (b"1,", 31_000_000)), "times its size"
    ),
    "unpacks to too many bytes": Bomb(
        lambda: gzip.compress(dull(11 * MB), 1), "more than 10,485,760 bytes"
    ),
    "two hundred thousand rows": Bomb(
        lambda: packed((_OPEN, 1), (b"{},", 200_000), (_CLOSE, 1)),
        "200,003 obj",
    ),
    "lists in lists": Bomb(
        lambda: packed((_OPEN, 1), (b"[[],[]],", 60_000), (_CLOSE, 1)), "180,003"
    ),
    "a million commas": Bomb(
        lambda: packed((_OPEN, 1), (b",", 10**6), (_CLOSE, 1)), "1,000,001 values"
    ),
}
"""Gzip. Up to a megabyte it may unpack as it likes."""

PLAIN_JSON: dict[str, Bomb] = {
    "too many bytes": Bomb(lambda: b" " * (10 * MB + 1), "10,485,761 bytes"),
    "too many rows": Bomb(lambda: _OPEN + b"{}," * 150_000 + _CLOSE, "150,003 objects"),
    "too many values": Bomb(lambda: _OPEN + b"1," * 4_000_000 + _CLOSE, "4,000,001 values"),
    "too many keys": Bomb(
        lambda: _OPEN + b"{" + b",".join(b'"%d":1' % n for n in range(500_000)) + b"}]}",
        "500,000 values",
    ),
}

_ROW = b"A,1,1,1,1,1,1790913600000000000,1\n"
_HEAD = HEADER.encode() + b"\n"
DAY_FILES: dict[str, Bomb] = {
    "blank rows that unpack too far": Bomb(
        lambda: packed((_HEAD, 1), (b",,,,,,,\n", 8_000_000)), "its size"
    ),
    "rows that unpack too far": Bomb(
        lambda: packed((b"ticker,window_start\n", 1), (b"A,1\n", 16**6)), "size"
    ),
    "unpacks to too many bytes": Bomb(
        lambda: gzip.compress(dull(9 * MB), 1), "more than 8,388,608 bytes"
    ),
    "too many bytes as it is": Bomb(
        lambda: b"\x1f\x8b" + b"\xff" * (5 * MB), "4,194,304 is the most"
    ),
    "too many columns": Bomb(
        lambda: gzip.compress(HEADER.encode() + b",c" * 57 + b"\n"), "65 columns"
    ),
    "a header without end": Bomb(
        lambda: gzip.compress(b"ticker," + b",".join(b"%d" % n for n in range(1_000_000))),
        "1,000,001 columns",
    ),
    "too many rows": Bomb(lambda: packed((_HEAD, 1), (b"\n", 100_001)), "100,002 rows"),
    "too many values": Bomb(
        lambda: packed((_HEAD, 1), (b",,,,,,,,,,\n", 50_000)), "500,007 values"
    ),
    "too many members": Bomb(lambda: gzip.compress(b"") * 1_001, "1,001 gzip members"),
}

_LINE = b"20261002|A|1|0|2|Q\r\n"
_FINRA = FINRA_HEADER.encode() + b"\r\n"
FINRA_FILES: dict[str, Bomb] = {
    "too many bytes": Bomb(lambda: _FINRA + _LINE * 220_000, "4,194,304 is the most"),
    "too many rows": Bomb(
        lambda: b"Date|Symbol|TotalVolume\n" + b"1|A|1\n" * 150_000, "150,001 rows"
    ),
    "too many columns": Bomb(
        lambda: FINRA_HEADER.encode() + b"|c" * 59 + b"\n" + _LINE, "65 columns"
    ),
    "a header without end": Bomb(lambda: FINRA_HEADER.encode() + b"|" * (3 * MB), "columns"),
    "too many values": Bomb(lambda: _FINRA + (b"|" * 20 + b"\n") * 50_000, "1,000,005 values"),
}
PACKED_FINRA: dict[str, Bomb] = {
    "unpacks too far": Bomb(lambda: packed((_FINRA, 1), (_LINE, 3_000_000)), "times its size"),
    "unpacks to too many bytes": Bomb(
        lambda: gzip.compress(dull(5 * MB), 1), "more than 4,194,304 bytes"
    ),
}


def just_within() -> list[bytes]:
    """JSON that is within every bound, and as large as that allows."""
    return [_wide_letters(), _many_keys(), _many_rows(), _long_title()]


def _wide_letters() -> bytes:
    """JSON as large as it may be, whose letters take four bytes each once it is read."""
    return '{"status":"OK","results":["😀'.encode() + b"a" * (10 * MB - 60) + '😀"]}'.encode()


def _many_keys() -> bytes:
    """JSON of as many values as there may be, each of them another."""
    pairs = b",".join(b'"%06d":"%06d"' % (n, n) for n in range(449_000))
    return b'{"status":"OK","results":[{' + pairs + b"}]}"


def _many_rows() -> bytes:
    """Grouped daily of four times as many tickers as there are."""
    row = b'{"T":"T%05d","v":%d.5,"vw":1.5,"o":1.25,"c":1.5,"h":2.25,"l":1.125,"t":%d,"n":%d}'
    stamp = int(DAY.close.timestamp()) * 1000
    rows = b",".join(row % (n, n, stamp, n) for n in range(49_000))
    return b'{"status":"OK","resultsCount":49000,"results":[' + rows + b"]}"


def _long_title() -> bytes:
    """News of one story, which is all title."""
    told = (
        b'"article_url":"https://a.example/","tickers":["A"],"published_utc":"2026-10-02T12:00:00Z"'
    )
    title = "😀".encode() + b"a " * (5 * MB - 200)
    return b'{"status":"OK","results":[{' + told + b',"title":"' + title + b'"}]}'
