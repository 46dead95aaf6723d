"""One attempt at a delivery: what its end means, when the next one is, who has to know."""

import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts import outbox
from alerts.letters import as_text, trouble
from alerts.model import Delivery, Destination, Kind, Receipt, State
from alerts.outbox import What
from alerts.troubled import told_before
from core.db import Connection
from core.errors import DeliveryAmbiguous, DeliveryDeferred, DeliveryRefused, Reason

_LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it. An ambiguous one without a next try is an operator's business."""

    state: State
    reason: Reason
    seen: str = ""
    receipt: Receipt | None = None
    next_try_at: datetime | None = None
    doubt: bool | None = None
    """May an attempt be there all the same? None: as before."""

    @property
    def is_over(self) -> bool:
        """May what stands behind it in the line go on?"""
        return self.next_try_at is None


async def attempted(
    tried: Delivery,
    what: What,
    call: Callable[[], Awaitable[Receipt | None]],
    now: Callable[[], datetime],
    *,
    harmless: Collection[Kind],
) -> Outcome:
    """Make the call. `harmless`: of these it does no harm to send them twice.

    Once something may have arrived it stays ambiguous until it is seen there, or surely refused:
    an answer that asks for patience proves nothing about the attempts before.
    """
    still = tried.state if tried.state is State.AMBIGUOUS else State.PENDING
    try:
        receipt = await call()
    except DeliveryDeferred as error:
        again = now() + backed_off(tried.attempts + 1, error.retry_after_s)
        doubt = tried.doubt if what is What.SEND else None
        return Outcome(still, error.reason, error.seen, next_try_at=again, doubt=doubt)
    except DeliveryAmbiguous as error:
        if what is What.LOOK:
            return Outcome(State.AMBIGUOUS, Reason.LOOK_UP_IMPOSSIBLE, error.seen)
        unclear = State.PENDING if tried.kind in harmless else State.AMBIGUOUS
        again = now() + backed_off(tried.attempts + 1)
        return Outcome(unclear, error.reason, error.seen, next_try_at=again)
    except DeliveryRefused as error:
        if what is What.SEND and tried.doubt and not _certain(error.reason, tried, harmless):
            # This attempt was refused; the one before it may be there.
            return Outcome(State.AMBIGUOUS, error.reason, error.seen)
        return Outcome(State.REFUSED, error.reason, error.seen, doubt=tried.doubt)
    if receipt is not None:
        reason = Reason.FOUND if what is What.LOOK else Reason.DELIVERED
        return Outcome(State.SENT, reason, receipt.fallback, receipt, doubt=False)
    return Outcome(State.AMBIGUOUS, Reason.SAFE_TO_REPEAT, next_try_at=now())


def _certain(reason: Reason, tried: Delivery, harmless: Collection[Kind]) -> bool:
    """Does a refusal say that nothing is there, whatever was tried before?"""
    return reason is Reason.CHANNEL_GONE or tried.kind in harmless


def backed_off(attempt: int, at_least_s: float | None = None) -> timedelta:
    """1, 2, 4 … seconds to 10 minutes, shortened by up to a half; never less than asked for."""
    full = min(2.0 ** (attempt - 1), _LONGEST_S)
    seconds = full * random.uniform(0.5, 1.0)
    # Asked-for pauses are not shortened: all that were told the same must not come at once either.
    return timedelta(seconds=max(seconds, (at_least_s or 0.0) * random.uniform(1.0, 1.1)))


async def tell_operator(
    writer: Connection, operator: Destination, lost: Delivery, outcome: Outcome, now: datetime
) -> None:
    """One line for the operators if they have to know: once a session, platform and reason, and not
    again while the same channel fails for the same reason session after session."""
    fallback = outcome.receipt.fallback if outcome.receipt else ""
    if fallback:
        body, about, silent = as_text(lost, fallback), "as text", True
    elif outcome.state is State.REFUSED or _is_theirs(outcome):
        why = f"{outcome.reason} ({outcome.seen})" if outcome.seen else str(outcome.reason)
        body, about, silent = trouble(lost, outcome.state, why), str(outcome.reason), False
        if await told_before(writer, lost, outcome.reason):
            return
    else:
        return
    await outbox.add(
        writer,
        destination=operator,
        series=lost.series,
        session=lost.session,
        kind=Kind.NOTICE,
        now=now,
        more=f"{lost.destination.platform} {about}",
        body=body,
        silent=silent,
    )


def _is_theirs(outcome: Outcome) -> bool:
    given_up = (Reason.TOO_OLD, Reason.NOT_DRAWN)
    lost = outcome.state is State.EXPIRED and outcome.reason in given_up
    return lost or (outcome.state is State.AMBIGUOUS and outcome.next_try_at is None)
