"""A day's trades, as the vendor publishes them -> sums per ticker and venue. Bounded memory.

One pass: the file is unpacked in a thread while the block before is counted by
`core.tape_kernel`. It runs in a process of its own, so it imports neither polars nor the calendar.
Nothing here fetches or stores.
"""

import csv
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from core import tape_kernel as k
from core.conditions import Judge, Rules, Updates
from core.errors import BadBars
from core.exchanges import OFF_EXCHANGE_ID
from core.tape_blocks import blocks
from core.tape_lines import MISSING, NEWLINE, ROLES, Bytes
from core.tape_sums import (
    CANCELLED,
    HIGH,
    LIMITS,
    OPEN,
    TRADES,
    UNCOUNTED,
    Counted,
    Ints,
    Limits,
    Session,
)

MAX_UNREADABLE = 0.0001
"""Share of the lines; above it the file is not what it says it is."""


def count(
    stream: BinaryIO,
    session: Session,
    rules: Rules,
    limits: Limits = LIMITS,
    told: Callable[[int], None] | None = None,
) -> Counted:
    """The sums of a session out of its gzipped trades; `told` hears the lines read so far.

    Raises BadBars, with a sentence, if the file cannot be what it should be; the stream's own
    errors pass through. The stream is closed, however this ends.
    """
    counter = _Counter(session, rules, limits)
    for text, first, end in blocks(stream, f"the trades of {session.name}", limits):
        counter.block(text, first, end)
        if told is not None:
            told(int(counter.state.counts[k.LINES]))
    return counter.counted()


class _Counter:
    """Feeds blocks to the kernel and answers its questions."""

    _columns: tuple[Ints, Ints] | None = None

    def __init__(self, session: Session, rules: Rules, limits: Limits) -> None:
        self._day, self._judge, self._limits = session.name, Judge(rules), limits
        instants = (session.midnight_ns, session.opens_ns, session.closes_ns)
        self._clock = np.array([*instants, session.next_midnight_ns], np.int64)
        self._bytes = 0
        self.state = k.new_state(
            limits.tickers, limits.conditions, limits.ticker_bytes, limits.conditions_bytes
        )

    def block(self, buffer: bytearray, at: int, end: int) -> None:
        """Count the whole lines of buffer[at:end]; the first one ever is the header."""
        self._bytes += end - at
        if self._columns is None and at < end:
            body = buffer.index(NEWLINE, at, end) + 1
            self._columns = _columns(bytes(buffer[at:body]), self._day)
            at = body
        text: Bytes = np.frombuffer(buffer, np.uint8)
        while self._columns is not None and at < end:
            at, why = k.consume(text, at, end, *self._columns, self._clock, self.state)
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

    def counted(self) -> Counted:
        """The result, if the file is what it should be."""
        counts, state = self.state.counts.tolist(), self.state
        self._refuse(counts)
        tickers = _tickers(state, counts[k.TICKERS])
        sums, prices = state.sums[: 2 * len(tickers)], state.prices[: 2 * len(tickers)]
        if not sums[:, TRADES].any() and np.isnan(prices[:, [OPEN, HIGH]]).all():
            raise BadBars(f"no trade counts among {counts[k.LINES]:,} trades of {self._day}")
        return Counted(
            rules_version=self._judge.rules.version,
            lines=counts[k.LINES],
            unreadable=counts[k.UNREADABLE],
            other_day=counts[k.OTHER_DAY],
            off_exchange=counts[k.OFF_EXCHANGE],
            unpacked_bytes=self._bytes,
            cancelled=int(sums[:, CANCELLED].sum()),
            uncounted=int(sums[:, UNCOUNTED].sum()),
            corrections=_occurring(state.corrections),
            facilities=_occurring(state.trfs),
            unknown_conditions=tuple(sorted(self._judge.unknown)),
            tickers=tickers,
            sums=sums,
            prices=prices,
        )

    def _refuse(self, counts: list[int]) -> None:
        day, lines, bad = self._day, counts[k.LINES], counts[k.UNREADABLE]
        if self._columns is None:
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
                f"none of {lines:,} trades of {day} is off exchange (exchange {OFF_EXCHANGE_ID})"
            )


def _columns(header: bytes, day: str) -> tuple[Ints, Ints]:
    """Where each role is in a line, and room for all starts; BadBars if one is missing or twice."""
    text = header.decode("utf-8-sig", "replace")
    try:
        names = [name.strip() for name in next(csv.reader([text]), [])]
    except csv.Error as error:
        raise BadBars(f"the trades of {day} have no header: {error}") from error
    needed = [name for name in ROLES if name != "trf_id"]
    if missing := [name for name in needed if name not in names]:
        raise BadBars(f"the columns {', '.join(missing)} are missing from the trades of {day}")
    if double := [name for name in ROLES if names.count(name) > 1]:
        raise BadBars(f"the columns {', '.join(double)} are twice in the trades of {day}")
    columns = [names.index(name) if name in names else MISSING for name in ROLES]
    return np.array(columns, np.int64), np.zeros(len(names) + 1, np.int64)


def _bits(updates: Updates) -> int:
    return (
        k.HIGH_LOW * updates.high_low
        | k.OPEN_CLOSE * updates.open_close
        | k.COUNTS_VOLUME * updates.volume
    )


def _tickers(state: k.State, count: int) -> tuple[str, ...]:
    rows = zip(state.tickers[:count], state.ticker_lengths[:count], strict=True)
    return tuple(row.tobytes()[:length].decode("utf-8", "replace") for row, length in rows)


def _occurring(counts: Ints) -> dict[int, int]:
    """The codes that occur."""
    return {int(code): int(counts[code]) for code in np.flatnonzero(counts)}
