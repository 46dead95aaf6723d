"""The composition root: open everything, wire it, run the day loop beside the chat, close."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from alerts.deliver import Sender, drain, recover
from alerts.model import TERMINAL, Destination
from alerts.publish import Outbox
from bot.commands import Commands
from bot.settings import Settings
from core.anomaly import Rule
from core.backfill import Step, backfill
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import NEW_YORK, TradingDay, last_complete, sessions, sessions_ending
from core.db import Db
from core.errors import SourceError, SourceRefused, Verdict
from core.ledger import Ledger, Status
from core.pipeline import REVISIT_SESSIONS, Pipeline, SplitsSource
from core.schedule import Bell, Hours, announced, due
from core.sources import Chain, Served, Source
from core.sources.access import Doctor
from core.sources.flatfiles import DayAggsSource
from core.sources.rest import RestSource, connected
from core.sources.s3 import S3Access, S3Reader
from core.sources.sample import SampleSource
from core.sources.sample_market import SampleMarket
from core.store import Store

logger = logging.getLogger(__name__)

OnStep = Callable[[Step], None]
_RING_AGAIN_S = 60.0


def utc_now() -> datetime:
    """The only clock of the process."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class App:
    """Everything open and wired."""

    settings: Settings
    db: Db
    pipeline: Pipeline
    doctor: Doctor
    commands: Commands
    bell: Bell
    hours: Hours
    now: Callable[[], datetime]
    senders: dict[str, Sender] = field(default_factory=dict)
    warned: set[date] = field(default_factory=set)

    async def sweep(self, on_step: OnStep) -> bool:
        """Everything due, oldest first; then what was republished; then deliver.

        True if a source was away: then it is worth asking again soon, whatever the hour.
        """
        self.pipeline.chain.ask_all_again()
        ledger, now = self.pipeline.ledger, self.now()
        wanted = sessions_ending(last_complete(now), LOOKBACK_SESSIONS)
        finished = await ledger.newest(Status.FINISHED)
        if finished is not None and finished.day < wanted[0]:
            wanted = sessions(finished.day.date, wanted[-1].date)  # a long time down
        todo = due(wanted, await ledger.entries(wanted), now)
        tell = announced(wanted[-1], first_run=finished is None)
        away = False
        async for step in backfill(self.pipeline, todo, tell):
            on_step(step)
            self._note(step)
            away = away or step.away
        await self._revisit([day for day in wanted[-REVISIT_SESSIONS:] if day not in todo])
        await drain(self.db, self.senders, self.now)
        return away

    async def _revisit(self, days: Sequence[TradingDay]) -> None:
        for day in days:
            try:
                if await self.pipeline.revisit(day):
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
        await recover(self.db, self.now)
        while True:
            soon = True
            try:
                soon = await self.sweep(on_step)
            except Exception:
                # Whatever one round meets, the next one is asked for all the same.
                logger.exception("the round failed; the next ring tries again")
            ready.set()
            await self.bell.heard()
            while not soon and not self.hours.open(self.now()):
                await self._warn_if_late()
                await self.bell.heard()

    async def _warn_if_late(self) -> None:
        """Once a day after the deadline, if the session that was asked for is not in."""
        now = self.now().astimezone(NEW_YORK)
        if now.time() <= self.hours.deadline or now.date() in self.warned:
            return
        self.warned.add(now.date())
        expected = last_complete(datetime.combine(now.date(), self.hours.first, NEW_YORK))
        entry = await self.pipeline.ledger.entry(expected)
        if entry is None or entry.status is not Status.FINISHED:
            note = entry.note if entry else None
            facts = {"session": str(expected), "status": entry and entry.status, "seen": note}
            logger.warning("the deadline has passed without this session", extra=facts)


@dataclass(frozen=True, slots=True)
class NotConfigured:
    """A source that was asked for and has no credentials: refuses in words."""

    name: str
    missing: str
    series = RestSource.series

    async def bars(self, day: TradingDay) -> Served:
        """Raises SourceRefused."""
        raise SourceRefused(self.missing, Verdict.NOT_CONFIGURED)

    async def version(self, day: TradingDay) -> str | None:
        """It has none."""
        return None


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    now: Callable[[], datetime] = utc_now,
    destinations: Sequence[Destination] = (TERMINAL,),
) -> AsyncIterator[App]:
    """The wired application; everything is closed when the block ends."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(Db.open(settings.data_dir / "state.db"))
        rest = await _rest(settings, stack, now)
        s3 = _s3(settings)
        sources, splits = await _sources(settings, rest, s3, now)
        series = sources[0].series
        outbox = Outbox(destinations, settings.alert_top)
        hours = Hours(settings.eod_schedule_time, settings.eod_poll_minutes, settings.eod_deadline)
        store, ledger = Store(settings.data_dir), Ledger(db, series)
        notices = tuple(settings.notices)
        pipeline = Pipeline(db, store, ledger, Chain(sources), splits, outbox, Rule(), now, notices)
        doctor = Doctor(rest, settings.polygon_rest_url, s3, settings.flat_files_missing, now)
        commands = Commands(pipeline, doctor, lambda: _next_try(hours), settings.alert_top)
        yield App(settings, db, pipeline, doctor, commands, Bell(hours), hours, now)


async def _rest(
    settings: Settings, stack: AsyncExitStack, now: Callable[[], datetime]
) -> RestSource | None:
    if settings.polygon_api_key is None:
        return None
    client = await stack.enter_async_context(
        connected(
            settings.polygon_rest_url,
            settings.polygon_api_key.get_secret_value(),
            settings.polygon_calls_per_minute,
        )
    )
    return RestSource(client, now)


def _s3(settings: Settings) -> S3Access | None:
    key_id, secret = settings.flatfiles_access_key_id, settings.flat_files_secret
    if key_id is None or secret is None:
        return None
    api_key = settings.polygon_api_key
    return S3Access(
        settings.flatfiles_endpoint_url,
        settings.flatfiles_bucket,
        key_id.get_secret_value(),
        secret.get_secret_value(),
        api_key.get_secret_value() if api_key else None,
    )


async def _sources(
    settings: Settings, rest: RestSource | None, s3: S3Access | None, now: Callable[[], datetime]
) -> tuple[list[Source], SplitsSource | None]:
    """What the settings ask for first, then the next best; and who knows the splits."""
    if settings.sample:
        sample = SampleSource(SampleMarket())
        return [sample], sample
    files: Source | None = None
    if s3 is not None:
        # Building a client reads botocore's data files: not on the loop.
        files = DayAggsSource(await asyncio.to_thread(S3Reader, s3), now)
    elif settings.use_flat_files:
        files = NotConfigured(DayAggsSource.name, settings.flat_files_missing)
    order = [files, rest] if settings.use_flat_files else [rest, files]
    return [source for source in order if source is not None], rest


def _next_try(hours: Hours) -> str:
    return (
        f"every day from {hours.first:%H:%M} New York, every {hours.every_minutes} minutes until"
        f" {hours.deadline:%H:%M}, for sessions that are not in yet"
    )
