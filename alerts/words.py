"""How numbers and sources are spelled for readers. Pure."""

from datetime import date, datetime

from core.calendar import NEW_YORK


def count(value: float) -> str:
    """Three digits that matter: 950, 1.9k, 12.4M, 1.2B."""
    # A value that would round to "1000" or "1000.0k" takes the next letter.
    for size, letter, least in ((1e9, "B", 999.95e6), (1e6, "M", 999.95e3), (1e3, "k", 999.5)):
        if value >= least:
            return f"{value / size:.1f}{letter}"
    return f"{value:.0f}"


def usd(value: float) -> str:
    """$950, $1.9k, $12.4M."""
    return f"${count(value)}"


def price(value: float) -> str:
    """$12.34, and four decimals under a dollar."""
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


def clock(value: datetime) -> str:
    """2026-12-19 00:52 New York."""
    return f"{value.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"


def some(number: int, noun: str) -> str:
    """1 line, 3 lines, 3,400 lines."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(items: list[str], most: int) -> str:
    """A, B, C and 4 more."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


_LEVELS = " ▁▂▃▄▅▆▇█"


def sparkline(values: list[float | None]) -> str:
    """One character a value, scaled from zero to the highest; a gap where there is none."""
    top = max((v for v in values if v is not None), default=0.0)
    steps = len(_LEVELS) - 1
    return "".join(
        " " if v is None or top <= 0 else _LEVELS[max(1, round(v / top * steps))] for v in values
    )
