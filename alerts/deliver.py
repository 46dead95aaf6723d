"""The outbox's way out: record the attempt, send, record what became of it. The Sender port.

A lane is the line of one destination: in order, one at a time, held up by nobody else's. What may
have arrived is looked for before it is sent again; where nobody can look, it waits for an operator.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Protocol

from alerts import outbox
from alerts.attempts import Outcome, attempted, tell_operator
from alerts.buttons import keep
from alerts.compose import Composer, Draw, no_picture
from alerts.decisions import after_a_restart
from alerts.model import (
    Check,
    Delivery,
    Destination,
    Detail,
    Kind,
    Letter,
    Receipt,
    State,
    Tried,
)
from alerts.outbox import What
from alerts.subscriptions import quiet_until, wants_of
from core.db import Db, StorageError
from core.errors import Reason

logger = logging.getLogger(__name__)

_ANSWER_WITHIN = timedelta(minutes=2)
"""A request whose answer is not there by then is not accepted any more either."""

_REST_S = 30.0
_FAULTS = 3
"""So often something unexpected may happen to a delivery before it is an operator's business."""
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


@dataclass(slots=True)
class Courier:
    """Delivers what is in the outbox: one lane a destination, each on its own."""

    db: Db
    senders: MutableMapping[str, Sender]
    now: Callable[[], datetime]
    draw: Draw = no_picture
    operator: Destination | None = None
    detail: Detail = Detail.FULL
    sent: int = 0
    """Deliveries that arrived since the start."""
    _composer: Composer = field(init=False)
    _lanes: dict[Destination, asyncio.Task[None]] = field(default_factory=dict)
    _resting: dict[Destination, float] = field(default_factory=dict)
    _at: dict[Destination, Delivery] = field(default_factory=dict)
    """What each lane is at."""
    _flying: set[Destination] = field(default_factory=set)
    """Whose call is under way, or not recorded yet."""
    _unrecorded: set[str] = field(default_factory=set)
    """Sent by lanes that failed before they could say what became of it."""
    _faults: Counter[str] = field(default_factory=Counter)
    _hopeless: list[tuple[Delivery, Outcome]] = field(default_factory=list)
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _closing: bool = False
    _recovered: bool = False

    def __post_init__(self) -> None:
        """What was read of the editions is kept as long as this lives."""
        self._composer = Composer(self.db, self.draw, self.detail)

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
                lanes = list(self._lanes.values())
                await asyncio.wait(lanes, return_when=asyncio.FIRST_COMPLETED)
            elif soonest is None or loop.time() + soonest > until:
                return self.sent - before
            else:
                await asyncio.sleep(soonest)

    async def emptied(self, destination: Destination) -> None:
        """Returns when nothing that can go now waits for a destination."""
        while True:
            if destination in self._lanes:
                await asyncio.wait([self._lanes[destination]])
            moment = (await outbox.heads(self.db, self.now())).get(destination)
            if moment is None or moment > self.now() or destination in self._resting:
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
        while self._hopeless:
            await self._settle(*self._hopeless[0])
            del self._hopeless[0]
        now, clock = self.now(), asyncio.get_running_loop().time()
        waits = []
        for destination, moment in (await outbox.heads(self.db, now, only)).items():
            if destination in self._lanes:
                continue
            if destination.platform not in self.senders:
                waits.append(await self._outlive(destination, only))
                continue
            rest = self._resting.get(destination, 0.0) - clock
            wait = max((moment - now).total_seconds(), rest)
            if wait > 0 or self._closing:
                waits.append(max(wait, 0.0))
                continue
            self._resting.pop(destination, None)
            lane = asyncio.create_task(self._lane(destination, only), name=f"lane {destination}")
            self._lanes[destination] = lane
            lane.add_done_callback(partial(self._ended, destination))
        return min(waits, default=None)

    async def _outlive(self, destination: Destination, only: date | None) -> float:
        """Give up what is too old where nobody can speak any more; seconds to the next of it."""
        while first := await outbox.first_in_line(self.db, destination, self.now(), only):
            left = first.created_at + outbox.EXPIRES_AFTER - self.now()
            if left >= timedelta():
                return left.total_seconds() + _REST_S
            await self._settle(first, Outcome(State.EXPIRED, Reason.TOO_OLD))
            self._bell.set()  # operators are told of it
        return outbox.EXPIRES_AFTER.total_seconds()

    def _ended(self, destination: Destination, lane: asyncio.Task[None]) -> None:
        del self._lanes[destination]
        first, flying = self._at.pop(destination, None), destination in self._flying
        self._flying.discard(destination)
        if not lane.cancelled() and (error := lane.exception()) is not None:
            facts = {"destination": str(destination), "delivery": first and first.key}
            logger.error("a lane failed; it goes on in a while", exc_info=error, extra=facts)
            self._resting[destination] = asyncio.get_running_loop().time() + _REST_S
            if first is not None:
                self._failed(first, error, flying=flying)
        self._bell.set()

    def _failed(self, first: Delivery, error: BaseException, *, flying: bool) -> None:
        """A full disk may have room again; what fails each time by itself is for an operator."""
        if flying:
            self._unrecorded.add(first.key)
        if isinstance(error, StorageError):
            return
        self._faults[first.key] += 1
        if self._faults[first.key] >= _FAULTS:
            state = State.AMBIGUOUS if first.doubt or flying else State.REFUSED
            held = replace(first, state=State.AMBIGUOUS if flying else first.state)
            outcome = Outcome(state, Reason.OUR_FAULT, type(error).__name__)
            self._hopeless.append((held, outcome))

    async def _lane(self, destination: Destination, only: date | None) -> None:
        while not self._closing:
            now = self.now()
            first = await outbox.first_in_line(self.db, destination, now, only)
            if first is None or first.next_try_at is None:
                return
            if outbox.due_at(first.next_try_at, first.changed_at, now) > now:
                return
            self._at[destination] = first
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
        held = first.kind in _MAKES_A_SOUND and first.destination != self.operator
        if until is not None and held and first.state is State.PENDING:
            outcome = Outcome(State.PENDING, Reason.QUIET_HOURS, next_try_at=until)
            # Unless somebody decided otherwise meanwhile.
            return not await self._settle(first, outcome)
        ready = await self._composer.letter(first, silent=wants.silent)
        if isinstance(ready, Letter):
            # First, for whoever sees a button may click it.
            await keep(self.db, ready.message, self.now())
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
        self._flying.add(first.destination)
        outcome = await attempted(first, what, call, self.now, harmless=_AGAIN_HARMLESS)
        sending = replace(first, state=State.SENDING) if what is What.SEND else first
        await self._settle(sending, outcome, number)
        self._flying.discard(first.destination)
        return outcome

    async def _settle(self, first: Delivery, outcome: Outcome, attempt: int | None = None) -> bool:
        """False if it was not as it is here any more: then what was decided meanwhile stands."""
        async with self.db.transaction() as writer:
            done = await outbox.settle(
                writer,
                *(first.key, outcome.state, outcome.reason, self.now()),
                expected=first.state,
                seen=outcome.seen,
                receipt=outcome.receipt.message_id if outcome.receipt else None,
                next_try_at=outcome.next_try_at,
                attempt=attempt,
                doubt=outcome.doubt,
            )
            if done and outcome.reason is Reason.OUR_FAULT:
                # No attempt has ended so: without one, who counts them would never see it.
                fault = (Reason.OUR_FAULT, outcome.seen, self.now())
                await outbox.record(writer, first.key, What.SEND, *fault)
            if done and self.operator is not None and first.destination != self.operator:
                await tell_operator(writer, self.operator, first, outcome, self.now())
        if not done:
            return False
        self.sent += outcome.state is State.SENT
        if outcome.state is not State.SENT:
            facts = {"delivery": first.key, "state": outcome.state, "reason": outcome.reason}
            level = logging.INFO if outcome.reason in _ROUTINE else logging.WARNING
            logger.log(level, "not delivered", extra=facts | {"seen": outcome.seen or None})
        return True


def _tried(first: Delivery) -> Tried:
    since = first.first_try_at or first.created_at
    last = first.last_try_at or since
    return Tried(since, last + _ANSWER_WITHIN, last)
