"""A generated market in the vendor's day-aggregate files: 11,000 tickers, seeded, vectorised.

Plausible where cost and memory depend on it: a heavy tail of liquidity (about half of the names
trade under $1M a day), thin names that miss sessions, noise in logs that persists, a tide that
moves everybody, a few dozen names a day at many times their usual. It proves nothing about what is
detected.
"""

import gzip
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

from bench.child import Job, Watch
from core.bars import Family, Scope, Series, empty
from core.calendar import NEW_YORK, trading_day
from core.gate import HISTORY_COLUMNS, screen
from core.sources.day_aggs import key, parse, unpack
from core.store import Store

TICKERS = 11_000
SEED = 20261122
DATA_SET = "day_aggs_v1"
SERIES = Series(Scope.ALL, Family.DAILY)

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Counts = np.ndarray[tuple[int], np.dtype[np.int64]]

_LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
_FIFTH_SHARE = 0.08
_SPIKE_CHANCE = 0.004


def generate(job: Job, _: Watch) -> None:
    """Write every session of the job below its market folder."""
    rng = np.random.default_rng(SEED)
    tickers = _tickers(rng)
    dollars = np.exp(rng.normal(13.9, 2.6, TICKERS))
    price = np.exp(rng.normal(2.9, 1.1, TICKERS)).clip(0.2, 900.0)
    trade_usd = np.exp(rng.normal(8.2, 0.5, TICKERS)) * (dollars / 1e6) ** 0.12
    mood = rng.normal(0.0, 0.4, TICKERS)
    for text in job.days:
        day = date.fromisoformat(text)
        mood = 0.6 * mood + rng.normal(0.0, 0.35, TICKERS)
        before, price = price, price * np.exp(0.02 * rng.standard_t(4, TICKERS)).clip(0.5, 2.0)
        spike = rng.random(TICKERS) < _SPIKE_CHANCE
        loud = mood + 0.12 * rng.normal() + np.where(spike, rng.uniform(1.5, 4.0, TICKERS), 0.0)
        traded_usd = dollars * np.exp(loud)
        trades = rng.poisson((traded_usd / trade_usd).clip(0.0, 3e6))
        frame = _frame(tickers, before, price, trades, traded_usd, rng)
        _write(Path(job.market), day, frame.with_columns(window_start=_midnight_ns(day)))


def _tickers(rng: np.random.Generator) -> list[str]:
    """Four letters, and some with a fifth behind a root that trades."""
    roots = rng.choice(26**4, int(TICKERS * (1 - _FIFTH_SHARE)), replace=False)
    places = np.stack([roots // 26**n % 26 for n in (3, 2, 1, 0)], axis=1)
    names = ["".join(row) for row in _LETTERS[places]]
    fifth = [name + "WRUP"[n % 4] for n, name in enumerate(names[: TICKERS - len(names)])]
    return sorted(names + fifth)


def _frame(
    tickers: list[str],
    before: Floats,
    close: Floats,
    trades: Counts,
    traded_usd: Floats,
    rng: np.random.Generator,
) -> pl.DataFrame:
    opened = before * np.exp(rng.normal(0.0, 0.006, TICKERS))
    high = np.maximum(opened, close) * np.exp(rng.exponential(0.008, TICKERS))
    low = np.minimum(opened, close) * np.exp(-rng.exponential(0.008, TICKERS))
    prices = {"open": opened, "close": close, "high": high, "low": low}
    shares = np.maximum(trades, np.round(traded_usd / close))
    return pl.DataFrame(
        {"ticker": tickers, "volume": shares.astype(np.int64)}
        | {name: np.round(values, 4) for name, values in prices.items()}
        | {"transactions": trades}
    ).filter(pl.col("transactions") > 0)


def _midnight_ns(day: date) -> pl.Expr:
    midnight = datetime.combine(day, time(), NEW_YORK)
    return pl.lit(int(midnight.timestamp()) * 10**9)


def _write(folder: Path, day: date, frame: pl.DataFrame) -> None:
    path = folder / key(DATA_SET, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ["ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"]
    path.write_bytes(gzip.compress(frame.select(columns).write_csv().encode(), 6))


def lay_out(job: Job, _: Watch) -> dict[str, int]:
    """The sessions in every form that a side reads: Parquet, plain text, and frames for pandas."""
    store, root = Store.on_disk(job.root), job.root
    (root / "csv").mkdir(parents=True)
    (root / "frames").mkdir()
    count = 0
    for text in job.days:
        day = trading_day(date.fromisoformat(text))
        payload = (Path(job.market) / key(DATA_SET, day.date)).read_bytes()
        bars = screen(parse(payload, day), empty().select(HISTORY_COLUMNS)).bars
        store.write(SERIES, day, bars, 1)
        (root / "csv" / f"{text}.csv").write_bytes(unpack(payload))
        count += len(bars)
        rows = pd.DataFrame({c: bars[c].to_list() for c in bars.columns if c != "vwap"})
        rows.to_pickle(root / "frames" / f"{text}.pickle")
    return {"rows": count}
