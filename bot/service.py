"""The service: wait for the lease, then watch, judge, deliver and answer until told to stop."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alerts.model import TERMINAL
from bot.app import App, Copy, opened, utc_now
from bot.door import Door, DoorClosed
from bot.first_run import first_words
from bot.health import Health
from bot.kept import kept
from bot.leaving import Leaving
from bot.logs import say
from bot.metrics import Metrics
from bot.once import Exit, progress, reading
from bot.platforms import console
from bot.settings import Settings
from bot.supervise import supervised
from bot.timings import Timings
from core.errors import LeaseLost
from core.lease import Lease

logger = logging.getLogger(__name__)

_FIRST_DIGEST_S = 60.0
_KEPT_S = 1.0
_GOODBYE_S = 2.0
_PAUSED = "PAUSED=true: nothing is read, nothing is said, and the state is left alone"


async def run(settings: Settings) -> Exit:
    """Until a signal, or until another copy has taken over."""
    serving = Service(settings, Lease(settings.state_db, utc_now), utc_now)
    code = await serving.run()
    serving.leaving.now(code)
    return code


@dataclass(slots=True)
class Service:
    """One copy."""

    settings: Settings
    lease: Lease
    now: Callable[[], datetime]
    timings: Timings = field(default_factory=Timings)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: Leaving = field(default_factory=Leaving)
    door: Door = field(init=False)
    health: Health = field(init=False)
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is opened yet."""
        self.door = Door(self.settings.door_port)
        self.health = Health(self.lease, self.now, paused=self.settings.paused)
        self.metrics = Metrics(self.health, self.timings)
        self.door.tell("/healthz", self.health.alive)
        # These read the database, and anybody may ask.
        self.door.tell("/readyz", kept(self.health.able, _KEPT_S))
        self.door.tell("/freshness", kept(self.health.fresh, _KEPT_S))
        self.door.show("/metrics", kept(self.metrics.page, _KEPT_S))

    async def run(self) -> Exit:
        """Until a signal, or until another copy has taken over."""
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self._told)
        beside = [asyncio.create_task(doing) for doing in self.beside()]
        working = asyncio.create_task(self._work(), name="service")
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not self.lease.is_held:
                working.cancel()  # it waits for its turn, and there is nothing to drain
            with contextlib.suppress(asyncio.CancelledError):
                await working
        except LeaseLost:
            self.lease.lost.set()  # met before the lease itself was looked at again
        finally:
            for task in (*beside, stopping):
                task.cancel()
            await asyncio.gather(*beside, stopping, return_exceptions=True)
        if self.lease.lost.is_set():
            say(f"{self.lease.why}; it has ended", logging.ERROR)
            return Exit.TRY_AGAIN
        return Exit.DONE

    def _told(self) -> None:
        self.stop.set()
        self.leaving.surely(Exit.DONE)

    def beside(self) -> list[Coroutine[Any, Any, None]]:
        """What runs whether or not this copy has its turn."""
        return [supervised("door", self.door.serve, known=(DoorClosed,)), self.metrics.watch_loop()]

    async def _work(self) -> None:
        """From the lease to its end."""
        if self.settings.paused:
            say(_PAUSED, logging.WARNING)
            await asyncio.Event().wait()
        copy = Copy(self.lease.me.id, self.door, self.timings, lambda: self.lease.is_sure)
        opening = opened(self.settings, now=self.now, copy=copy)
        async with self.lease.held(), opening as app, app.bell.ringing():
            self.health.app = app
            try:
                await self._serve(app)
            finally:
                self.health.app, self.health.leaving = None, True

    async def _serve(self, app: App) -> None:
        ready, attached = asyncio.Event(), console.attached()
        shown: list[str] = []

        def show(text: str) -> None:
            shown.append(text)
            print(text, flush=True)

        await app.name_channels(ending=True)
        app.senders["console"] = console.ConsoleSender(show)
        app.board.watchers.append(reading())
        vital = [
            asyncio.create_task(app.watch(progress(), ready), name="day loop"),
            asyncio.create_task(supervised("courier", app.courier.run), name="courier"),
            asyncio.create_task(
                supervised("backfill", app.backfilling.runner.run), name="backfill"
            ),
        ]
        tasks = [
            *vital,
            asyncio.create_task(supervised("cards", app.cards.run), name="cards"),
            asyncio.create_task(supervised("first channels", app.examine_channels)),
            asyncio.create_task(_talk(app, ready, shown, self.stop, attached=attached)),
            *(asyncio.create_task(app.listen(ear), name=ear.link.platform) for ear in app.ears),
        ]
        ends = [asyncio.create_task(e.wait()) for e in (self.stop, self.lease.lost)]
        await asyncio.wait([*ends, *vital], return_when=asyncio.FIRST_COMPLETED)
        broken = [task for task in vital if task.done()]
        await self._leave(app, tasks, ends)
        for task in broken:
            # Half a service would look like a whole one: whoever keeps it starts another.
            logger.critical("a part has ended, and so all does", extra={"part": task.get_name()})
            task.result()

    async def _leave(
        self, app: App, tasks: Sequence[asyncio.Task[None]], ends: Sequence[asyncio.Task[Any]]
    ) -> None:
        """What is under way comes to its end, as far as there is time."""
        self.health.leaving = True
        if not self.lease.lost.is_set():
            patience_s = self.leaving.left_s(self.leaving.drained_s)
            closing = app.courier.close(patience_s)
            await asyncio.gather(closing, *(e.drain(patience_s) for e in app.ears))
        for task in (*tasks, *ends):
            task.cancel()
        # A platform that does not answer a goodbye keeps nobody.
        left_s = self.leaving.left_s(self.leaving.hung_up_s)
        await asyncio.wait(tasks, timeout=min(_GOODBYE_S, left_s))


async def _talk(
    app: App, ready: asyncio.Event, shown: list[str], stop: asyncio.Event, *, attached: bool
) -> None:
    """The newest digest first, whoever published it; then commands, if somebody can type."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_DIGEST_S if attached else None):
            await ready.wait()
        await app.courier.emptied(TERMINAL)
    if not shown:
        print(console.render(await first_words(app), console.terminal_width()) + "\n", flush=True)
    if attached:
        await console.converse(app.commands.answer, app.commands.names)
        stop.set()
