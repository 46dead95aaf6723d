"""/watch and `/anomalies mine`: the lists of people and channels, and what is on them."""

import asyncio
import difflib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import polars as pl

from alerts.budget import clipped
from alerts.message import stamp, stamped
from alerts.model import Destination, Message, Report, Row
from alerts.mutes import mutes_of, silences
from alerts.publish import delivered
from alerts.subscriptions import unwatch, watch, watched
from alerts.watch_view import Seen, look, places, watch_view, watchlist
from alerts.words import listed, some
from bot.arguments import Chosen, Sessions, current, find_ticker, no_more_than
from bot.digests import Digests
from bot.requests import CommandRequest
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import sessions_ending, trading_day
from core.detect import anomalies
from core.errors import CommandError
from core.ladder import Ladder
from core.renames import Rename

USAGE = "[add|remove|list] [TICKERS] [here]"
MOST_NAMES = 100
_ACTIONS = ("add", "remove", "list")
_SUCH = "/watch add NVDA AMD"
_OWN, _CHANNELS = "Your watchlist", "This channel's watchlist"
_SPELLED, _NEAR = 5, 3


@dataclass(frozen=True, slots=True)
class Watching:
    """Answers about watchlists: everybody's own, and for operators the channel's."""

    ladder: Ladder
    sessions: Sessions
    digests: Digests

    async def watch(self, request: CommandRequest) -> Message:
        """Add, remove, or list; CommandError in one sentence."""
        action, typed, here = _read(request.words)
        if action == "list":
            return await self._list(request, here)
        if here:
            request.only_operators("Changing this channel's list")
        if not typed:
            raise CommandError(f"Which tickers? /watch {action} NVDA AMD")
        if len(typed) > MOST_NAMES:
            raise CommandError(
                f"That is {len(typed)} names at once; a list has room for {MOST_NAMES}, so name at"
                " most as many"
            )
        owner, title = (request.where, _CHANNELS) if here else (request.who, _OWN)
        if action == "add":
            did = await self._add(owner, typed, request.who)
        else:
            did = await self._remove(owner, typed, title)
        now = len((await watched(self.ladder.top.db.rows, [owner]))[owner])
        return Message(
            title=title,
            lead=f"{'; '.join(did.done)}." if did.done else "Nothing was changed.",
            banners=did.notes,
            rows=tuple(Row(line) for line in did.wrong),
            footer=(f"{some(now, 'name')} on it: /watch list{' here' if here else ''}",),
            stamp=stamp(self.ladder.top.series),
        )

    async def mine(self, request: CommandRequest, chosen: Chosen) -> Message:
        """The asker's names, and the channel's, in one session; CommandError if there are none."""
        rows, day = self.ladder.top.db.rows, chosen.day
        lists = await watched(rows, [request.who, request.where])
        own, channel = lists[request.who], lists[request.where]
        names = dict.fromkeys(channel, False) | dict.fromkeys(own, True)
        if not names:
            raise CommandError(f"You watch nothing yet: {_SUCH} puts names on your list")
        report = await self.digests.report(day)
        seen, notes = await self._seen(names, report, request.channel)
        mutes = await mutes_of(rows, [request.who], day.date)
        muted = {s.ticker for s in seen if silences(mutes, s.ticker, s.anomaly, day.date)}
        over = [line for one in mutes if (line := one.over(day.date))]
        notes = [*chosen.notes, *notes, *over]
        detail = self.digests.detail
        return watch_view(
            *(seen, muted, day.date, report.judged.series, notes),
            by=stamped(report),
            detail=detail,
        )

    async def _list(self, request: CommandRequest, here: bool) -> Message:
        owner, title = (request.where, _CHANNELS) if here else (request.who, _OWN)
        names = (await watched(self.ladder.top.db.rows, [owner]))[owner]
        if not names:
            such = f"{_SUCH}{' here' if here else ''}"
            empty = f"{title} is empty: {such} puts names on it."
            return Message(title=title, lead=empty, stamp=stamp(self.ladder.top.series))
        chosen = await self.sessions.resolve(None)
        report = await self.digests.report(chosen.day)
        seen, notes = await self._seen(dict.fromkeys(names, True), report, request.channel)
        notes = [*chosen.notes, *notes]
        return watchlist(title, seen, chosen.day.date, report.judged.series, notes)

    async def _seen(
        self, names: Mapping[str, bool], report: Report, where: Destination
    ) -> tuple[list[Seen], list[str]]:
        """What each name did in a session, and what has to be said of names that changed."""
        day = trading_day(report.judged.session)
        pipeline = await self.ladder.of(day)
        sent = await delivered(pipeline.db, pipeline.series, day, where)
        place = places(sent[-1] if sent else report)
        scores = await pipeline.record.scores(day, pipeline.rule)
        first = sessions_ending(day, LOOKBACK_SESSIONS)[0].date
        renames = await pipeline.record.renames(first, day.date)
        traded = set(scores["ticker"])
        now = {name: current(name, traded, renames) for name in names}
        chosen = scores.filter(pl.col("ticker").is_in([ticker for ticker, _ in now.values()]))
        found = await asyncio.to_thread(anomalies, chosen, pipeline.series.scope)
        # What was said stands, whatever the settings would say of it today.
        loud = {a.ticker: a for a in (*found, *report.judged.anomalies)}
        rows = {row["ticker"]: row for row in chosen.iter_rows(named=True)}
        seen = {
            ticker: look(
                ticker, rows.get(ticker), loud.get(ticker), place.get(ticker, ""),
                pipeline.rule, pipeline.series, own=names[name], detail=self.digests.detail,
            )
            for name, (ticker, _) in now.items()
        }  # fmt: skip
        return list(seen.values()), [note for _, note in now.values() if note]

    async def _add(self, owner: str, typed: Sequence[str], who: str) -> "_Did":
        good, wrong, notes = await self._known(typed)
        if not good:
            raise CommandError(". ".join(wrong))
        db = self.ladder.top.db
        on = set((await watched(db.rows, [owner]))[owner])
        new = [ticker for ticker in good if ticker not in on]
        room = max(0, MOST_NAMES - len(on))
        added = await watch(db, owner, new[:room], who=who, now=self.sessions.now())
        there = [ticker for ticker in good if ticker in on]
        did = [f"{', '.join(added)} added"] if added else []
        did += [f"{', '.join(there)} {_was(there)} on it already"] if there else []
        if left := new[room:]:
            full = f"a list has room for {MOST_NAMES} names: {', '.join(left)} not added"
            wrong = [*wrong, full]
        return _Did(tuple(did), tuple(wrong), tuple(notes))

    async def _known(self, typed: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
        """The tickers that are stored here, what is wrong with the others, and their renames."""
        day = (await self.sessions.resolve(None)).day
        pipeline, window = await self.ladder.of(day), sessions_ending(day, LOOKBACK_SESSIONS)
        renames = await pipeline.record.renames(window[0].date, day.date)
        names = await pipeline.record.names(window, renames)
        good, wrong = await asyncio.to_thread(told_apart, typed, names, renames)
        return list(good), _few(wrong), [note for note in good.values() if note]

    async def _remove(self, owner: str, typed: Sequence[str], title: str) -> "_Did":
        db = self.ladder.top.db
        on = (await watched(db.rows, [owner]))[owner]
        # By the list, not by what is traded: a name that is gone has to be removable.
        found = {text: next((t for t in (text, text.upper()) if t in on), None) for text in typed}
        gone = await unwatch(db, owner, [ticker for ticker in found.values() if ticker])
        missing = [text for text, ticker in found.items() if ticker is None]
        # Near names only for those that are spelled out, as in told_apart.
        near = [on] * _SPELLED + [()] * (len(missing) - _SPELLED)
        wrong = _few([_not_on(title, *one) for one in zip(missing, near, strict=False)])
        if not gone and wrong:
            raise CommandError(". ".join(wrong))
        return _Did((f"{', '.join(gone)} removed",), tuple(wrong))


@dataclass(frozen=True, slots=True)
class _Did:
    """What became of each name that was typed."""

    done: tuple[str, ...]
    wrong: tuple[str, ...]
    notes: tuple[str, ...] = ()


def _read(words: Sequence[str]) -> tuple[str, list[str], bool]:
    """`add $nvda, amd here` -> add, [nvda, amd], True."""
    parts = " ".join(words).replace(",", " ").replace(";", " ").split()
    # HERE is a ticker; whoever means the channel types it small, or after `list`.
    here = any(part == "here" for part in parts[1:]) or parts == ["here"]
    rest = [part for part in parts if part != "here"]
    action = rest[0].lower() if rest else "list"
    if action not in _ACTIONS:
        near = difflib.get_close_matches(action, _ACTIONS, 1, 0.6)
        hint = f"did you mean /watch {near[0]}?" if near else f"there is /watch {USAGE}"
        raise CommandError(f"/watch {clipped(rest[0], 40)}: {hint}")
    names = [name for part in rest[1:] if (name := part.removeprefix("$"))]
    if action == "list" and [n.lower() for n in names] != ["here"]:
        no_more_than(names, 0, "/watch list [here]")
    return action, list(dict.fromkeys(names)), here or (action == "list" and bool(names))


def told_apart(
    typed: Sequence[str], names: AbstractSet[str], renames: Sequence[Rename]
) -> tuple[dict[str, str], list[str]]:
    """Tickers with what has to be said of them, and what is wrong with the other words."""
    good, wrong = dict[str, str](), list[str]()
    for text in typed:
        now, note = current(text, names, renames)
        try:
            # Nobody is shown more suggestions than _few leaves, and each takes a while.
            suggest = len(wrong) < _SPELLED
            good[find_ticker(now, names, f"/watch {USAGE}", suggest=suggest)] = note
        except CommandError as error:
            wrong.append(str(error))
    return good, wrong


def _was(tickers: Sequence[str]) -> str:
    return "was" if len(tickers) == 1 else "were"


def _not_on(title: str, text: str, on: Iterable[str]) -> str:
    near = difflib.get_close_matches(text.upper(), list(on), _NEAR, 0.6)
    name = f"{title[:1].lower()}{title[1:]}"
    hint = f"; near it: {listed(near, _NEAR)}" if near else ""
    return f"{clipped(text, 40)} is not on {name}{hint}"


def _few(wrong: Sequence[str]) -> list[str]:
    more = len(wrong) - _SPELLED
    return [*wrong[:_SPELLED], *([f"and {more} more like it"] if more > 0 else [])]
