"""The sides of bench.tape. Each makes the same bars: for every ticker and both scopes all columns
of core.tape_bars.TAPE. The rivals are told core.conditions' verdict on each kind of conditions.
"""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from bench.child import Job, Watch

MIDNIGHT = 1_790_913_600_000_000_000  # 2026-10-02, New York
HOUR = 3600 * 10**9
OPENS, CLOSES = MIDNIGHT + 9 * HOUR + HOUR // 2, MIDNIGHT + 16 * HOUR
BLOCK_SHARES, BLOCK_DOLLARS = 10_000, 200_000 - 1e-9  # a float's 200,000 may be a hair less
SCOPES = ("all", "off_exchange")
NUMBERS = ["open", "high", "low", "close", "volume", "transactions", "vwap", "blocks", "largest",
           "largest_price", "regular_volume", "cancelled", "cancelled_volume", "uncounted",
           "uncounted_volume"]  # fmt: skip

Answer: TypeAlias = dict[str, float]
"""The seconds of CPU, and the sums of all bars by which the sides are compared."""


def ours(job: Job, watch: Watch) -> Answer:
    """core.tape_count up to the bytes for the pipe; the frame is made by another process."""
    import boto3  # noqa: F401 - the process that counts has it loaded

    from core.conditions import bundled
    from core.tape_count import count
    from core.tape_sums import Counted, Session

    session = Session("2026-10-02", MIDNIGHT, OPENS, CLOSES, MIDNIGHT + 24 * HOUR)
    start = time.process_time()
    with watch.lap(), Path(job.market).open("rb") as stream:
        dumped = count(stream, session, bundled()).dump()
    cpu = time.process_time() - start

    from core.tape import tape_of

    start = time.process_time()
    bars = tape_of(Counted.load(dumped)).bars
    frame = time.process_time() - start
    rows = bars.select("scope", *NUMBERS).group_by("scope").sum().rows_by_key("scope", unique=True)
    return {"cpu_s": cpu, "frame_s": frame, **answer(rows)}


def unpack(job: Job, watch: Watch) -> Answer:
    """Nothing but isal into one buffer: the floor."""
    from isal import igzip

    start, buffer = time.process_time(), bytearray(4 << 20)
    with watch.lap(), Path(job.market).open("rb") as stream:
        unpacked = igzip.IGzipFile(fileobj=stream)  # type: ignore[no-untyped-call]
        while unpacked.readinto(buffer):
            pass
    return {"cpu_s": time.process_time() - start}


def tuned_polars(job: Job, watch: Watch) -> Answer:
    """The streaming engine: one group_by, then the rules on a row for each kind of conditions."""
    os.environ |= {"POLARS_CSV_CHUNK_SIZE": "1000000", "POLARS_CSV_CHUNK_PREFETCH_LIMIT": "2"}
    os.environ["POLARS_MAX_THREADS"] = "2"
    import polars as pl

    start = time.process_time()
    with watch.lap():
        types = {"conditions": pl.Categorical, "size": pl.Float64}
        trades = pl.scan_csv(job.market, schema_overrides=types, infer_schema_length=1000)
        groups = (
            _polars_groups(trades)
            .with_columns(pl.col("conditions").cast(pl.String).fill_null(""))
            .collect(engine="streaming")
        )
        kinds = pl.DataFrame(_ruled(groups["conditions"].unique()), _RULED, orient="row")
        ruled = groups.join(kinds, on=["conditions", "cancelled"])
        bars = {"all": _polars_bars(ruled), "off_exchange": _polars_bars(ruled.filter("off"))}
    cpu = time.process_time() - start
    return {"cpu_s": cpu, **answer({s: b.select(NUMBERS).sum().row(0) for s, b in bars.items()})}


def _polars_groups(trades: Any) -> Any:
    import polars as pl

    price, size, sip = pl.col("price"), pl.col("size"), pl.col("sip_timestamp")
    dollars, moment = price * size, sip.cast(pl.Int128) * 10**10 + pl.col("sequence_number")
    off, cancelled = pl.col("exchange") == 4, pl.col("correction").fill_null(0) > 1
    return (
        trades.with_columns(moment=moment)
        .group_by("ticker", "conditions", off=off, cancelled=cancelled)
        .agg(
            size.sum(), trades=pl.len(), dollars=dollars.sum(),
            blocks=((size >= BLOCK_SHARES) | (dollars >= BLOCK_DOLLARS)).sum(),
            regular=(size * sip.is_between(OPENS, CLOSES, closed="left")).sum(),
            largest=size.max(), largest_price=price.max_by(pl.struct("size", "price")),
            low=price.min(), high=price.max(),
            open=price.min_by("moment"), close=price.max_by("moment"),
            first=pl.col("moment").min(), last=pl.col("moment").max(),
        )
    )  # fmt: skip


def _polars_bars(groups: Any) -> Any:
    import polars as pl

    high_low, open_close, counts = (pl.col(n) for n in ("high_low", "open_close", "counts"))
    cancelled, uncounted = pl.col("cancelled"), pl.col("uncounted")
    size, trades, top = pl.col("size"), pl.col("trades"), pl.struct("largest", "largest_price")
    volume = size.filter(counts).sum()
    return (
        groups.group_by("ticker")
        .agg(
            pl.col("open").filter(open_close).min_by(pl.col("first").filter(open_close)),
            pl.col("high").filter(high_low).max(),
            pl.col("low").filter(high_low).min(),
            pl.col("close").filter(open_close).max_by(pl.col("last").filter(open_close)),
            pl.col("blocks").filter(counts).sum(),
            pl.col("largest").filter(counts).max(),
            pl.col("largest_price").filter(counts).max_by(top.filter(counts)),
            volume=volume,
            transactions=trades.filter(counts).sum(),
            vwap=pl.when(volume > 0).then(pl.col("dollars").filter(counts).sum() / volume),
            regular_volume=pl.col("regular").filter(counts).sum(),
            cancelled=trades.filter(cancelled).sum(),
            cancelled_volume=size.filter(cancelled).sum(),
            uncounted=trades.filter(uncounted).sum(),
            uncounted_volume=size.filter(uncounted).sum(),
        )
        .filter(pl.any_horizontal(pl.col("transactions") > 0, pl.col("open", "high").is_not_null()))
    )


def duckdb(job: Job, watch: Watch) -> Answer:
    """read_csv with the types given, two threads, 400 MB; the same two steps as in polars."""
    import duckdb as rival

    start = time.process_time()
    with watch.lap():
        base = rival.connect()
        base.execute("SET memory_limit = '400MB'; SET threads = 2")
        base.execute(f"SET preserve_insertion_order = false; SET temp_directory = '{job.scratch}'")
        block = {"block_shares": BLOCK_SHARES, "block_dollars": BLOCK_DOLLARS}
        base.execute(_GROUPS, {"file": job.market, "opens": OPENS, "closes": CLOSES, **block})
        texts = base.execute("SELECT DISTINCT conditions FROM groups").fetchall()
        base.execute(_KINDS)
        kinds = _ruled(text for (text,) in texts)
        base.executemany("INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?)", kinds)
        base.execute(_BARS)
    cpu = time.process_time() - start
    sums = "SELECT scope, sum(COLUMNS(* EXCLUDE (ticker, scope))) FROM bars GROUP BY scope"
    rows = base.execute(sums).fetchall()
    return {"cpu_s": cpu, **answer({scope: row for scope, *row in rows})}


_GROUPS = """
CREATE TEMP TABLE groups AS
SELECT ticker, coalesce(conditions, '') AS conditions, exchange = 4 AS off,
    coalesce(correction, 0) > 1 AS cancelled,
    count(*) AS trades, sum(size) AS size, sum(price * size) AS dollars,
    count(*) FILTER (size >= $block_shares OR price * size >= $block_dollars) AS blocks,
    sum(size) FILTER (sip_timestamp >= $opens AND sip_timestamp < $closes) AS regular,
    max(size) AS largest, arg_max(price, (size, price)) AS largest_price,
    min(price) AS low, max(price) AS high,
    arg_min(price, moment) AS open, arg_max(price, moment) AS close,
    min(moment) AS first, max(moment) AS last
FROM (SELECT *, sip_timestamp::HUGEINT * 10_000_000_000 + sequence_number AS moment
FROM read_csv($file, header = true, auto_detect = false, delim = ',', quote = '"', columns = {
    'ticker': 'VARCHAR', 'conditions': 'VARCHAR', 'correction': 'INTEGER', 'exchange': 'INTEGER',
    'id': 'VARCHAR', 'participant_timestamp': 'BIGINT', 'price': 'DOUBLE',
    'sequence_number': 'BIGINT', 'sip_timestamp': 'BIGINT', 'size': 'DOUBLE', 'tape': 'INTEGER',
    'trf_id': 'INTEGER', 'trf_timestamp': 'BIGINT'}))
GROUP BY ticker, conditions, off, cancelled"""
_KINDS = """
CREATE TEMP TABLE kinds (conditions VARCHAR, cancelled BOOL, high_low BOOL, open_close BOOL,
    counts BOOL, uncounted BOOL)"""
_BARS = """
CREATE TEMP TABLE bars AS
SELECT ticker, scope,
    arg_min(open, first) FILTER (open_close) AS open, max(high) FILTER (high_low) AS high,
    min(low) FILTER (high_low) AS low, arg_max(close, last) FILTER (open_close) AS close,
    coalesce(sum(size) FILTER (counts), 0) AS volume,
    coalesce(sum(trades) FILTER (counts), 0) AS transactions,
    sum(dollars) FILTER (counts) / nullif(sum(size) FILTER (counts), 0) AS vwap,
    coalesce(sum(blocks) FILTER (counts), 0) AS blocks, max(largest) FILTER (counts) AS largest,
    arg_max(largest_price, (largest, largest_price)) FILTER (counts) AS largest_price,
    coalesce(sum(regular) FILTER (counts), 0) AS regular_volume,
    coalesce(sum(trades) FILTER (groups.cancelled), 0) AS cancelled,
    coalesce(sum(size) FILTER (groups.cancelled), 0) AS cancelled_volume,
    coalesce(sum(trades) FILTER (kinds.uncounted), 0) AS uncounted,
    coalesce(sum(size) FILTER (kinds.uncounted), 0) AS uncounted_volume
FROM groups JOIN kinds USING (conditions, cancelled)
JOIN (VALUES ('all'), ('off_exchange')) scopes(scope) ON scope = 'all' OR off
GROUP BY ticker, scope HAVING bool_or(counts OR open_close OR high_low)"""


def pandas(job: Job, watch: Watch) -> Answer:
    """read_csv a million rows at a time, the needed columns only; the same two steps."""
    import pandas as pd

    texts = {"ticker": "category", "conditions": "category"}
    numbers = ["exchange", "price", "sequence_number", "sip_timestamp", "size"]
    start = time.process_time()
    with watch.lap():
        chunks = pd.read_csv(
            job.market,
            usecols=[*texts, "correction", *numbers],
            dtype={**texts, "correction": "Int64"},
            chunksize=1_000_000,
            keep_default_na=False,
            na_values={"correction": [""]},
        )
        groups = pd.concat([_pandas_groups(chunk) for chunk in chunks]).reset_index()
        kinds = pd.DataFrame(_ruled(groups["conditions"].unique()), columns=_RULED)
        ruled = groups.merge(kinds, on=["conditions", "cancelled"])
        bars = {"all": _pandas_bars(ruled), "off_exchange": _pandas_bars(ruled[ruled["off"]])}
    cpu = time.process_time() - start
    return {"cpu_s": cpu, **answer({s: b[NUMBERS].sum() for s, b in bars.items()})}


_PANDAS_GROUP = {
    "trades": ("size", "size"), "size": ("size", "sum"), "dollars": ("dollars", "sum"),
    "blocks": ("block", "sum"), "regular": ("regular", "sum"), "largest": ("size", "max"),
    "low": ("price", "min"), "high": ("price", "max"),
    "open": ("price", "first"), "close": ("price", "last"),
    "first": ("sip_timestamp", "first"), "first_number": ("sequence_number", "first"),
    "last": ("sip_timestamp", "last"), "last_number": ("sequence_number", "last"),
}  # fmt: skip


def _pandas_groups(chunk: Any) -> Any:
    rows = chunk.sort_values(["sip_timestamp", "sequence_number"])
    rows["off"] = rows["exchange"] == 4
    rows["cancelled"] = rows["correction"].fillna(0) > 1
    rows["dollars"] = rows["price"] * rows["size"]
    rows["block"] = (rows["size"] >= BLOCK_SHARES) | (rows["dollars"] >= BLOCK_DOLLARS)
    regular = rows["sip_timestamp"].between(OPENS, CLOSES, inclusive="left")
    rows["regular"] = rows["size"].where(regular, 0.0)
    keys = ["ticker", "conditions", "off", "cancelled"]
    grouped = rows.groupby(keys, sort=False, observed=True)
    groups = grouped.agg(**_PANDAS_GROUP)
    tops = rows[rows["size"] == grouped["size"].transform("max")]
    top_prices = tops.groupby(keys, sort=False, observed=True)["price"].max()
    return groups.assign(largest_price=top_prices)


def _pandas_bars(rows: Any) -> Any:
    counted, ends = rows[rows["counts"]], rows[rows["open_close"]]
    reach = rows[rows["high_low"]].groupby("ticker")
    tops = counted.sort_values(["largest", "largest_price"]).groupby("ticker").last()
    first = ends.sort_values(["first", "first_number"]).groupby("ticker").first()
    last = ends.sort_values(["last", "last_number"]).groupby("ticker").last()
    sums = [counted.groupby("ticker")[["size", "trades", "dollars", "blocks", "regular"]].sum()]
    sums[0].columns = ["volume", "transactions", "dollars", "blocks", "regular_volume"]
    for name in ("cancelled", "uncounted"):
        left_out = rows[rows[name]].groupby("ticker")[["trades", "size"]].sum()
        sums.append(left_out.set_axis([name, f"{name}_volume"], axis=1))
    bars = sums[0].join([*sums[1:], reach["high"].max(), reach["low"].min()], how="outer")
    bars = bars.join([first["open"], last["close"], tops[["largest", "largest_price"]]])
    bars["vwap"] = bars["dollars"] / bars["volume"]
    traded = (bars["transactions"] > 0) | bars[["open", "high"]].notna().any(axis=1)
    return bars[traded].fillna(dict.fromkeys([*sums[0], *sums[1], *sums[2]], 0))


def python(job: Job, watch: Watch) -> Answer:
    """gzip and csv, a dictionary of bars, the verdicts remembered."""
    import csv
    import gzip

    from core.conditions import bundled

    rules, verdicts = bundled(), dict[str, tuple[bool, bool, bool]]()
    start = time.process_time()
    with watch.lap(), gzip.open(job.market, "rt", newline="") as file:
        bars: dict[str, dict[str, dict[str, Any]]] = {scope: {} for scope in SCOPES}
        lines = csv.reader(file)
        next(lines)
        for ticker, text, correction, exchange, _, _, price, number, sip, size, *_ in lines:
            verdict = verdicts.get(text) or verdicts.setdefault(text, rules.verdict(text))
            kept = verdict if correction in ("", "0", "1") else None
            trade = float(price), float(size), (int(sip), int(number))
            for scope in SCOPES if exchange == "4" else SCOPES[:1]:
                bar = bars[scope].get(ticker) or bars[scope].setdefault(ticker, _NO_TRADE.copy())
                _take(bar, kept, *trade)
        totals = {scope: _python_sums(bars[scope].values()) for scope in SCOPES}
    return {"cpu_s": time.process_time() - start, **answer(totals)}


_NO_TRADE = dict.fromkeys(["open", "high", "low", "close", "vwap", "largest", "largest_price"])
_NO_TRADE |= dict.fromkeys([name for name in [*NUMBERS, "dollars"] if name not in _NO_TRADE], 0)


def _take(bar: dict[str, Any], verdict: Any, price: float, size: float, moment: Any) -> None:
    """Count a trade; the verdict is None if it was cancelled."""
    high_low, open_close, counts = verdict or (False, False, False)
    if high_low:
        bar["high"] = price if bar["high"] is None or price > bar["high"] else bar["high"]
        bar["low"] = price if bar["low"] is None or price < bar["low"] else bar["low"]
    if open_close:
        if bar["open"] is None or moment < bar["first"]:
            bar["open"], bar["first"] = price, moment
        if bar["close"] is None or moment >= bar["last"]:
            bar["close"], bar["last"] = price, moment
    if not counts:
        kind = "uncounted" if verdict else "cancelled"
        bar[kind] += 1
        bar[f"{kind}_volume"] += size
        return
    dollars = price * size
    bar["transactions"] += 1
    bar["volume"] += size
    bar["dollars"] += dollars
    bar["blocks"] += size >= BLOCK_SHARES or dollars >= BLOCK_DOLLARS
    top = bar["largest"]
    if top is None or size > top or (size == top and price > bar["largest_price"]):
        bar["largest"], bar["largest_price"] = size, price
    if OPENS <= moment[0] < CLOSES:
        bar["regular_volume"] += size


def _python_sums(bars: Iterable[dict[str, Any]]) -> list[float]:
    """Each column of NUMBERS over the bars of one scope, vwap now among them."""
    kept = [b for b in bars if b["transactions"] or b["open"] or b["high"]]
    for bar in kept:
        bar["vwap"] = bar["dollars"] / bar["volume"] if bar["volume"] else None
    return [sum(bar[name] or 0 for bar in kept) for name in NUMBERS]


_RULED = ["conditions", "cancelled", "high_low", "open_close", "counts", "uncounted"]


def _ruled(texts: Iterable[str]) -> list[tuple[str, bool, bool, bool, bool, bool]]:
    """What trades with these conditions may move, cancelled or not: rows of _RULED's columns."""
    from core.conditions import bundled

    rules, rows = bundled(), []
    for text in texts:
        high_low, open_close, counts = rules.verdict(text)
        rows.append((text, False, high_low, open_close, counts, not counts))
        rows.append((text, True, False, False, False, False))
    return rows


def answer(totals: Mapping[str, Iterable[Any]]) -> Answer:
    """By names such as all_volume, from the sums of each scope in the order of NUMBERS."""
    return {f"{s}_{n}": float(v) for s in SCOPES for n, v in zip(NUMBERS, totals[s], strict=True)}
