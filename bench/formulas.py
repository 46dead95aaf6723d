"""The rival: the same formulas as core.baseline and core.detect, straightforwardly in pandas.

A fair rendition by the rule's own description: tables of sessions by tickers and pandas' compiled
rolling windows and group medians, which suits pandas best (a groupby of rolling windows is slower);
no loop over rows. To its favour it reads pickled frames, which pandas loads faster than Parquet,
and it leaves out what hardly costs: notes on splits, labels in words, continuing runs.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.child import Job, Watch

LEVEL, MIN_LEVEL, SCALE, MIN_SCALE = 20, 15, 60, 20
FLOOR, CLIP, PRIOR, MIN_FACTOR, MIN_SPREAD = 0.15, 3.0, 10, 30, 100
MOVE_FLOOR = np.log(1.005)
BUCKETS_USD = [0.0, 1e6, 5e6, 20e6, 100e6, np.inf]
Wide = Any
"""A table with a row a session and a column a ticker; pandas has no types of its own."""


@dataclass(frozen=True, slots=True)
class Activity:
    """One feature: its market factor, its distance from the level, sessions seen and z."""

    m: Wide
    dev: Wide
    n: Wide
    z: Wide


def judge(job: Job, watch: Watch) -> dict[str, Any]:
    """The newest session against its lookback."""
    with watch.lap():
        paths = [job.root / "frames" / f"{day}.pickle" for day in job.days]
        frames = [pd.read_pickle(path) for path in paths]  # noqa: S301, our own of a minute ago
        scores = score(pd.concat(frames, ignore_index=True))
        found = scores[scores["eligible"] & (scores["z"] >= 4.0)]
    rows = scores[["z", "score", "rarity"]].reset_index().to_numpy(dtype=object)
    (job.root / "pandas.json").write_text(json.dumps([_plain(row) for row in rows]))
    return {"found": len(found)}


def _plain(row: Any) -> list[Any]:
    return [row[0], *(None if pd.isna(value) else float(value) for value in row[1:])]


def score(bars: Any) -> Any:
    """One row a ticker that traded in the last session, most unusual first."""
    wide = bars.pivot(index="session", columns="ticker")
    volume, trades, close = (wide[c].astype(float) for c in ("volume", "transactions", "close"))
    volume = volume.where(volume > 0)
    dollars = np.log(volume * close).iloc[-1 - SCALE : -1]
    adv = np.exp(dollars.median()).where(dollars.count() >= MIN_SCALE)
    bucket = pd.cut(adv, BUCKETS_USD, right=False, labels=False)
    by = {"volume": activity(volume, bucket), "trades": activity(trades, bucket)}
    is_trades = by["trades"].z.gt(by["volume"].z) | (by["trades"].z.notna() & by["volume"].z.isna())
    z = by["trades"].z.where(is_trades, by["volume"].z)
    today = pd.DataFrame({c: wide[c].iloc[-1] for c in ("open", "high", "low", "close")})
    today = today.assign(
        volume=volume.iloc[-1], transactions=trades.iloc[-1], adv=adv, z=z.iloc[-1]
    )
    today = today.assign(
        bucket=bucket, move_z=_move_z(wide, bucket), z_size=_size_z(volume, trades)
    )
    for name, one in by.items():
        today[[f"m_{name}", f"dev_{name}", f"n_{name}", f"z_{name}"]] = pd.concat(
            [one.m.iloc[-1], one.dev.iloc[-1], one.n.iloc[-1], one.z.iloc[-1]], axis=1
        ).to_numpy()
    today["repeats"] = (z.iloc[-6:-1] >= 4.0).sum()
    today = today[today["volume"].notna()]
    today["eligible"] = _eligible(today)
    today["rarity"] = _rarity(today, z.iloc[:-1], bucket)
    today["score"] = today["z"] + today["move_z"].fillna(0.0).clip(upper=8.0)
    return today.sort_values(["eligible", "score"], ascending=False)


def activity(amounts: Wide, bucket: Any) -> Activity:
    """Level, scale and z of one feature in every session."""
    x = np.log(amounts.where(amounts > 0))
    e0 = x - _level(x)
    m = _spread_out(e0, bucket, "median").where(_spread_out(e0, bucket, "count") >= MIN_FACTOR, 0.0)
    y = x - m
    level, width = _level(y), CLIP * _scale(y).clip(lower=FLOOR)
    clipped = level + (y - level).clip(-width, width)
    yw = clipped.where(width.notna() & level.notna(), y)
    s0, n = _scale(yw), yw.notna().astype(float).shift(1).rolling(SCALE, min_periods=1).sum()
    pooled = (n * s0**2 + PRIOR * _spread_out(s0, bucket, "median") ** 2) / (n + PRIOR)
    z = (y - level) / (np.sqrt(pooled).clip(lower=FLOOR) * np.sqrt(1 + 1 / n))
    return Activity(m, y - level, n, z / _dispersion(z, bucket))


def _level(table: Wide) -> Wide:
    return table.shift(1).rolling(LEVEL, min_periods=MIN_LEVEL).median()


def _scale(table: Wide) -> Wide:
    return table.shift(1).rolling(SCALE, min_periods=MIN_SCALE).std()


def _spread_out(table: Wide, bucket: Any, how: str) -> Wide:
    """A number of each bucket and session, at every ticker of the bucket."""
    return table.T.groupby(bucket).transform(how).T


def _dispersion(z: Wide, bucket: Any) -> Wide:
    groups = z.T.groupby(bucket)
    width = (groups.quantile(0.84) - groups.quantile(0.16)) / 2
    width = width.clip(lower=1.0).where(groups.count() >= MIN_SPREAD, 1.0)
    return width.reindex(bucket).set_axis(z.columns).T.fillna(1.0)


def _move_z(wide: Wide, bucket: Any) -> Any:
    """The larger of the close's and the open's z against the close before."""
    before, found = wide["close"].shift(1), []
    for price in (wide["close"], wide["open"]):
        move = np.log(price / before)
        usual = _spread_out(move, bucket, "median")
        own = move - usual.where(_spread_out(move, bucket, "count") >= MIN_FACTOR, 0.0)
        width = CLIP * _scale(own).clip(lower=MOVE_FLOOR)
        tamed = own.clip(-width, width).where(width.notna(), own)
        found.append(own.iloc[-1].abs() / _scale(tamed).iloc[-1].clip(lower=MOVE_FLOOR))
    return np.fmax(*found)


def _size_z(volume: Wide, trades: Wide) -> Any:
    size = np.log((volume / trades).where(trades > 0))
    before = size.iloc[-1 - SCALE : -1]
    return (size.iloc[-1] - before.median()) / before.std().clip(lower=FLOOR)


def _eligible(today: Any) -> Any:
    tickers = today.index.to_series()
    fifth = tickers.str.fullmatch("[A-Z]{4}[WRUPONM]") & tickers.str[:4].isin(tickers)
    other = fifth | tickers.str.contains(r"[+=]$|\.U$|\.WS|\.RT$|p[A-Z]?$|r$|w$")
    usual = (today["transactions"] / np.exp(today["dev_trades"])).fillna(50.0)
    dollars, seen = today["volume"] * today["close"], today[["n_volume", "n_trades"]].max(axis=1)
    return (
        ~other
        & today["z"].notna()
        & (seen >= MIN_SCALE)
        & (today["adv"] >= 1e6)
        & (today["close"] >= 1.0)
        & (dollars >= 2e6)
        & (today["transactions"].fillna(100) >= 100)
        & (usual >= 50.0)
    )


def _rarity(today: Any, past: Wide, bucket: Any) -> Any:
    rarity = pd.Series(np.nan, index=today.index)
    for number in range(len(BUCKETS_USD) - 1):
        pool = past.loc[:, bucket == number].to_numpy().ravel()
        pool = np.sort(pool[~np.isnan(pool)])
        names = today.index[(today["bucket"] == number) & today["z"].notna()]
        exceeding = len(pool) - np.searchsorted(pool, today.loc[names, "z"])
        often = (1 + len(pool)) / (1 + exceeding)
        rarity[names] = np.where(exceeding < 10, len(pool) / 10, often)
    return rarity
