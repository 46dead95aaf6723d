"""What flagged names did afterwards, beside unflagged ones of the same kind and session. Pure.

A flag: alertable, no repeat, no split or what looks like one (what a digest says, or would say
past its cap).
Its base: the eligible names of the same liquidity bucket and session that were not flagged; each
flag is compared with the mean of its own base, so a busy session weighs no more in the one than in
the other. Repeats and splits are on neither side, quiet as they may be today.

    move   plain return from the judged close to the close h sessions later, less the median of all
           eligible names of that session (so the market is out of it on both sides)
    size   |move| over the name's usual move: 1.4826 x median |return| of the 60 sessions before,
           at least half a percent, times sqrt(h)

The interval is of flag minus base: whole sessions are resampled in blocks of 2h (at least 5),
because moves of one session, and overlapping ones, come together. Under 5 blocks there is none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from core.baseline import MIN_SCALE, SCALE_SESSIONS
from core.labels import CORPORATE_ACTION

HORIZONS = (1, 5, 20)
"""Sessions after the judged one."""

MIN_OF_LABEL = 10
_MOVE_FLOOR = 0.005
_MIN_BLOCK, _MIN_BLOCKS, _RESAMPLES, _SEED = 5, 5, 2000, 20261122


@dataclass(frozen=True, slots=True)
class Compared:
    """One number of the flags beside that of their base, and the 95 % interval of its distance."""

    flags: float
    base: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """So many sessions after the flag."""

    horizon: int
    flags: int
    """Those with a close then, and names to compare with: what the numbers are made of."""
    later: int
    """Flags whose session at the horizon is not over, or not stored."""
    gone: int
    """Flags without a close in that session, though others have one: halted, delisted, renamed."""
    gone_base: float
    """The share of base names without one, averaged over the same flags."""
    alone: int
    """Flags without a name to compare with."""
    size: Compared | None
    """Mean |move| in usual moves; None without flags, as the next three."""
    above: Compared | None
    """Share with a move above zero: rose more, or fell less, than the median."""
    mean: Compared | None
    """Mean move; 0.01 is one percent."""
    median: Compared | None
    """Median move beside the mean of the bases' medians; no interval."""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Every horizon, and each label that has flags enough."""

    sessions: int
    flags: int
    horizons: tuple[Outcome, ...]
    labels: tuple[tuple[str, Outcome], ...]
    """At the middle horizon, at least MIN_OF_LABEL compared; the most frequent first."""


def sides(scores: pl.DataFrame) -> pl.DataFrame:
    """The eligible rows of core.detect.score: session, ticker, bucket, label, flagged.

    `flagged` is true for a flag, false for a name of the base, null for repeats and splits.
    """
    split = (pl.col("label") == CORPORATE_ACTION) | pl.col("suspected").is_not_null()
    fresh = ~pl.col("continuing") & ~split
    return scores.filter("eligible").select(
        "session",
        "ticker",
        "bucket",
        "label",
        flagged=pl.when(fresh).then("alertable"),
    )


def scorecard(judged: pl.DataFrame, closes: pl.DataFrame, days: Sequence[date]) -> Scorecard:
    """What became of the flags among `judged` (rows of `sides`).

    `closes`: session, ticker, close on one share basis. `days`: every session by the calendar,
    oldest first, from SCALE_SESSIONS + 1 before the first judged one to the newest stored.
    """
    rows = _followed(judged, closes, days)
    sessions = rows["t"].unique().sort()
    found = {h: _compared_rows(rows, h) for h in HORIZONS}
    middle = found[HORIZONS[1]]
    labels = [
        (label, _outcome(own, sessions, HORIZONS[1]))
        for (label,), own in middle.group_by("label", maintain_order=True)
    ]
    labels = [(label, o) for label, o in labels if o.flags >= MIN_OF_LABEL]
    return Scorecard(
        sessions=len(sessions),
        flags=len(middle),
        horizons=tuple(_outcome(found[h], sessions, h) for h in HORIZONS),
        labels=tuple(sorted(labels, key=lambda pair: (-pair[1].flags, pair[0]))),
    )


def _followed(judged: pl.DataFrame, closes: pl.DataFrame, days: Sequence[date]) -> pl.DataFrame:
    """The judged rows with t, close, usual, and later_h, known_h of each horizon h."""
    # A dense grid of numbers: joins on text over a year of a market took 300 MB.
    tickers, count = pl.Enum(judged["ticker"].unique().sort()), len(days)
    t = pl.col("session").replace_strict(days, range(count), return_dtype=pl.UInt32)
    cell = (pl.col("ticker").cast(tickers).to_physical().cast(pl.UInt32) * count + t).alias("cell")
    named = closes.filter(pl.col("close") > 0, pl.col("ticker").is_in(tickers.categories.implode()))
    stored = closes.select(t.unique())["session"]
    rows = judged.select(cell, t.alias("t"), "bucket", "label", "flagged").with_columns(
        (pl.col("t") + h).is_in(stored.implode()).alias(f"known_{h}") for h in HORIZONS
    )
    grid = _grid(named.select(cell, "close"), len(tickers.categories), count)
    return rows.join(grid, on="cell", how="left")


def _grid(closes: pl.DataFrame, tickers: int, count: int) -> pl.DataFrame:
    """cell, close, usual, later_h: every ticker at every session, nulls where it did not trade."""
    dense = (
        pl.select(cell=pl.int_range(tickers * count, dtype=pl.UInt32))
        .join(closes, on="cell", how="left", maintain_order="left")
        .with_columns(ticker=pl.col("cell") // count)
    )
    close = pl.col("close")
    move = (close / close.shift(1) - 1).abs()
    usual = 1.4826 * move.rolling_median(SCALE_SESSIONS, min_samples=MIN_SCALE).shift(1)
    return dense.with_columns(
        usual.clip(lower_bound=_MOVE_FLOOR).over("ticker").alias("usual"),
        *(close.shift(-h).over("ticker").alias(f"later_{h}") for h in HORIZONS),
    ).drop("ticker")


def _compared_rows(rows: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """One row a flag: t, label, known, gone, its numbers, and base_* the means of its base."""
    plain = pl.col(f"later_{horizon}") / pl.col("close") - 1
    after = (
        rows.select("cell", "t", "bucket", "label", "flagged", "usual",
                    known=f"known_{horizon}", move=plain - plain.median().over("t"))
        .with_columns(
            above=(pl.col("move") > 0).cast(pl.Float64),
            size=pl.col("move").abs() / (pl.col("usual") * math.sqrt(horizon)),
            gone=pl.col("known") & pl.col("move").is_null(),
        )
    )  # fmt: skip
    base = (
        after.filter(~pl.col("flagged"))
        .group_by("t", "bucket")
        .agg(
            pl.col("move", "above", "size", "gone").mean().name.prefix("base_"),
            base_median=pl.col("move").median(),
        )
    )
    # In a fixed order, so that sums have the same bits every time.
    return after.filter("flagged").join(base, on=["t", "bucket"], how="left").sort("cell")


def _outcome(flags: pl.DataFrame, sessions: pl.Series, horizon: int) -> Outcome:
    seen = flags.filter(pl.col("move").is_not_null())
    compared = seen.filter(pl.col("base_move").is_not_null())
    known, n = flags.filter("known"), len(compared)
    gone_base = known.select(pl.col("base_gone").mean()).item()
    return Outcome(
        horizon=horizon,
        flags=n,
        later=len(flags) - len(known),
        gone=int(known["gone"].sum()),
        gone_base=0.0 if gone_base is None else float(gone_base),
        alone=len(seen) - n,
        size=_compared(compared, "size", sessions, horizon),
        above=_compared(compared, "above", sessions, horizon),
        mean=_compared(compared, "move", sessions, horizon),
        median=_medians(compared),
    )


def _medians(compared: pl.DataFrame) -> Compared | None:
    own, base = compared.select(pl.col("move").median(), pl.col("base_median").mean()).row(0)
    return None if own is None else Compared(own, base)


def _compared(
    compared: pl.DataFrame, column: str, sessions: pl.Series, horizon: int
) -> Compared | None:
    pairs = compared.select("t", own=column, base=f"base_{column}").drop_nulls()
    if pairs.is_empty():
        return None
    low, high = _interval(pairs, sessions, horizon)
    own, base = pairs.select(pl.col("own").mean(), pl.col("base").mean()).row(0)
    return Compared(own, base, low, high)


def _interval(
    pairs: pl.DataFrame, sessions: pl.Series, horizon: int
) -> tuple[float | None, float | None]:
    """2.5 and 97.5 % of the mean distance over resampled blocks of sessions."""
    per_session = (
        pl.DataFrame({"t": sessions.filter(sessions <= pairs["t"].max())})
        .join(
            pairs.group_by("t").agg(sum=(pl.col("own") - pl.col("base")).sum(), n=pl.len()),
            on="t",
            how="left",
            maintain_order="left",
        )
        .fill_null(0)
    )
    import numpy as np  # 15 MB and 0.1 s, for the few who ask for a scorecard

    sums, counts = per_session["sum"].to_numpy(), per_session["n"].to_numpy()
    block = max(_MIN_BLOCK, 2 * horizon)
    if len(sums) < _MIN_BLOCKS * block:
        return None, None
    rng, starts = np.random.default_rng(_SEED), np.arange(len(sums) - block + 1)
    drawn = rng.choice(starts, (_RESAMPLES, -(-len(sums) // block)))
    places = (drawn[:, :, None] + np.arange(block)).reshape(_RESAMPLES, -1)[:, : len(sums)]
    drawn_sums, drawn_counts = sums[places].sum(1), counts[places].sum(1)
    means = drawn_sums[drawn_counts > 0] / drawn_counts[drawn_counts > 0]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
