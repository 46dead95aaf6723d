"""/outbox: what is not where it should be; an operator's word on it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.budget import clipped
from alerts.decisions import drop, look, resend
from alerts.deliver import Courier
from alerts.model import Delivery, Destination, Message
from alerts.outbox import What
from alerts.outbox_card import LINES, Decision, outbox_card
from alerts.troubled import destinations, troubled
from alerts.words import day
from bot.requests import ONLY_HERE, CommandRequest
from core.db import Db
from core.errors import CommandError, Reason

USAGE = "[resend N|look N|drop N]"
_DIGITS = 16
_LATELY = timedelta(days=2)
_DECIDE: dict[str, tuple[Callable[[Db, int, str, datetime], Awaitable[Delivery]], str]] = {
    "resend": (resend, "goes out again"),
    "look": (look, "is looked for again"),
    "drop": (drop, "is given up"),
}
_DID = {Reason.RESENT: "sent again", Reason.INTERRUPTED: "looked for", Reason.DROPPED: "dropped"}


@dataclass(frozen=True, slots=True)
class OutboxDesk:
    """Answers about deliveries; whatever platform decided it, all see it."""

    courier: Courier
    now: Callable[[], datetime]
    stamp: str

    async def answer(self, request: CommandRequest) -> Message:
        """The list, or what was decided; CommandError in one sentence."""
        if request.words:
            return await self._decide(request)
        all_ = await destinations(self.courier.db)
        seen = list(filter(request.sees, all_))
        waiting = await troubled(self.courier.db, LINES, seen)
        decided = [d for d in await self._decisions() if Destination.parse(d.destination) in seen]
        message = outbox_card(waiting, decided, self.now(), self.stamp)
        if len(seen) == len(all_):
            return message
        return replace(message, footer=(*message.footer, ONLY_HERE))

    async def _decide(self, request: CommandRequest) -> Message:
        word, *rest = request.words
        if word.lower() not in _DECIDE:
            raise CommandError(f"/outbox {clipped(word, 40)}: there is /outbox {USAGE}")
        request.only_operators(f"/outbox {word.lower()}", everywhere=True)
        number = rest[0].removeprefix("#") if len(rest) == 1 else ""
        if not (number.isascii() and number.isdigit() and len(number) < _DIGITS):
            raise CommandError(f"/outbox {word.lower()} needs one number from the list of /outbox")
        act, said = _DECIDE[word.lower()]
        found = await act(self.courier.db, int(number), request.who, self.now())
        self.courier.ring()
        return Message(
            title=f"Outbox · #{found.id}",
            lead=f"#{found.id} ({found.kind} of {day(found.session)} for {found.destination})"
            f" {said}.",
            facts=(("it was", f"{found.state}: {found.reason or 'not tried yet'}"),),
            stamp=self.stamp,
        )

    async def _decisions(self) -> list[Decision]:
        rows = await self.courier.db.rows(
            "SELECT d.id, d.destination, a.reason, a.seen, a.began_at FROM delivery_attempts AS a"
            " JOIN deliveries AS d ON d.key = a.delivery WHERE a.what = ? AND a.began_at >= ?"
            " ORDER BY a.id DESC LIMIT 10",
            (What.OPERATOR, (self.now() - _LATELY).isoformat(timespec="seconds")),
        )
        return [
            Decision(
                row["id"],
                row["destination"],
                _DID[Reason(row["reason"])],
                row["seen"],
                datetime.fromisoformat(row["began_at"]),
            )
            for row in rows
        ]
