"""Bars over a lookback -> every number about a session's names, before any rule is applied. Pure.

The formulas: core.baseline and docs/detection.md. What is measured once can be judged by any rule
(core.detect), so a change of settings can be tried without reading a bar again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from core.baseline import FEATURES, LOOKBACK_SESSIONS, activity, grid, returns
from core.calendar import TradingDay
from core.renames import Rename, follow, follow_splits
from core.split_watch import COLUMNS, SESSIONS_NEEDED, suspected
from core.splits import Split, restate

REPEAT_SESSIONS = 5
"""So many sessions before the judged one may have made today's a repeat."""

RECENT_SESSIONS = max(REPEAT_SESSIONS + 1, SESSIONS_NEEDED)
"""So many of the newest sessions are looked at with every column."""

HISTORY = ("session", "ticker", "volume", "transactions", "open", "close")
"""What is needed of every session of the lookback."""

LEAST_Z = 2.5
"""Earlier sessions under it are left out of what is measured: no rule may cut lower."""

_MIN_EXCEEDING = 10
_COUNTED = {"ticker": pl.String, "bucket": pl.String, "z": pl.Float64, "pool": pl.Int64}
_COUNTED |= {"below": pl.Int64}


@dataclass(frozen=True, slots=True)
class Window:
    """Bars of a lookback that ends with the judged session, in any order."""

    history: pl.DataFrame
    """Columns HISTORY, and share where both scopes are known; every session."""
    recent: pl.DataFrame
    """All columns, the last RECENT_SESSIONS."""

    @classmethod
    def of(cls, bars: pl.DataFrame, days: Sequence[TradingDay]) -> "Window":
        """Of bars with every column."""
        recent = pl.Series([day.date for day in days[-RECENT_SESSIONS:]])
        columns = [*HISTORY, *(("share",) if "share" in bars.columns else ())]
        return cls(bars.select(columns), bars.filter(pl.col("session").is_in(recent.implode())))

    def followed(self, renames: Sequence[Rename], as_of: date) -> "Window":
        """Under the tickers of one day."""
        return Window(follow(self.history, renames, as_of), follow(self.recent, renames, as_of))

    def restated(self, splits: Sequence[Split], as_of: date) -> "Window":
        """On the share basis of one day."""
        return Window(restate(self.history, splits, as_of), restate(self.recent, splits, as_of))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the names besides their bars."""

    splits: tuple[Split, ...] = ()
    renames: tuple[Rename, ...] = ()


def measure(bars: Window, days: Sequence[TradingDay], known: Known) -> pl.DataFrame:
    """One row a ticker that traded in the last of `days`; and each row of the REPEAT_SESSIONS
    before that was loud (z at least LEAST_Z), with what its gates need.

    Sorted by session and ticker. Bit-identical on a re-run.
    """
    day, window = days[-1], [s.date for s in days[-LOOKBACK_SESSIONS:]]
    splits, last = follow_splits(known.splits, known.renames, day.date), len(window) - 1
    bars = bars.followed(known.renames, day.date).restated(splits, day.date)
    dense = grid(bars.history, pl.Series("session", window, pl.Date))
    is_recent = dense["t"] >= max(0, last - REPEAT_SESSIONS)
    recent, dense = dense.filter(is_recent), dense.drop("adv")
    for feature in FEATURES:
        latest, z = _rated(dense, feature, is_recent)
        recent, dense = recent.hstack(latest), dense.hstack([z])
    recent = recent.filter(pl.col("volume").is_not_null()).with_columns(
        *_louder("z", "dev", "m"), z_raw=pl.max_horizontal(pl.col("^raw_.*$")), feature=_FEATURE
    )
    times = pl.DataFrame({"t": range(len(window)), "session": window}, schema_overrides=_TIMES)
    recent = recent.join(times, on="t", how="left", maintain_order="left").pipe(_texts)
    today = recent.filter(pl.col("t") == last).pipe(
        _with_bars, bars.recent.filter(pl.col("session") == day.date)
    )
    watched = suspected(bars.recent.select(COLUMNS), days, splits)
    today = (
        today.join(_texts(returns(dense)), on="ticker", how="left")
        .join(_texts(_sizes(dense, last)), on="ticker", how="left")
        .join(_splits_on(splits, day.date), on="ticker", how="left")
        .join(watched, on="ticker", how="left")
        .pipe(_rarity, dense, last)
    )
    earlier = recent.filter(
        pl.col("t") < last,
        pl.col("z") >= LEAST_Z,
        pl.col("ticker").is_in(today["ticker"].implode()),
    )
    return pl.concat([earlier, today], how="diagonal").drop("t").sort("session", "ticker")


_TIMES = {"t": pl.UInt32, "session": pl.Date}


def _with_bars(today: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The judged beside the other columns of the session's bars."""
    rest = bars.drop("session", "volume", "transactions", "close")
    return today.join(rest, on="ticker", how="left", maintain_order="left")


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Text instead of the grid's numbers, for what leaves this module."""
    return frame.cast({c: pl.String for c in ("ticker", "bucket") if c in frame.columns})


def _rated(
    dense: pl.DataFrame, feature: str, is_recent: pl.Series
) -> tuple[pl.DataFrame, pl.Series]:
    """Everything about a feature in the last sessions; of the whole window only z, for memory."""
    dev = pl.col("y") - pl.col("level")
    # As if nothing had been removed of what the whole market did.
    raw = (dev + pl.col("m")) / pl.col("s")
    found = activity(dense, feature).select("m", dev.alias("dev"), "n", "z", raw.alias("raw"))
    found = found.rename(lambda column: f"{column}_{feature}")
    return found.filter(is_recent), found[f"z_{feature}"]


def _louder(*names: str) -> list[pl.Expr]:
    """These numbers of the feature that stands out more."""
    return [
        pl.when(_IS_TRADES).then(f"{name}_trades").otherwise(f"{name}_volume").alias(name)
        for name in names
    ]


_IS_TRADES = pl.col("z_trades").is_not_null() & (
    pl.col("z_volume").is_null() | (pl.col("z_trades") > pl.col("z_volume"))
)
_FEATURE = pl.when(_IS_TRADES).then(pl.lit("trades")).otherwise(pl.lit("volume"))


def _sizes(dense: pl.DataFrame, last: int) -> pl.DataFrame:
    """Shares a trade against the ticker's own usual: ticker, z_size, dev_size (ln)."""
    size = (pl.col("volume") / pl.col("transactions")).log()
    before = pl.col("t").is_between(last - 60, last - 1)
    return (
        dense.select("ticker", "t", size=pl.when(pl.col("transactions") > 0).then(size))
        .group_by("ticker")
        .agg(
            today=pl.col("size").filter(pl.col("t") == last).first(),
            usual=pl.col("size").filter(before).median(),
            spread=pl.col("size").filter(before).std().clip(lower_bound=0.15),
        )
        .select(
            "ticker",
            dev_size=pl.col("today") - pl.col("usual"),
            z_size=(pl.col("today") - pl.col("usual")) / pl.col("spread"),
        )
    )


def _splits_on(splits: Sequence[Split], day: date) -> pl.DataFrame:
    today = sorted(s for s in splits if s.execution_date == day)
    return pl.DataFrame(
        {"ticker": [s.ticker for s in today], "split": [str(s) for s in today]},
        schema={"ticker": pl.String, "split": pl.String},
    ).unique("ticker", keep="first", maintain_order=True)


def _rarity(today: pl.DataFrame, dense: pl.DataFrame, last: int) -> pl.DataFrame:
    """K of "1 in K": how often names of this bucket were at least as far out in the window.

    K = (1 + pool) / (1 + exceeding), capped at pool / 10 where fewer than 10 exceeded.
    """
    past = dense.select("bucket", *_louder("z")).filter(dense["t"] < last).drop_nulls()
    # How many past z of the bucket are below: where today's would be put among them.
    counted = [
        names.with_columns(
            pool=pl.lit(len(pool), pl.Int64),
            below=pool.search_sorted(names["z"]).cast(pl.Int64),
        )
        for (bucket,), names in today.select("ticker", "bucket", "z")
        .drop_nulls()
        .group_by("bucket")
        if len(pool := past.filter(pl.col("bucket") == bucket)["z"].sort())
    ]
    found = (
        pl.concat([pl.DataFrame(schema=_COUNTED), *counted])
        .with_columns(exceeding=pl.col("pool") - pl.col("below"))
        .select(
            "ticker",
            "pool",
            "exceeding",
            rarity_is_floor=pl.col("exceeding") < _MIN_EXCEEDING,
            rarity=pl.when(pl.col("exceeding") < _MIN_EXCEEDING)
            .then(pl.col("pool") / _MIN_EXCEEDING)
            .otherwise((1 + pl.col("pool")) / (1 + pl.col("exceeding"))),
        )
    )
    return today.join(found, on="ticker", how="left", maintain_order="left")
