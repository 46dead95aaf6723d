"""How numbers and sources are spelled for readers. Pure."""

import math
import re
from datetime import date, datetime
from statistics import fmean

from core.calendar import NEW_YORK, EventDay, TradingDay, event_days, holidays_before
from core.progress import Reading

_BREAKS = re.compile("[\t-\r\x1c-\x1e\x85\u2028\u2029]+")
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def inert(text: str) -> str:
    """One line that a screen can only show: no control characters, nothing that turns it around."""
    return _UNSAFE.sub("", _BREAKS.sub(" ", text))


def count(value: float) -> str:
    """Three digits that matter: 950, 1.9k, 12.4M, 1.2B."""
    # A value that would round to "1000" or "1000.0k" takes the next letter.
    for size, letter, least in ((1e9, "B", 999.95e6), (1e6, "M", 999.95e3), (1e3, "k", 999.5)):
        if value >= least:
            return f"{value / size:.1f}{letter}"
    return f"{value:.0f}"


def usd(value: float | None) -> str:
    """$950, $1.9k, $12.4M; "unknown" where there is no price to multiply with."""
    return "unknown" if value is None else f"${count(value)}"


def price(value: float | None) -> str:
    """$12.34, and four decimals under a dollar; "no price" for none."""
    if value is None:
        return "no price"
    return f"${value:,.2f}" if value >= 1 else f"${value:.4f}"


def times(ratio: float) -> str:
    """12.4× — one decimal under 100, none above."""
    return f"{ratio:.1f}×" if ratio < 99.95 else f"{ratio:,.0f}×"


def percent(value: float | None) -> str:
    """+18.2%, with a real minus sign; "n/a" if unknown."""
    if value is None:
        return "n/a"
    return f"{value:+.1f}%".replace("-", "−")


def day(value: date) -> str:
    """Fri 18 Dec 2026."""
    return f"{value:%a} {value.day} {value:%b %Y}"


_EVENTS: dict[EventDay, str] = {
    "quad-witching": "quad-witching",
    "monthly expiry": "monthly option expiry",
    "S&P rebalance": "S&P rebalance",
    "Russell reconstitution": "Russell reconstitution",
    "half day": "half day",
    "quarter end": "quarter end",
    "month end": "month end",
}


def events(session: TradingDay) -> str:
    """What is special about a session: "Half day, month end"; empty if nothing is."""
    closed = " and ".join(holidays_before(session))
    the = "the " if closed.startswith("National Day") else ""
    said = [_EVENTS.get(e, f"first session after {the}{closed}") for e in event_days(session)]
    joined = ", ".join(said)
    return joined[:1].upper() + joined[1:]


def clock(value: datetime) -> str:
    """2026-12-19 00:52 New York."""
    return f"{value.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"


def size(value: float) -> str:
    """3.4 GB, 512 MB, 0.3 MB."""
    return f"{value / 1e9:.1f} GB" if value >= 999.5e6 else f"{value / 1e6:.3g} MB"


def wait(seconds: float) -> str:
    """40 s, 3 min, 1 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def progress(reading: Reading) -> str:
    """2026-11-20, flat files (trades): 1.2 GB of 3.4 GB (35%), 45.1M trades, about 2 min left."""
    left = "" if reading.left_s is None else f", about {wait(reading.left_s)} left"
    return (
        f"{reading.day}, {reading.source}: {size(reading.done_bytes)} of"
        f" {size(reading.total_bytes)} ({reading.share:.0%}), {count(reading.rows)} trades{left}"
    )


def beside(value: float, least: float) -> str:
    """4.2; 3.998 beside a least of 4: never rounded to the other side of what it had to reach."""
    for digits in range(1, 6):
        text = f"{value:.{digits}f}"
        if (float(text) >= least) == (value >= least):
            return text
    return f"{value:.17g}"


_UNUSUAL_SHARE_Z = 3.0


def share(value: float, usual: float | None, z: float | None = None) -> str:
    """62% of its volume, usually 41%: unusually high."""
    beside = "" if usual is None else f", usually {usual:.0%}"
    far = "" if z is None or abs(z) < _UNUSUAL_SHARE_Z else f": unusually {_side(z)}"
    return f"{value:.0%} of its volume{beside}{far}"


def _side(z: float) -> str:
    return "high" if z > 0 else "low"


def some(number: int, noun: str) -> str:
    """1 line, 3 lines, 3,400 lines."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(items: list[str], most: int) -> str:
    """A, B, C and 4 more."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


_LEVELS = " ▁▂▃▄▅▆▇█"


def condensed(values: list[float | None], most: int) -> list[float | None]:
    """At most so many, each the mean of a stretch of them; a gap where all of it is one."""
    size = max(1, math.ceil(len(values) / most))
    # The newest stretch is a whole one, the oldest may be shorter.
    ends = range(len(values), 0, -size)
    known = [[v for v in values[max(0, end - size) : end] if v is not None] for end in ends]
    return [fmean(part) if part else None for part in reversed(known)]


def sparkline(values: list[float | None]) -> str:
    """One character a value, scaled from zero to the highest; a gap where there is none."""
    top = max((v for v in values if v is not None), default=0.0)
    steps = len(_LEVELS) - 1
    return "".join(
        " " if v is None or top <= 0 else _LEVELS[max(1, round(v / top * steps))] for v in values
    )
