"""`/ticker SYM 1260` through the command core, warm: beside what only reads the rows.

The state is that of a service of some age: a line in the ledger for each session, the types of all
tickers, splits and renames of five years, a year of digests.
"""

import asyncio
import random
from datetime import timedelta
from typing import Any

import polars as pl

from alerts.words import condensed, some, sparkline
from bench.child import Job, Watch
from bench.ours import SERIES
from bench.reads_sides import _LAPS, _name, _stored
from bot.app import App, opened
from bot.commands import CommandRequest
from bot.forms import MAX_TICKER_SESSIONS
from bot.settings import load
from core.calendar import TradingDay
from core.db import iso

WHO, WHERE = "discord:@1", "discord:456"
_SPLITS_A_SESSION, _RENAMES_A_SESSION, _LINES = 5, 1, 10
_TOLD = 252


def command_one(job: Job, watch: Watch) -> dict[str, Any]:
    """The whole answer, but for its picture, which is drawn beside it."""
    return asyncio.run(_asked(job, watch))


async def _asked(job: Job, watch: Watch) -> dict[str, Any]:
    days, name = _stored(job), _name(job)
    settings = load(data_dir=job.root, POLYGON_API_KEY="k" * 32)
    now = days[-1].close + timedelta(hours=6)
    async with opened(settings, now=lambda: now) as app:
        assert app.ladder.top.series == SERIES
        if await app.ladder.span() is None:
            await _aged(app, days, pl.read_parquet(_newest(job, days))["ticker"].to_list(), name)
        # In words: what stands beside a picture tells nothing of most sessions.
        text = f"/ticker {name} {MAX_TICKER_SESSIONS} text"
        request = CommandRequest.parse(text, WHO, WHERE)
        volumes = await asyncio.to_thread(_volumes, job, name, days)
        covered = MAX_TICKER_SESSIONS
        await app.commands.answer(request)  # the session is measured once
        for _ in range(_LAPS):
            with watch.lap():
                reply = await app.commands.answer(request)
            assert reply.ok, reply.message.lead
            covered = min(covered, _covered(dict(reply.message.facts), days, volumes))
        return {"sessions": covered}


def _volumes(job: Job, name: str, days: list[TradingDay]) -> list[float | None]:
    """From the files of the sessions themselves; no split of this name is known."""
    paths = [job.root / "bars" / SERIES.key / f"{day}.parquet" for day in days]
    rows = pl.scan_parquet(paths).filter(pl.col("ticker") == name).collect()
    found = dict(rows.select("session", "volume").iter_rows())
    return [found.get(day.date) for day in days]


def _covered(facts: dict[str, str], days: list[TradingDay], volumes: list[float | None]) -> int:
    """As many sessions as its line of volumes is made of; 0 if they are not what is stored."""
    drawn = facts.get(f"volume, {some(len(days), 'session')}", "")
    right = sparkline(condensed(volumes, len(drawn) or 1))
    return len(days) if drawn == right else 0


def _newest(job: Job, days: list[TradingDay]) -> str:
    return str(job.root / "bars" / SERIES.key / f"{days[-1]}.parquet")


async def _aged(app: App, days: list[TradingDay], names: list[str], name: str) -> None:
    chance, key = random.Random(7), SERIES.key

    def some(many: int) -> list[str]:
        return [n for n in chance.sample(names, many) if n != name]

    async with app.db.transaction() as writer:
        await writer.executemany(
            "INSERT INTO sessions (series, session, status, revision, source, row_count, refused,"
            " announced, tried_at, stored_at, finished_at)"
            " VALUES (?, ?, 'finished', 1, 'bench', 1, '[]', ?, ?, ?, ?)",
            [
                (key, str(d), int(d in days[-_TOLD:]), *3 * (iso(d.close + timedelta(hours=3)),))
                for d in days
            ],
        )
        await writer.executemany(
            "INSERT INTO instruments VALUES (?, 'CS', ?, NULL, ?)",
            [(n, f"{n} Inc.", iso(days[-1].close)) for n in names],
        )
        await writer.executemany(
            "INSERT OR IGNORE INTO splits VALUES (?, ?, ?, 1, 2)",
            [(key, n, str(d)) for d in days for n in some(_SPLITS_A_SESSION)],
        )
        await writer.executemany(
            "INSERT OR IGNORE INTO renames VALUES (?, ?, ?, ?)",
            [(n, f"{n}ZZ", n, str(d)) for d in days for n in some(_RENAMES_A_SESSION)],
        )
        await writer.executemany(
            "INSERT INTO digests VALUES (?, ?, 1, '{}', ?)",
            [(key, str(d), iso(d.close)) for d in days[-_TOLD:]],
        )
        await writer.executemany(
            "INSERT INTO anomalies (series, session, revision, rank, ticker, label, ratio, z, line)"
            " VALUES (?, ?, 1, ?, ?, 'volume', 9.0, 9.0, ?)",
            [
                (key, str(d), n, ticker, n)
                for d in days[-_TOLD:] for n, ticker in enumerate(some(_LINES), 1)
            ],
        )  # fmt: skip
