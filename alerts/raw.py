"""Raw hits: what would be over the cut had the market's part not been removed. Pure."""

from collections.abc import Sequence

from alerts.message import DISCLAIMER, session, stamp
from alerts.model import Action, Message, Row
from alerts.words import day, some, times
from core.anomaly import Anomaly
from core.judged import Judged

LINES = 40
"""More are asked for by name."""


def raw_list(judged: Judged, hits: Sequence[Anomaly], most: int | None = LINES) -> Message:
    """The names that core.anomaly.Market.held_back counts, loudest first; with None, all."""
    shown = [
        Row(
            f"{n}. {a.ticker}  {a.feature} {times(a.ratio * a.market_x)} its usual,"
            f" {times(a.ratio)} after removing the market's {times(a.market_x)}"
        )
        for n, a in enumerate(hits[:most], 1)
    ]
    more = len(hits) - len(shown)
    said = "by what all names did, or within how far names like them spread that day"
    context = f"the typical stock traded {times(judged.market.typical_x)} its usual"
    return Message(
        title=f"Raw hits · {day(judged.session)} · {len(hits)}",
        lead=f"{session(judged)}: {some(len(hits), 'name')} over the cut only {said}.",
        banners=(context,),
        rows=tuple(shown),
        footer=(*((f"{more:,} more: all raw lists them",) if more > 0 else ()), DISCLAIMER),
        stamp=stamp(judged.series),
        actions=(Action("All", f"anomalies {judged.session} raw all"),) if more > 0 else (),
    )
