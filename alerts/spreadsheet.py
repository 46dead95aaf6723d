"""The lines of a session as CSV, to be opened in a spreadsheet. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from alerts.message import explain, in_sections, stamp
from alerts.model import Detail, File, Report
from core.anomaly import Anomaly

_COLUMNS: Mapping[str, Any] = {
    "session": pl.Date,
    "line": pl.Int64,
    "ticker": pl.String,
    "kind": pl.String,
    "label": pl.String,
    "tier": pl.String,
    "feature": pl.String,
    "ratio": pl.Float64,
    "value": pl.Float64,
    "normal": pl.Float64,
    "z": pl.Float64,
    "score": pl.Float64,
    "rarity": pl.Float64,
    "ret_pct": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "share": pl.Float64,
    "usual_share": pl.Float64,
    "text": pl.String,
    "sample": pl.Boolean,
}
_RAW = ("value", "normal", "close", "volume")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width ones of the first."""


def spreadsheet(report: Report, detail: Detail = Detail.FULL) -> File:
    """Every line, those past the cap too; `line` is empty for what the digest did not show.

    Prices and counts are empty where they are not told.
    """
    lines = [*enumerate(in_sections(report.pushed), 1), *((None, a) for a in report.beyond)]
    sample = bool(stamp(report.judged.series))
    untold = {} if detail.raw else dict.fromkeys(_RAW)
    rows = [
        _row(a, {"line": n, "text": explain(a, detail), "sample": sample} | untold)
        for n, a in lines
    ]
    frame = pl.DataFrame(rows, schema=_COLUMNS, orient="row")
    name = f"tapewatch-{'sample-' if sample else ''}{report.judged.session}.csv"
    return File(name, frame.write_csv(float_precision=6))


def _row(anomaly: Anomaly, known: Mapping[str, object]) -> Sequence[object]:
    values = (known.get(name, getattr(anomaly, name, None)) for name in _COLUMNS)
    return [inactive(value) if isinstance(value, str) else value for value in values]


def inactive(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one shape, such as those of `anomalies --json`; of a headline its title."""
    return pl.DataFrame([_flat(row) for row in rows], infer_schema_length=None).write_csv()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: value["title"] if isinstance(value, dict) else value
            for name, value in row.items()}  # fmt: skip
    return {n: inactive(value) if isinstance(value, str) else value for n, value in flat.items()}
