"""Bars by ticker: a quarter of a year in one file, made of the daily ones. Blocking calls.

One ticker over years is what a file a session is bad at; sorted by ticker, a reader skips all but a
few thousand rows of a quarter. A quarter's file carries the state of its daily files in its name:
whoever writes a session makes it stale without knowing of it. All of them may be deleted.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

import polars as pl

ROWS_A_GROUP = 16_384
"""A ticker's rows of a quarter lie in one or two groups; smaller ones make the footer long."""
_DAILY = re.compile(r"(\d{4})-(\d{2})-\d{2}\.parquet")

Write = Callable[[Path, pl.DataFrame], object]


@dataclass(frozen=True, slots=True)
class Quarters:
    """The quarters of one series."""

    daily: Path
    """The folder of 2026-11-20.parquet."""
    folder: Path
    """The folder of 2026Q4.<state>.parquet."""

    def files(self, days: Iterable[date]) -> list[Path]:
        """What holds the stored rows of these sessions: a quarter's file where there is one."""
        asked, found = {f"{day}.parquet" for day in days}, list[Path]()
        for quarter, listed in self._listed().items():
            wanted = sorted(asked.intersection(listed))
            whole = self._file(quarter, listed)
            if len(wanted) > 1 and whole.exists():
                found.append(whole)
            else:
                found += [self.daily / name for name in wanted]
        return found

    def renew(self, write: Write) -> int:
        """Make the files that are missing or stale; how many. The newest quarter changes daily."""
        made = 0
        for quarter, listed in self._listed().items():
            whole = self._file(quarter, listed)
            if len(listed) == 1 or whole.exists():
                continue
            rows = pl.scan_parquet([self.daily / name for name in sorted(listed)])
            write(whole, rows.sort("ticker", "session").collect())
            for stale in self.folder.glob(f"{quarter}.*.parquet"):
                if stale != whole:
                    stale.unlink(missing_ok=True)
            made += 1
        return made

    def _listed(self) -> Mapping[str, Mapping[str, tuple[int, int]]]:
        """Size and time of change of each daily file, by quarter and name."""
        found = defaultdict[str, dict[str, tuple[int, int]]](dict)
        try:
            with os.scandir(self.daily) as entries:
                for entry in entries:
                    if match := _DAILY.fullmatch(entry.name):
                        stat = entry.stat()
                        quarter = f"{match[1]}Q{(int(match[2]) + 2) // 3}"
                        found[quarter][entry.name] = stat.st_size, stat.st_mtime_ns
        except FileNotFoundError:
            return {}  # nothing was ever stored
        return found

    def _file(self, quarter: str, listed: Mapping[str, tuple[int, int]]) -> Path:
        state = sha256(repr(sorted(listed.items())).encode()).hexdigest()[:16]
        return self.folder / f"{quarter}.{state}.parquet"
