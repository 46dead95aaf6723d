"""Null panels for bench.detection: 82 generated sessions in which nothing happens, seeded.

ln(volume) of a name is its own noise plus the market's tide and that of its band of liquidity;
no spike is in it, so whatever a rule flags here is chance. The noise is a day's own part, one that
fades by AR(.45) and a slow one by AR(.97). Their shares and the width were fitted on the first half
of the development data to what `y - level` and `y` of core.baseline look like there, by the same
estimator on both sides (82 sessions of every name without a gap, two windows, their mean; widths
are medians over names, autocorrelations means):

    band               $10-100k     $0.1-1m      $1-10m       $10-100m     >$100m
    central width      .92          .59          .43          .37          .31
      here             .92          .59          .44          .38          .31
    sd / width         1.07         1.07         1.09         1.09         1.10
      here (t5)        1.02 (1.08)  1.02 (1.07)  1.02 (1.06)  1.02 (1.06)  1.02 (1.06)
    autocorr. at 1     .29          .34          .42          .48          .50
      here             .27          .32          .40          .47          .49
    at 5               .10          .12          .14          .14          .14
      here             .08          .11          .11          .13          .13
    at 20              -.02         -.02         -.02         -.03         -.02
      here             -.01         -.02         -.02         -.02         -.02

The central width is half the distance of the 16 and 84 % quantiles. It is matched, not the
standard deviation: a null is the noise with the events left out, and real days have events in
their tails, which a width does not see. t5 innovations are scaled to the same width: a stress.
Autocorrelations are of y clipped at 2.5 widths, for the same reason, around the window's mean.
"""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from core.baseline import LOOKBACK_SESSIONS
from core.calendar import event_days, sessions_ending, trading_day

TICKERS = 11_000
SESSIONS = sessions_ending(trading_day(date(2026, 11, 20)), LOOKBACK_SESSIONS)
ELASTICITY = 0.8
RECALL_BUCKETS = ("$1-10m", "$10-100m", ">$100m")

# USD a day, the share of names in each band; of ln(volume) the sd and how much of its variance is
# the day's own, fades and is slow. Widths differ between names by _SD_DIFFERS in ln: .25 as
# measured, .15 of it the error of measuring 62 sessions.
_BANDS_USD = (1e4, 1e5, 1e6, 1e7, 1e8, 2e9)
_SHARES = (0.18, 0.30, 0.26, 0.17, 0.09)
_SD = (1.02, 0.67, 0.50, 0.437, 0.361)
_SD_DIFFERS, _T5_SD = 0.20, 1.065
_OWN, _FADING, _SLOW = (
    (0.43, 0.35, 0.20, 0.10, 0.08),
    (0.30, 0.32, 0.45, 0.52, 0.54),
    (0.27, 0.33, 0.35, 0.38, 0.38),
)
_FADES, _SLOWS = 0.45, 0.97
# The tide of the market and what each band adds to it, in ln: first half, sessions 40 to 180.
_TIDE_SD, _TIDE_FADES = 0.17, 0.50
_BAND_TIDE_SD = (0.12, 0.07, 0.04, 0.03, 0.07)
# Counts' own noise in volume's sd: day-on-day changes of the two then correlate .94, as there.
_OWN_NOISE = 0.215
_TRADE_USD = 3600.0
_T_DEGREES = 5


@dataclass(frozen=True, slots=True)
class Special:
    """A session unlike others: the typical name's multiple and how names differ around it.

    `differs` is the sd in ln by band: sqrt(width that day^2 - usual width^2) on the first half's
    expiries (June and September, mean), Russell day and half day. The multiples are the facts' of
    two years. The lowest band is taken like the next.
    """

    times: float
    differs: tuple[float, ...]


QUARTERLY = Special(1.64, (0.42, 0.42, 0.44, 0.17, 0.15))
RUSSELL = Special(1.85, (0.86, 0.86, 0.57, 0.39, 0.31))
HALF_DAY = Special(0.39, (0.37, 0.37, 0.24, 0.11, 0.0))

Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Row = np.ndarray[tuple[int], np.dtype[np.float64]]
Places = np.ndarray[tuple[int], np.dtype[np.intp]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Sessions by tickers, in float; `band` is the place of each name in the bands of USD."""

    volume: Table
    trades: Table
    close: Table
    band: Places

    def louder(self, names: Places, times: float, day: int = -1) -> "Panel":
        """The same panel with these names at so many times their activity in one session."""
        volume, trades = self.volume.copy(), self.trades.copy()
        volume[day, names] *= times
        trades[day, names] *= times**ELASTICITY
        return Panel(volume, trades, self.close, self.band)

    def special(self, kind: Special, seed: int, day: int = -1) -> "Panel":
        """The same panel with one session of that kind, every name by its own multiple."""
        drawn = np.random.default_rng([seed, 2, day % len(SESSIONS)]).normal(size=TICKERS)
        times = kind.times * np.exp(np.array(kind.differs)[self.band] * drawn)
        volume, trades = self.volume.copy(), self.trades.copy()
        volume[day] *= times
        trades[day] *= times
        return Panel(volume, trades, self.close, self.band)

    def bars(self) -> pl.DataFrame:
        """As core.detect reads it; prices say nothing but the close."""
        days = pl.Series("session", [s.date for s in SESSIONS], pl.Date)
        every = pl.DataFrame({"ticker": TICKER_NAMES})
        price = pl.Series("close", self.close.ravel())
        return (
            days.to_frame()
            .join(every, how="cross", maintain_order="left_right")
            .with_columns(
                *(price.alias(column) for column in ("open", "high", "low", "close")),
                pl.Series("volume", self.volume.ravel().round()),
                pl.Series("transactions", self.trades.ravel().round().astype(np.int64)),
                pl.lit(None, pl.Float64).alias("vwap"),
            )
        )


def _names() -> list[str]:
    """Four letters each: common stock by its spelling."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return ["".join(letters[n // 26**p % 26] for p in (3, 2, 1, 0)) for n in range(TICKERS)]


TICKER_NAMES = _names()


def null_panel(seed: int, *, heavy: bool = False) -> Panel:
    """A market in which nothing happens; `heavy`: innovations of Student's t5, at the same width.

    Quarterly expiries in the history are as special as the calendar has them.
    """
    rng = np.random.default_rng(seed)
    band = rng.choice(len(_SHARES), TICKERS, p=_SHARES)
    low, high = np.log(_BANDS_USD[:-1])[band], np.log(_BANDS_USD[1:])[band]
    dollars = np.exp(rng.uniform(low, high))
    price = np.exp(rng.normal(3.2, 0.9, TICKERS)).clip(2.0, 900.0)
    sd = np.array(_SD)[band] * np.exp(_SD_DIFFERS * rng.normal(size=TICKERS))
    noise = sd * _noise(rng, band, heavy=heavy) + _tide(rng)[:, band]
    own = _OWN_NOISE * sd * rng.normal(size=noise.shape)
    usual_trades = (dollars / _TRADE_USD).clip(1.0)
    trades = rng.poisson((usual_trades * np.exp(ELASTICITY * noise + own)).clip(0.0, 1e9))
    walk = np.cumsum(0.02 * rng.normal(size=noise.shape), axis=0)
    volume = (dollars / price * np.exp(noise)).clip(1.0)
    panel = Panel(volume, trades.astype(np.float64), price * np.exp(walk - walk[-1]), band)
    for day, session in enumerate(SESSIONS[:-1]):
        if "quad-witching" in event_days(session):
            panel = panel.special(QUARTERLY, seed, day)
    return panel


def _noise(rng: np.random.Generator, band: Places, *, heavy: bool) -> Table:
    """Sessions by tickers, of sd 1, or wider by _T5_SD."""
    parts = ((_OWN, 0.0), (_FADING, _FADES), (_SLOW, _SLOWS))
    noise = np.zeros((len(SESSIONS), TICKERS))
    for shares, kept in parts:
        noise += np.sqrt(np.array(shares)[band]) * _faded(_drawn(rng, TICKERS, heavy=heavy), kept)
    return noise * (_T5_SD if heavy else 1.0)


def _tide(rng: np.random.Generator) -> Table:
    """Sessions by bands, in ln."""
    market, own = _drawn(rng, 1), _drawn(rng, len(_SHARES))
    return _TIDE_SD * _faded(market, _TIDE_FADES) + _BAND_TIDE_SD * _faded(own, _TIDE_FADES)


def _drawn(rng: np.random.Generator, names: int, *, heavy: bool = False) -> Table:
    shape = (len(SESSIONS), names)
    if not heavy:
        return rng.normal(size=shape)
    drawn: Table = rng.standard_t(_T_DEGREES, shape)
    return drawn / math.sqrt(_T_DEGREES / (_T_DEGREES - 2))


def _faded(drawn: Table, kept: float) -> Table:
    """AR(1) of sd 1 out of innovations of sd 1."""
    made = drawn.copy()
    for t in range(1, len(made)):
        made[t] = kept * made[t - 1] + math.sqrt(1 - kept**2) * drawn[t]
    return made


def chosen(seed: int, share: float, groups: int) -> list[Places]:
    """Names drawn at random, `share` of all for each group, none in two groups."""
    order = np.random.default_rng([seed, 1]).permutation(TICKERS)
    each = round(share * TICKERS)
    return [order[n * each : (n + 1) * each] for n in range(groups)]
