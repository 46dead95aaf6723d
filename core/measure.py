"""Bars over a lookback -> every number about a session's names, before any rule is applied. Pure.

The formulas: core.baseline and docs/detection.md. What is measured once can be judged by any rule
(core.detect), so a change of settings can be tried without reading a bar again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from core.bars import Scope
from core.baseline import FEATURES, LOOKBACK_SESSIONS, activity, grid, returns
from core.calendar import TradingDay, sessions_ending
from core.renames import Rename, follow, follow_splits
from core.share import logit, shares
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
    scope: Scope = Scope.ALL
    """Which trades the bars count."""

    @classmethod
    def of(
        cls, bars: pl.DataFrame, days: Sequence[TradingDay], scope: Scope = Scope.ALL
    ) -> "Window":
        """Of bars with every column."""
        recent = pl.Series([day.date for day in days[-RECENT_SESSIONS:]])
        columns = [*HISTORY, *(("share",) if "share" in bars.columns else ())]
        is_recent = pl.col("session").is_in(recent.implode())
        return cls(bars.select(columns), bars.filter(is_recent), scope)

    def with_logit(self) -> "Window":
        """The logit of the share beside the history, where both scopes are known.

        Before anything is restated: volumes of one session as published.
        """
        if "share" not in self.history.columns:
            return self
        return replace(self, history=self.history.with_columns(logit=logit(self.scope)))

    def followed(self, renames: Sequence[Rename], as_of: date) -> "Window":
        """Under the tickers of one day."""
        history, recent = (follow(bars, renames, as_of) for bars in (self.history, self.recent))
        return Window(history, recent, self.scope)

    def restated(self, splits: Sequence[Split], as_of: date) -> "Window":
        """On the share basis of one day."""
        history, recent = (restate(bars, splits, as_of) for bars in (self.history, self.recent))
        return Window(history, recent, self.scope)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the names besides their bars."""

    splits: tuple[Split, ...] = ()
    renames: tuple[Rename, ...] = ()


def measure(bars: Window, days: Sequence[TradingDay], known: Known) -> pl.DataFrame:
    """One row a ticker that traded in the last of `days`; and each row of the REPEAT_SESSIONS
    before that was loud (z at least LEAST_Z), or whose off-exchange share and volume both were,
    with what its gates need. Without the other scope all about the off-exchange share is null.

    Sorted by session and ticker. Bit-identical on a re-run.
    """
    day, window = days[-1], [s.date for s in days[-LOOKBACK_SESSIONS:]]
    splits, last = follow_splits(known.splits, known.renames, day.date), len(window) - 1
    bars = bars.with_logit().followed(known.renames, day.date).restated(splits, day.date)
    dense = _dense(bars.history, window)
    # The largest part of what is held: nobody else may hold on to it either.
    bars = replace(bars, history=bars.history.clear())
    is_recent = dense["t"] >= max(0, last - REPEAT_SESSIONS)
    moves, sizes = _texts(returns(dense)), _texts(_sizes(dense, last))
    recent, dense = dense.filter(is_recent), dense.drop("adv", "open", "close")
    for feature in FEATURES:
        latest, z = _rated(dense, feature, is_recent)
        recent, dense = recent.hstack(latest), dense.hstack([z])
    recent = recent.hstack(shares(dense, is_recent, bars.scope)).drop("logit", strict=False)
    recent = recent.filter(pl.col("volume").is_not_null()).with_columns(
        *louder("z", "z", "dev", "m"),
        z_raw=pl.max_horizontal(pl.col("^raw_.*$")),
        feature=louder_feature("z"),
    )
    recent = recent.pipe(_dated, window).pipe(_off_exchange_counts, bars)
    today = recent.filter(pl.col("t") == last).pipe(
        _with_bars, bars.recent.filter(pl.col("session") == day.date)
    )
    watched = suspected(bars.recent.select(COLUMNS), days, splits)
    today = (
        today.join(moves, on="ticker", how="left")
        .join(sizes, on="ticker", how="left")
        .join(_splits_on(splits, day), on="ticker", how="left")
        .join(watched, on="ticker", how="left")
        .pipe(_rarity, dense, last)
    )
    known_today = pl.col("ticker").is_in(today["ticker"].implode())
    earlier = recent.filter(pl.col("t") < last, _was_loud(), known_today)
    return pl.concat([earlier, today], how="diagonal").drop("t").sort("session", "ticker")


def _dense(history: pl.DataFrame, window: Sequence[date]) -> pl.DataFrame:
    also = [c for c in _SHARE if c in history.columns]
    return grid(history, pl.Series("session", window, pl.Date), also)


def _dated(recent: pl.DataFrame, window: Sequence[date]) -> pl.DataFrame:
    times = pl.DataFrame({"t": range(len(window)), "session": window}, schema_overrides=_TIMES)
    return recent.join(times, on="t", how="left", maintain_order="left").pipe(_texts)


def _was_loud() -> pl.Expr:
    shifted = (pl.col("z_share") >= LEAST_Z) & (pl.col("z_off_volume") >= LEAST_Z)
    return (pl.col("z") >= LEAST_Z) | shifted


_SHARE = ("share", "logit")
_TIMES = {"t": pl.UInt32, "session": pl.Date}


def _off_exchange_counts(recent: pl.DataFrame, bars: Window) -> pl.DataFrame:
    """With share and off_transactions; null where unknown."""
    if "share" not in recent.columns:
        recent = recent.with_columns(share=pl.lit(None, pl.Float64))
    if bars.scope is Scope.OFF_EXCHANGE:
        return recent.with_columns(off_transactions="transactions")
    if "off_transactions" not in bars.recent.columns:
        return recent.with_columns(off_transactions=pl.lit(None, pl.Int64))
    known = bars.recent.select("session", "ticker", "off_transactions")
    return recent.join(known, on=["session", "ticker"], how="left", maintain_order="left")


def _with_bars(today: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The judged beside the other columns of the session's bars."""
    rest = bars.select("ticker", *(c for c in bars.columns if c not in (*today.columns, *HISTORY)))
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


def louder(by: str, *names: str) -> list[pl.Expr]:
    """These numbers of the feature that stands out more by another: z, or raw."""
    of = pl.when(_is_trades(by))
    return [of.then(f"{name}_trades").otherwise(f"{name}_volume").alias(name) for name in names]


def louder_feature(by: str) -> pl.Expr:
    """The name of that feature."""
    return pl.when(_is_trades(by)).then(pl.lit("trades")).otherwise(pl.lit("volume"))


def _is_trades(by: str) -> pl.Expr:
    trades, volume = pl.col(f"{by}_trades"), pl.col(f"{by}_volume")
    return trades.is_not_null() & (volume.is_null() | (trades > volume))


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


def _splits_on(splits: Sequence[Split], day: TradingDay) -> pl.DataFrame:
    # One executed on a Sunday takes effect on Monday.
    eve = sessions_ending(day, 2)[0].date
    today = sorted(s for s in splits if eve < s.execution_date <= day.date)
    return pl.DataFrame(
        {"ticker": [s.ticker for s in today], "split": [str(s) for s in today]},
        schema={"ticker": pl.String, "split": pl.String},
    ).unique("ticker", keep="first", maintain_order=True)


def _rarity(today: pl.DataFrame, dense: pl.DataFrame, last: int) -> pl.DataFrame:
    """K of "1 in K": how often names of this bucket were at least as far out in the window.

    K = (1 + pool) / (1 + exceeding), capped at pool / 10 where fewer than 10 exceeded.
    """
    past = dense.select("bucket", *louder("z", "z")).filter(dense["t"] < last).drop_nulls()
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
