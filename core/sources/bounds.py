"""How large a download may be: what is over a bound is BadBars before any parser sees it.

A service of 512 MB parses them in its own process, and a parser may make a gigabyte of a small
file. So bytes are counted as they come and as they unpack; rows and values by their punctuation.
The real sizes are those of 2026, of about 12,500 tickers.
"""

import zlib
from dataclasses import dataclass

from core.errors import BadBars

UNPACKS = 40
"""Times its size. Real ones: 3 for a day file, 4 for grouped daily, 11 for short volumes."""
UNPACKS_FROM_BYTES = 1 << 20
"""What is smaller than that may unpack as it likes: a short list of equal rows does."""

_SLICE_BYTES, _STEP_BYTES = 1 << 16, 1 << 18
_MEMBERS = 1_000
"""Of a gzip file: one each 64 KB, as some packers write them, is far fewer; empty ones cost time"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that may come."""

    unpacked_bytes: int
    rows: int = 100_000
    """Lines, or objects and lists of JSON: real days have some 12,500."""
    values: int = 450_000
    """Separators: grouped daily has some 112,000, short volumes 150,000, a day file 85,000."""
    columns: int = 64
    """Of a table with a header: real ones have six and eight."""


ANSWER = Bounds(10 << 20)
"""One of REST: 1.3 MB of grouped daily, 4 MB of short volumes, as much of a thousand stories.

Letters of four bytes in it make it nine times as large for a moment: hence no more.
"""
TABLE = Bounds(16 << 20, rows=200_000)
"""All pages of a REST table, which are kept: the list of tickers has 6 MB."""
NEWS = Bounds(30 << 20, values=1_000_000)
"""The three pages of stories that are asked for; each is let go when it has been read."""
DAY_FILE = Bounds(8 << 20)
"""Day aggregates: 1 MB."""
DAY_FILE_PACKED_BYTES = 4 << 20
"""Day aggregates as they travel: 0.3 MB."""
FINRA_FILE = Bounds(4 << 20)
"""FINRA's daily file: 0.4 MB."""
LISTING_BYTES = 2 << 20
"""What S3 says in XML: a thousand names of sixty letters have 0.3 MB."""


def refuse_over(seen: int, most: int, unit: str, what: str) -> None:
    """BadBars if more was seen than there may be."""
    if seen > most:
        raise BadBars(f"{what} has {seen:,} {unit} or more; {most:,} is the most to expect")


class Tally:
    """The JSON of one download, all of its answers."""

    def __init__(self, most: Bounds, what: str) -> None:
        self._most, self._what = most, what
        self._bytes = self._rows = self._values = 0

    def add(self, body: bytes) -> None:
        """Count one more answer; raises BadBars if it, or all of them, are too much.

        Punctuation inside texts counts as well, which errs on the safe side.
        """
        size, rows, values = len(body), body.count(b"{") + body.count(b"["), body.count(b",")
        _refuse_json(size, rows, values, ANSWER, "the answer")
        self._bytes += size
        self._rows += rows
        self._values += values
        _refuse_json(self._bytes, self._rows, self._values, self._most, self._what)


def _refuse_json(size: int, rows: int, values: int, most: Bounds, what: str) -> None:
    refuse_over(size, most.unpacked_bytes, "bytes", what)
    refuse_over(rows, most.rows, "objects and lists", what)
    refuse_over(values, most.values, "values", what)


def refuse_large_table(text: bytes, separator: bytes, most: Bounds, what: str) -> None:
    """BadBars if a table with a header has too many bytes, columns, rows or values."""
    refuse_over(len(text), most.unpacked_bytes, "bytes", what)
    end = text.find(b"\n")
    columns = text.count(separator, 0, end if end >= 0 else len(text)) + 1
    refuse_over(columns, most.columns, "columns", what)
    refuse_over(text.count(b"\n"), most.rows, "rows", what)
    refuse_over(text.count(separator), most.values, "values", what)


class Plain:
    """Bytes that came as they are."""

    def __init__(self, most: Bounds, what: str) -> None:
        self._most, self._what, self._text = most, what, bytearray()

    def add(self, chunk: bytes) -> None:
        """The next bytes; raises BadBars."""
        self._text += chunk
        refuse_over(len(self._text), self._most.unpacked_bytes, "bytes", self._what)

    def whole(self) -> bytes:
        """All of them."""
        return bytes(self._text)


class Gzipped:
    """Bytes that came packed, members and all, unpacked as they come and never further than may be.

    zlib.error for what is no gzip, EOFError for the end of half of it.
    """

    def __init__(self, most: Bounds, what: str) -> None:
        self._most, self._what, self._text = most, what, bytearray()
        self._packed = self._members = 0
        self._member: zlib._Decompress | None = None

    def add(self, chunk: bytes) -> None:
        """The next packed bytes; raises BadBars."""
        # In slices: what lies behind the end of a member is copied each time.
        for start in range(0, len(chunk), _SLICE_BYTES):
            self._add(chunk[start : start + _SLICE_BYTES])

    def whole(self) -> bytes:
        """All of the text."""
        if self._member is not None:
            raise EOFError("the end is missing")
        return bytes(self._text)

    def _add(self, packed: bytes) -> None:
        self._packed += len(packed)
        refuse_over(self._packed, self._most.unpacked_bytes, "packed bytes", self._what)
        while packed:
            if self._member is None:
                packed = packed.lstrip(b"\0")  # padding, as gzip itself takes it
                if not packed:
                    return
                self._members += 1
                refuse_over(self._members, _MEMBERS, "gzip members", self._what)
                self._member = zlib.decompressobj(wbits=31)
            self._text += self._member.decompress(packed, _STEP_BYTES)
            self._refuse_bomb()
            if self._member.eof:
                packed, self._member = self._member.unused_data, None
            else:
                packed = self._member.unconsumed_tail

    def _refuse_bomb(self) -> None:
        size, most = len(self._text), self._most.unpacked_bytes
        if size > most:
            raise BadBars(f"{self._what} unpacks to more than {most:,} bytes: {size:,} so far")
        if size > UNPACKS_FROM_BYTES and size > UNPACKS * self._packed:
            times = f"{size / self._packed:,.1f} times its size"
            raise BadBars(f"{self._what} unpacks to {times}, more than {UNPACKS} times: a bomb?")
