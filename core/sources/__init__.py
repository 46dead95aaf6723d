"""Where bars come from: the Source port, and the chain that asks the next one when one cannot."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

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

if TYPE_CHECKING:
    # The process that counts trades passes through here, and has no room for polars.
    from core.bars import Bars, Series
    from core.calendar import TradingDay


@dataclass(frozen=True, slots=True)
class Served:
    """One session's bars as a source gave them."""

    bars: "Bars"
    source: str
    version: str | None = None
    """The vendor's name of this copy (ETag), where there is one."""
    notes: tuple[str, ...] = ()
    """What was set aside on the way, in words."""
    refused: tuple[Refusal, ...] = ()
    """Who was asked before, and why they did not serve."""
    unknown: tuple[str, ...] = ()
    """Sale conditions that the table does not know."""
    detail: str | None = None
    """What more is known of the reading, such as the facilities of off-exchange trades."""
    also: "tuple[tuple[Series, Bars], ...]" = ()
    """Bars of other series that the same reading gave."""
    travelled: int | None = None
    """Bytes that came over the wire for it, where somebody counts them."""
    waited_s: float = 0.0
    """Of the seconds it took those in which nothing was done: for a call, for a worker."""


class Source(Protocol):
    """Gives one series of bars, a session at a time."""

    @property
    def name(self) -> str:
        """What readers see."""

    @property
    def series(self) -> "Series":
        """Which series its bars belong to."""

    async def bars(self, day: "TradingDay") -> Served:
        """Raises only NotPublished, SourceUnavailable, SourceRefused or BadBars."""

    async def version(self, day: "TradingDay") -> str | None:
        """The name of the copy now published, or None where copies have no names.

        Cheap; raises what bars() raises.
        """


Gate = Callable[[Served, "TradingDay"], Awaitable[Served]]
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


AWAY_AFTER = 3
"""A source that was away so many times running is not waited for again in this round."""


class NoneServed(SourceError):
    """Every source of the chain was asked; `causes` has each one's own error, in order."""

    def __init__(self, causes: dict[str, SourceError]) -> None:
        self.causes = causes
        weightiest = min(causes.values(), key=_weight)
        said = "; ".join(f"{name}: {e.verdict} ({e.seen})" for name, e in causes.items())
        super().__init__(said, weightiest.verdict)
        self.weightiest = weightiest

    @property
    def for_every_session(self) -> bool:
        """Would each source say the same of any session?"""
        return all(e.verdict in _FOR_EVERY_SESSION for e in self.causes.values())

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

    def __init__(self, sources: Sequence[Source], *, sure_after: int = 1) -> None:
        """`sure_after`: a refusal of every session is believed when so many in a row said it."""
        if len({source.series for source in sources}) != 1:
            raise ValueError("a chain never mixes series")
        self.sources, self.series = sources, sources[0].series
        self._sure_after = sure_after
        self._stopped: dict[str, SourceError] = {}
        self._away, self._refusing = Counter[str](), Counter[str]()

    def ask_all_again(self) -> None:
        """A new round: sources that refused everything, or were away, get another chance."""
        self._stopped.clear()
        self._away.clear()
        self._refusing.clear()

    async def bars(self, day: "TradingDay", gate: Gate, *, waits: bool = False) -> Served:
        """The session's bars, past the gate; raises NoneServed if no source can.

        `waits`: one that is merely away is asked again by the caller, and no other one serves
        meanwhile: its bars would be others.
        """
        causes: dict[str, SourceError] = {}
        for source in self.sources:
            try:
                if source.name in self._stopped:
                    # Without its traceback, or that would grow with every session.
                    raise self._stopped[source.name].with_traceback(None)
                served = await _gated(await source.bars(day), day, gate)
            except SourceError as error:
                causes[source.name] = error
                self._note(source.name, error)
                if waits and isinstance(error, SourceUnavailable):
                    break
                continue
            self._away[source.name] = self._refusing[source.name] = 0
            refused = tuple(Refusal(n, e.verdict, e.seen) for n, e in causes.items())
            return replace(served, refused=refused)
        raise NoneServed(causes)

    def _note(self, name: str, error: SourceError) -> None:
        """Is it worth asking this source for other sessions in this round?"""
        self._away[name] = self._away[name] + 1 if isinstance(error, SourceUnavailable) else 0
        refuses = error.verdict in _FOR_EVERY_SESSION
        self._refusing[name] = self._refusing[name] + 1 if refuses else 0
        if self._refusing[name] >= self._sure_after or self._away[name] >= AWAY_AFTER:
            self._stopped[name] = error

    async def version(self, day: "TradingDay", source_name: str) -> str | None:
        """The copy that the source which served a session has now."""
        for source in self.sources:
            if source.name == source_name:
                return await source.version(day)
        return None


async def _gated(served: Served, day: "TradingDay", gate: Gate) -> Served:
    try:
        return await gate(served, day)
    except HeldBars as error:
        error.also = served.also
        raise
