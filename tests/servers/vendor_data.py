"""The rows behind the local REST vendor: grouped daily out of flat files, splits, conditions.

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
_RULES: dict[str, tuple[str, ...]] = {"FFF": (), "FFT": ("volume",), "TFT": ("high_low", "volume")}
_CONDITIONS = {
    1: ("Acquisition", "TTT"),
    2: ("Average Price Trade", "FFT"),
    7: ("Cash Sale", "FFT"),
    8: ("Closing Prints", "TTT"),
    9: ("Cross Trade", "TTT"),
    10: ("Derivatively Priced", "TFT"),
    12: ("Form T/Extended Hours", "FFT"),
    14: ("Intermarket Sweep", "TTT"),
    15: ("Market Center Official Close", "FFF"),
    16: ("Market Center Official Open", "FFF"),
    17: ("Market Center Opening Trade", "TTT"),
    37: ("Odd Lot Trade", "FFT"),
    41: ("Trade Thru Exempt", "TTT"),
    53: ("Qualified Contingent Trade", "FFT"),
}


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


def default_conditions() -> list[Row]:
    """Some of the vendor's trade conditions: more than the ten that a call without limit gets."""
    return [_condition(number, *said) for number, said in _CONDITIONS.items()]


def _condition(number: int, name: str, flags: str) -> Row:
    updates = _RULES.get(flags, ("high_low", "open_close", "volume"))
    rule = {f"updates_{what}": what in updates for what in ("high_low", "open_close", "volume")}
    return {
        "asset_class": "stocks",
        "data_types": ["trade"],
        "id": number,
        "name": name,
        "type": "trade_thru_exempt" if number == 41 else "sale_condition",
        "update_rules": {"consolidated": rule, "market_center": rule},
    }
