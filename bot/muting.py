"""/mute and /mutes: silence in a channel, or in one's own view, counted in sessions."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from alerts.budget import clipped
from alerts.message import stamp
from alerts.model import Message
from alerts.mutes import Mute, end, mutes_of, put
from alerts.mutes_card import Hidden, ended, muted, mutes_card
from alerts.subscriptions import watched
from bot.arguments import Sessions, current, find_ticker, no_more_than
from bot.hindsight import Hindsight, Shown
from bot.mute_words import USAGE, Wish, parse
from bot.requests import CommandRequest
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, closed_because, on_or_before, sessions_ending
from core.db import iso
from core.errors import CommandError
from core.ladder import Ladder
from core.ledger import Status

LIST_USAGE = "[end NUMBER]"
_LOOK_BACK_SESSIONS = 20
_OVER_SESSIONS = 10
_MOST_AHEAD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Muting:
    """Sets, lists and ends mutes."""

    ladder: Ladder
    sessions: Sessions
    hindsight: Hindsight

    async def mute(self, request: CommandRequest) -> Message:
        """Mute a ticker, a label or a rule; CommandError in one sentence."""
        wish = parse(request.words)
        if not wish.mine:
            request.only_operators("Muting what this channel is told (add `mine` for yourself)")
        newest = await self._newest()
        new, notes = await self._made(request, wish, newest)
        shown = await self._shown(request, wish, newest)
        would = tuple(a for one in shown for a in one.lines if new.hides(a))
        made, replaced = await put(self.ladder.top.db, new)
        hidden = Hidden(would, len(shown), _LOOK_BACK_SESSIONS)
        return muted(made, replaced, hidden, notes, stamp(self.ladder.top.series))

    async def _shown(
        self, request: CommandRequest, wish: Wish, newest: TradingDay
    ) -> Sequence[Shown]:
        """What the mute would have met: the channel's lines, or what the asker's view flags."""
        if not wish.mine:
            return await self.hindsight.lines(newest, _LOOK_BACK_SESSIONS, request.channel)
        owners = [request.who, request.where]
        lists = await watched(self.ladder.top.db.rows, owners)
        names = {ticker for tickers in lists.values() for ticker in tickers}
        return await self.hindsight.own(newest, _LOOK_BACK_SESSIONS, names)

    async def mutes(self, request: CommandRequest) -> Message:
        """All of the channel and of the asker, or the end of one."""
        words = request.words
        newest = await self._newest()
        first = sessions_ending(newest, _OVER_SESSIONS)[0].date
        owners = [request.where, request.who]
        found = await mutes_of(self.ladder.top.db.rows, owners, first)
        if words:
            return await self._end(request, found, newest)
        recent = [m for m in found if m.active(newest.date) or (m.through or first) >= first]
        here, own = ([m for m in recent if m.owner == owner] for owner in owners)
        return mutes_card(here, own, newest.date, stamp(self.ladder.top.series))

    async def _end(
        self, request: CommandRequest, found: Sequence[Mute], newest: TradingDay
    ) -> Message:
        words, usage = request.words, f"/mutes {LIST_USAGE}"
        no_more_than(words, 2, usage)
        number = words[1].removeprefix("#") if len(words) > 1 else ""
        if words[0].lower() != "end" or not (number.isascii() and number.isdigit()):
            raise CommandError(
                f"/mutes {clipped(' '.join(words), 40)}: /mutes lists them, and /mutes end NUMBER"
                " ends one"
            )
        one = next((m for m in found if str(m.id) == number.lstrip("0")), None)
        if one is None:
            raise CommandError(
                f"There is no mute {number[:10]} here or of yours; /mutes lists them"
            )
        if not one.active(newest.date):
            raise CommandError(f"Mute {one.id} ({one.what}) is over already; /mutes lists them")
        if one.owner == request.where:
            request.only_operators("Ending a mute of this channel")
        await end(self.ladder.top.db, one, who=request.who, newest=newest.date)
        return ended(one, newest.date, stamp(self.ladder.top.series))

    async def _newest(self) -> TradingDay:
        """The newest session that was judged: what is muted is muted after it."""
        entry = await self.ladder.newest(Status.FINISHED)
        return entry.day if entry else (await self.sessions.resolve(None)).day

    async def _made(
        self, request: CommandRequest, wish: Wish, newest: TradingDay
    ) -> tuple[Mute, list[str]]:
        """The mute that is wished for, and what has to be said of it."""
        value, notes = wish.value, list[str]()
        if wish.kind == "ticker":
            value, notes = await self._ticker(wish.value, newest)
        until, said = _last(wish, newest)
        made = Mute(
            id=0,
            owner=request.who if wish.mine else request.where,
            kind=wish.kind,
            value=value,
            since=newest.date,
            sessions=wish.sessions,
            until=until.date if until else None,
            score=await self._score(value, newest) if wish.double else None,
            why=wish.why,
            set_by=request.who,
            set_at=iso(self.sessions.now()),
        )
        return made, [*notes, *said]

    async def _ticker(self, typed: str, newest: TradingDay) -> tuple[str, list[str]]:
        record = (await self.ladder.of(newest)).record
        window = sessions_ending(newest, LOOKBACK_SESSIONS)
        renames = await record.renames(window[0].date, newest.date)
        names = await record.names(window, renames)
        now, note = current(typed, names, renames)
        ticker = await asyncio.to_thread(find_ticker, now, names, f"/mute {USAGE}")
        return ticker, [note] if note else []

    async def _score(self, ticker: str, newest: TradingDay) -> float:
        """Its score in the newest session; CommandError if twice that is no measure."""
        pipeline = await self.ladder.of(newest)
        scores = await pipeline.record.scores(newest, pipeline.rule)
        found = scores.filter(ticker=ticker)["score"].to_list()
        score = next((float(s) for s in found if s is not None), None)
        instead = f"name a number of sessions, such as /mute {ticker} 5"
        if score is None:
            raise CommandError(f"{ticker} has no score on {newest} that could double; {instead}")
        if 2 * score <= pipeline.rule.min_z:
            raise CommandError(
                f"{ticker} has a score of {score:.1f} on {newest}: any line of it is more than"
                f" twice that, so until:double would hide nothing; {instead}"
            )
        return score


def _last(wish: Wish, newest: TradingDay) -> tuple[TradingDay | None, list[str]]:
    """The last session of `until:`, and what has to be said of the date."""
    if wish.until is None:
        return None, []
    if wish.until - newest.date > _MOST_AHEAD:
        raise CommandError(f"until:{wish.until} is more than a year ahead; name a date before")
    last = on_or_before(wish.until) if wish.until > newest.date else newest
    if last <= newest:
        raise CommandError(
            f"until:{wish.until} leaves no session to mute: the newest one is {newest}, and the"
            " date has to be after it"
        )
    why = closed_because(wish.until)
    return last, [f"{wish.until} is {why}; the last session before it is {last}"] if why else []
