"""What a service shows first: the newest digest, or who refused all data, and what helps."""

from dataclasses import replace
from datetime import date

from alerts.cards import source_status
from alerts.model import Message
from bot.app import App
from bot.commands import CommandRequest
from core.errors import Verdict
from core.sources.access import DATA_SETS
from core.sources.finra import FinraSource
from core.sources.flatfiles import DayAggsSource
from core.sources.next_step import Part, next_step
from core.sources.rest import RestSource
from core.sources.short_volume import ShortVolumeSource
from core.sources.trades import TradesSource

_LAST = (
    "SELECT session, source, verdict, seen FROM attempts"
    " WHERE id IN (SELECT max(id) FROM attempts GROUP BY source) ORDER BY id"
)
_PARTS = {
    RestSource.name: Part.REST,
    ShortVolumeSource.name: Part.SHORT_VOLUME,
    FinraSource.name: Part.FINRA,
    DayAggsSource.name: Part.DAY_AGGS,
    TradesSource.name: Part.TRADES,
}


async def first_words(app: App) -> Message:
    """The newest digest; where nothing is stored, what each source is on record with."""
    if await app.ladder.span() is not None:
        return (await app.commands.answer(CommandRequest.typed("anomalies"))).message
    told = [
        (row["source"], row["verdict"], row["seen"], _step(*row))
        for row in await app.db.rows(_LAST)
    ]
    order = [source.name for rung in app.ladder.rungs for source in rung.chain.sources]
    series, next_try = app.ladder.top.series, app.commands.next_try()
    said = source_status(told, order, None, None, next_try, series)
    return replace(
        said,
        title="No data yet",
        lead="Nothing is stored yet. What the sources answered:" if told else said.lead,
        footer=("`python -m bot doctor` asks each of them now, with commands to check by hand",),
    )


def _step(session: str, source: str, verdict: str, seen: str) -> str:
    """Without the commands to check by hand, which the doctor has."""
    part = _PARTS.get(source)
    if part is None:
        return "`python -m bot doctor` says"
    place = "s3://" if part in DATA_SETS else ""
    said = next_step(part, Verdict(verdict), "", place, date.fromisoformat(session))
    return said.splitlines()[0].removesuffix(" To check by hand:")
