"""The newest sessions of a series that can be judged again, and what is missing for the rest."""

import asyncio
from dataclasses import dataclass

from alerts.words import some
from core.baseline import LOOKBACK_SESSIONS, SCALE_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.errors import CommandError
from core.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Span:
    """The sessions that were wanted, oldest first, and those that can be judged."""

    wanted: tuple[TradingDay, ...]
    judged: tuple[TradingDay, ...]
    absent: int
    """Wanted ones without stored bars."""
    short: int
    """Judged ones with fewer than SCALE_SESSIONS stored sessions before them."""
    needed: int
    """Stored sessions before one that is judged, at least."""

    @property
    def fill(self) -> str:
        """The command that fetches what is missing."""
        first = sessions_ending(self.wanted[0], LOOKBACK_SESSIONS)[0]
        return f"`python -m bot backfill {first} {self.wanted[-1]}`"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the sessions; nothing if all rest on a full history."""
        early = len(self.wanted) - len(self.judged) - self.absent
        reasons = [f"{self.absent} not stored"] if self.absent else []
        if early:
            reasons.append(f"{early} with fewer than {self.needed} stored sessions before them")
        said = []
        if reasons:
            said.append(
                f"{len(self.judged)} of the last {some(len(self.wanted), 'session')} could be"
                f" judged: {', '.join(reasons)}"
            )
        if self.short:
            said.append(
                f"{self.short} of {len(self.judged)} rest on fewer than {SCALE_SESSIONS} sessions"
                " of history"
            )
        return (f"{'; '.join(said)}. {self.fill} fetches what is missing",) if said else ()


async def judgeable(pipeline: Pipeline, newest: TradingDay, count: int) -> Span:
    """The last `count` sessions up to `newest`; CommandError if none of them can be judged."""
    needed = pipeline.rule.min_sessions
    around = sessions_ending(newest, count + LOOKBACK_SESSIONS - 1)
    has = await asyncio.to_thread(
        lambda: [pipeline.store.has(pipeline.series, day) for day in around]
    )
    first = len(around) - count
    before = {n: sum(has[n - LOOKBACK_SESSIONS + 1 : n]) for n in range(first, len(around))}
    judged = [n for n, seen in before.items() if has[n] and seen >= needed]
    span = Span(
        wanted=tuple(around[first:]),
        judged=tuple(around[n] for n in judged),
        absent=has[first:].count(False),
        short=sum(before[n] < SCALE_SESSIONS for n in judged),
        needed=needed,
    )
    if not judged:
        raise CommandError(
            f"None of the last {some(count, 'session')} can be judged yet: {needed} stored sessions"
            f" are needed before each. {span.fill} fetches them"
        )
    return span
