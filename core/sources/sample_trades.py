"""The tape behind a sample bar: trades that add up to it by the consolidated rules, and the
rows a reader has to leave out. Pure: the caller hands in the random numbers.

Money and shares are whole numbers here, so that sums are exact: `TICK` of a dollar, `MICRO` of a
share, times in nanoseconds UTC.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache, lru_cache
from random import Random
from typing import NamedTuple

from core.calendar import NEW_YORK, TradingDay

TICK, MICRO = 10_000, 1_000_000
CENT = TICK // 100

TRADES_HEADER = (
    "ticker,conditions,correction,exchange,id,participant_timestamp,price,"
    "sequence_number,sip_timestamp,size,tape,trf_id,trf_timestamp"
)

_LIT = (1, 2, 3, 7, 8, 9, 10, 11, 12, 12, 15, 17, 18, 19, 20, 21, 11, 19, 8, 10)
_OFF = 4
_TRF = (201, 202, 202, 203)
_LISTING = {1: 10, 2: 11, 3: 12}  # tape: its listing exchange
# A hundred styles of a round lot in regular hours: conditions, and where it may print.
_STYLES = (
    *(("", 0),) * 54,
    *(("14", 1),) * 30,
    *(("14,41", 1),) * 8,
    *(("10,41", _OFF),) * 3,
    *(("2", _OFF),) * 2,
    *(("22", _OFF),) * 2,
    ("53,52,41", _OFF),
)
_NO_PRICE = ("37", "2", "53,52,41")
_SECOND, _MINUTE, _HOUR = 10**9, 60 * 10**9, 3600 * 10**9


@dataclass(frozen=True, slots=True)
class SampleBar:
    """A day of one ticker; prices in TICKs of a dollar, shares in MICROs of a share."""

    ticker: str
    volume: int
    open: int
    close: int
    high: int
    low: int
    transactions: int
    block: int = 0
    """Of the volume, how much is one off-exchange print."""
    off: float | None = None
    """How much of its volume between the bells is off exchange; None: about 40 %, by style."""


@dataclass(frozen=True, slots=True)
class Bells:
    """The instants of a session that matter to its tape, ns UTC."""

    midnight: int
    opens: int
    closes: int


class _Row(NamedTuple):
    sip: int
    conditions: str
    correction: int
    exchange: int
    ident: int
    delay: int  # from the participant's time to the tape's
    price: int
    size: int


def bells(day: TradingDay) -> Bells:
    """Midnight, opening and closing bell in New York."""
    midnight = datetime.combine(day.date, time(), NEW_YORK)
    opens = midnight + timedelta(hours=9, minutes=30)
    at = [int(moment.timestamp()) * _SECOND for moment in (midnight, opens, day.close)]
    return Bells(*at)


@lru_cache(maxsize=1 << 16)
def price_text(ticks: int, decimals: bool) -> str:
    """A price as the vendor writes it: six decimals, or as few as it takes."""
    text = f"{ticks // TICK}.{ticks % TICK:04d}"
    return text + "00" if decimals else text.rstrip("0").rstrip(".")


@cache
def _whole_text(shares: int, decimals: bool) -> str:
    return f"{shares}.000000" if decimals else str(shares)


def size_text(micros: int, decimals: bool) -> str:
    """Shares as the vendor writes them: six decimals, or a whole number."""
    whole, part = divmod(micros, MICRO)
    if part == 0 and whole < 1000:
        return _whole_text(whole, decimals)
    return f"{whole}.{part:06d}" if decimals else str(whole)


def trade_lines(bar: SampleBar, at: Bells, rng: Random, decimals: bool) -> list[str]:
    """The lines of one ticker, in the order of the tape."""
    tape = 1 + sum(bar.ticker.encode()) % 3
    rows = _counted(bar, at, rng, tape, decimals)
    rows += _corrections(rows, at, rng)
    if bar.transactions >= 12:
        rows += _repeats(bar, rows, at, rng)
    rows.sort()
    return _lines(bar.ticker, tape, rows, rng.random, decimals)


def _lines(
    ticker: str, tape: int, rows: list[_Row], u: Callable[[], float], decimals: bool
) -> list[str]:
    lines, sequence = [], 1000 + int(u() * 2000)
    for sip, conditions, correction, exchange, ident, delay, price, size in rows:
        sequence += 1 + int(u() * 40)
        shown = f'"{conditions}"' if "," in conditions else conditions
        trf, trf_time = (_TRF[ident & 3], sip - 20_077) if exchange == _OFF else (0, 0)
        lines.append(
            f"{ticker},{shown},{correction},{exchange},{ident},{sip - delay},"
            f"{price_text(price, decimals)},{sequence},{sip},{size_text(size, decimals)},"
            f"{tape},{trf},{trf_time}"
        )
    return lines


def _counted(bar: SampleBar, at: Bells, rng: Random, tape: int, decimals: bool) -> list[_Row]:
    """The rows that make the volume: Form T, the opening, the session, the closing, Form T."""
    n, u = bar.transactions, rng.random
    before, after = n // 50, n // 30
    first, last = before, n - after - 1
    middle = max(last - first - 1, 0)
    high_at = int(u() * middle)
    low_at, block_at = (high_at + 1) % max(middle, 1), (high_at + 2) % max(middle, 1)
    sizes = _sizes(bar, rng, last, first + 1 + block_at, decimals)
    listing = _LISTING[tape]
    rows = [_extended(bar.open, at, size, u, early=True) for size in sizes[:before]]
    opening = "25" if tape == 3 else "17"
    rows.append(_row(at.opens + 90_000_000, opening, listing, bar.open, sizes[first]))
    owed = 0.0
    for i, sip in enumerate(_times(at, middle, u)):
        size = sizes[first + 1 + i]
        owed += (bar.off or 0.0) * size
        if i in (high_at, low_at):
            price = bar.high if i == high_at else bar.low
            rows.append(_row(sip, "", _venue(u, 0), price, size))
        elif bar.block and i == block_at:
            rows.append(_row(sip, "", _OFF, _near(bar, i / middle, u), size))
        else:
            row = _regular(bar, sip, i / middle, size, u)
            if bar.off is not None and size >= 100 * MICRO:
                row = _placed(bar, row, u, off=owed >= size)
            rows.append(row)
        owed -= size if rows[-1].exchange == _OFF else 0
    if n > 1:
        closing = "8" if tape == 3 else "19"
        rows.append(_row(at.closes + 300_000_000, closing, listing, bar.close, sizes[last]))
    rows += [_extended(bar.close, at, size, u, early=False) for size in sizes[last + 1 :]]
    return rows


def _sizes(bar: SampleBar, rng: Random, last: int, block_at: int, decimals: bool) -> list[int]:
    """Micro-shares of every counted trade; the closing one takes what the division leaves."""
    u, n = rng.random, bar.transactions
    free = (bar.volume - bar.block) // MICRO - n
    # Where there are shares enough, four in ten trades are odd lots: one share and up to 98 more.
    chance = 0.4 if free >= 200 * n else 0.0
    odd = [int(u() * 99) if u() < chance else -1 for _ in range(n)]
    free -= sum(more for more in odd if more > 0)
    weights = [0 if more >= 0 else int(60 / (u() + 0.03)) for more in odd]
    total = max(sum(weights), 1)
    sizes = [
        MICRO * (1 + max(more, 0) + free * weight // total)
        for more, weight in zip(odd, weights, strict=True)
    ]
    if bar.block:
        sizes[block_at] += bar.block
    if decimals:
        _break_up(sizes, last, u)
    sizes[last] += bar.volume - sum(sizes)
    return sizes


def _break_up(sizes: list[int], last: int, u: Callable[[], float]) -> None:
    """Give a seventh of the odd lots fractions; each pays for the one before."""
    owed = 0
    for i, size in enumerate(sizes):
        if size < 100 * MICRO and i != last and u() < 0.15:
            part = int(u() * MICRO)
            sizes[i], owed = size + owed - part, part


def _times(at: Bells, count: int, u: Callable[[], float]) -> list[int]:
    """Instants between the bells, denser towards both."""
    span, start = at.closes - at.opens - 2 * _SECOND, at.opens + _SECOND
    moments = []
    for _ in range(count):
        x = u()
        moments.append(start + int(span * (x + x * x * (3 - 2 * x)) * 0.5))
    return sorted(moments)


def _row(sip: int, conditions: str, exchange: int, price: int, size: int) -> _Row:
    return _Row(sip, conditions, 0, exchange, sip % 10**15, 31_000 + sip % 399_989, price, size)


def _venue(u: Callable[[], float], where: int) -> int:
    """An exchange id: 0 anywhere, 1 an exchange proper, 4 off exchange."""
    if where == _OFF or (where == 0 and u() < 0.55):
        return _OFF
    return _LIT[int(u() * len(_LIT))]


def _near(bar: SampleBar, done: float, u: Callable[[], float]) -> int:
    """A price inside the day's range, on the way from its open to its close."""
    drift = bar.open + (bar.close - bar.open) * done
    price = int(drift + (bar.high - bar.low) * (u() - 0.5) * 0.6)
    if price > TICK:
        price -= price % CENT
    return max(bar.low, min(bar.high, price))


def _regular(bar: SampleBar, sip: int, done: float, size: int, u: Callable[[], float]) -> _Row:
    price = _near(bar, done, u)
    if size % MICRO or (size < 100 * MICRO and u() < 0.8):
        conditions, where = "37", 0
    else:
        conditions, where = _STYLES[int(u() * 100)]
    if conditions in _NO_PRICE and u() < 0.1:
        # What may not set a price is often away from the market.
        price = max(1, int(price * (0.96 + 0.08 * u())))
    return _row(sip, conditions, _venue(u, where), price, size)


def _placed(bar: SampleBar, row: _Row, u: Callable[[], float], *, off: bool) -> _Row:
    """The row on the other side, if need be, without the conditions that are of the one."""
    if off == (row.exchange == _OFF):
        return row
    venue = _venue(u, _OFF if off else 1)
    if row.conditions == "37":
        return row._replace(exchange=venue)
    price = max(bar.low, min(bar.high, row.price))
    return row._replace(exchange=venue, conditions="", price=price)


def _extended(price: int, at: Bells, size: int, u: Callable[[], float], *, early: bool) -> _Row:
    """A Form T print; some early ones are last night's, reported at four in the morning."""
    price = max(1, int(price * (0.985 + 0.03 * u())))
    conditions = "12,37" if size < 100 * MICRO else "12"
    four = at.midnight + 4 * _HOUR
    if early and u() < 0.3:
        row = _row(four + int(u() * _SECOND), conditions, _OFF, price, size)
        return row._replace(delay=int((0.5 + 7 * u()) * _HOUR))
    start, span = (four, at.opens - four) if early else (at.closes, 4 * _HOUR)
    sip = start + 2 * _SECOND + int(u() * (span - 4 * _SECOND))
    return _row(sip, conditions, _venue(u, 0), price, size)


def _corrections(counted: list[_Row], at: Bells, rng: Random) -> list[_Row]:
    """Pairs 8/10 and 7/11 that count nothing; the old values (12) of a trade marked 1."""
    extra, u = [], rng.random
    for _ in range(int(len(counted) / 600 + u())):
        i = int(u() * len(counted))
        model, later = counted[i], int(u() * 5 * _MINUTE) + 1
        wrong = model._replace(price=max(1, int(model.price * (0.7 + u()))))
        if u() < 0.5 and not model.correction:
            counted[i] = model._replace(correction=1)
            extra.append(wrong._replace(sip=model.sip + later, correction=12))
            continue
        first, second = (8, 10) if u() < 0.8 else (7, 11)
        sip = at.opens + int(u() * (at.closes - at.opens))
        void = wrong._replace(sip=sip, ident=sip % 10**15, correction=first)
        extra += [void, void._replace(sip=sip + later, correction=second)]
    return extra


def _repeats(bar: SampleBar, rows: list[_Row], at: Bells, rng: Random) -> list[_Row]:
    """Official open and close re-sent (16, 15), and now and then a corrected close (38)."""
    u = rng.random
    opening = next(row for row in rows if row.conditions in ("17", "25"))
    closing = next(row for row in rows if row.conditions in ("8", "19"))
    sent = [
        _row(opening.sip + 700_000_000, "16", opening.exchange, bar.open, opening.size),
        _row(closing.sip + 1_100_000_000, "15", closing.exchange, bar.close, closing.size),
        _row(closing.sip + 7 * _MINUTE, "15", 11, bar.close, 0),
    ]
    if u() < 0.02:
        sent.append(_row(at.closes + 5 * _MINUTE, "38", closing.exchange, bar.close, closing.size))
    return sent
