"""Bars on their way from a worker to the store: whole files, each taken once. Blocking calls.

staged/<series>.2026-11-20.<mark>.parquet
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from core.bars import Series
from core.files import Files, parquet

_FORGOTTEN_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Staged:
    """The place that worker and bot share."""

    files: Files

    def put(self, series: Series, name: str, bars: pl.DataFrame) -> None:
        """Whole, or not at all."""
        self.files.put(_name(series.key, name), parquet(bars))

    def take(self, series_key: str, name: str) -> pl.DataFrame:
        """What was put there; it is gone afterwards. FileNotFoundError if nothing was."""
        called = _name(series_key, name)
        rows = pl.read_parquet(*self.files.paths([called]))
        self.files.drop(called)
        return rows

    def empty(self) -> None:
        """While nobody works: all that is there, half-written files as well."""
        self.files.empty("staged")

    def clear(self, now: datetime) -> None:
        """What nobody took for a day was put there for somebody who died."""
        for name, stamp in self.files.listed("staged").items():
            if now.timestamp() - stamp.modified_s > _FORGOTTEN_S:
                self.files.drop(f"staged/{name}")


def _name(series_key: str, name: str) -> str:
    return f"staged/{series_key}.{name}.parquet"
