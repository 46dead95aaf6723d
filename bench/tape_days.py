"""Trades files of several sessions for a process that is to read for long.

python -m bench.tape_days FOLDER ROWS DATE...

A million trades are made once and moved to each session, with prices of its own, or the gate would
take it for the same file again; a file is them, packed once, as often as it takes: its reader has
as much to unpack and to count as with trades that differ.
"""

import io
import sys
import tempfile
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import polars as pl
from isal import igzip

from bench.tape_data import write_trades
from bench.tape_sides import MIDNIGHT
from core.calendar import NEW_YORK
from core.sources.day_aggs import key

_AT_ONCE = 1_000_000
_MOVE = 0.03
_TIMES = ("participant_timestamp", "sip_timestamp", "trf_timestamp")


def write(folder: Path, rows: int, days: list[date]) -> None:
    """The vendor's layout."""
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch) / "trades.csv.gz"
        write_trades(base, min(rows, _AT_ONCE))
        trades = pl.read_csv(
            base, infer_schema_length=None, schema_overrides={"conditions": pl.String}
        )
    for day in days:
        path = folder / key("trades_v1", day)
        path.parent.mkdir(parents=True, exist_ok=True)
        midnight = int(datetime.combine(day, time(), NEW_YORK).timestamp()) * 10**9
        moved = [
            pl.when(pl.col(name) > 0).then(pl.col(name) + midnight - MIDNIGHT).otherwise(0)
            .alias(name)
            for name in _TIMES
        ]  # fmt: skip
        head, body = _packed(_priced_anew(trades, day).with_columns(moved))
        with path.open("wb") as file:
            file.write(head)
            for _ in range(max(1, rows // _AT_ONCE)):
                file.write(body)


def _priced_anew(trades: pl.DataFrame, day: date) -> pl.DataFrame:
    """Each ticker on another level."""
    names = trades["ticker"].unique(maintain_order=True)
    moves = np.exp(np.random.default_rng(day.toordinal()).normal(0, _MOVE, len(names)))
    levels = pl.DataFrame({"ticker": names, "level": moves})
    priced = (pl.col("price") * pl.col("level")).round(2).clip(0.01).alias("price")
    levelled = trades.join(levels, on="ticker", maintain_order="left")
    return levelled.with_columns(priced).drop("level")


def _packed(trades: pl.DataFrame) -> tuple[bytes, bytes]:
    text = io.BytesIO()
    trades.write_csv(text, float_precision=6)
    head, _, body = text.getvalue().partition(b"\n")
    return igzip.compress(head + b"\n", 3), igzip.compress(body, 3)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), [date.fromisoformat(day) for day in sys.argv[3:]])
