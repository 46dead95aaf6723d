"""The outbox's way out: record the attempt, send, record what became of it. The Sender port.

A lane is the line of one destination: in order, one at a time, held up by nobody else's. What may
have arrived is looked for before it is sent again; where nobody can look, it waits for an operator.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from alerts import outbox
from alerts.attempts import Outcome, attempted, tell_operator
from alerts.decisions import after_a_restart
from alerts.letters import letter
from alerts.model import (
    ATTACHED,
    ChartOf,
    Check,
    Delivery,
    Destination,
    Kind,
    Letter,
    Message,
    Picture,
    Receipt,
    State,
    Tried,
)
from alerts.outbox import What
from alerts.publish import Reports
from alerts.subscriptions import quiet_until, wants_of
from core.db import Db
from core.errors import Reason

logger = logging.getLogger(__name__)

_ANSWER_WITHIN = timedelta(minutes=2)
"""A request whose answer is not there by then is not accepted any more either."""

_REST_S = 30.0
_GLANCE_S = 0.05
_ROUTINE = (Reason.QUIET_HOURS, Reason.RATE_LIMITED, Reason.SAFE_TO_REPEAT)
_AGAIN_HARMLESS = (Kind.EDIT, Kind.PING)
_MAKES_A_SOUND = (Kind.DIGEST, Kind.CORRECTION, Kind.DETAILS, Kind.NOTICE)


class Sender(Protocol):
    """One platform's hands. Raises only DeliveryDeferred, DeliveryAmbiguous, DeliveryRefused."""

    def turn(self, destination: Destination) -> AbstractAsyncContextManager[None]:
        """Held while a letter is on its way; waits until the platform's pace allows one."""

    async def send(self, destination: Destination, letter: Letter) -> Receipt:
        """Post it, in the thread of its anchor if it has one.

        What may have been accepted is not tried again here.
        """

    async def find(self, destination: Destination, letter: Letter, tried: Tried) -> Receipt | None:
        """Where an earlier send arrived; None: nowhere, or sending it again is harmless.

        Raises DeliveryAmbiguous if nobody can look.
        """

    async def edit(self, destination: Destination, receipt: Receipt, letter: Letter) -> Receipt:
        """Put it in the place of the message of a receipt. Twice does what once does."""

    async def examine(self, destination: Destination) -> Sequence[Check]:
        """What the destination needs and whether it is so; changes nothing there."""


Draw = Callable[[ChartOf], Awaitable[Picture | None]]


async def no_picture(of: ChartOf) -> Picture | None:
    """Where nothing can be drawn."""
    return None


@dataclass(slots=True)
class Courier:
    """Delivers what is in the outbox: one lane a destination, each on its own."""

    db: Db
    senders: MutableMapping[str, Sender]
    now: Callable[[], datetime]
    draw: Draw = no_picture
    operator: Destination | None = None
    sent: int = 0
    """Deliveries that arrived since the start."""
    _reports: Reports = field(init=False)
    _lanes: dict[Destination, asyncio.Task[None]] = field(default_factory=dict)
    _resting: dict[Destination, float] = field(default_factory=dict)
    _flying: dict[Destination, str] = field(default_factory=dict)
    """The key of what is being sent there."""
    _unrecorded: set[str] = field(default_factory=set)
    """Sent by lanes that failed before they could say what became of it."""
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _closing: bool = False
    _recovered: bool = False

    def __post_init__(self) -> None:
        """What was read of the editions is kept as long as this lives."""
        self._reports = Reports(self.db)

    def ring(self) -> None:
        """Something is new in the outbox."""
        self._bell.set()

    async def run(self) -> None:
        """Deliver for ever. First: what another process was sending when it died is unclear."""
        if not self._recovered:
            await outbox.interrupted(self.db, self.now())
            await after_a_restart(self.db, self.now())
            self._recovered = True
        while True:
            self._bell.clear()
            soonest = await self._start()
            try:
                async with asyncio.timeout(soonest):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def drain(self, only: date | None = None, patience_s: float = 0.0) -> int:
        """Deliver what is due, and what falls due within `patience_s`; how many arrived.

        With `only`, nothing but that session's messages.
        """
        before, loop = self.sent, asyncio.get_running_loop()
        until = loop.time() + patience_s
        while True:
            soonest = await self._start(only)
            if self._lanes:
                await asyncio.wait(list(self._lanes.values()))
            elif soonest is None or loop.time() + soonest > until:
                return self.sent - before
            else:
                await asyncio.sleep(soonest)

    async def emptied(self, destination: Destination) -> None:
        """Returns when nothing that can go now waits for a destination."""
        while True:
            if destination in self._lanes:
                await asyncio.wait([self._lanes[destination]])
            moment = (await outbox.heads(self.db)).get(destination)
            if moment is None or moment > self.now():
                return
            await asyncio.sleep(_GLANCE_S)

    async def close(self, patience_s: float = 8.0) -> None:
        """Begin nothing new, wait for what is under way, then let go of the rest."""
        self._closing = True
        lanes = list(self._lanes.values())
        if lanes:
            await asyncio.wait(lanes, timeout=patience_s)
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)

    async def _start(self, only: date | None = None) -> float | None:
        """A lane for each destination that is due and has none; seconds to the next one."""
        if self._unrecorded:
            await outbox.interrupted(self.db, self.now(), keys=sorted(self._unrecorded))
            self._unrecorded.clear()
        now, clock = self.now(), asyncio.get_running_loop().time()
        waits = []
        for destination, moment in (await outbox.heads(self.db, only)).items():
            if destination in self._lanes or destination.platform not in self.senders:
                continue
            rest = self._resting.get(destination, 0.0) - clock
            wait = max((moment - now).total_seconds(), rest)
            if wait > 0 or self._closing:
                waits.append(max(wait, 0.0))
                continue
            self._resting.pop(destination, None)
            lane = asyncio.create_task(self._lane(destination, only), name=f"lane {destination}")
            self._lanes[destination] = lane
            lane.add_done_callback(lambda task, to=destination: self._ended(to, task))  # type: ignore[misc]
        return min(waits, default=None)

    def _ended(self, destination: Destination, lane: asyncio.Task[None]) -> None:
        del self._lanes[destination]
        if not lane.cancelled() and (error := lane.exception()) is not None:
            # Such as a full disk: everyone else goes on, and this one tries again in a while.
            facts = {"destination": str(destination)}
            logger.error("a lane failed; it goes on in a while", exc_info=error, extra=facts)
            self._unrecorded.update({self._flying.pop(destination, "")} - {""})
            self._resting[destination] = asyncio.get_running_loop().time() + _REST_S
        self._bell.set()

    async def _lane(self, destination: Destination, only: date | None) -> None:
        while not self._closing:
            first = await outbox.first_in_line(self.db, destination, only)
            if first is None or first.next_try_at is None or first.next_try_at > self.now():
                return
            if not await self._advance(first):
                return

    async def _advance(self, first: Delivery) -> bool:
        """One step of the first in line; False if it, and so all behind it, has to wait."""
        if self.now() - first.created_at > outbox.EXPIRES_AFTER:
            await self._settle(first, Outcome(State.EXPIRED, Reason.TOO_OLD))
            return True
        wants = await wants_of(self.db.rows, first.destination)
        # Time zones are read from disk.
        until = await asyncio.to_thread(quiet_until, wants, self.now()) if wants.quiet else None
        if until is not None and first.kind in _MAKES_A_SOUND and first.state is State.PENDING:
            outcome = Outcome(State.PENDING, Reason.QUIET_HOURS, next_try_at=until)
            await self._settle(first, outcome)
            return False
        ready = await self._letter(first, silent=wants.silent)
        if isinstance(ready, Letter):
            return await self._hand_over(first, ready)
        await self._settle(first, Outcome(State.EXPIRED, ready))
        return True

    async def _hand_over(self, first: Delivery, ready: Letter) -> bool:
        sender, to = self.senders[first.destination.platform], first.destination
        async with sender.turn(to):
            if first.state is State.AMBIGUOUS and first.kind not in _AGAIN_HARMLESS:
                tried = _tried(first)
                looked = await self._attempt(
                    first, What.LOOK, lambda: sender.find(to, ready, tried)
                )
                if looked is None or looked.reason is not Reason.SAFE_TO_REPEAT:
                    return looked is not None and looked.is_over
            if first.kind is Kind.EDIT and ready.anchor is not None:
                there = ready.anchor
                done = await self._attempt(first, What.SEND, lambda: sender.edit(to, there, ready))
            else:
                done = await self._attempt(first, What.SEND, lambda: sender.send(to, ready))
        return done is not None and done.is_over

    async def _attempt(
        self, first: Delivery, what: What, call: Callable[[], Awaitable[Receipt | None]]
    ) -> Outcome | None:
        """None if another process is at it."""
        number = await outbox.begin(self.db, first, what, self.now())
        if number is None:
            return None
        self._flying[first.destination] = first.key
        outcome = await attempted(first, what, call, self.now, harmless=_AGAIN_HARMLESS)
        await self._settle(first, outcome, number)
        del self._flying[first.destination]
        return outcome

    async def _settle(self, first: Delivery, outcome: Outcome, attempt: int | None = None) -> None:
        async with self.db.transaction() as writer:
            await outbox.settle(
                writer,
                first.key,
                outcome.state,
                outcome.reason,
                self.now(),
                seen=outcome.seen,
                receipt=outcome.receipt.message_id if outcome.receipt else None,
                next_try_at=outcome.next_try_at,
                attempt=attempt,
            )
            if self.operator is not None and first.destination != self.operator:
                await tell_operator(writer, self.operator, first, outcome, self.now())
        self.sent += outcome.state is State.SENT
        if outcome.state is not State.SENT:
            facts = {"delivery": first.key, "state": outcome.state, "reason": outcome.reason}
            level = logging.INFO if outcome.reason in _ROUTINE else logging.WARNING
            logger.log(level, "not delivered", extra=facts | {"seen": outcome.seen or None})

    async def _letter(self, first: Delivery, *, silent: bool) -> Letter | Reason:
        """As it is sent, or why there is nothing to send."""
        message, anchor = await self._message(first), None
        if first.kind in ATTACHED:
            digest = await outbox.anchor(self.db, first)
            if digest is None or digest.receipt is None:
                return Reason.NO_MESSAGE
            anchor = Receipt(digest.receipt)
        drawn = [await self.draw(chart) for chart in message.charts]
        pictures = tuple(picture for picture in drawn if picture is not None)
        if first.kind is Kind.DETAILS and not pictures:
            return Reason.NOTHING_TO_SHOW
        quietly = silent or first.silent or message.brief
        return Letter(first.key, message, quietly, anchor, pictures)

    async def _message(self, first: Delivery) -> Message:
        if first.body is not None:
            return first.body
        own = await self._reports.edition(first)
        before = None
        if first.kind is Kind.CORRECTION:
            before = await self._reports.before(first)
        return letter(first, own, before)


async def _handed(sender: Sender, first: Delivery, ready: Letter) -> Receipt:
    if first.kind is Kind.EDIT and ready.anchor is not None:
        return await sender.edit(first.destination, ready.anchor, ready)
    return await sender.send(first.destination, ready)


def _tried(first: Delivery) -> Tried:
    since = first.first_try_at or first.created_at
    return Tried(since, (first.last_try_at or since) + _ANSWER_WITHIN)
