"""The vendor's grouped-daily answers: decoded JSON -> Bars. Pure.

Rows come in no order; `n`, `vw` and `otc` may be left out, and `v` may have a fraction.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from core.bars import UNREADABLE, Bars, check
from core.calendar import TradingDay
from core.errors import BadBars, NotPublished, SourceUnavailable, Verdict

SERVED = ("OK", "DELAYED")
"""What `status` says of good data; plans with a delay say the latter."""

_RESULT = {
    "T": pl.String,
    "o": pl.Float64,
    "h": pl.Float64,
    "l": pl.Float64,
    "c": pl.Float64,
    "v": pl.Float64,
    "n": pl.Float64,
    "vw": pl.Float64,
    "t": pl.Int64,  # milliseconds UTC, end of the regular session
}
_NAMES = {
    "T": "ticker",
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
    "n": "transactions",
    "vw": "vwap",
    "t": "stamp",
}
# Polars panics, past every `except Exception`, at dates that no calendar has: null instead.
_YEAR_2200_MS = 7_258_118_400_000
_STAMP = (
    pl.when(pl.col("stamp").is_between(0, _YEAR_2200_MS))
    .then(pl.col("stamp"))
    .cast(pl.Datetime("ms", "UTC"))
)


def parse(body: dict[str, Any], day: TradingDay) -> Bars:
    """The bars in a grouped-daily answer; no results on a session is not an empty market."""
    results = results_of(body)
    claimed = body.get("resultsCount", len(results))
    if claimed != len(results):
        raise BadBars(f"resultsCount says {claimed}, but {len(results)} rows came for {day}")
    frame = frame_of(results, _RESULT, day).rename(_NAMES)
    return check(frame.with_columns(_STAMP.alias("stamp")), day)


def results_of(body: Mapping[str, Any]) -> list[Any]:
    """The rows of an answer; a 200 may still say that it failed: such an answer is not empty."""
    if body.get("status") not in SERVED:
        raise SourceUnavailable(
            f"200 with status {str(body.get('status'))[:40]!r}", Verdict.VENDOR_FAULT
        )
    results = body.get("results") or []
    if not isinstance(results, list):
        raise BadBars(f"`results` is a {type(results).__name__}")
    return results


def frame_of(
    results: list[Any], schema: Mapping[str, type[pl.DataType]], day: TradingDay
) -> pl.DataFrame:
    """The rows of a session with the columns of `schema`; raises NotPublished if there is none."""
    if not results:
        raise NotPublished(f"200 without results for {day}")
    try:
        return pl.from_dicts(results, schema=schema, strict=True)
    except (
        *UNREADABLE,
        TypeError,
        AttributeError,
        OverflowError,
        ValueError,  # half a surrogate pair in a ticker
    ) as error:
        raise BadBars(f"a row of {day} cannot be read: {str(error)[:200]}") from error
