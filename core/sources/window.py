"""How far back a plan reaches, by what was refused and what was served on the way. Pure."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.calendar import TradingDay

OUTSIDE_AFTER = 3
"""So many sessions outside the plan, and none served that is older, and the rest is as well."""


class Window:
    """One source's, over sessions that come in any order."""

    def __init__(self) -> None:
        self._outside = set["TradingDay"]()
        self._oldest: TradingDay | None = None

    def served(self, day: "TradingDay") -> None:
        """The session can be had: whatever was refused after it had another cause."""
        self._oldest = day if self._oldest is None else min(day, self._oldest)
        self._outside = {other for other in self._outside if other < day}

    def refused(self, day: "TradingDay") -> None:
        """The plan does not reach it, says the source."""
        if self._oldest is None or day < self._oldest:
            self._outside.add(day)

    def beyond(self, day: "TradingDay") -> "TradingDay | None":
        """The session that was refused instead of this one; None if this one may be had."""
        if len(self._outside) < OUTSIDE_AFTER:
            return None
        newest = max(self._outside)
        return newest if day <= newest else None
