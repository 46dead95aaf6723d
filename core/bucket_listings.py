"""What is known of a bucket's folders: one listing of each, shared by whoever asks. Blocking.

One thread asks; the network is waited for outside of every lock but that of the folder's asker. A
storage that hangs holds up nobody for longer than it takes to find that out once.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf

from core.errors import BarsAway
from core.files import Stamp

_STILL_AWAY_S = 60.0
"""So long a failure counts for whoever comes while somebody tries again..."""
_QUICK_S = 1.0
"""... and has not done so by then: what is back answers sooner."""


@dataclass(slots=True)
class _Known:
    at_s: float
    stamps: Mapping[str, Stamp]
    """Never changed in place: others are reading it."""
    away: BarsAway | None = None
    written: list[str] = field(default_factory=list)
    """Here, since it was asked for: what a part is asked for meanwhile may not know of."""


class Listings:
    """By folder; what was written here counts at once."""

    def __init__(
        self,
        ask: Callable[[str], dict[str, Stamp]],
        kept_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask`: what is in a folder, or BarsAway. `kept_s`: so old an answer may be."""
        self._ask, self._kept_s, self._clock = ask, kept_s, clock
        self._known = dict[str, _Known]()
        self._changes = dict[str, dict[str, Stamp | None]]()
        """Of the folders that are asked for now: the answer may not know of them."""
        self._asking = defaultdict[str, threading.Lock](threading.Lock)
        self._turn = threading.Lock()

    def of(self, folder: str) -> Mapping[str, Stamp]:
        """Raises BarsAway, the same for all who ask at the same time."""
        now_s = self._clock()
        with self._turn:
            asking = self._asking[folder]
        if (found := self._at_hand(folder, now_s)) is not None:
            return found
        if not asking.acquire(timeout=_QUICK_S):
            self._at_hand(folder, now_s, now_s - _STILL_AWAY_S)
            asking.acquire()
        try:
            found = self._at_hand(folder, now_s, now_s)
            return self._asked(folder) if found is None else found
        finally:
            asking.release()

    def noted(self, folder: str, file: str, stamp: Stamp | None) -> None:
        """It was written here; None: dropped."""
        with self._turn:
            if (known := self._known.get(folder)) is not None:
                known.written.append(file)
            self._note(folder, file, stamp)

    def met(self, folder: str, file: str, stamp: Stamp, *, instead_of: Stamp | None) -> None:
        """It was read here; if it was written meanwhile, the answer may be of before that."""
        with self._turn:
            known = self._known.get(folder)
            is_written = file in self._changes.get(folder, {})
            is_same = known is None or known.stamps.get(file) == instead_of
            if is_same and not is_written:
                self._note(folder, file, stamp)

    def _note(self, folder: str, file: str, stamp: Stamp | None) -> None:
        if folder in self._changes:
            self._changes[folder][file] = stamp
        if (known := self._known.get(folder)) is not None and known.away is None:
            known.stamps = _with(known.stamps, {file: stamp})

    def renew(self, folder: str, begins: str, ask: Callable[[], Mapping[str, Stamp]]) -> None:
        """What is known of the names that begin so is as it is now, as `ask` answers."""
        with self._turn:
            known = self._known.get(folder)
            if known is None or known.away is not None or folder in self._changes:
                # Who asks next has all of it anew: what is under way may be of before. That it was
                # away stays known.
                self._changes.pop(folder, None)
                if known is not None and known.away is None:
                    del self._known[folder]
                return
            before, so_many = known.stamps, len(known.written)
        try:
            found = ask()
        except BarsAway as error:
            with self._turn:
                if self._known.get(folder) is known:
                    self._known[folder] = _Known(self._clock(), {}, error)
            raise
        with self._turn:
            # All of it may have been asked for since: that is newer.
            if self._known.get(folder) is known and folder not in self._changes:
                self._renewed(folder, begins, before, found, set(known.written[so_many:]))

    def _renewed(
        self,
        folder: str,
        begins: str,
        before: Mapping[str, Stamp],
        found: Mapping[str, Stamp],
        written: set[str],
    ) -> None:
        """`before`: what was known when it was asked for; `written` here since then."""
        now = self._known[folder].stamps
        files = {file for file in (*now, *found) if file.startswith(begins)} - written
        # By a fetch, or by another who asked for the same part.
        changed = [file for file in files if now.get(file) is not before.get(file)]
        if any(_state(now.get(file)) != _state(found.get(file)) for file in changed):
            # Which of the two is newer nobody can tell: who asks next has all of it anew.
            del self._known[folder]
            return
        for file in files:
            self._note(folder, file, found.get(file))

    def forget(self, folder: str) -> None:
        """Nothing that was asked for before now is to be believed."""
        with self._turn:
            self._known.pop(folder, None)
            self._changes.pop(folder, None)

    def _at_hand(
        self, folder: str, now_s: float, away_since_s: float = inf
    ) -> Mapping[str, Stamp] | None:
        """None if it is to be asked for, by who came at `now_s`; BarsAway if that has failed since
        then. What took long and was waited for is no older for that."""
        with self._turn:
            known = self._known.get(folder)
        if known is None:
            return None
        if known.away is None:
            return known.stamps if now_s - known.at_s <= self._kept_s else None
        if known.at_s >= away_since_s:
            raise BarsAway(str(known.away), known.away.verdict) from known.away
        return None

    def _asked(self, folder: str) -> Mapping[str, Stamp]:
        began_s, changes = self._clock(), dict[str, Stamp | None]()
        with self._turn:
            self._changes[folder] = changes
        try:
            known = _Known(began_s, self._ask(folder))
        except BarsAway as error:
            self._put(folder, _Known(self._clock(), {}, error), changes)
            raise
        return self._put(folder, known, changes)

    def _put(
        self, folder: str, known: _Known, changes: dict[str, Stamp | None]
    ) -> Mapping[str, Stamp]:
        with self._turn:
            known.stamps = _with(known.stamps, changes)
            # Not if somebody has had it forgotten meanwhile.
            if self._changes.pop(folder, None) is changes:
                self._known[folder] = known
        return known.stamps


def _state(stamp: Stamp | None) -> str | None:
    return None if stamp is None else stamp.state


def _with(stamps: Mapping[str, Stamp], changes: Mapping[str, Stamp | None]) -> Mapping[str, Stamp]:
    both = {**stamps, **changes}
    return {file: stamp for file, stamp in both.items() if stamp is not None}
