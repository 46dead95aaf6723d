"""Bars on their way from a worker to the store: whole files, each taken once. Blocking calls.

<root>/staged/<series>/2026-11-20.<mark>.parquet
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from core.bars import Series
from core.whole import write_whole

_FORGOTTEN_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Staged:
    """The place that worker and bot share."""

    root: Path

    def put(self, series: Series, name: str, bars: pl.DataFrame) -> None:
        """Whole, or not at all."""
        write_whole(self._path(series.key, name), bars)

    def take(self, series_key: str, name: str) -> pl.DataFrame:
        """What was put there; it is gone afterwards."""
        path = self._path(series_key, name)
        rows = pl.read_parquet(path)
        path.unlink()
        return rows

    def clear(self, now: datetime) -> None:
        """What nobody took for a day was put there for somebody who died."""
        for path in (self.root / "staged").glob("*/*"):
            with suppress(FileNotFoundError):
                if now.timestamp() - path.stat().st_mtime > _FORGOTTEN_S:
                    path.unlink()

    def _path(self, series_key: str, name: str) -> Path:
        return self.root / "staged" / series_key / f"{name}.parquet"
