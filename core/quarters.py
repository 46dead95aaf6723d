"""Bars by ticker: a quarter of a year in one file, made of the daily ones. Blocking calls.

One ticker over years is what a file a session is bad at; sorted by ticker, a reader skips all but a
few thousand rows of a quarter. A quarter's file carries the state of its daily files in its name:
whoever writes a session makes it stale without knowing of it. All of them may be deleted.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256

import polars as pl

from core.bars import UNREADABLE, Series
from core.damaged import as_stored, set_aside
from core.files import Files, parquet

logger = logging.getLogger(__name__)

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
            if len(daily) > 1 and whole not in made:
                if not self._renewed(quarter, whole, self._sessions(sorted(daily))):
                    continue
                renewed += 1
            # Also what somebody has left who died before he had dropped it.
            for other in made:
                if other.startswith(f"{quarter}.") and other != whole:
                    self.files.drop(f"{self._folder}/{other}")
        return renewed

    def _renewed(self, quarter: str, whole: str, names: Sequence[str]) -> bool:
        """False if one of the sessions is damaged."""
        try:
            scan = pl.scan_parquet(self.files.paths(names))
            rows = as_stored(scan.sort("ticker", "session").collect())
        except UNREADABLE as error:
            facts = {"series": self.series.key, "quarter": quarter, "seen": str(error)[:200]}
            logger.warning("a quarter was not compacted, its sessions are read", extra=facts)
            set_aside(self.files, names)  # and made of the others the next time
            return False
        self.files.put(f"{self._folder}/{whole}", parquet(rows, ROWS_A_GROUP, PAGE_BYTES))
        return True

    def drop_unreadable(
        self, days: Sequence[date], read: Callable[[Sequence[str]], object]
    ) -> None:
        """Whatever `read` fails with of what names() has for these sessions is made anew by the
        next renew(); what was but a damaged copy on this machine is fetched anew."""
        names = self.names(days)
        whole = [name for name in names if name.startswith(f"{self._folder}/")]
        for name in whole:
            self.files.forget_copy(name)
        together = _fault(read, names) if whole else None
        if together is None:
            return
        faults = {name: seen for name in whole if (seen := _fault(read, [name]))}
        if not faults and _fault(read, [name for name in names if name not in whole]) is None:
            faults = dict.fromkeys(whole, together)
        for name, seen in faults.items():
            self.files.drop(name)
            facts = {"file": name, "seen": seen}
            said = "a quarter's file was damaged; the next compaction makes it anew"
            logger.error(said, extra=facts)

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


def _fault(read: Callable[[Sequence[str]], object], names: Sequence[str]) -> str | None:
    try:
        read(names)
    except UNREADABLE as error:
        return str(error)[:200]
    return None


@cache
def _quarter(month: str) -> str:
    """2026Q4 for 2026-11."""
    return f"{month[:4]}Q{(int(month[5:]) + 2) // 3}" if month[5:].isdecimal() else ""


def _file(quarter: str, daily: Mapping[str, str]) -> str:
    state = sha256(repr((_LAYOUT, sorted(daily.items()))).encode()).hexdigest()[:16]
    return f"{quarter}.{state}.parquet"
