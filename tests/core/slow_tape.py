"""A day's trades -> bars, slowly and from the rules: Python's csv, Decimal, and nothing of ours.

Shares no table, no constant and no code with the package.
"""

import csv
import gzip
import io
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo

# Written down again from the vendor's list of 2026: (high and low, open and close, volume).
KNOWN = {*range(1, 26), *range(27, 39), 41, 52, 53, 55, *range(57, 61), *range(62, 72)}
NO_VOLUME = {15, 16, 38}
NO_HIGH_LOW = {2, 7, 12, 13, 15, 16, 20, 21, 29, 37, 52, 53}
NO_OPEN_CLOSE = NO_HIGH_LOW | {5, 10, 22, 32, 33}
NEW_YORK = ZoneInfo("America/New_York")


@dataclass
class Slow:
    """What one ticker came to in one scope."""

    counted: list[tuple[Decimal, Decimal]] = field(default_factory=list)  # price, size
    reach: list[Decimal] = field(default_factory=list)
    ends: list[Decimal] = field(default_factory=list)
    regular: Decimal = Decimal(0)
    cancelled: list[Decimal] = field(default_factory=list)
    uncounted: list[Decimal] = field(default_factory=list)

    def row(self) -> dict[str, float | int | None]:
        """The values by the names of the columns."""
        volume = sum((size for _, size in self.counted), Decimal(0))
        dollars = sum((price * size for price, size in self.counted), Decimal(0))
        largest = max(((size, price) for price, size in self.counted), default=None)
        blocks = [1 for p, s in self.counted if s >= 10_000 or p * s >= 200_000]
        return {
            "open": float(self.ends[0]) if self.ends else None,
            "high": float(max(self.reach)) if self.reach else None,
            "low": float(min(self.reach)) if self.reach else None,
            "close": float(self.ends[-1]) if self.ends else None,
            "volume": float(volume),
            "transactions": len(self.counted),
            "vwap": float(dollars / volume) if volume else None,
            "blocks": len(blocks),
            "largest": float(largest[0]) if largest else None,
            "largest_price": float(largest[1]) if largest else None,
            "regular_volume": float(self.regular),
            "cancelled": len(self.cancelled),
            "cancelled_volume": float(sum(self.cancelled)),
            "uncounted": len(self.uncounted),
            "uncounted_volume": float(sum(self.uncounted)),
        }


def reduced(
    packed: bytes, opens: int, closes: int
) -> dict[tuple[str, str], dict[str, float | int | None]]:
    """Every bar by (ticker, scope); the bells in nanoseconds UTC."""
    text = gzip.decompress(packed).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    rows.sort(key=lambda row: (int(row["sip_timestamp"]), int(row["sequence_number"])))
    bars: dict[tuple[str, str], Slow] = defaultdict(Slow)
    for row in rows:
        scopes = ["all"] + (["off_exchange"] if int(row["exchange"]) == 4 else [])
        for scope in scopes:
            _count(bars[row["ticker"], scope], row, opens, closes)
    return {key: bar.row() for key, bar in bars.items() if bar.counted or bar.ends or bar.reach}


def _count(bar: Slow, row: dict[str, str], opens: int, closes: int) -> None:
    price, size = Decimal(row["price"]), Decimal(row["size"])
    if row["correction"] not in ("", "0", "00", "1", "01"):
        bar.cancelled.append(size)
        return
    marks = {int(mark) for mark in row["conditions"].split(",") if mark}
    priced = marks <= KNOWN
    if priced and not marks & NO_HIGH_LOW:
        bar.reach.append(price)
    if priced and not marks & NO_OPEN_CLOSE:
        bar.ends.append(price)
    if marks & NO_VOLUME:
        bar.uncounted.append(size)
        return
    bar.counted.append((price, size))
    if opens <= int(row["sip_timestamp"]) < closes:
        bar.regular += size
