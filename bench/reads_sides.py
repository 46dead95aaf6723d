"""The sides of reading: our store, the same files one a session, and SQLite."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from bench.child import Job, Watch
from bench.ours import SERIES
from bench.reads import YEAR, YEARS
from core.calendar import TradingDay, sessions_ending, trading_day
from core.store import Store

ALL_SESSIONS, JUDGED_SESSIONS = 120, 250
_LAPS = 5
_COLUMNS = "session, ticker, open, high, low, close, volume, transactions, vwap"
_TICKERS_AT_ONCE = 1_000


def lay_out(job: Job, _: Watch) -> dict[str, Any]:
    """One, five and ten years below job.work, made of the sessions below job.market."""
    days = _newest(job, YEARS[-1] * YEAR)
    made_of = [pl.read_parquet(path) for path in sorted(Path(job.market).glob("bars/*/*.parquet"))]
    every = job.root / "every"
    every.mkdir()
    for n, day in enumerate(reversed(days)):
        rows = made_of[-1 - n % len(made_of)].with_columns(session=pl.lit(day.date))
        rows.write_parquet(every / f"{day}.parquet", compression="zstd")
    told: dict[str, Any] = {
        "sessions": len(days),
        "rows": sum(len(made_of[-1 - n % len(made_of)]) for n in range(len(days))),
    }
    for years in YEARS:
        root, stored = job.root / str(years), days[-years * YEAR :]
        folder = root / "bars" / SERIES.key
        folder.mkdir(parents=True)
        for day in stored:
            (folder / f"{day}.parquet").hardlink_to(every / f"{day}.parquet")
        began = time.perf_counter()
        quarters = Store.on_disk(root).compact(SERIES)
        told |= {"quarter_s": (time.perf_counter() - began) / quarters}
        _fill(root, stored)
    return told | {
        "daily_mb": _megabytes(root / "bars"),
        "quarters_mb": _megabytes(root / "quarters"),
        "sqlite_mb": (root / "bars.db").stat().st_size / 1e6,
    }


def _fill(root: Path, days: Sequence[TradingDay]) -> None:
    rows = pl.scan_parquet([root / "bars" / SERIES.key / f"{day}.parquet" for day in days])
    names = rows.select("ticker").unique().collect()["ticker"].sort()
    with closing(sqlite3.connect(root / "bars.db", isolation_level=None)) as db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF"):
            db.execute(f"PRAGMA {pragma}")
        db.execute(f"CREATE TABLE bars ({_COLUMNS}, PRIMARY KEY (ticker, session)) WITHOUT ROWID")
        db.execute("BEGIN")
        for first in range(0, len(names), _TICKERS_AT_ONCE):
            some = names[first : first + _TICKERS_AT_ONCE]
            part = rows.filter(pl.col("ticker").is_in(some.implode())).sort("ticker", "session")
            found = part.with_columns(pl.col("session").cast(pl.String)).collect()
            marks = ", ".join("?" * found.width)
            db.executemany(f"INSERT INTO bars VALUES ({marks})", found.iter_rows())  # noqa: S608
        db.execute("COMMIT")
        db.execute("CREATE INDEX by_session ON bars (session)")


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet")) / 1e6


def _newest(job: Job, count: int) -> list[TradingDay]:
    return sessions_ending(trading_day(date.fromisoformat(job.days[-1])), count)


def _timed(watch: Watch, read: Callable[[], pl.DataFrame], laps: int = _LAPS) -> dict[str, Any]:
    """Warm: the first one does not count. What was read is looked at when all is timed."""
    seen = {len(read())}
    for _ in range(laps):
        with watch.lap():
            rows = len(read())
        seen.add(rows)
    found = read()
    assert seen == {len(found)}, f"another number of rows each time: {seen}"
    return {"rows": len(found), "digest": digest(found)}


def digest(found: pl.DataFrame) -> str:
    """Of every value, whatever the order of the rows and however dates and numbers came."""
    same = found.select(_COLUMNS.split(", ")).with_columns(
        pl.col("session", "ticker").cast(pl.String),
        pl.exclude("session", "ticker").cast(pl.Float64),
    )
    hashed = sha256()
    for column in same.sort("session", "ticker"):
        if column.dtype == pl.String:
            hashed.update("\n".join(column.to_list()).encode())
        else:
            hashed.update(column.is_null().to_numpy().tobytes())
            hashed.update(column.fill_null(0.0).to_numpy().tobytes())
    return hashed.hexdigest()[:16]


def _name(job: Job) -> str:
    newest = job.root / "bars" / SERIES.key / f"{job.days[-1]}.parquet"
    names = pl.read_parquet(newest, columns=["ticker"])["ticker"]
    return str(names[len(names) // 2])


def _stored(job: Job) -> list[TradingDay]:
    names = sorted((job.root / "bars" / SERIES.key).glob("*.parquet"))
    return _newest(job, len(names))


def ours_one(job: Job, watch: Watch) -> dict[str, Any]:
    """One ticker over all that is stored."""
    store, days, name = Store.on_disk(job.root), _stored(job), _name(job)
    return _timed(watch, lambda: store.read(SERIES, days, tickers=[name]))


def daily_one(job: Job, watch: Watch) -> dict[str, Any]:
    """The same without our store."""
    days, name = _stored(job), _name(job)
    paths = [job.root / "bars" / SERIES.key / f"{day}.parquet" for day in days]
    return _timed(watch, lambda: pl.scan_parquet(paths).filter(pl.col("ticker") == name).collect())


def _ours(job: Job, watch: Watch, sessions: int) -> dict[str, Any]:
    store, days = Store.on_disk(job.root), _newest(job, sessions)
    return _timed(watch, lambda: store.read(SERIES, days))


def _daily(job: Job, watch: Watch, sessions: int) -> dict[str, Any]:
    paths = [job.root / "bars" / SERIES.key / f"{day}.parquet" for day in _newest(job, sessions)]
    return _timed(watch, lambda: pl.read_parquet(paths))


def ours_every(job: Job, watch: Watch) -> dict[str, Any]:
    """All columns of 120 sessions."""
    return _ours(job, watch, ALL_SESSIONS)


def daily_every(job: Job, watch: Watch) -> dict[str, Any]:
    """The same without our store."""
    return _daily(job, watch, ALL_SESSIONS)


def ours_judged(job: Job, watch: Watch) -> dict[str, Any]:
    """All columns of 250 sessions."""
    return _ours(job, watch, JUDGED_SESSIONS)


def daily_judged(job: Job, watch: Watch) -> dict[str, Any]:
    """The same without our store."""
    return _daily(job, watch, JUDGED_SESSIONS)


def _asked(job: Job, watch: Watch, where: str, *values: str, laps: int = _LAPS) -> dict[str, Any]:
    with closing(sqlite3.connect(job.root / "bars.db")) as db:
        names = _COLUMNS.split(", ")
        ask = f"SELECT {_COLUMNS} FROM bars WHERE {where}"  # noqa: S608 - our own words
        return _timed(
            watch,
            lambda: pl.DataFrame(
                db.execute(ask, values).fetchall(),
                schema=names, orient="row", infer_schema_length=None,
            ),
            laps,
        )  # fmt: skip


def sqlite_one(job: Job, watch: Watch) -> dict[str, Any]:
    """By its primary key."""
    return _asked(job, watch, "ticker = ? ORDER BY session", _name(job))


def sqlite_every(job: Job, watch: Watch) -> dict[str, Any]:
    """By its index."""
    first = str(_newest(job, ALL_SESSIONS)[0])
    return _asked(job, watch, "session >= ?", first, laps=1)
