"""The headlines of one session: asked for when it is judged; unknown where nobody can tell."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from core.calendar import TradingDay, sessions_ending
from core.errors import SourceError
from core.news import Headlines, News, newest

logger = logging.getLogger(__name__)

READ_FOR = timedelta(hours=12)
"""After the tape has ended: what came out overnight belongs to it, next week's news does not."""


class Asked(Protocol):
    """Who has the news, such as core.sources.reference.Reference; raises SourceError."""

    async def news(self, since: datetime, until: datetime) -> News:
        """What was published from `since` to `until`."""


@dataclass(frozen=True, slots=True)
class Newsstand:
    """Asks for the news of a session."""

    source: Asked | None
    """None without a key."""
    now: Callable[[], datetime]

    async def headlines(self, day: TradingDay) -> Headlines | None:
        """Those since the close of the session before; None where nobody can tell.

        That is without a key, on a plan without news, and while the vendor is away.
        """
        if self.source is None:
            return None
        since = sessions_ending(day, 2)[0].close
        until = min(self.now(), day.tape_end + READ_FOR)
        try:
            news = await self.source.news(since, until)
        except SourceError as error:
            logger.warning("headlines unknown", extra={"session": str(day), "seen": str(error)})
            return None
        return Headlines(newest(news.stories, since, until), news.whole)
