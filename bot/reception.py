"""What reaches us from a platform -> an answer, whoever asks and wherever. Knows no chat library.

A platform acknowledges first, then asks here. Each of its ids is carried out once, also after a
restart; who asks too much is told to wait; what buttons mean, and what was answered, is kept here.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from pydantic import ValidationError

from alerts.buttons import actions_of, command_of, kept
from alerts.compose import Draw, drawn, no_picture
from alerts.model import Message
from alerts.outbox import MESSAGE
from bot.answers import DO, SHARE, Answer
from bot.commands import Commands
from bot.forms import Form
from bot.pace import Pace
from bot.permissions import Asker, Operators, Power
from bot.requests import CommandRequest
from bot.timings import Timings
from core.db import Db, insert, iso
from core.errors import CommandError

_MOST_CHARS = 4_000
_MOST_REPLIES, _LONGEST_REPLY = 50, 100_000
"""Of one person, and characters of one: so nobody fills the disk by asking."""
_FORGET_IDS_AFTER, _FORGET_REPLIES_AFTER = timedelta(days=2), timedelta(days=7)


@dataclass(slots=True)
class Reception:
    """The one way in for all platforms."""

    db: Db
    commands: Commands
    operators: Operators
    now: Callable[[], datetime]
    draw: Draw = no_picture
    per_person: Pace = field(default_factory=lambda: Pace(10, 3.0))
    per_channel: Pace = field(default_factory=lambda: Pace(40, 0.5))
    timings: Timings = field(default_factory=Timings)
    _purged_at: datetime | None = None

    async def typed(self, once: str, asker: Asker, line: str) -> Answer | None:
        """A command in words. `once`: the platform's id of the request, such as `discord:1`.

        None if that id was here before: then somebody else answers, or has.
        """
        if not await self._first(once):
            return None
        return self._too_much(asker) or await self._carried_out(asker, line)

    async def pressed(self, once: str, asker: Asker, button: str) -> Answer | None:
        """A click on `do:KEY` or `share:KEY`; None as for typed()."""
        if not await self._first(once):
            return None
        if wait := self._too_much(asker):
            return wait
        verb, _, key = button.partition(":")
        if verb == SHARE:
            return await self._shared(asker, key)
        line = await command_of(self.db.rows, key) if verb == DO else None
        if line is None:
            return _said("This button is not known here any more. /help lists what can be asked.")
        return await self._carried_out(asker, line)

    async def opens(self, asker: Asker, form: Form, *, roles_known: bool) -> Answer | None:
        """What is said instead of opening a window; None if it may be opened.

        Without `roles_known` an operator's is opened for anybody: the command asks again.
        """
        if wait := self._too_much(asker):
            return wait
        if form.for_operators and roles_known:
            request = self._request(asker, form.line({}))
            try:
                request.only_operators(f"/{form.called}")
            except CommandError as error:
                await self.commands.audit(request, str(error))
                return _said(str(error))
        return None

    def _request(self, asker: Asker, line: str) -> CommandRequest:
        power = self.operators.power(asker)
        return CommandRequest.parse(
            line,
            *(asker.who, asker.where),
            operator=power is not Power.NONE,
            everywhere=power is Power.EVERYWHERE,
            how=self.operators.how(asker),
        )

    async def _carried_out(self, asker: Asker, line: str) -> Answer:
        if len(line) > _MOST_CHARS:
            return _said(f"That is {len(line):,} characters; a command has at most {_MOST_CHARS:,}")
        reply = await self.commands.answer(self._request(asker, line))
        pictures, _ = await drawn(self.draw, reply.message.charts)
        message = reply.message
        if message.charts and not pictures:
            message = replace(message, banners=(*message.banners, "its picture cannot be drawn"))
        share = await self._keep(asker, line, message) if reply.ok else ""
        return Answer(message, pictures, share)

    async def _shared(self, asker: Asker, key: str) -> Answer:
        found = await self.db.row(
            "SELECT message FROM replies WHERE key = ? AND who = ?", (key, asker.who)
        )
        message = _read(found["message"]) if found is not None else None
        if message is None:
            return _said("This answer cannot be shared any more: ask again, and share that.")
        public = replace(message, lead=f"{message.lead} (shared by {asker.who})")
        # Drawn first: whoever is stopped in the middle of it has shared nothing.
        pictures, _ = await drawn(self.draw, public.charts)
        if not await self._set_shared(key, 1):
            return _said("This answer is shared already; if it is not there, ask, and share that.")
        return Answer(public, pictures, public=True, shares=key)

    async def not_shared(self, answer: Answer) -> None:
        """Surely nobody saw it: it may be shared again."""
        await self._set_shared(answer.shares, 0)

    async def _set_shared(self, key: str, shared: int) -> bool:
        async with self.db.transaction() as writer:
            cursor = await writer.execute(
                "UPDATE replies SET shared = ? WHERE key = ? AND shared != ?", (shared, key, shared)
            )
            return cursor.rowcount > 0

    async def _first(self, once: str) -> bool:
        """Has this id never been here? If so it is on record from now on."""
        now = self.now()
        async with self.db.transaction() as writer:
            if self._purged_at is None or now - self._purged_at > _FORGET_IDS_AFTER / 4:
                self._purged_at = now
                ids, replies = now - _FORGET_IDS_AFTER, now - _FORGET_REPLIES_AFTER
                await writer.execute("DELETE FROM handled WHERE at < ?", (iso(ids),))
                await writer.execute("DELETE FROM replies WHERE kept_at < ?", (iso(replies),))
            # It may be an address at which whoever has it may answer.
            row = {"id": sha256(once.encode()).hexdigest(), "at": iso(now)}
            return bool(await insert(writer, "handled", row, or_="IGNORE"))

    async def _keep(self, asker: Asker, line: str, message: Message) -> str:
        """What its buttons mean, and the answer itself; the key of its Share button, if any."""
        key, now = secrets.token_hex(8), self.now()
        buttons = [(action.key, action.command) for action in actions_of(message)]
        text, who = _written(message), asker.who
        row = {"key": key, "who": who, "command": line, "message": text, "kept_at": iso(now)}
        async with self.db.transaction() as writer:
            await kept(writer, buttons, now)
            if not text:
                return ""
            await insert(writer, "replies", row)
            await writer.execute(
                "DELETE FROM replies WHERE who = ? AND rowid NOT IN (SELECT rowid FROM replies"
                " WHERE who = ? ORDER BY rowid DESC LIMIT ?)",
                (who, who, _MOST_REPLIES),
            )
        return key

    def _too_much(self, asker: Asker) -> Answer | None:
        for pace, key, whose in (
            (self.per_person, asker.who, "you"),
            (self.per_channel, asker.where, "this channel"),
        ):
            if (wait := pace.wait_s(key)) > 0:
                return _said(
                    f"That is a lot at once from {whose}, and others ask too: again in"
                    f" {max(1, round(wait))} s, please."
                )
        return None


def _said(text: str) -> Answer:
    return Answer(Message(title="", lead=text))


def _written(message: Message) -> str:
    """The message to be kept, without its files if it is too long with them; empty if it is too
    long all the same."""
    text = MESSAGE.dump_json(message).decode()
    if len(text) > _LONGEST_REPLY and message.files:
        names = " and ".join(file.name for file in message.files)
        gone = f"{names}: too long to be shared; whoever asks for it gets it"
        text = _written(replace(message, files=(), footer=(*message.footer, gone)))
    return text if len(text) <= _LONGEST_REPLY else ""


def _read(text: str) -> Message | None:
    """None for one that another version wrote."""
    try:
        return MESSAGE.validate_json(text)
    except ValidationError:
        return None
