"""A day's trades, as the vendor publishes them -> bars of both scopes. One pass, bounded memory.

The file is unpacked in a thread while the block before is counted by `core.tape_kernel`; a line
cut by the end of a block is carried to the front of the next. Nothing here fetches or stores.
"""

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import BinaryIO

import numpy as np
import polars as pl
from isal import igzip, isal_zlib

from core import tape_kernel as k
from core.bars import MAX_TICKER_CHARS
from core.calendar import NEW_YORK, TradingDay
from core.conditions import Judge, Rules, Updates
from core.errors import BadBars
from core.tape_bars import bars_of, dropped
from core.tape_lines import NEWLINE, ROLES, SLACK, UNUSED, Bytes, Ints

_GZIP_FAULTS: tuple[type[Exception], ...] = (gzip.BadGzipFile, isal_zlib.error)  # type: ignore[assignment]
MAX_UNREADABLE = 0.0001
"""Share of the lines; above it the file is not what it says it is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost; a real one stays far below."""

    block_bytes: int = 1 << 20
    line_bytes: int = 1 << 14
    unpacked_bytes: int = 60 * 10**9
    tickers: int = 1 << 15
    conditions: int = 1 << 14
    conditions_bytes: int = 64


@dataclass(frozen=True, slots=True)
class Tape:
    """What a day's trades came to."""

    bars: pl.DataFrame
    """A row for each ticker and scope: the columns of core.tape_bars.TAPE."""
    rules_version: str
    lines: int
    unreadable: int
    other_day: int
    """Lines whose sip_timestamp is not of the session's date; they count."""
    off_exchange: int
    unpacked_bytes: int
    cancelled: int
    uncounted: int
    corrections: Mapping[int, int]
    """Lines by correction code."""
    facilities: Mapping[int, int]
    """Off-exchange trades in the volume, by trf_id."""
    unknown_conditions: tuple[str, ...]


def read_tape(
    stream: BinaryIO,
    day: TradingDay,
    rules: Rules,
    limits: Limits = Limits(),
    told: Callable[[int], None] | None = None,
) -> Tape:
    """Bars of `day` out of its gzipped trades; `told` hears the lines read so far.

    Raises BadBars, with a sentence, if the file cannot be what it should be; the stream's own
    errors pass through.
    """
    counter = _Counter(day, rules, limits)
    for text, first, end in _blocks(stream, day, limits):
        counter.block(text, first, end)
        if told is not None:
            told(int(counter.state.counts[k.LINES]))
    return counter.tape()


def _blocks(
    stream: BinaryIO, day: TradingDay, limits: Limits
) -> Iterator[tuple[bytearray, int, int]]:
    """Unpacked text in blocks of whole lines: a buffer and where the lines in it begin and end.

    Two buffers take turns; a block must have been counted when the next one is asked for.
    """
    room, total, carry = limits.line_bytes, 0, b""
    buffers = [bytearray(room + limits.block_bytes + SLACK) for _ in range(2)]
    unpacked = igzip.IGzipFile(fileobj=stream, mode="rb")  # type: ignore[no-untyped-call]
    with ThreadPoolExecutor(1, "unpack") as pool:
        waiting = pool.submit(_fill, unpacked, memoryview(buffers[0])[room:-SLACK])
        while filled := _filled(waiting, day):
            buffer, end = buffers[0], room + filled
            buffers.reverse()
            waiting = pool.submit(_fill, unpacked, memoryview(buffers[0])[room:-SLACK])
            total += filled
            if total > limits.unpacked_bytes:
                raise BadBars(f"the trades of {day} unpack to more than {total:,} bytes")
            first = room - len(carry)
            buffer[first:room] = carry
            cut = max(buffer.rfind(b"\n", first, end) + 1, first)
            carry = bytes(memoryview(buffer)[cut:end])
            if len(carry) > room:
                raise BadBars(f"a line of the trades of {day} is longer than {room:,} bytes")
            yield buffer, first, cut
    if carry:
        yield bytearray(carry + b"\n" + bytes(SLACK)), 0, len(carry) + 1


def _fill(unpacked: igzip.IGzipFile, into: memoryview) -> int:
    """Unpack until the buffer is full or the file ends; how many bytes."""
    done = 0
    while done < len(into) and (more := unpacked.readinto(into[done:])):
        done += more
    return done


def _filled(waiting: Future[int], day: TradingDay) -> int:
    try:
        return waiting.result()
    except EOFError as error:
        raise BadBars(f"the trades of {day} end in the middle: the gzip is cut off") from error
    except _GZIP_FAULTS as error:
        raise BadBars(f"the trades of {day} are no sound gzip: {error}") from error


class _Counter:
    """Feeds blocks to the kernel and answers its questions."""

    def __init__(self, day: TradingDay, rules: Rules, limits: Limits) -> None:
        self._day, self._judge, self._limits = day, Judge(rules), limits
        self._clock, self._roles, self._bytes = _clock(day), None, 0
        self.state = k.new_state(
            limits.tickers, limits.conditions, MAX_TICKER_CHARS, limits.conditions_bytes
        )

    _roles: Ints | None

    def block(self, buffer: bytearray, at: int, end: int) -> None:
        """Count the whole lines of buffer[at:end]; the first one ever is the header."""
        self._bytes += end - at
        if self._roles is None and at < end:
            body = buffer.index(NEWLINE, at, end) + 1
            self._roles = _roles(bytes(buffer[at:body]), self._day)
            at = body
        text: Bytes = np.frombuffer(buffer, np.uint8)
        while self._roles is not None and at < end:
            at, why = k.consume(text, at, end, self._roles, self._clock, self.state)
            if why == k.NEW_CONDITIONS:
                self._rule()
            elif why == k.TOO_MANY:
                raise BadBars(
                    f"the trades of {self._day} have more than {self._limits.tickers:,} tickers "
                    f"or {self._limits.conditions:,} kinds of conditions"
                )

    def _rule(self) -> None:
        """The verdict on the newest conditions field."""
        new = self.state.counts[k.TEXTS] - 1
        text = self.state.texts[new].tobytes()[: self.state.text_lengths[new]]
        self.state.verdicts[new] = _bits(self._judge(text))

    def tape(self) -> Tape:
        """The result, if the file is what it should be."""
        counts, day = self.state.counts.tolist(), self._day
        self._refuse(counts)
        cancelled, uncounted = dropped(self.state)
        bars = bars_of(self.state)
        if bars.is_empty():
            raise BadBars(f"no trade counts among {counts[k.LINES]:,} trades of {day}")
        return Tape(
            bars,
            self._judge.rules.version,
            counts[k.LINES],
            counts[k.UNREADABLE],
            counts[k.OTHER_DAY],
            counts[k.OFF_EXCHANGE],
            self._bytes,
            cancelled,
            uncounted,
            _told(self.state.corrections),
            _told(self.state.trfs),
            tuple(sorted(self._judge.unknown)),
        )

    def _refuse(self, counts: list[int]) -> None:
        day, lines, bad = self._day, counts[k.LINES], counts[k.UNREADABLE]
        if self._roles is None:
            raise BadBars(f"the trades of {day} are empty: not even a header")
        if lines == 0:
            raise BadBars(f"the trades of {day} have a header and no trade, on a session")
        if bad > MAX_UNREADABLE * lines:
            raise BadBars(
                f"{bad:,} of {lines:,} trades of {day} are not readable, more than "
                f"{MAX_UNREADABLE:.2%}"
            )
        if counts[k.OTHER_DAY] > lines / 2:
            raise BadBars(f"{counts[k.OTHER_DAY]:,} of {lines:,} trades are not of {day}")
        if counts[k.OFF_EXCHANGE] == 0:
            raise BadBars(
                f"none of {lines:,} trades of {day} is off exchange (exchange {k.OFF_EXCHANGE_ID})"
            )


def _clock(day: TradingDay) -> Ints:
    """The instants of the session that the kernel compares with, ns UTC."""
    tomorrow = day.date + timedelta(days=1)
    moments = (
        datetime.combine(day.date, time(), NEW_YORK),
        datetime.combine(day.date, time(9, 30), NEW_YORK),
        day.close,
        datetime.combine(tomorrow, time(), NEW_YORK),
    )
    return np.array([int(moment.timestamp()) * 10**9 for moment in moments], np.int64)


def _roles(header: bytes, day: TradingDay) -> Ints:
    """What each column is for, by its name; BadBars if one is missing or there twice."""
    text = header.decode("utf-8-sig", "replace")
    names = [name.strip() for name in next(csv.reader([text]), [])]
    needed = [name for name in ROLES if name != "trf_id"]
    if missing := [name for name in needed if name not in names]:
        raise BadBars(f"the columns {', '.join(missing)} are missing from the trades of {day}")
    if double := [name for name in ROLES if names.count(name) > 1]:
        raise BadBars(f"the columns {', '.join(double)} are twice in the trades of {day}")
    return np.array([ROLES.index(n) if n in ROLES else UNUSED for n in names], np.int64)


def _bits(updates: Updates) -> int:
    return (
        k.HIGH_LOW * updates.high_low
        | k.OPEN_CLOSE * updates.open_close
        | k.COUNTS_VOLUME * updates.volume
    )


def _told(counts: Ints) -> dict[int, int]:
    """The codes that occur."""
    return {int(code): int(counts[code]) for code in np.flatnonzero(counts)}
