"""Bars against what is normal -> ranked anomalies with the evidence for every word said. Pure.

The rule, its formulas and what lost against it: docs/detection.md.
"""

from datetime import date

import polars as pl

from core.anomaly import Anomaly, Market, Rule, from_row
from core.bars import Scope
from core.baseline import FEATURES, LOOKBACK_SESSIONS, activity, grid, returns
from core.calendar import TradingDay
from core.instruments import COMMON, kinds
from core.splits import Split, restate

REPEAT_SESSIONS = 5
_LN_FRESH = 0.405465108108  # ln 1.5: half again above the last peak is news, not a repeat
_MIN_EXCEEDING = 10
_COUNTED = {"ticker": pl.String, "bucket": pl.String, "z": pl.Float64, "pool": pl.Int64}
_COUNTED |= {"below": pl.Int64}


def score(
    bars: pl.DataFrame, sessions: list[TradingDay], splits: list[Split], rule: Rule
) -> pl.DataFrame:
    """One row a ticker that traded in the last of `sessions`: every number and every gate.

    `bars`: the stored rows of the sessions, in any order. Bit-identical on a re-run.
    """
    day, window = sessions[-1], [s.date for s in sessions[-LOOKBACK_SESSIONS:]]
    bars, last = restate(bars, splits, day.date), len(window) - 1
    dense = grid(bars, pl.Series("session", window, pl.Date))
    is_recent = dense["t"] >= max(0, last - REPEAT_SESSIONS)
    recent, dense = dense.filter(is_recent), dense.drop("adv")
    for feature in FEATURES:
        latest, z = _rated(dense, feature, is_recent)
        recent, dense = recent.hstack(latest), dense.hstack([z])
    recent = recent.with_columns(*_louder("z", "dev", "m"), feature=_FEATURE)
    today = _today(recent, bars.filter(pl.col("session") == day.date), last)
    kind = kinds(today["ticker"])
    return (
        today.join(_texts(returns(dense)), on="ticker", how="left")
        .join(_texts(_sizes(dense, last)), on="ticker", how="left")
        .join(_repeats(recent, kind, window, rule), on="ticker", how="left")
        .join(kind, on="ticker", how="left")
        .join(_splits_today(splits, day.date), on="ticker", how="left")
        .with_columns(_gates(rule))
        .with_columns(eligible=pl.all_horizontal(pl.col("^pass_.*$")))
        .pipe(_rarity, dense, last)
        .with_columns(_verdict(rule))
        .with_columns(label=_label())
        .sort(
            [pl.col("eligible"), pl.col("score"), pl.col("dollar_volume"), pl.col("ticker")],
            descending=[True, True, True, False],
            nulls_last=True,
        )
    )


def _today(recent: pl.DataFrame, bars: pl.DataFrame, last: int) -> pl.DataFrame:
    """The tickers that traded in the last session, with the columns of Bars beside the judged."""
    traded = recent.filter(pl.col("t") == last, pl.col("volume").is_not_null())
    rest = bars.drop("volume", "transactions", "close")
    return traded.pipe(_texts).join(rest, on="ticker", how="left", maintain_order="left")


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Text instead of the grid's numbers, for what leaves this module."""
    return frame.cast({c: pl.String for c in ("ticker", "bucket") if c in frame.columns})


def market(scores: pl.DataFrame) -> Market:
    """What the whole session was like."""
    eligible = scores.filter("eligible")
    typical = eligible.select((pl.col("m_volume") + pl.col("dev_volume")).median().exp()).item()
    return Market(
        names=len(scores),
        eligible=len(eligible),
        no_baseline=int(scores.select((~pl.col("pass_history")).sum()).item()),
        typical_x=1.0 if typical is None else float(typical),
    )


def anomalies(
    scores: pl.DataFrame, scope: Scope = Scope.ALL, *, every: bool = False
) -> list[Anomaly]:
    """The alertable rows in order of rank; with `every`, all that pass the gates."""
    chosen = scores.filter("eligible") if every else scores.filter("alertable")
    return [from_row(rank, row, scope) for rank, row in enumerate(chosen.iter_rows(named=True), 1)]


def _rated(
    dense: pl.DataFrame, feature: str, is_recent: pl.Series
) -> tuple[pl.DataFrame, pl.Series]:
    """Everything about a feature in the last sessions; of the whole window only z, for memory."""
    dev = (pl.col("y") - pl.col("level")).alias("dev")
    found = activity(dense, feature).select("m", dev, "n", "z")
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


def _repeats(
    recent: pl.DataFrame, kind: pl.DataFrame, window: list[date], rule: Rule
) -> pl.DataFrame:
    """Sessions of the same ticker shortly before that were alertable: how many, and the highest."""
    last = len(window) - 1
    loud = (pl.col("z") >= rule.min_z) & pl.col("t").is_between(last - REPEAT_SESSIONS, last - 1)
    earlier = (
        recent.filter(loud)
        .pipe(_texts)
        .join(kind, on="ticker")
        .with_columns(_gates(rule))
        .filter(pl.all_horizontal(pl.col("^pass_.*$")))
    )
    times = pl.DataFrame({"t": range(len(window)), "on": window}, schema_overrides={"t": pl.UInt32})
    return (
        earlier.join(times, on="t")
        .sort("ticker", "dev", "t", descending=[False, True, False])
        .group_by("ticker", maintain_order=True)
        .agg(repeats=pl.len(), peak_dev=pl.col("dev").first(), peak_session=pl.col("on").first())
    )


def _splits_today(splits: list[Split], day: date) -> pl.DataFrame:
    today = sorted(s for s in splits if s.execution_date == day)
    return pl.DataFrame(
        {"ticker": [s.ticker for s in today], "split": [str(s) for s in today]},
        schema={"ticker": pl.String, "split": pl.String},
    ).unique("ticker", keep="first", maintain_order=True)


def _gates(rule: Rule) -> list[pl.Expr]:
    """Each gate by name; a number that is unknown passes only where the source never has it."""
    seen = pl.max_horizontal("n_volume", "n_trades").fill_null(0)
    counted = pl.col("transactions")
    usual_trades = (counted / pl.col("dev_trades").exp()).fill_null(rule.min_usual_transactions)
    dollars = pl.col("volume") * pl.col("close")
    return [
        dollars.alias("dollar_volume"),
        seen.alias("sessions_seen"),
        (pl.col("kind") == COMMON).alias("pass_kind"),
        (pl.col("z").is_not_null() & (seen >= rule.min_sessions)).alias("pass_history"),
        (pl.col("adv") >= rule.min_adv_usd).fill_null(value=False).alias("pass_adv"),
        (pl.col("close") >= rule.min_close_usd).fill_null(value=False).alias("pass_close"),
        (dollars >= rule.min_dollar_volume_usd).fill_null(value=False).alias("pass_dollars"),
        (counted.fill_null(rule.min_transactions) >= rule.min_transactions).alias("pass_trades"),
        (usual_trades >= rule.min_usual_transactions).alias("pass_usual_trades"),
    ]


def _rarity(scores: pl.DataFrame, dense: pl.DataFrame, last: int) -> pl.DataFrame:
    """K of "1 in K": how often names of this bucket were at least as far out in the window.

    K = (1 + n) / (1 + exceeding), capped at n / 10 where fewer than 10 exceeded.
    """
    past = dense.select("bucket", *_louder("z")).filter(dense["t"] < last).drop_nulls()
    # How many past z of the bucket are below: where today's would be put among them.
    counted = [
        names.with_columns(
            pool=pl.lit(len(pool), pl.Int64),
            below=pool.search_sorted(names["z"]).cast(pl.Int64),
        )
        for (bucket,), names in scores.select("ticker", "bucket", "z")
        .drop_nulls()
        .group_by("bucket")
        if len(pool := past.filter(pl.col("bucket") == bucket)["z"].sort())
    ]
    found = (
        pl.concat([pl.DataFrame(schema=_COUNTED), *counted])
        .with_columns(exceeding=pl.col("pool") - pl.col("below"))
        .select(
            "ticker",
            rarity_is_floor=pl.col("exceeding") < _MIN_EXCEEDING,
            rarity=pl.when(pl.col("exceeding") < _MIN_EXCEEDING)
            .then(pl.col("pool") / _MIN_EXCEEDING)
            .otherwise((1 + pl.col("pool")) / (1 + pl.col("exceeding"))),
        )
    )
    return scores.join(found, on="ticker", how="left", maintain_order="left")


def _verdict(rule: Rule) -> list[pl.Expr]:
    peak = pl.col("peak_dev")
    known = pl.col("ret_z").fill_null(0.0).clip(upper_bound=6.0)
    return [
        (pl.col("z") + 0.5 * known).alias("score"),
        (pl.col("eligible") & (pl.col("z") >= rule.min_z))
        .fill_null(value=False)
        .alias("alertable"),
        (peak.is_not_null() & (pl.col("dev") <= peak + _LN_FRESH)).alias("continuing"),
    ]


def _label() -> pl.Expr:
    """The first that fits."""
    place = (pl.col("close") - pl.col("low")) / (pl.col("high") - pl.col("low"))
    faded = (
        (pl.col("close") < 5)
        & (pl.col("dev").exp() >= 10)
        & (place <= 0.25)
        & (pl.col("high") / pl.col("prev_close") >= 1.3)
    )
    return (
        pl.when(pl.col("split").is_not_null())
        .then(pl.lit("corporate action"))
        .when(pl.col("ret_z") >= 3)
        .then(pl.lit("news-like"))
        .when((pl.col("z_size") >= 3) & (pl.col("z_trades") < 2))
        .then(pl.lit("block-like"))
        .when((pl.col("z_trades") - pl.col("z_volume") >= 1) & (pl.col("dev_size") < 0))
        .then(pl.lit("crowd"))
        .when(faded)
        .then(pl.lit("spike-and-fade"))
        .when(pl.col("ret_z") < 1.5)
        .then(pl.lit("quiet volume"))
        .otherwise(pl.lit("volume"))
    )
