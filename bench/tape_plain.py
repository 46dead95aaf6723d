"""The same bars in the way that first comes to mind: pandas with a mask a field, a plain loop.

The rivals of bench.tape_sides are tuned by somebody who knows what a day of trades costs. These two
are what such a job looks like before that.
"""

import time
from pathlib import Path
from typing import Any

from bench.child import Job, Watch
from bench.tape_sides import (
    BLOCK_DOLLARS,
    BLOCK_SHARES,
    CLOSES,
    NUMBERS,
    OPENS,
    SCOPES,
    Answer,
    answer,
)


def pandas(job: Job, watch: Watch) -> Answer:
    """read_csv in chunks of a million, a mask for each rule, one group_by for each scope."""
    import pandas as pd

    from core.conditions import bundled

    rules, verdicts = bundled(), dict[str, Any]()

    def verdict(text: str) -> Any:
        return verdicts.get(text) or verdicts.setdefault(text, rules.verdict(text))

    start = time.process_time()
    with watch.lap():
        parts: dict[str, list[Any]] = {scope: [] for scope in SCOPES}
        for chunk in pd.read_csv(job.market, chunksize=1_000_000, keep_default_na=False):
            rows = _judged(chunk, verdict)
            for scope, own in zip(SCOPES, (rows, rows[rows["exchange"] == 4]), strict=True):
                parts[scope].append(_bars(own))
        bars = {scope: _together(pd.concat(found)) for scope, found in parts.items()}
    cpu = time.process_time() - start
    return {"cpu_s": cpu, **answer({s: b[NUMBERS].sum() for s, b in bars.items()})}


def _judged(chunk: Any, verdict: Any) -> Any:
    """The rows in their order, with what each may move."""
    rows = chunk.sort_values(["sip_timestamp", "sequence_number"])
    rows["cancelled"] = ~rows["correction"].isin([0, 1, "", "0", "1"])
    updates = rows["conditions"].map(verdict)
    for place, name in enumerate(("high_low", "open_close", "counts")):
        rows[name] = updates.str[place] & ~rows["cancelled"]
    rows["dollars"] = rows["price"] * rows["size"]
    rows["block"] = (rows["size"] >= BLOCK_SHARES) | (rows["dollars"] >= BLOCK_DOLLARS)
    inside = rows["sip_timestamp"].between(OPENS, CLOSES, inclusive="left")
    rows["regular"] = rows["size"].where(inside, 0.0)
    return rows


def _bars(rows: Any) -> Any:
    """One chunk's bars of one scope."""
    import pandas as pd

    counted, ends = rows[rows["counts"]], rows[rows["open_close"]].groupby("ticker")
    volume, reach = counted.groupby("ticker"), rows[rows["high_low"]].groupby("ticker")
    top = counted.sort_values(["size", "price"]).groupby("ticker")
    cancelled = rows[rows["cancelled"]].groupby("ticker")["size"]
    uncounted = rows[~rows["counts"] & ~rows["cancelled"]].groupby("ticker")["size"]
    return pd.DataFrame(
        {
            "open": ends["price"].first(),
            "first": ends["sip_timestamp"].first(),
            "first_number": ends["sequence_number"].first(),
            "high": reach["price"].max(),
            "low": reach["price"].min(),
            "close": ends["price"].last(),
            "last": ends["sip_timestamp"].last(),
            "last_number": ends["sequence_number"].last(),
            "volume": volume["size"].sum(),
            "transactions": volume["size"].count(),
            "dollars": volume["dollars"].sum(),
            "blocks": volume["block"].sum(),
            "largest": top["size"].last(),
            "largest_price": top["price"].last(),
            "regular_volume": volume["regular"].sum(),
            "cancelled": cancelled.count(),
            "cancelled_volume": cancelled.sum(),
            "uncounted": uncounted.count(),
            "uncounted_volume": uncounted.sum(),
        }
    )


def _together(parts: Any) -> Any:
    """The chunks' bars of one scope as one bar a ticker."""
    sums = [
        *("volume", "transactions", "dollars", "blocks", "regular_volume"),
        *("cancelled", "cancelled_volume", "uncounted", "uncounted_volume"),
    ]
    parts = parts.rename_axis("ticker").reset_index()
    bars = parts.groupby("ticker")[sums].sum()
    bars["high"] = parts.groupby("ticker")["high"].max()
    bars["low"] = parts.groupby("ticker")["low"].min()
    first = parts.dropna(subset="open").sort_values(["first", "first_number"])
    last = parts.dropna(subset="close").sort_values(["last", "last_number"])
    top = parts.dropna(subset="largest").sort_values(["largest", "largest_price"])
    bars["open"] = first.groupby("ticker")["open"].first()
    bars["close"] = last.groupby("ticker")["close"].last()
    bars[["largest", "largest_price"]] = top.groupby("ticker")[["largest", "largest_price"]].last()
    bars["vwap"] = bars["dollars"] / bars["volume"]
    return bars[(bars["transactions"] > 0) | bars[["open", "high"]].notna().any(axis=1)]


def reference(job: Job, watch: Watch) -> Answer:
    """The slow reference of the tests: csv, gzip, Decimal; exact, as ours is."""
    from tests.core.slow_tape import reduced

    start = time.process_time()
    with watch.lap():
        found = reduced(Path(job.market).read_bytes(), OPENS, CLOSES)
        totals = {
            scope: [
                sum(bar[name] or 0 for (_, own), bar in found.items() if own == scope)
                for name in NUMBERS
            ]
            for scope in SCOPES
        }
    return {"cpu_s": time.process_time() - start, **answer(totals)}
