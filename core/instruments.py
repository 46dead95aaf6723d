"""What kind of instrument a ticker is: by the vendor's reference, else by its spelling. Pure.

Without the reference the suffixes of the CQS and Nasdaq symbologies say enough to keep warrants,
rights, units, preferreds and test symbols out of a list for people. They cannot tell an ETF or a
fund from a stock: without a key those are common.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

COMMON, FUND, ETF = "common", "fund", "ETF"
PUSHABLE = frozenset({COMMON, FUND, ETF})
"""Kinds that a digest may name; all others are answered on demand, never pushed."""

NOTHING_KNOWN: Mapping[str, str] = MappingProxyType({})

_WHEN_ISSUED = "when issued"
_TEST = r"^(Z[A-Z]ZZT|ZZZT[A-Z]?|ZTEST|ZEXIT|ZIEXT|ZXIET|ZBZX|[ACMNP]TEST)([./][A-Z]{1,2})?$"
_BY_SUFFIX = {
    "preferred": r"^[A-Z0-9.]+p[A-Z]?$",
    "warrant": r"(\.WS(\.[A-Z])?|\+)$",
    "right": r"^[A-Z0-9.]+r(w)?$|\.RT$",
    "unit": r"\.U$|=$",
    _WHEN_ISSUED: r"^[A-Z0-9.]+w$",
}
# Nasdaq's fifth letter; only if the four letters before it also trade, for GOOGL is no preferred.
_FIFTH_LETTER = {"warrant": "W", "right": "R", "unit": "U", "preferred": "PONM"}

_BY_TYPE = {
    **dict.fromkeys(("CS", "ADRC", "OS", "GDR", "NYRS"), COMMON),
    **dict.fromkeys(("ETF", "ETN", "ETV", "ETS"), ETF),
    "FUND": FUND,
    **dict.fromkeys(("PFD", "ADRP"), "preferred"),
    **dict.fromkeys(("WARRANT", "ADRW"), "warrant"),
    **dict.fromkeys(("RIGHT", "ADRR"), "right"),
    "UNIT": "unit",
    "SP": "structured product",
    **dict.fromkeys(("BOND", "AGEN", "EQLK"), "bond"),
    "BASKET": "basket",
    "LT": "liquidating trust",
    "OTHER": "other",
}


@dataclass(frozen=True, slots=True)
class Instrument:
    """One ticker of the vendor's list of active stocks."""

    ticker: str
    type: str | None
    """The vendor's code, such as CS, ETF or WARRANT; None where it gives none."""
    name: str
    figi: str | None
    """Composite FIGI: the same instrument has it under every ticker."""


def kinds(tickers: pl.Series, known: Mapping[str, str] = NOTHING_KNOWN) -> pl.DataFrame:
    """The kind of each ticker traded on one day: columns ticker, kind, in the order asked.

    `known`: the vendor's types by ticker. A ticker without one, or with one that is not in our
    table, goes by its spelling; so do test symbols, whatever the vendor calls them, and shares
    traded when issued, for which it has no type.
    """
    ticker = pl.col("ticker")
    typed = ticker.replace_strict(_kinds_of(known), default=None, return_dtype=pl.String)
    root_trades = ticker.str.slice(0, 4).is_in(tickers.implode())
    when_issued = ticker.str.contains(_BY_SUFFIX[_WHEN_ISSUED]) & (typed == COMMON)
    spelled = [
        *(pl.when(ticker.str.contains(fits)).then(pl.lit(k)) for k, fits in _BY_SUFFIX.items()),
        *(
            pl.when(ticker.str.contains(f"^[A-Z]{{4}}[{letters}]$") & root_trades).then(pl.lit(k))
            for k, letters in _FIFTH_LETTER.items()
        ),
    ]
    kind = pl.coalesce(
        pl.when(ticker.str.contains(_TEST)).then(pl.lit("test")),
        pl.when(when_issued).then(pl.lit(_WHEN_ISSUED)),
        typed,
        *spelled,
        pl.lit(COMMON),
    )
    return tickers.to_frame("ticker").with_columns(kind.alias("kind"))


def _kinds_of(known: Mapping[str, str]) -> dict[str, str]:
    return {ticker: _BY_TYPE[code] for ticker, code in known.items() if code in _BY_TYPE}
