"""What was measured, judged by a rule -> ranked anomalies with their evidence. Pure.

The rule and what lost against it: docs/detection.md.
"""

from collections.abc import Mapping

import polars as pl

from core.anomaly import Anomaly, Market, Rule, from_row
from core.bars import Scope
from core.instruments import NOTHING_KNOWN, PUSHABLE, kinds
from core.labels import label, only_shifted
from core.measure import louder, louder_feature

_LN_FRESH = 0.405465108108  # ln 1.5: half again above the last peak is news, not a repeat
_MOST_MOVED = 8.0  # beyond it a bad print would outrank everything


def score(
    measured: pl.DataFrame, rule: Rule, types: Mapping[str, str] = NOTHING_KNOWN
) -> pl.DataFrame:
    """The rows of the newest session in `measured`: every number, every gate, the verdict.

    Best first: eligible ones by score, dollar volume, ticker. `types`: the vendor's by ticker, as
    core.instruments.kinds takes them.
    """
    newest = pl.col("session") == pl.col("session").max()
    today, earlier = measured.filter(newest), measured.filter(~newest)
    kind = kinds(today["ticker"], types)
    return (
        today.join(_repeats(earlier, kind, rule), on="ticker", how="left")
        .join(kind, on="ticker", how="left")
        .with_columns(*_gates(rule), *_shift(rule))
        .with_columns(_flags(rule))
        .with_columns(_verdict())
        .with_columns(_lingering(rule))
        .with_columns(label=label())
        .sort(
            [pl.col("eligible"), pl.col("score"), pl.col("dollar_volume"), pl.col("ticker")],
            descending=[True, True, True, False],
            nulls_last=True,
        )
    )


def market(scores: pl.DataFrame, rule: Rule) -> Market:
    """What the whole session was like."""
    eligible = scores.filter("eligible")
    typical = eligible.select((pl.col("m_volume") + pl.col("dev_volume")).median().exp()).item()
    return Market(
        names=len(scores),
        eligible=len(eligible),
        no_baseline=int(scores.select((~pl.col("pass_history")).sum()).item()),
        typical_x=1.0 if typical is None else float(typical),
        held_back=len(scores.filter(_held_back(rule))),
    )


def anomalies(
    scores: pl.DataFrame, scope: Scope = Scope.ALL, *, every: bool = False
) -> list[Anomaly]:
    """The alertable rows in order of rank; with `every`, all that pass the gates."""
    chosen = scores.filter("eligible") if every else scores.filter("alertable")
    return _ranked(chosen, scope)


def lingering(scores: pl.DataFrame, scope: Scope = Scope.ALL) -> list[Anomaly]:
    """Names that were alertable in the last sessions and are still elevated, best first."""
    return _ranked(scores.filter("lingering"), scope)


def raw_hits(scores: pl.DataFrame, rule: Rule, scope: Scope = Scope.ALL) -> list[Anomaly]:
    """The names that Market.held_back counts, loudest first, each by the feature that is over the
    cut: feature, value, ratio, market_x and z are its."""
    chosen = scores.filter(_held_back(rule)).sort("z_raw", "ticker", descending=[True, False])
    chosen = chosen.with_columns(*louder("raw", "dev", "m", "z"), feature=louder_feature("raw"))
    return _ranked(chosen, scope)


def _ranked(chosen: pl.DataFrame, scope: Scope) -> list[Anomaly]:
    return [from_row(rank, row, scope) for rank, row in enumerate(chosen.iter_rows(named=True), 1)]


def _held_back(rule: Rule) -> pl.Expr:
    return pl.col("eligible") & ~pl.col("alertable") & (pl.col("z_raw") >= rule.min_z)


def _repeats(earlier: pl.DataFrame, kind: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """Sessions of the same ticker shortly before that were alertable: how many, and the highest."""
    return (
        earlier.join(kind, on="ticker")
        .with_columns(*_gates(rule), *_shift(rule))
        .with_columns(_flags(rule))
        .filter(pl.col("loud") | pl.col("shifted"))
        .sort("ticker", "dev", "session", descending=[False, True, False])
        .group_by("ticker", maintain_order=True)
        .agg(
            repeats=pl.len(),
            peak_dev=pl.col("dev").first(),
            peak_session=pl.col("session").first(),
            first_session=pl.col("session").min(),
            before_dev=pl.col("dev").sort_by("session").last(),
        )
    )


def _gates(rule: Rule) -> list[pl.Expr]:
    """Each gate by name; a number that is unknown passes only where the source never has it."""
    seen = pl.max_horizontal("n_volume", "n_trades").fill_null(0)
    counted = pl.col("transactions")
    usual_trades = (counted / pl.col("dev_trades").exp()).fill_null(rule.min_usual_transactions)
    dollars = pl.col("volume") * pl.col("close")
    return [
        dollars.alias("dollar_volume"),
        seen.alias("sessions_seen"),
        pl.col("kind").is_in(PUSHABLE).alias("pass_kind"),
        (pl.col("z").is_not_null() & (seen >= rule.min_sessions)).alias("pass_history"),
        (pl.col("adv") >= rule.min_adv_usd).fill_null(value=False).alias("pass_adv"),
        (pl.col("close") >= rule.min_close_usd).fill_null(value=False).alias("pass_close"),
        (dollars >= rule.min_dollar_volume_usd).fill_null(value=False).alias("pass_dollars"),
        (counted.fill_null(rule.min_transactions) >= rule.min_transactions).alias("pass_trades"),
        (usual_trades >= rule.min_usual_transactions).alias("pass_usual_trades"),
    ]


def _shift(rule: Rule) -> list[pl.Expr]:
    """Each condition of the alert on the off-exchange share, by name; the unknown as for gates."""
    least = rule.min_off_transactions
    met = {
        "share": pl.col("z_share") >= rule.min_share_z,
        "volume": pl.col("z_off_volume") >= rule.min_off_volume_z,
        "dollars": pl.col("off_volume") * pl.col("close") >= rule.min_off_dollar_volume_usd,
        "trades": pl.col("off_transactions").fill_null(least) >= least,
        "history": pl.col("n_share") >= rule.min_share_sessions,
    }
    return [known.fill_null(value=False).alias(f"shift_{name}") for name, known in met.items()]


def _flags(rule: Rule) -> list[pl.Expr]:
    """Passes the gates; is above the cut as well; or is what the alert on the share asks for."""
    eligible = pl.all_horizontal(pl.col("^pass_.*$"))
    return [
        eligible.alias("eligible"),
        (eligible & (pl.col("z") >= rule.min_z)).fill_null(value=False).alias("loud"),
        (eligible & pl.all_horizontal(pl.col("^shift_.*$"))).alias("shifted"),
    ]


def _verdict() -> list[pl.Expr]:
    peak = pl.col("peak_dev")
    moved = pl.col("move_z").fill_null(0.0).clip(upper_bound=_MOST_MOVED)
    # The number by which the row is flagged; a share's own spread may be next to nothing.
    share = pl.col("z_share").clip(upper_bound=6.0)
    z = pl.when(only_shifted()).then(share).otherwise(pl.col("z"))
    return [
        moved.alias("price_score"),
        (z + moved).alias("score"),
        (pl.col("loud") | pl.col("shifted")).alias("alertable"),
        (peak.is_not_null() & (pl.col("dev") <= peak + _LN_FRESH)).alias("continuing"),
    ]


def _lingering(rule: Rule) -> pl.Expr:
    """Under the cut, flagged in the sessions before, and with the price move still over it."""
    elevated = (pl.col("z") >= rule.still_z) & (pl.col("score") >= rule.min_z)
    was = pl.col("eligible") & pl.col("peak_dev").is_not_null() & ~pl.col("alertable")
    return (was & elevated).fill_null(value=False).alias("lingering")
