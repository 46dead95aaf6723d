"""Our sides: what the service does with a session, called the way the pipeline calls it."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

from bench.child import Job, Watch
from core.anomaly import Rule
from core.bars import Family, Scope, Series
from core.calendar import is_special, sessions_ending, trading_day
from core.detect import anomalies, score
from core.gate import HISTORY_COLUMNS, HISTORY_SESSIONS, screen
from core.measure import HISTORY, RECENT_SESSIONS, Known, Window, measure
from core.sources.day_aggs import key, parse
from core.store import Store

SERIES = Series(Scope.ALL, Family.DAILY)
INGESTED = 8
"""So many of the newest sessions are ingested, one after another."""


def ingest(job: Job, watch: Watch) -> dict[str, Any]:
    """A file's bytes -> parsed, past the gate with 20 sessions of history, on disk as Parquet."""
    scratch = Path(job.scratch)
    shutil.copytree(job.root / "bars", scratch / "bars")
    store, rows = Store.on_disk(scratch), 0
    for text in job.days[-INGESTED:]:
        day = trading_day(date.fromisoformat(text))
        payload = (Path(job.market) / key("day_aggs_v1", day.date)).read_bytes()
        (scratch / "bars" / SERIES.key / f"{text}.parquet").unlink()
        with watch.lap():
            before = sessions_ending(day, HISTORY_SESSIONS + 1)[:-1]
            bars = parse(payload, day)
            history = store.read(SERIES, before, HISTORY_COLUMNS)
            screened = screen(bars, history, special=is_special(day))
            store.write(SERIES, day, screened.bars, 1)
        rows += len(screened.bars)
    return {"rows": rows}


def judge(job: Job, watch: Watch) -> dict[str, Any]:
    """The newest session against its lookback, from Parquet to ranked anomalies."""
    window = [trading_day(date.fromisoformat(text)) for text in job.days]
    with watch.lap():
        store = Store.on_disk(job.root)
        recent = store.read(SERIES, window[-RECENT_SESSIONS:])
        # Nobody else holds on to the window: the judge lets go of it as it is done with it.
        measured = measure(
            Window(store.read(SERIES, window, list(HISTORY)), recent), window, Known()
        )
        scores = score(measured, Rule())
        found = anomalies(scores)
    columns = ["ticker", "z", "score", "rarity"]
    (job.root / "ours.json").write_text(json.dumps(scores.select(columns).rows()))
    return {"found": len(found), "tickers": len(scores)}
