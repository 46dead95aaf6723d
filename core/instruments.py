"""What kind of instrument a ticker is, by the spelling rules of the tape. Pure.

The vendor's reference knows better; without it the suffixes of the CQS and Nasdaq symbologies say
enough to keep warrants, rights, units, preferreds and test symbols out of a list for people.
"""

import polars as pl

COMMON = "common"
"""Common stock, ADR, fund or ETF: what may be pushed."""

_TEST = r"^(Z[A-Z]ZZT|ZZZT[A-Z]?|ZTEST|ZEXIT|ZIEXT|ZXIET|ZBZX|[ACMNP]TEST)([./][A-Z]{1,2})?$"
_BY_SUFFIX = {
    "test": _TEST,
    "preferred": r"^[A-Z0-9.]+p[A-Z]?$",
    "warrant": r"(\.WS(\.[A-Z])?|\+)$",
    "right": r"^[A-Z0-9.]+r(w)?$|\.RT$",
    "unit": r"\.U$|=$",
    "when issued": r"^[A-Z0-9.]+w$",
}
# Nasdaq's fifth letter; only if the four letters before it also trade, for GOOGL is no preferred.
_FIFTH_LETTER = {"warrant": "W", "right": "R", "unit": "U", "preferred": "PONM"}


def kinds(tickers: pl.Series) -> pl.DataFrame:
    """The kind of each ticker traded on one day: columns ticker, kind."""
    ticker = pl.col("ticker")
    root_trades = ticker.str.slice(0, 4).is_in(tickers.implode())
    rules = [(name, ticker.str.contains(pattern)) for name, pattern in _BY_SUFFIX.items()]
    rules += [
        (name, ticker.str.contains(f"^[A-Z]{{4}}[{letters}]$") & root_trades)
        for name, letters in _FIFTH_LETTER.items()
    ]
    kind = pl.coalesce(*(pl.when(fits).then(pl.lit(name)) for name, fits in rules), pl.lit(COMMON))
    return tickers.to_frame("ticker").with_columns(kind.alias("kind"))
