"""The commands of the shell that do one thing and exit: once, backfill, anomalies."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Any

from alerts.message import digest, explain, stamp
from alerts.model import Report
from alerts.outbox import interrupted
from alerts.troubled import not_there
from alerts.words import progress as progress_of
from bot.app import App
from bot.arguments import Sessions
from bot.logs import say
from core.anomaly import Anomaly
from core.backfill import Step
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, last_complete, sessions, sessions_ending
from core.detect import anomalies
from core.errors import (
    BadBars,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    TapewatchError,
    Verdict,
)
from core.ledger import Status
from core.pipeline import Pipeline
from core.progress import Reading, Told
from core.sources import NoneServed

_MANY_MISSING = 5
_NO_CALL_TAKES_LONGER = timedelta(minutes=5)
_PATIENCE_S = 60.0
"""So long a channel may ask to wait; then the service goes on with it."""
_PROGRESS_EVERY = 10
_TOLD_FAILURES = 3
_READING_EVERY = timedelta(seconds=15)
LIST_CALLS = 13
"""What it takes to ask what each ticker is."""


class NothingHeld(TapewatchError):
    """There is nothing to release."""


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
    UNREAD = 141


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
        *(Verdict.UNREACHABLE, Verdict.CERTIFICATE),
        *(Verdict.VENDOR_FAULT, Verdict.REFUSAL_UNCLEAR),
    }
    return Exit.TRY_AGAIN if passing & set(verdicts) else Exit.REFUSED


def progress() -> Callable[[Step], None]:
    """Tells every tenth session of a long fill, and the first failures."""
    failures: list[TradingDay] = []

    def tell(step: Step) -> None:
        if step.done == 1:
            failures.clear()  # another rung begins
        if step.error is not None:
            failures.append(step.day)
            if len(failures) <= _TOLD_FAILURES:
                say(f"{step.day}: {step.error}")
        if step.total > _MANY_MISSING and step.done % _PROGRESS_EVERY == 0:
            missed = f", {len(failures)} not in" if failures else ""
            say(f"filling the baseline: {step.done} of {step.total} sessions{missed}")

    return tell


def reading() -> Told:
    """Tells how far a large file is, a line every quarter of a minute."""
    told: dict[TradingDay, datetime] = {}

    def tell(reading: Reading) -> None:
        last = told.setdefault(reading.day, reading.started_at)
        if reading.at - last >= _READING_EVERY:
            told[reading.day] = reading.at
            say(f"reading {progress_of(reading)}")

    return tell


async def wanted_session(app: App, text: str | None) -> TradingDay:
    """The session to work on; CommandError if it is none, or not over."""
    newest = last_complete(app.now())
    if text is None or text == "today":
        return newest
    return Sessions(app.ladder, app.now).session(text)


async def one_day(app: App, day: TradingDay, *, release: bool) -> Report:
    """Ingest, judge, publish one session. A finished one stays as it is.

    Raises NoneServed; NothingHeld if there is nothing to release.
    """
    await refreshed(app)
    entry = await app.ladder.entry(day)
    if release:
        pipeline = await app.ladder.holding(day)
        if await asyncio.to_thread(pipeline.store.held, pipeline.series, day) is None:
            raise NothingHeld(f"the gate holds nothing of {day}: leave out --release")
        await pipeline.release(day)
        await pipeline.trading_day(day, announce=True)
    elif entry is not None and entry.status is Status.FINISHED:
        pipeline = await app.ladder.of(day)
        await _revisit(pipeline, day)
        await pipeline.trading_day(day, announce=True)
    else:
        await _bring(app, day)
    return await app.commands.digests.report(day)


async def delivered(app: App, day: TradingDay) -> None:
    """What is to be said of a session, said; other sessions' messages wait for the service."""
    # The service may be sending right now: only what cannot be under way any more is looked for.
    await interrupted(app.db, app.now(), before=app.now() - _NO_CALL_TAKES_LONGER)
    await app.courier.drain(day.date, _PATIENCE_S)
    for late in await not_there(app.db, day.date):
        say(f"{late.destination}: {late.kind} {late.state}, {late.reason}")


async def refreshed(app: App) -> None:
    """What is asked for once a week; says so where the calls of a small plan take minutes."""
    per_minute = app.settings.polygon_calls_per_minute
    if per_minute and await app.census.is_due():
        minutes = LIST_CALLS / per_minute
        say(f"asking what each ticker is, once a week: about {minutes:.0f} minutes")
    await app.refresh()


async def _revisit(pipeline: Pipeline, day: TradingDay) -> None:
    """A source that cannot tell whether the file changed takes nothing from what is finished."""
    try:
        await pipeline.revisit(day)
    except SourceError as error:
        say(f"{day} is finished; whether it was republished is not known: {error}")


async def _bring(app: App, day: TradingDay) -> None:
    """The session, and what its judgement needs: the sessions before, oldest first."""
    window = sessions_ending(day, LOOKBACK_SESSIONS)
    missing = await _missing(app.ladder.top, window)
    if len(missing) > _MANY_MISSING:
        # Before minutes of history: can the day itself be had at all, and from where?
        missing = await _missing(await app.ladder.reachable(day), window)
    if len(missing) > _MANY_MISSING:
        say(f"filling the baseline of {day}: {len(missing)} sessions{_pace(app, len(missing))}")
    tell, failed = progress(), None
    async for step in app.ladder.work(window, [day], app.now(), again=True):
        failed = step.error
        if step.day != day:
            tell(step)
    if failed is not None:
        raise failed


async def _missing(pipeline: Pipeline, window: Sequence[TradingDay]) -> list[TradingDay]:
    entries = await pipeline.ledger.entries(window)
    return [day for day in window[:-1] if day.date not in entries]


def _pace(app: App, calls: int) -> str:
    per_minute = app.settings.polygon_calls_per_minute
    top = app.ladder.top
    by_rest = (top.beside or top).chain.sources[0].name.startswith("REST")
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
        "detector": judged.detector,
        "settings": said.settings,
        "rule": said.settings,
        "market": asdict(judged.market),
        "lead": digest(said).lead,
        "anomalies": [anomaly_json(a, said) for a in judged.anomalies],
    }


def _headline(anomaly: Anomaly, said: Report) -> dict[str, str] | str | None:
    """None: no story names it; "unknown": nobody can tell."""
    news = said.judged.news
    found = news.found.get(anomaly.ticker) if news else None
    if news is None or not news.knows(anomaly.ticker):
        return "unknown"
    return asdict(found) | {"published_at": found.published_at.isoformat()} if found else None


def anomaly_json(anomaly: Anomaly, said: Report) -> dict[str, Any]:
    """One anomaly with its line; documented in docs/json.md."""
    return {
        **asdict(anomaly),
        "session": str(anomaly.session),
        "peak_session": None if anomaly.peak_session is None else str(anomaly.peak_session),
        "sample": bool(stamp(said.judged.series)),
        "headline": _headline(anomaly, said),
        "pushed": anomaly.ticker in {a.ticker for a in said.pushed},
        "text": explain(anomaly),
    }


async def stored_anomalies(
    app: App, first: date, last: date, *, every: bool
) -> AsyncIterator[list[dict[str, Any]]]:
    """Per stored session from first to last: its ranked anomalies, recomputed from the bars."""
    entries = await app.ladder.entries(sessions(first, last))
    for day in [e.day for _, e in sorted(entries.items()) if e.revision > 0]:
        pipeline = await app.ladder.of(day)
        scores = await pipeline.record.scores(day, pipeline.rule)
        said = await app.commands.digests.judged(pipeline, day, scores)
        scope = pipeline.series.scope
        chosen = anomalies(scores, scope, every=True) if every else said.judged.anomalies
        yield [anomaly_json(a, said) for a in chosen]
