"""The commands of the shell that do one thing and exit: once, backfill, anomalies."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from datetime import date
from enum import IntEnum
from typing import Any

from alerts.deliver import drain
from alerts.message import digest, explain, stamp
from alerts.model import Report
from alerts.rank import report
from bot.app import App
from bot.arguments import Sessions
from core.anomaly import Anomaly
from core.backfill import Step, backfill
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, last_complete, sessions, sessions_ending
from core.detect import anomalies
from core.errors import (
    BadBars,
    CommandError,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)
from core.ledger import Status
from core.sources import NoneServed, Served

_MANY_MISSING = 5
_PROGRESS_EVERY = 10
_TOLD_FAILURES = 3


class Exit(IntEnum):
    """What the shell is told; the README explains each."""

    DONE = 0
    USAGE = 2
    HELD = 65
    NOTHING_STORED = 66
    TRY_AGAIN = 75
    REFUSED = 77
    CONFIG = 78
    INTERRUPTED = 130


def exit_code(error: NoneServed) -> Exit:
    """By what weighs most among the sources' reasons."""
    match error.weightiest:
        case BadBars():
            return Exit.HELD
        case SourceUnavailable() | NotPublished():
            return Exit.TRY_AGAIN
        case SourceRefused():
            return Exit.REFUSED
    return Exit.TRY_AGAIN


def doctor_code(verdicts: Sequence[Verdict]) -> Exit:
    """Done if anything can be read, or there is nothing to read; else whether waiting helps."""
    if {Verdict.OK, Verdict.NOT_A_SESSION} & set(verdicts):
        return Exit.DONE
    passing = {
        *(Verdict.NOT_PUBLISHED_YET, Verdict.RATE_LIMITED),
        *(Verdict.UNREACHABLE, Verdict.VENDOR_FAULT),
    }
    return Exit.TRY_AGAIN if passing & set(verdicts) else Exit.REFUSED


def say(text: str) -> None:
    """Progress, beside the answer and never in it."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def progress() -> Callable[[Step], None]:
    """Tells every tenth session of a long fill, and the first failures."""
    failures: list[TradingDay] = []

    def tell(step: Step) -> None:
        if step.error is not None:
            failures.append(step.day)
            if len(failures) <= _TOLD_FAILURES:
                say(f"{step.day}: {step.error}")
        if step.total > _MANY_MISSING and step.done % _PROGRESS_EVERY == 0:
            missed = f", {len(failures)} not in" if failures else ""
            say(f"filling the baseline: {step.done} of {step.total} sessions{missed}")

    return tell


async def wanted_session(app: App, text: str | None) -> TradingDay:
    """The session to work on; CommandError if it is none, or not over."""
    newest = last_complete(app.now())
    if text is None or text == "today":
        return newest
    return Sessions(app.pipeline.ledger, app.now).session(text)


async def one_day(app: App, day: TradingDay, *, release: bool) -> Report:
    """Ingest, judge, deliver one session; raises NoneServed. A finished one stays as it is."""
    pipeline = app.pipeline
    entry = await pipeline.ledger.entry(day)
    if release:
        await pipeline.release(day)
    elif entry is not None and entry.status is Status.FINISHED:
        await _revisit(app, day)
    else:
        await _baseline(app, day)
    await pipeline.trading_day(day, announce=True)
    # Other sessions' messages wait for the service: this command shows one.
    await drain(app.db, app.senders, app.now, only=day.date)
    return await app.commands.report(day)


async def _revisit(app: App, day: TradingDay) -> None:
    """A source that cannot tell whether the file changed takes nothing from what is finished."""
    try:
        await app.pipeline.revisit(day)
    except SourceError as error:
        say(f"{day} is finished; whether it was republished is not known: {error}")


async def _baseline(app: App, day: TradingDay) -> None:
    """Fill what the judgement needs: the sessions before, oldest first."""
    before = sessions_ending(day, LOOKBACK_SESSIONS)[:-1]
    entries = await app.pipeline.ledger.entries(before)
    missing = [d for d in before if d.date not in entries]
    if len(missing) > _MANY_MISSING:
        # Before minutes of history: can the day itself be had at all?
        await app.pipeline.chain.bars(day, _as_it_is)
        say(f"filling the baseline of {day}: {len(missing)} sessions{_pace(app, len(missing))}")
    tell = progress()
    async for step in backfill(app.pipeline, missing):
        tell(step)


async def _as_it_is(served: Served, day: TradingDay) -> Served:
    return served


def _pace(app: App, calls: int) -> str:
    per_minute = app.settings.polygon_calls_per_minute
    by_rest = app.pipeline.chain.sources[0].name.startswith("REST")
    if not by_rest or not per_minute or calls <= per_minute:
        return ""
    return f", {per_minute} calls a minute: about {calls / per_minute:.0f} minutes"


def day_json(said: Report) -> dict[str, Any]:
    """`once --json`."""
    judged = said.judged
    return {
        "session": str(judged.session),
        "status": "finished",
        "series": judged.series.key,
        "sample": bool(digest(said).stamp),
        "revision": judged.revision,
        "source": judged.source,
        "refused": [asdict(r) for r in judged.refused],
        "notes": list(judged.notes),
        "rule": judged.rule.stamp,
        "market": asdict(judged.market),
        "lead": digest(said).lead,
        "anomalies": [anomaly_json(a, said) for a in judged.anomalies],
    }


def anomaly_json(anomaly: Anomaly, said: Report) -> dict[str, Any]:
    """One anomaly with its line; documented in docs/json.md."""
    return {
        **asdict(anomaly),
        "session": str(anomaly.session),
        "peak_session": None if anomaly.peak_session is None else str(anomaly.peak_session),
        "sample": bool(stamp(said.judged.series)),
        "pushed": anomaly.ticker in {a.ticker for a in said.pushed},
        "text": explain(anomaly),
    }


async def stored_anomalies(
    app: App, first: date, last: date, *, every: bool
) -> AsyncIterator[list[dict[str, Any]]]:
    """Per stored session from first to last: its ranked anomalies, recomputed from the bars."""
    entries = await app.pipeline.ledger.entries(sessions(first, last))
    for day in [e.day for _, e in sorted(entries.items()) if e.revision > 0]:
        scores = await app.pipeline.scores(day)
        said = report(await app.pipeline.judged(day, scores), app.settings.alert_top)
        chosen = anomalies(scores, every=True) if every else said.judged.anomalies
        yield [anomaly_json(a, said) for a in chosen]


async def history(app: App, days: Sequence[TradingDay]) -> tuple[int, int]:
    """Backfill: how many sessions are stored now, and how many failed."""
    entries = await app.pipeline.ledger.entries(days)
    todo = [
        d for d in days if d.date not in entries or entries[d.date].status is not Status.FINISHED
    ]
    failed, tell = 0, progress()
    async for step in backfill(app.pipeline, todo):
        failed += step.error is not None
        tell(step)
    entries = await app.pipeline.ledger.entries(days)
    return sum(e.revision > 0 for e in entries.values()), failed


def span(first: str, last: str | None, sessions_: Sessions) -> list[TradingDay]:
    """The sessions of a typed span; CommandError if there is none."""
    start, end = sessions_.typed(first), sessions_.typed(last or first)
    if end < start:
        raise CommandError(f"{end} is before {start}: FROM comes first")
    found = [d for d in sessions(start, end) if d <= last_complete(sessions_.now())]
    if not found:
        raise CommandError(f"there is no finished session from {start} to {end}")
    return found
