"""How far the reading of one large file has come. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.calendar import TradingDay


@dataclass(frozen=True, slots=True)
class Reading:
    """A large file that is being read: a line for whoever waits."""

    day: TradingDay
    source: str
    done_bytes: int
    total_bytes: int
    rows: int
    started_at: datetime
    at: datetime

    @property
    def share(self) -> float:
        """How much of the file is read, 0 to 1."""
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds to go at the speed so far; None while that is not known."""
        spent = (self.at - self.started_at).total_seconds()
        return spent * (1 / self.share - 1) if self.share > 0 and spent > 0 else None


Told = Callable[[Reading], None]

_FORGOTTEN_AFTER = timedelta(minutes=2)


class Board:
    """The newest word on what is being read, for whoever asks; passed on to those who watch."""

    def __init__(self) -> None:
        self._newest: Reading | None = None
        self.watchers: list[Told] = []

    def __call__(self, reading: Reading) -> None:
        """A Told."""
        self._newest = reading
        for watcher in self.watchers:
            watcher(reading)

    def current(self, now: datetime) -> Reading | None:
        """What is being read now; None when nothing is, or nothing was heard for two minutes."""
        newest = self._newest
        if newest is None or newest.share >= 1 or now - newest.at > _FORGOTTEN_AFTER:
            return None
        return newest
