"""Digests of the past: which were sent, and what they would say by now."""

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from alerts.publish import REPORT, told
from alerts.rank import lines
from alerts.reads import Rows
from core.afterwards import Differs
from core.calendar import trading_day
from core.detect import anomalies
from core.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Sent:
    """A digest as it stands in the channels."""

    series: str
    session: date
    revision: int
    """The newest one that its readers saw."""


async def sent(rows: Rows, series: Collection[str], first: date) -> list[Sent]:
    """The digests of these series that reached somebody, or may have, from a session on."""
    found = await rows(
        "SELECT series, session, max(revision) AS revision FROM deliveries"
        " WHERE series IN (SELECT value FROM json_each(?)) AND session >= ?"
        " AND state IN ('sent', 'ambiguous') AND kind IN ('digest', 'edit', 'correction')"
        " GROUP BY series, session ORDER BY session DESC",
        (json.dumps(list(series)), str(first)),
    )
    return [Sent(r["series"], date.fromisoformat(r["session"]), r["revision"]) for r in found]


async def rejudged(pipeline: Pipeline, digest: Sent) -> Differs:
    """Its lines, and those that the stored bars make by the rule and the cap of then.

    What was said in the sessions before counts as it was said. Raises KeyError for a digest that
    is not on record.
    """
    row = await pipeline.db.row(
        "SELECT report FROM digests WHERE (series, session, revision) = (?, ?, ?)",
        (digest.series, str(digest.session), digest.revision),
    )
    if row is None:
        raise KeyError(digest)
    then = await asyncio.to_thread(REPORT.validate_json, row["report"])
    day = trading_day(digest.session)
    scores = await pipeline.record.scores(day, then.judged.rule)
    found = await asyncio.to_thread(anomalies, scores, pipeline.series.scope)
    earlier = await told(pipeline.db.rows, pipeline.series, digest.session)
    now = [a.ticker for a in lines(found, then.top, earlier)]
    was = [a.ticker for a in then.pushed]
    came, went = tuple(t for t in now if t not in was), tuple(t for t in was if t not in now)
    return Differs(digest.series, digest.session, came, went)
