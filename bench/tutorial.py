"""The rival: the algorithm of the vendor's published "hunting anomalies" tutorial, in pandas.

A faithful and fair rendition of build-lookup-table.py and query-lookup-table.py as published in the
examples of the vendor's Python client, in our own words: a row at a time with iterrows into a list
per ticker, a small frame per ticker with rolling(5) over the shifted counts, a dict of dicts, then
one date looked up. To its favour the files are unpacked already (the tutorial leaves that to the
shell), nothing is pickled to disk or loaded again, and nothing is printed.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from bench.child import Job, Watch

INGESTED = 8
THRESHOLD = 3
Trades = dict[str, list[dict[str, Any]]]
Lookup = dict[str, dict[str, dict[str, Any]]]


def ingest(job: Job, watch: Watch) -> dict[str, Any]:
    """Its first half, a lap a file: what it does with a session before it looks at any."""
    trades: Trades = defaultdict(list)
    for day in job.days[-INGESTED:]:
        with watch.lap():
            _append(trades, job.root / "csv" / f"{day}.csv")
    return {"rows": sum(len(records) for records in trades.values())}


def judge(job: Job, watch: Watch) -> dict[str, Any]:
    """The whole of it for the newest date, rebuilt from the files as it is every day."""
    with watch.lap():
        found = query(build(job.root / "csv" / f"{day}.csv" for day in job.days), job.days[-1])
    return {"found": len(found), "first": found[0]["ticker"] if found else ""}


def _append(trades: Trades, path: Path) -> None:
    frame = pd.read_csv(path)
    for _, row in frame.iterrows():
        trades[row["ticker"]].append(
            {
                "date": pd.to_datetime(row["window_start"], unit="ns").date(),
                "trades": row["transactions"],
                "close_price": row["close"],
            }
        )


def build(paths: Iterable[Path]) -> Lookup:
    """{ticker: {date: numbers}} out of the files, oldest first."""
    trades: Trades = defaultdict(list)
    for path in paths:
        _append(trades, path)
    lookup: Lookup = defaultdict(dict)
    for ticker, records in trades.items():
        for day, row in _statistics(records).iterrows():
            known = pd.notnull(row["avg_trades"]) and pd.notnull(row["std_trades"])
            lookup[ticker][day.strftime("%Y-%m-%d")] = {
                "trades": row["trades"],
                "close_price": row["close_price"],
                "price_diff": row["price_diff"],
                "avg_trades": row["avg_trades"] if known else None,
                "std_trades": row["std_trades"] if known else None,
            }
    return lookup


def _statistics(records: list[dict[str, Any]]) -> Any:
    frame = pd.DataFrame(records).sort_values("date").set_index("date")
    frame["price_diff"] = frame["close_price"].pct_change() * 100
    before = frame["trades"].shift(1)
    frame["avg_trades"] = before.rolling(window=5).mean()
    frame["std_trades"] = before.rolling(window=5).std()
    return frame


def query(lookup: Lookup, day: str) -> list[dict[str, Any]]:
    """The tickers with more than three standard deviations on a date, most trades first."""
    found = []
    for ticker, by_date in lookup.items():
        row = by_date.get(day)
        if row is None or row["avg_trades"] is None or not row["std_trades"] > 0:
            continue
        z = (row["trades"] - row["avg_trades"]) / row["std_trades"]
        if z > THRESHOLD:
            found.append({"ticker": ticker, "z": z, **row})
    return sorted(found, key=lambda row: row["trades"], reverse=True)
