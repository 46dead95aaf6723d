"""Rows of the vendor's reference -> instruments, renames, stories. Pure.

The text in them is a stranger's: it is bounded, put on one line, and stays text.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from core.bars import is_ticker
from core.errors import BadBars
from core.instruments import Instrument
from core.news import Headline, Story
from core.renames import Rename

T = TypeVar("T")

_LOOKED_AT = 20
"""Times the length that is shown: blanks are left out."""
_NAME_CHARS, _TITLE_CHARS, _PUBLISHER_CHARS, _URL_CHARS = 120, 240, 60, 2000
_TYPE, _FIGI = re.compile(r"[A-Z0-9_]{1,16}"), re.compile(r"[A-Z0-9]{12}")
# Whatever could end a link in somebody's markup is percent-encoded.
_PLAIN_IN_URL = ":/?#@!$&,;=%+"


def readable(rows: Iterable[Any], read: Callable[[Any], T | None]) -> tuple[list[T], int]:
    """The rows as `read` has them, and how many it gave nothing for."""
    told = [read(row) for row in rows]
    found = [one for one in told if one is not None]
    return found, len(told) - len(found)


def instrument(row: Any) -> Instrument | None:
    """One row of the list of tickers; None if it has no ticker. Type and FIGI may be missing."""
    if not isinstance(row, Mapping) or row.get("active") is False:
        return None
    ticker = row.get("ticker")
    if not isinstance(ticker, str) or not is_ticker(ticker):
        return None
    code, figi = _matching(_TYPE, row.get("type")), _matching(_FIGI, row.get("composite_figi"))
    return Instrument(ticker, code, one_line(row.get("name"), _NAME_CHARS), figi)


def renames(ticker: str, events: Iterable[Any]) -> list[Rename]:
    """The renames in the events of whoever has `ticker` now, oldest first.

    Each event names a ticker and the day since when it is used. A history that does not name
    `ticker` is somebody else's: empty. BadBars if an event cannot be read, or if one day has two.
    """
    since: dict[date, str] = {}
    for event in events:
        try:
            if event["type"] != "ticker_change":
                continue
            day, name = date.fromisoformat(event["date"]), event["ticker_change"]["ticker"]
        except (KeyError, TypeError, ValueError) as error:
            raise BadBars(f"an event of {ticker} cannot be read: {str(event)[:120]!r}") from error
        if not isinstance(name, str) or not is_ticker(name):
            raise BadBars(f"an event of {ticker} names no ticker: {str(name)[:40]!r}")
        if since.setdefault(day, name) != name:
            raise BadBars(f"{ticker} became both {since[day]} and {name} on {day}")
    if ticker not in since.values():
        return []
    steps = pairwise(sorted(since.items()))
    return [Rename(day, old, new) for (_, old), (day, new) in steps if old != new]


def story(row: Any) -> Story | None:
    """One row of the news; None without a title, a link, a moment or a list of tickers."""
    if not isinstance(row, Mapping) or not isinstance(row.get("tickers"), list):
        return None
    title, url = one_line(row.get("title"), _TITLE_CHARS), _link(row.get("article_url"))
    at, publisher = _moment(row.get("published_utc")), row.get("publisher")
    if not title or url is None or at is None:
        return None
    told = publisher.get("name") if isinstance(publisher, Mapping) else None
    named = (t for t in row["tickers"] if isinstance(t, str) and is_ticker(t))
    headline = Headline(title, one_line(told, _PUBLISHER_CHARS), url, at)
    return Story(headline, tuple(dict.fromkeys(named)))


def one_line(value: Any, most: int) -> str:
    """Text on one line, without control characters, of `most` characters; empty if it is none."""
    if not isinstance(value, str):
        return ""
    # A text of megabytes, letter by letter, would take ten times that.
    value = value[: _LOOKED_AT * most]
    text = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _matching(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _moment(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else None


def _link(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > _URL_CHARS:
        return None
    try:
        parts, url = urlsplit(value), quote(value, safe=_PLAIN_IN_URL)
    except ValueError:  # half a surrogate pair, or a host that is none
        return None
    # A name before the host is how a link pretends to lead elsewhere.
    shown = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return url if shown else None
