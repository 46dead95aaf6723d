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
from functools import cache, lru_cache
from hashlib import sha256
from typing import NamedTuple

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
_FOLDERS_KEPT = 8
"""Half a megabyte of names each, of ten years; a session that comes in makes a new one."""


class _Quarter(NamedTuple):
    """What is stored of one."""

    whole: str
    """Its file by ticker; empty if there is none, or a stale one."""
    daily: frozenset[str]
    """The daily files."""


@dataclass(frozen=True, slots=True)
class Quarters:
    """The quarters of one series."""

    files: Files
    series: Series

    def names(self, days: Iterable[date]) -> list[str]:
        """What holds the stored rows of these sessions: a quarter's file where there is one."""
        asked, found = {f"{day}.parquet" for day in days}, list[str]()
        for one in self._kept(asked):
            wanted = asked & one.daily
            if len(wanted) > 1 and one.whole:
                found.append(f"{self._folder}/{one.whole}")
            else:
                found += self._sessions(sorted(wanted))
        return found

    def _kept(self, asked: Collection[str]) -> Sequence["_Quarter"]:
        """Those that have some of the daily files `asked` for; without a look at each file where
        none can have changed."""
        versions = self.files.version(self._bars), self.files.version(self._folder)
        if all(versions):
            return _kept(self, versions)
        return self.looked({_quarter(name[:7]) for name in asked})

    def looked(self, only: Collection[str] | None = None) -> Sequence["_Quarter"]:
        """The quarters as they are stored; all, or some."""
        made = self._made()
        return [
            _Quarter(whole if (whole := _file(quarter, daily)) in made else "", frozenset(daily))
            for quarter, daily in self._daily(only).items()
        ]

    def renew(self) -> int:
        """Make the files that are missing or stale; how many. The newest quarter changes daily."""
        renewed, made = 0, self._made()
        for quarter, daily in self._daily().items():
            whole = _file(quarter, daily)
            if len(daily) > 1 and whole not in made:
                if not self._renewed(quarter, daily):
                    continue
                renewed += 1
            # Also what somebody has left who died before he had dropped it.
            for other in made:
                if other.startswith(f"{quarter}.") and other != whole:
                    self.files.drop(f"{self._folder}/{other}")
        return renewed

    def _renewed(self, quarter: str, daily: Mapping[str, str]) -> bool:
        """False if one of the sessions is damaged, or another one by now."""
        names = self._sessions(sorted(daily))
        facts = {"series": self.series.key, "quarter": quarter}
        paths = self.files.paths(names)
        try:
            rows = as_stored(pl.scan_parquet(paths).sort("ticker", "session").collect())
        except UNREADABLE as error:
            facts |= {"seen": str(error)[:200]}
            logger.warning("a quarter was not compacted, its sessions are read", extra=facts)
            set_aside(self.files, names)  # and made of the others the next time
            return False
        # In a bucket an earlier state may come back: rows of another one would be taken for its.
        if list(map(self.files.state_of, names, paths)) != [daily[name] for name in sorted(daily)]:
            logger.info("a quarter changed, the next compaction makes its file", extra=facts)
            return False
        whole = parquet(rows, ROWS_A_GROUP, PAGE_BYTES)
        self.files.put(f"{self._folder}/{_file(quarter, daily)}", whole)
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

    @property
    def _bars(self) -> str:
        return f"bars/{self.series.key}"

    def _made(self) -> frozenset[str]:
        return frozenset(self.files.listed(self._folder))

    def _sessions(self, names: Iterable[str]) -> list[str]:
        return [f"{self._bars}/{name}" for name in names]

    def _daily(self, only: Collection[str] | None = None) -> Mapping[str, Mapping[str, str]]:
        """The state of each daily file, by quarter and name; of all quarters, or of some."""

        def wanted(name: str) -> bool:
            return len(name) == _DAILY_CHARS and (only is None or _quarter(name[:7]) in only)

        found = defaultdict[str, dict[str, str]](dict)
        for name, stamp in self.files.listed(self._bars, wanted).items():
            found[_quarter(name[:7])][name] = stamp.state
        return found


def _fault(read: Callable[[Sequence[str]], object], names: Sequence[str]) -> str | None:
    try:
        read(names)
    except UNREADABLE as error:
        return str(error)[:200]
    return None


@lru_cache(maxsize=_FOLDERS_KEPT)
def _kept(quarters: Quarters, _versions: tuple[str, str]) -> Sequence[_Quarter]:
    return quarters.looked()


@cache
def _quarter(month: str) -> str:
    """2026Q4 for 2026-11."""
    return f"{month[:4]}Q{(int(month[5:]) + 2) // 3}" if month[5:].isdecimal() else ""


def _file(quarter: str, daily: Mapping[str, str]) -> str:
    state = sha256(repr((_LAYOUT, sorted(daily.items()))).encode()).hexdigest()[:16]
    return f"{quarter}.{state}.parquet"
