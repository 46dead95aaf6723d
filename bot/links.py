"""How each platform's connection stands: one line each for /channels, and for whoever asks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alerts.words import clock
from core.errors import TapewatchError


class LinkState(StrEnum):
    """Where a connection stands."""

    CONNECTING = "connecting"
    UP = "connected"
    DOWN = "down, tries again"
    REFUSED = "refused"


class LinkRefused(TapewatchError):
    """Trying again as it is would be refused again: a token, a permission, a setting.

    Its text says what was seen and the way out, without a secret.
    """


@dataclass(slots=True)
class Link:
    """One platform's connection."""

    platform: str
    now: Callable[[], datetime]
    state: LinkState = LinkState.CONNECTING
    seen: str = ""
    """What went wrong last; empty if nothing did."""
    since: datetime | None = None

    def __str__(self) -> str:
        """connected since 2026-11-25 21:30 New York"""
        since = f" since {clock(self.since)}" if self.since else ""
        return f"{self.state}{since}{f': {self.seen}' if self.seen else ''}"

    def up(self) -> None:
        """Commands arrive."""
        self._is(LinkState.UP, "")

    def down(self, seen: str) -> None:
        """For now; it is being tried again."""
        self._is(LinkState.DOWN, seen)

    def refused(self, seen: str) -> None:
        """Until a setting changes and the process begins anew."""
        self._is(LinkState.REFUSED, seen)

    def _is(self, state: LinkState, seen: str) -> None:
        if state != self.state or self.since is None:
            self.since = self.now()
        self.state, self.seen = state, seen
