"""What /outbox shows: what is not where it should be, why, since when, what can be done. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.channel_card import age
from alerts.clicks import names_menu
from alerts.model import Action, Delivery, Message, Row, Section, State, Troubled
from alerts.words import clock, day, some

LINES = 25


@dataclass(frozen=True, slots=True)
class Decision:
    """What an operator did lately."""

    number: int
    destination: str
    did: str
    who: str
    at: datetime


def outbox_card(
    waiting: Troubled, decisions: Sequence[Decision], now: datetime, stamp: str
) -> Message:
    """Those that need a person first, then those that go on by themselves."""
    all_ = waiting.stuck + waiting.going
    more = all_ - len(waiting.first) - sum(waiting.alike.values())
    said = f"{waiting.stuck} need an operator, {waiting.going} on their way"
    did = tuple(
        Row(f"#{d.number} {d.destination}: {d.did} by {d.who}, {clock(d.at)}") for d in decisions
    )
    return Message(
        title="Outbox",
        lead=f"Outbox: {said if all_ else 'all arrived'}.",
        rows=tuple(_row(d, waiting.alike.get(d.id, 0), now) for d in waiting.first),
        sections=(Section("Decided lately", did),) if did else (),
        footer=(
            *((f"{some(more, 'line')} more",) if more > 0 else ()),
            *(("/outbox resend N, /outbox look N, /outbox drop N (operators)",) if all_ else ()),
        ),
        stamp=stamp,
        menus=names_menu("Decide (operators)", _decisions(waiting)),
    )


def _decisions(waiting: Troubled) -> list[Action]:
    stuck = waiting.first[: waiting.stuck]
    return [
        Action(f"#{d.id} {does}", f"outbox {does} {d.id}", f"{d.kind} for {d.destination}")
        for d in stuck
        for does in ("resend", "look", "drop")
    ]


def _row(d: Delivery, alike: int, now: datetime) -> Row:
    why = d.reason or "not tried yet"
    seen = f" ({d.seen})" if d.seen else ""
    head = f"#{d.id} {d.destination} · {d.kind} of {day(d.session)} · {d.state}: {why}{seen}"
    tried = some(d.attempts, "attempt")
    before = f"; {some(alike, 'earlier one')} likewise" if alike else ""
    return Row(head, (f"{age(d.created_at, now)} old, {tried}{_next(d, now)}{before}",))


def _next(d: Delivery, now: datetime) -> str:
    if d.state is State.PENDING and d.next_try_at is None:
        return ", waits for its digest"
    if d.next_try_at is None:
        return ""
    left = (d.next_try_at - now).total_seconds()
    return f", next try in {age(now, d.next_try_at)}" if left > 0 else ", next"
