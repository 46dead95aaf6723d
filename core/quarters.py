"""Bars by ticker: a quarter of a year in one file, made of the daily ones. Blocking calls.

One ticker over years is what a file a session is bad at; sorted by ticker, a reader skips all but a
few thousand rows of a quarter. A quarter's file carries the state of its daily files in its name:
whoever writes a session makes it stale without knowing of it. All of them may be deleted.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256

import polars as pl

from core.bars import UNREADABLE, Series
from core.damaged import set_aside
from core.files import Files, parquet

ROWS_A_GROUP, PAGE_BYTES = 32_768, 16_384
"""A ticker's rows of a quarter lie in one or two groups; smaller ones make the footer long. Of a
group only the pages with some of them are unpacked: of one page each it took twice as long."""
_LAYOUT = 2
"""Files of another one are made anew."""
_DAILY_CHARS = len("2026-11-20.parquet")
"""The names of earlier revisions are longer."""


@dataclass(frozen=True, slots=True)
class Quarters:
    """The quarters of one series."""

    files: Files
    series: Series

    def names(self, days: Iterable[date]) -> list[str]:
        """What holds the stored rows of these sessions: a quarter's file where there is one."""
        asked, found, made = {f"{day}.parquet" for day in days}, list[str](), self._made()
        for quarter, daily in self._daily({_quarter(name[:7]) for name in asked}).items():
            wanted = sorted(asked.intersection(daily))
            whole = _file(quarter, daily)
            if len(wanted) > 1 and whole in made:
                found.append(f"{self._folder}/{whole}")
            else:
                found += self._sessions(wanted)
        return found

    def renew(self) -> int:
        """Make the files that are missing or stale; how many. The newest quarter changes daily."""
        renewed, made = 0, self._made()
        for quarter, daily in self._daily().items():
            whole = _file(quarter, daily)
            if len(daily) == 1 or whole in made:
                continue
            names = self._sessions(sorted(daily))
            try:
                rows = pl.scan_parquet(self.files.paths(names)).sort("ticker", "session").collect()
            except UNREADABLE:
                set_aside(self.files, names)  # and made of the others the next time
                continue
            self.files.put(f"{self._folder}/{whole}", parquet(rows, ROWS_A_GROUP, PAGE_BYTES))
            for stale in made:
                if stale.startswith(f"{quarter}."):
                    self.files.drop(f"{self._folder}/{stale}")
            renewed += 1
        return renewed

    @property
    def _folder(self) -> str:
        return f"quarters/{self.series.key}"

    def _made(self) -> frozenset[str]:
        return frozenset(self.files.listed(self._folder))

    def _sessions(self, names: Iterable[str]) -> list[str]:
        return [f"bars/{self.series.key}/{name}" for name in names]

    def _daily(self, only: Collection[str] | None = None) -> Mapping[str, Mapping[str, str]]:
        """The state of each daily file, by quarter and name; of all quarters, or of some."""

        def wanted(name: str) -> bool:
            return len(name) == _DAILY_CHARS and (only is None or _quarter(name[:7]) in only)

        found = defaultdict[str, dict[str, str]](dict)
        for name, stamp in self.files.listed(f"bars/{self.series.key}", wanted).items():
            found[_quarter(name[:7])][name] = stamp.state
        return found


@cache
def _quarter(month: str) -> str:
    """2026Q4 for 2026-11."""
    return f"{month[:4]}Q{(int(month[5:]) + 2) // 3}" if month[5:].isdecimal() else ""


def _file(quarter: str, daily: Mapping[str, str]) -> str:
    state = sha256(repr((_LAYOUT, sorted(daily.items()))).encode()).hexdigest()[:16]
    return f"{quarter}.{state}.parquet"
