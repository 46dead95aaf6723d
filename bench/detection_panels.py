"""Null panels for bench.detection: 82 generated sessions in which nothing happens, seeded.

A stock's activity is its own level times log-normal noise, independent from day to day, with no
tide and no spike: whatever a rule flags here is chance. Liquidity is spread as in the market of
2026. The noise is as wide as on the first half of the development data: the median standard
deviation of ln(volume) around the rule's own level was 0.47, 0.41 and 0.34 for $1-10m, $10-100m
and above, and differed between names by 0.25 in ln. Counts of trades follow volume with an
elasticity of 0.8, noise of their own (day-on-day changes correlate about .94) and Poisson error.
"""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from core.baseline import LOOKBACK_SESSIONS
from core.calendar import sessions_ending, trading_day

TICKERS = 11_000
SESSIONS = sessions_ending(trading_day(date(2026, 11, 20)), LOOKBACK_SESSIONS)
ELASTICITY = 0.8
RECALL_BUCKETS = ("$1-10m", "$10-100m", ">$100m")

# USD a day, the share of names in each band, and the median sd of ln(volume) in it.
_BANDS_USD = (1e4, 1e5, 1e6, 1e7, 1e8, 2e9)
_SHARES = (0.18, 0.30, 0.26, 0.17, 0.09)
_SD = (1.12, 0.63, 0.47, 0.41, 0.34)
_SD_DIFFERS = 0.25
_OWN_NOISE = 0.29
_TRADE_USD = 3600.0
_T_DEGREES = 5

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

    def special(self, times: float) -> "Panel":
        """The same panel with all the activity of the last session multiplied."""
        volume, trades = self.volume.copy(), self.trades.copy()
        volume[-1] *= times
        trades[-1] *= times
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
    """A market in which nothing happens; `heavy`: noise of Student's t5 at the same sd."""
    rng = np.random.default_rng(seed)
    band = rng.choice(len(_SHARES), TICKERS, p=_SHARES)
    low, high = np.log(_BANDS_USD[:-1])[band], np.log(_BANDS_USD[1:])[band]
    dollars = np.exp(rng.uniform(low, high))
    price = np.exp(rng.normal(3.2, 0.9, TICKERS)).clip(2.0, 900.0)
    sd = np.array(_SD)[band] * np.exp(_SD_DIFFERS * rng.normal(size=TICKERS))
    noise = sd * _noise(rng, heavy=heavy)
    own = _OWN_NOISE * sd * rng.normal(size=noise.shape)
    usual_trades = (dollars / _TRADE_USD).clip(1.0)
    trades = rng.poisson((usual_trades * np.exp(ELASTICITY * noise + own)).clip(0.0, 1e9))
    walk = np.cumsum(0.02 * rng.normal(size=noise.shape), axis=0)
    volume = (dollars / price * np.exp(noise)).clip(1.0)
    return Panel(volume, trades.astype(np.float64), price * np.exp(walk - walk[-1]), band)


def _noise(rng: np.random.Generator, *, heavy: bool) -> Table:
    shape = (len(SESSIONS), TICKERS)
    if not heavy:
        return rng.normal(size=shape)
    drawn: Table = rng.standard_t(_T_DEGREES, shape)
    return drawn / math.sqrt(_T_DEGREES / (_T_DEGREES - 2))


def chosen(seed: int, share: float, groups: int) -> list[Places]:
    """Names drawn at random, `share` of all for each group, none in two groups."""
    order = np.random.default_rng([seed, 1]).permutation(TICKERS)
    each = round(share * TICKERS)
    return [order[n * each : (n + 1) * each] for n in range(groups)]
