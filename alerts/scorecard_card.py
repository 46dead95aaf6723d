"""What a reader sees of a scorecard: each number of the flags beside its base. Pure."""

from collections.abc import Callable, Sequence
from datetime import date

from alerts.message import DISCLAIMER, stamp, where
from alerts.model import Message, Row
from alerts.words import day, percent, some
from core.bars import Series
from core.scorecard import Compared, Outcome, Scorecard

Spelled = Callable[[float], str]


_MOVE = (
    "move: close to close, plain return, less the median of all judged names; its size: in the"
    " name's own usual moves over so many sessions"
)
_BASE = "base: unflagged names of the same liquidity bucket and session, averaged for each flag"
_INTERVAL = (
    "(a to b): 95% interval of flags minus base (of shares in points) over resampled blocks of"
    " sessions, where there are enough; about one such interval in 20 misses"
)


def scorecard_card(
    found: Scorecard, settings: str, newest: date, notes: Sequence[str], series: Series
) -> Message:
    """One row a horizon, one a label; no number of the flags without its base."""
    again = (
        f"judged again from stored bars by the present settings {settings}, not what was said"
        " then; repeats and splits left out"
    )
    return Message(
        title=f"Scorecard · {some(found.sessions, 'session')} to {day(newest)}{where(series)}",
        lead=_lead(found),
        banners=tuple(notes),
        rows=(*map(_row, found.horizons), *(_label(name, o) for name, o in found.labels)),
        footer=(_MOVE, _BASE, *([_INTERVAL] if _intervals(found) else []), again, DISCLAIMER),
        stamp=stamp(series),
    )


def _lead(found: Scorecard) -> str:
    if not found.flags:
        return "Nothing was flagged in these sessions, so there is nothing to compare."
    shown = [(o, o.size, o.above) for o in found.horizons if o.size and o.above]
    if not shown:
        return f"{some(found.flags, 'flag')}, and none with a later close to compare yet."
    middle, size, above = shown[min(1, len(shown) - 1)]
    return (
        f"{some(middle.horizon, 'session')} after {some(middle.flags, 'flag')}: moved"
        f" {_usual(size.flags)} their usual, base {_usual(size.base)}; {_share(above.flags)} rose"
        f" more than the market, base {_share(above.base)}."
    )


def _row(o: Outcome) -> Row:
    measures = (
        ("size of the move", o.size, _usual, _apart),
        ("rose more than the market", o.above, _share, _points),
        ("mean move", o.mean, _move, _move),
        ("median move", o.median, _move, _move),
    )
    details = [_measure(name, m, own, apart) for name, m, own, apart in measures if m is not None]
    return Row(_after(o), (*details, *_missing(o)))


def _label(label: str, o: Outcome) -> Row:
    measures = (
        ("size", o.size, _usual, _apart),
        ("rose more", o.above, _share, _points),
    )
    said = [_measure(name, m, own, apart) for name, m, own, apart in measures if m is not None]
    return Row(f"{label}, {_after(o)}", (" · ".join(said),))


def _after(o: Outcome) -> str:
    return f"after {some(o.horizon, 'session')}: {some(o.flags, 'flag')}"


def _measure(name: str, found: Compared, spelled: Spelled, apart: Spelled) -> str:
    said = f"{name} {spelled(found.flags)}, base {spelled(found.base)}"
    if found.low is None or found.high is None:
        return said
    return f"{said} ({apart(found.low)} to {apart(found.high)})"


def _missing(o: Outcome) -> list[str]:
    """Flags that are not among the numbers, and why."""
    said = []
    if o.gone:
        share = o.gone / (o.flags + o.gone + o.alone)
        said.append(
            f"{o.gone} without a close then ({share:.1%}, base {o.gone_base:.1%}): halted, delisted"
            " or renamed"
        )
    if o.alone:
        said.append(f"{o.alone} without a name to compare with")
    if o.later:
        said.append(f"{o.later} without that session yet")
    return ["; ".join(said)] if said else []


def _intervals(found: Scorecard) -> bool:
    return any(o.size is not None and o.size.low is not None for o in found.horizons)


def _usual(value: float) -> str:
    return f"{value:.2f}×"


def _apart(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _share(value: float) -> str:
    return f"{value:.0%}"


def _points(value: float) -> str:
    return f"{100 * value:+.0f}".replace("-", "−")


def _move(value: float) -> str:
    # Rounded here, for a minus in front of nothing would be read as a sign.
    return percent(round(100 * value, 1) + 0.0)
