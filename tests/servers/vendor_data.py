"""The rows behind the local REST vendor: grouped daily out of flat files, splits, short volumes.

Shapes and defaults are those of the vendor's OpenAPI description. Where a flat file lacks what REST
has (the volume-weighted price), a plausible number is made from the row.
"""

import csv
import gzip
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from tests.servers.local import NEW_YORK

Row = dict[str, Any]
"""One element of a `results` array."""

_PRICES = ("o", "h", "l", "c", "vw")


@dataclass(frozen=True, slots=True)
class Split:
    """`split_to` new shares for `split_from` old ones, from the morning of `execution_date` on."""

    execution_date: date
    ticker: str
    split_from: float
    split_to: float

    @property
    def price_factor(self) -> float:
        """What older prices are multiplied by; older volumes are divided by it."""
        return self.split_from / self.split_to


def end_of_window_ms(day: date) -> int:
    """The `t` of a grouped row: 16:00 New York, in milliseconds."""
    return int(datetime.combine(day, time(16), NEW_YORK).timestamp() * 1000)


def day_file(root: Path, day: date) -> Path:
    """Where a session's flat file of day aggregates lies."""
    return root / "us_stocks_sip/day_aggs_v1" / f"{day:%Y/%m}" / f"{day}.csv.gz"


def rows_of_file(path: Path, day: date) -> list[Row]:
    """Grouped rows out of a flat file, in an order that is of no use, as the vendor's is."""
    with gzip.open(path, "rt", newline="") as file:
        rows = [_row(line, day) for line in csv.DictReader(file)]
    return sorted(rows, key=lambda row: (row["T"][::-1], row["v"]))


def _row(line: Mapping[str, str], day: date) -> Row:
    high, low, close = (float(line[name]) for name in ("high", "low", "close"))
    row = {"T": line["ticker"], "v": _number(line["volume"]), "o": float(line["open"])}
    row |= {"c": close, "h": high, "l": low, "t": end_of_window_ms(day)}
    return row | {"n": int(line["transactions"]), "vw": round((high + low + close) / 3, 4)}


def _number(text: str) -> int | float:
    return float(text) if "." in text or "e" in text.lower() else int(text)


def adjusted(rows: Iterable[Row], day: date, splits: Sequence[Split]) -> list[Row]:
    """The rows re-based after every later split, price and volume, as the vendor does unasked."""
    factors: dict[str, float] = {}
    for split in splits:
        if split.execution_date > day:
            factors[split.ticker] = factors.get(split.ticker, 1.0) * split.price_factor
    return [_rebased(row, factors.get(row["T"], 1.0)) for row in rows]


def _rebased(row: Row, factor: float) -> Row:
    if factor == 1:
        return row
    prices = {name: round(row[name] * factor, 6) for name in _PRICES if name in row}
    return row | prices | {"v": row["v"] / factor}


def split_rows(splits: Sequence[Split], *, old_endpoint: bool) -> list[Row]:
    """Splits as REST tells them, newest first; the newer endpoint says more."""
    newest = sorted(splits, key=lambda s: (s.execution_date, s.ticker), reverse=True)
    return [_split_row(split, splits, old_endpoint=old_endpoint) for split in newest]


def _split_row(split: Split, splits: Sequence[Split], *, old_endpoint: bool) -> Row:
    row: Row = {
        "execution_date": split.execution_date.isoformat(),
        "id": f"E{split.execution_date:%Y%m%d}{split.ticker}",
        "split_from": split.split_from,
        "split_to": split.split_to,
        "ticker": split.ticker,
    }
    if old_endpoint:
        return row
    later = (
        s.price_factor
        for s in splits
        if s.ticker == split.ticker and s.execution_date >= split.execution_date
    )
    kind = "forward_split" if split.split_to > split.split_from else "reverse_split"
    return row | {"adjustment_type": kind, "historical_adjustment_factor": math.prod(later)}


def read_splits(path: Path) -> list[Split]:
    """Splits out of a CSV file with the header execution_date,ticker,split_from,split_to."""
    with path.open(newline="") as file:
        return [
            Split(
                date.fromisoformat(line["execution_date"]),
                line["ticker"],
                float(line["split_from"]),
                float(line["split_to"]),
            )
            for line in csv.DictReader(file)
        ]


def short_volume_file(root: Path, day: date) -> Path:
    """Where a session's file of FINRA's lies, out of which short volumes are told."""
    return root / "finra" / f"CNMSshvol{day:%Y%m%d}.txt"


def short_volumes_of_file(path: Path) -> list[Row]:
    """Short-volume rows out of a file of FINRA's, in the vendor's spelling of tickers."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file, delimiter="|"))
    return [
        {
            "ticker": line["Symbol"].replace("/", "."),
            "short_volume": _number(line["ShortVolume"]),
            "exempt_volume": _number(line["ShortExemptVolume"]),
            "total_volume": _number(line["TotalVolume"]),
        }
        for line in lines
        if line["Symbol"]
    ]
