"""What every measurement reads: a folder of real day aggregates, or a generated market.

Standard library and the calendar only: a large parent would show in the peak of its children, for
a process starts its account of memory with what its parent had.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bench.child import Job
from bench.harness import in_child
from core.calendar import sessions_ending, trading_day

ENVIRONMENT = "TAPEWATCH_BENCH_DATA"
SESSIONS = 82
"""What a judgement reads; the same number as core.baseline.LOOKBACK_SESSIONS."""
_LAST_GENERATED = date(2026, 11, 20)
_LAYOUT = "us_stocks_sip/day_aggs_v1/*/*/*.csv.gz"


@dataclass(frozen=True, slots=True)
class Data:
    """The market of this run."""

    job: Job
    label: str


@contextmanager
def prepared() -> Iterator[Data]:
    """The market laid out in a temporary folder; removed when the block ends."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-bench-") as folder:
        given = os.environ.get(ENVIRONMENT)
        market = Path(given) if given else Path(folder) / "market"
        days = _days_in(market) if given else _generated_days()
        job = Job(str(market), str(Path(folder) / "work"), "", days)
        if not given:
            in_child("bench.market:generate", job)
        rows = in_child("bench.market:lay_out", job).result["rows"]
        what = f"real files of {ENVIRONMENT}" if given else "generated market"
        span = f"{len(days)} sessions {days[0]} to {days[-1]}"
        yield Data(job, f"{what}: {span}, {rows / len(days):,.0f} tickers a session")


def _days_in(market: Path) -> tuple[str, ...]:
    names = sorted(path.name.removesuffix(".csv.gz") for path in market.glob(_LAYOUT))
    days = [name for name in names if re.fullmatch(r"\d{4}-\d\d-\d\d", name)][-SESSIONS:]
    if len(days) < SESSIONS:
        raise SystemExit(f"{ENVIRONMENT}: {len(days)} sessions below {_LAYOUT}; {SESSIONS} needed")
    return tuple(days)


def _generated_days() -> tuple[str, ...]:
    return tuple(str(day) for day in sessions_ending(trading_day(_LAST_GENERATED), SESSIONS))
