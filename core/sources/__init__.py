"""Where bars come from: the Source port, and the chain that asks the next one when one cannot."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from core.bars import Bars, Series
from core.calendar import TradingDay
from core.errors import (
    BadBars,
    HeldBars,
    NotPublished,
    Refusal,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Served:
    """One session's bars as a source gave them."""

    bars: Bars
    source: str
    version: str | None = None
    """The vendor's name of this copy (ETag), where there is one."""
    notes: tuple[str, ...] = ()
    """What was set aside on the way, in words."""
    refused: tuple[Refusal, ...] = ()
    """Who was asked before, and why they did not serve."""


class Source(Protocol):
    """Gives one series of bars, a session at a time."""

    @property
    def name(self) -> str:
        """What readers see."""

    @property
    def series(self) -> Series:
        """Which series its bars belong to."""

    async def bars(self, day: TradingDay) -> Served:
        """Raises only NotPublished, SourceUnavailable, SourceRefused or BadBars."""

    async def version(self, day: TradingDay) -> str | None:
        """The name of the copy now published, or None where copies have no names.

        Cheap; raises what bars() raises.
        """


Gate = Callable[[Served, TradingDay], Awaitable[Served]]
"""Passes plausible bars on; raises HeldBars for others."""

# A source that said one of these says it for every session: asking again this round is noise.
_FOR_EVERY_SESSION = {
    Verdict.NOT_CONFIGURED,
    Verdict.WRONG_ACCESS_KEY,
    Verdict.WRONG_SECRET,
    Verdict.KEY_LOOKS_LIKE_API_KEY,
    Verdict.CLOCK_WRONG,
    Verdict.PLAN_LACKS_DATA_SET,
}


class NoneServed(SourceError):
    """Every source of the chain was asked; `causes` has each one's own error, in order."""

    def __init__(self, causes: dict[str, SourceError]) -> None:
        self.causes = causes
        weightiest = min(causes.values(), key=_weight)
        said = "; ".join(f"{name}: {e.verdict} ({e.seen})" for name, e in causes.items())
        super().__init__(said, weightiest.verdict)
        self.weightiest = weightiest

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """The causes as the ledger keeps them."""
        return tuple(Refusal(name, e.verdict, e.seen) for name, e in self.causes.items())


def _weight(error: SourceError) -> int:
    """What decides the day when sources fail differently: bad bars most, a refusal least."""
    order = [HeldBars, BadBars, SourceUnavailable, NotPublished, SourceRefused]
    return next(n for n, kind in enumerate(order) if isinstance(error, kind))


class Chain:
    """Sources of one series in order of preference; the first that serves plausible bars wins."""

    def __init__(self, sources: Sequence[Source]) -> None:
        if len({source.series for source in sources}) != 1:
            raise ValueError("a chain never mixes series")
        self.sources, self.series = sources, sources[0].series
        self._stopped: dict[str, SourceError] = {}

    def ask_all_again(self) -> None:
        """A new round: sources that refused everything get another chance."""
        self._stopped.clear()

    async def bars(self, day: TradingDay, gate: Gate) -> Served:
        """The session's bars, past the gate; raises NoneServed if no source can."""
        causes: dict[str, SourceError] = {}
        for source in self.sources:
            try:
                if source.name in self._stopped:
                    # Without its traceback, or that would grow with every session.
                    raise self._stopped[source.name].with_traceback(None)
                served = await gate(await source.bars(day), day)
            except SourceError as error:
                causes[source.name] = error
                if error.verdict in _FOR_EVERY_SESSION:
                    self._stopped[source.name] = error
                continue
            refused = tuple(Refusal(n, e.verdict, e.seen) for n, e in causes.items())
            return replace(served, refused=refused)
        raise NoneServed(causes)

    async def version(self, day: TradingDay, source_name: str) -> str | None:
        """The copy that the source which served a session has now."""
        for source in self.sources:
            if source.name == source_name:
                return await source.version(day)
        return None
