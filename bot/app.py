"""The composition root: open everything, wire it, run the day loop beside the chat, close."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial

from alerts.deliver import Courier, Sender
from alerts.model import TERMINAL, Destination
from alerts.notices import say_deaf, say_held, say_late
from alerts.publish import Outbox
from alerts.subscriptions import first_routes
from bot.backfilling import Backfilling
from bot.backfills import put_together
from bot.charts import Charts
from bot.commands import Commands
from bot.desk import commands
from bot.door import Door
from bot.ears import Ear, ears
from bot.first_channels import examine_first_channels
from bot.job_cards import JobCards
from bot.links import Link, LinkState
from bot.mouths import mouths
from bot.outside import Outside, outside
from bot.platforms.pacing import always
from bot.reception import Reception
from bot.rungs import Rungs
from bot.settings import Settings
from bot.storage import opened_store, probe
from bot.suggest import Suggestions
from bot.supervise import LINK_LONGEST_S, supervised
from bot.timings import Timings
from core.backfill import Step
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import NEW_YORK, TradingDay, last_complete, sessions, sessions_ending
from core.conditions import Rules
from core.db import Db
from core.errors import SourceError, Verdict
from core.files import Files
from core.headlines import Newsstand
from core.ladder import Ladder
from core.ledger import Status
from core.pipeline import REVISIT_SESSIONS
from core.progress import Board
from core.schedule import Bell, Hours
from core.sources import Source
from core.sources.access import Doctor
from core.sources.next_step import Part
from core.sources.reference import Reference
from core.turn import Turn
from core.universe import Census
from core.vendor_tables import VendorTables

logger = logging.getLogger(__name__)

OnStep = Callable[[Step], None]
_RING_AGAIN_S = 60.0


def utc_now() -> datetime:
    """The only clock of the process."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Copy:
    """What one running copy of the service has for itself; a command of the shell has none."""

    holder: str | None = None
    """Whose lease it is without which nothing may be written."""
    door: Door = field(default_factory=Door)
    timings: Timings = field(default_factory=Timings)
    sure: Callable[[], bool] = always
    """Can no other copy be at work?"""


_SHELLS = Copy()


@dataclass(frozen=True, slots=True, repr=False)  # all that it knows: the whole market
class App:
    """Everything open and wired."""

    settings: Settings
    db: Db
    ladder: Ladder
    rungs: Rungs
    tables: VendorTables
    census: Census
    board: Board
    doctor: Doctor
    commands: Commands
    bell: Bell
    hours: Hours
    now: Callable[[], datetime]
    courier: Courier
    always: Sequence[Destination]
    reception: Reception
    ears: Sequence[Ear]
    backfilling: Backfilling
    cards: JobCards
    warned: set[date] = field(default_factory=set)

    @property
    def senders(self) -> MutableMapping[str, Sender]:
        """The platforms that can be spoken on, by name."""
        return self.courier.senders

    @property
    def turn(self) -> Turn:
        """Held while sessions come in."""
        return self.backfilling.runner.turn

    async def sweep(self, on_step: OnStep, *, late: bool = False) -> bool:
        """Everything due, oldest first; then what was republished. The courier delivers.

        True if a source was away: then it is worth asking again soon, whatever the hour. `late`:
        the deadline has passed, so a session is said from what is there.
        """
        await self.refresh()
        self.backfilling.runner.free.clear()
        try:
            async with self.turn():
                away = await self._sweep(on_step, late=late)
        finally:
            self.backfilling.runner.free.set()
        await self.ladder.compact()
        return away

    async def _sweep(self, on_step: OnStep, *, late: bool) -> bool:
        self.ladder.ask_all_again()
        now = self.now()
        wanted = sessions_ending(last_complete(now), LOOKBACK_SESSIONS)
        # Not the newest one that is stored: that may be of a backfill.
        said = await self.ladder.newest_said()
        if said is not None and said < wanted[0].date:
            wanted = sessions(said, wanted[-1].date)  # a long time down
        tell = await self.ladder.owed(wanted[-1])
        away, tried = False, set[TradingDay]()
        async for step in self.ladder.work(wanted, tell, now, late=late):
            on_step(step)
            self._note(step)
            tried.add(step.day)
            away = away or step.away
            self.courier.ring()
        await self._revisit([day for day in wanted[-REVISIT_SESSIONS:] if day not in tried])
        await self.say_held(tell)
        self.courier.ring()
        return away

    async def say_held(self, tell: Sequence[TradingDay]) -> None:
        """Tell every channel of those that the gate holds, once each."""
        for day in tell:
            entry = await self.ladder.entry(day)
            if entry is not None and entry.status is Status.HELD:
                series = (await self.ladder.holding(day)).series
                # Sources that hold the same rows say the same of them.
                seen = dict.fromkeys(r.seen for r in entry.refused)
                why = "; ".join(seen) or entry.note or "the gate"
                await say_held(self.db, self.always, series, day.date, why, self.now())

    async def name_channels(self, *, ending: bool) -> None:
        """Channels of the environment are subscribed; with `ending`, what it names no more is not.

        The service ends them; a command that is typed beside it may have another environment.
        """
        named = await first_routes(self.db, self.settings.first_routes, self.now(), ending=ending)
        for route in named.off:
            facts = {"destination": str(route.destination), "by": route.ended_by}
            logger.warning("named in the environment, but unsubscribed by command", extra=facts)
        for route in named.ended:
            facts = {"destination": str(route.destination)}
            logger.warning("no longer named in the environment: unsubscribed", extra=facts)

    async def listen(self, ear: Ear) -> None:
        """Answer one platform for ever; operators hear of one that refuses us."""
        link = ear.link
        await supervised(link.platform, ear.serve, longest_s=LINK_LONGEST_S, link=link)
        if link.state is LinkState.REFUSED and self.courier.operator is not None:
            series, newest = self.ladder.top.series, last_complete(self.now())
            told = (series, newest.date, link.platform, link.seen, self.now())
            await say_deaf(self.db, self.courier.operator, *told)
            self.courier.ring()

    async def examine_channels(self) -> None:
        """Say at once what the channels of the environment lack, not on the day it is needed."""
        newest = last_complete(self.now())
        await examine_first_channels(self.courier, self.ladder.top.series, newest)

    async def refresh(self) -> None:
        """Once a week: what is each ticker? And how are trades counted now?"""
        await self.census.refresh()
        await self.refresh_rules()

    async def refresh_rules(self) -> None:
        """How are trades counted now? When that has changed, the series is another."""
        if not self.settings.use_trades_files:
            return
        await self.tables.refresh()
        rules = await self.tables.rules()
        if rules.version != self.ladder.top.series.rules:
            built = self.rungs.build(rules)
            renewal = self.backfilling.runner.renewal
            await renewal.put(built, await self.rungs.retired(built), rules)

    async def _revisit(self, days: Sequence[TradingDay]) -> None:
        for day in days:
            try:
                if await (await self.ladder.of(day)).revisit(day):
                    logger.info("session republished", extra={"session": str(day)})
            except SourceError as error:
                logger.warning("not revisited", extra={"session": str(day), "seen": str(error)})

    def _note(self, step: Step) -> None:
        if step.error is None:
            return
        early = step.error.verdict is Verdict.NOT_PUBLISHED_YET
        facts = {"session": str(step.day), "seen": str(step.error)}
        logger.log(logging.INFO if early else logging.WARNING, "session not in", extra=facts)
        if step.error.verdict is Verdict.RATE_LIMITED:
            asyncio.get_running_loop().call_later(_RING_AGAIN_S, self.bell.ring)

    async def watch(self, on_step: OnStep, ready: asyncio.Event) -> None:
        """The day loop: at start, and at each ring while sessions may come in."""
        late = False
        while True:
            soon = True
            try:
                soon = await self.sweep(on_step, late=late)
            except Exception:
                # Whatever one round meets, the next one is asked for all the same.
                logger.exception("the round failed; the next ring tries again")
            ready.set()
            await self.bell.heard()
            late = await self._is_late()
            while not (soon or late or self.hours.open(self.now())):
                await self.bell.heard()
                late = await self._is_late()

    async def _is_late(self) -> bool:
        """Has the deadline passed without the session that was asked for? Said once a day."""
        now = self.now().astimezone(NEW_YORK)
        if now.time() <= self.hours.deadline or now.date() in self.warned:
            return False
        self.warned.add(now.date())
        expected = self.hours.expected(now)
        entry = await self.ladder.entry(expected)
        if entry is not None and entry.status is Status.FINISHED:
            return False
        note = entry.note if entry else None
        facts = {"session": str(expected), "status": entry and entry.status, "seen": note}
        logger.warning("the deadline has passed without this session", extra=facts)
        if self.courier.operator is not None:
            why = note or await self._last_seen(expected)
            series = self.ladder.top.series
            is_held = entry is not None and entry.status is Status.HELD
            await say_late(
                *(self.db, self.courier.operator, series, expected.date, why, self.now()),
                is_held=is_held,
            )
            self.courier.ring()
        return True

    async def _last_seen(self, day: TradingDay) -> str:
        """What the sources said last."""
        rows = await self.db.rows(
            "SELECT source, verdict, max(id) FROM attempts WHERE session = ? GROUP BY source"
            " ORDER BY source",
            (str(day),),
        )
        return "; ".join(f"{r['source']}: {r['verdict']}" for r in rows) or "no source was reached"


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    now: Callable[[], datetime] = utc_now,
    destinations: Sequence[Destination] = (TERMINAL,),
    copy: Copy = _SHELLS,
) -> AsyncIterator[App]:
    """The wired application; everything is closed when the block ends."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(Db.open(settings.state_db, copy.holder))
        open_now = await stack.enter_async_context(outside(settings, now))
        reference = Reference(open_now.client) if open_now.client else None
        tables, census = VendorTables(db, reference, now), Census(db, reference, now)
        outbox = Outbox(destinations, settings.alert_top, settings.heartbeat_url is not None)
        news, bars, board = Newsstand(reference, now), await opened_store(settings, db), Board()
        rungs = Rungs(settings, open_now, db, outbox, now, board, census, news, bars)
        ladder = await _ladder(rungs, await tables.rules())
        hours = Hours(settings.eod_schedule_time, settings.eod_poll_minutes, settings.eod_deadline)
        charts = Charts(ladder, settings.alert_detail, settings.data_dir / "cache" / "matplotlib")
        stack.push_async_callback(charts.close)
        senders = await stack.enter_async_context(mouths(settings, now, copy.sure))
        courier = Courier(db, senders, now, charts, settings.operator, settings.alert_detail)
        stack.push_async_callback(courier.close)
        backfilling = await put_together(settings, ladder, tables, bars.files, open_now.client)
        cards = await JobCards.over(backfilling, senders)
        backfilling.runner.said = courier.ring
        stack.push_async_callback(cards.close)
        stack.push_async_callback(backfilling.runner.pool.close)
        links = list[Link]()
        asked = commands(
            *(ladder, _doctor(settings, open_now, now, bars.files), board, courier, destinations),
            *(lambda: _next_try(hours), settings, backfilling, links),
        )
        reception = Reception(db, asked, settings.operators, now, charts, timings=copy.timings)
        heard = ears(settings, reception, Suggestions(ladder), now, copy.door)
        links += [ear.link for ear in heard]
        yield App(
            *(settings, db, ladder, rungs, tables, census, board, asked.doctor, asked),
            *(Bell(hours), hours, now, courier, destinations, reception, heard, backfilling, cards),
        )


async def _ladder(rungs: Rungs, rules: Rules) -> Ladder:
    built = rungs.build(rules)
    return Ladder(built, await rungs.retired(built), rules)


def _doctor(
    settings: Settings, outside: Outside, now: Callable[[], datetime], files: Files
) -> Doctor:
    free: dict[Part, Source | None] = {
        Part.FINRA: outside.finra,
        Part.SHORT_VOLUME: outside.short_volume,
    }
    return Doctor(
        outside.rest,
        settings.polygon_rest_url,
        outside.access,
        settings.flat_files_missing,
        now,
        {part: source for part, source in free.items() if source is not None},
        settings.finra_url,
        partial(probe, files),
    )


def _next_try(hours: Hours) -> str:
    return (
        f"every day from {hours.first:%H:%M} New York, every {hours.every_minutes} minutes until"
        f" {hours.deadline:%H:%M}, for sessions that are not in yet"
    )
