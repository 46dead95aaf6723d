"""History: wanted minus done, one session after another, silently."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from core.calendar import TradingDay
from core.errors import Refusal, SourceError, SourceUnavailable
from core.ledger import Entry
from core.pipeline import Pipeline
from core.sources import AWAY_AFTER, NoneServed


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one session: its ledger line, or the error that kept it from coming."""

    day: TradingDay
    done: int
    total: int
    entry: Entry | None
    error: SourceError | None

    @property
    def stopped(self) -> bool:
        """Did the sources refuse in a way that holds for every session?"""
        return isinstance(self.error, NoneServed) and self.error.for_every_session

    @property
    def away(self) -> bool:
        """Was it the source, for now, and not the session?"""
        return isinstance(getattr(self.error, "weightiest", self.error), SourceUnavailable)


async def backfill(
    pipeline: Pipeline,
    days: Sequence[TradingDay],
    announce: Sequence[TradingDay] = (),
    refused: tuple[Refusal, ...] = (),
) -> AsyncIterator[Step]:
    """Work through `days` in their order; a failed one does not stop the others.

    Three sessions in a row that fail because the source is away end the round, and so does a
    refusal that holds for every session: the rest is still due at the next one. `refused`: better
    series that were asked before this one.
    """
    away = 0
    for done, day in enumerate(days, 1):
        entry, error = None, None
        try:
            entry = await pipeline.trading_day(day, announce=day in announce, refused=refused)
        except SourceError as caught:
            error = caught
        step = Step(day, done, len(days), entry, error)
        yield step
        away = away + 1 if step.away else 0
        if away == AWAY_AFTER or step.stopped:
            return
