"""A day's trades as sums: what the process that counts is told and what it gives back.

Both processes import this, so it knows neither polars nor numba.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

WHOLE_SHARE = 10**18

# Columns of `sums`. Shares take two: whole ones, then the 10^-18ths of the last.
TRADES, BLOCKS, CANCELLED, UNCOUNTED = 0, 1, 2, 3
VOLUME, REGULAR, CANCELLED_SHARES, UNCOUNTED_SHARES, LARGEST = 4, 6, 8, 10, 12
OPENED, CLOSED = 14, 17  # three each: sip_timestamp, sequence_number, number of the line
SUMS = 20
# Columns of `prices`.
OPEN, HIGH, LOW, CLOSE, DOLLARS, LARGEST_PRICE = range(6)
PRICES = 6


@dataclass(frozen=True, slots=True)
class Session:
    """What the count needs to know of its day; plain, so that another process can be told."""

    name: str
    """Its date, such as 2026-10-02."""
    midnight_ns: int
    opens_ns: int
    closes_ns: int
    next_midnight_ns: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost; a real one stays far below."""

    block_bytes: int = 1 << 20
    line_bytes: int = 1 << 14
    unpacked_bytes: int = 40 * 10**9
    """Twice the 15-20 GB of a day in 2026."""
    ratio: int = 40
    """Bytes unpacked for one that was read; 4-6 in real files, up to 1,000 in bombs."""
    ratio_from: int = 10**9
    """Only what unpacks to more bytes than these has a ratio that says something."""
    tickers: int = 1 << 15
    ticker_bytes: int = 24
    """As many as core.bars lets a ticker have."""
    conditions: int = 1 << 14
    conditions_bytes: int = 64


LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a day's trades beside the bars."""

    rules_version: str
    lines: int
    unreadable: int
    other_day: int
    """Lines whose sip_timestamp is not of the session's date; they count."""
    off_exchange: int
    unpacked_bytes: int
    cancelled: int
    """Trades left out of the volume because they were corrected."""
    uncounted: int
    """Trades left out of the volume by their conditions."""
    corrections: Mapping[int, int]
    """Lines by correction code."""
    facilities: Mapping[int, int]
    """Off-exchange trades in the volume, by trf_id."""
    unknown_conditions: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """These alone, by their names."""
        return {field.name: getattr(self, field.name) for field in fields(Facts)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted(Facts):
    """What a day's trades came to, before it is made bars."""

    tickers: tuple[str, ...]
    """In the order of their first trades."""
    sums: Ints
    """Two rows a ticker, on an exchange and off exchange; the columns are named above."""
    prices: Floats

    def dump(self) -> bytes:
        """As bytes that `load` reads, for a pipe."""
        packed = io.BytesIO()
        told = json.dumps(self.facts() | {"tickers": self.tickers})
        np.savez(packed, told=np.array(told), sums=self.sums, prices=self.prices)
        return packed.getvalue()

    @classmethod
    def load(cls, packed: bytes) -> Self:
        """The other way round."""
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            told: dict[str, Any] = json.loads(str(arrays["told"]))
            for name in ("corrections", "facilities"):
                told[name] = {int(code): lines for code, lines in told[name].items()}
            for name in ("unknown_conditions", "tickers"):
                told[name] = tuple(told[name])
            return cls(**told, sums=arrays["sums"], prices=arrays["prices"])
