"""Headlines beside a ticker: context, and never a claim of what caused what. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

MAX_NAMED = 8
"""A story that names more tickers is a round-up, and says nothing of any one of them."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One story in one line. The text is a stranger's: whoever renders it must escape it."""

    title: str
    publisher: str
    url: str
    """http or https, safe to put between brackets."""
    published_at: datetime
    """Aware."""


@dataclass(frozen=True, slots=True)
class Story:
    """A headline and the tickers that it names, case kept."""

    headline: Headline
    tickers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class News:
    """What the vendor's news had since a moment."""

    stories: tuple[Story, ...]
    whole: bool
    """False: the oldest were not read, so a ticker without a headline is unknown, not quiet."""


@dataclass(frozen=True, slots=True)
class Headlines:
    """What the news had beside the tickers of one session."""

    found: dict[str, Headline]
    """The newest by ticker."""
    whole: bool
    """False: not all was read, so of a ticker that is not in `found` nothing is known."""
    asked: tuple[str, ...] = ()
    """The tickers that this is about; of others nothing is known."""

    def knows(self, ticker: str) -> bool:
        """Is it known whether a story named it?"""
        return ticker in self.found or (self.whole and ticker in self.asked)


def newest(stories: Iterable[Story], since: datetime, until: datetime) -> dict[str, Headline]:
    """For each ticker the newest headline published after `since`, up to and with `until`.

    `since` is the close of the session before. Round-ups are left out. The order of the stories
    does not matter.
    """
    found: dict[str, Headline] = {}
    for story in sorted(stories, key=_when):
        if since < story.headline.published_at <= until and len(story.tickers) <= MAX_NAMED:
            found |= dict.fromkeys(story.tickers, story.headline)
    return found


def _when(story: Story) -> tuple[datetime, str, str]:
    return story.headline.published_at, story.headline.title, story.headline.url
