"""A counted tape as a source serves it: checked bars of both scopes, and words. Pure."""

from core.bars import Bars, Scope, Series, check, more_than_bars
from core.calendar import TradingDay
from core.sources import Served
from core.tape import Tape, tape_of
from core.tape_sums import Counted

_FACILITIES = {201: "NYSE TRF", 202: "Nasdaq TRF Carteret", 203: "Nasdaq TRF Chicago"}


def served(
    packed: bytes, day: TradingDay, own: Series, other: Series, source: str, version: str | None
) -> Served:
    """What a source serves of a Counted, dumped: bars of `own`, and of `other` beside them.

    Raises BadBars.
    """
    tape = tape_of(Counted.load(packed))
    bars = both_scopes(tape, day)
    return Served(
        bars[own.scope],
        source,
        version,
        notes(tape),
        unknown=tape.unknown_conditions,
        detail=detail(tape),
        also=((other, bars[other.scope]),),
    )


def both_scopes(tape: Tape, day: TradingDay) -> dict[Scope, Bars]:
    """The checked bars of each scope; raises BadBars."""
    frames = {scope: tape.bars.filter(scope=str(scope)).drop("scope") for scope in Scope}
    return {scope: check(frame, day, more_than_bars(frame)) for scope, frame in frames.items()}


def detail(tape: Tape) -> str:
    """Off-exchange trades by facility, the largest first."""
    total = sum(tape.facilities.values())
    parts = sorted(tape.facilities.items(), key=lambda part: -part[1])
    named = ((_FACILITIES.get(ident, f"facility {ident}"), trades) for ident, trades in parts)
    shares = ", ".join(f"{name} {trades / total:.1%}" for name, trades in named)
    return f"off-exchange trades by facility: {shares or 'none'}"


def notes(tape: Tape) -> tuple[str, ...]:
    """A sentence for each thing that readers of the bars should know."""
    lines = f"of {tape.lines:,} trades"
    said = [
        f"{tape.unreadable:,} {lines} were not readable" if tape.unreadable else "",
        f"{tape.other_day:,} {lines} carry another date; counted" if tape.other_day else "",
    ]
    return tuple(filter(None, said))
