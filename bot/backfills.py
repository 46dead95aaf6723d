"""How a backfill is put together: who works for it, and what they are given."""

import asyncio
from dataclasses import dataclass, field, replace

from bot.aftermath import Aftermath
from bot.arguments import Sessions
from bot.backfilling import Backfilling
from bot.checkout import checkout
from bot.cluster import Cluster
from bot.estimate import LIMITED, Estimates
from bot.runner import Runner
from bot.settings import Settings
from bot.worker import settle_in, work
from core.calendar import TradingDay
from core.elsewhere import Task
from core.files import Files
from core.jobs import Jobs
from core.ladder import Ladder
from core.pool import Crew, Pool, Processes
from core.sources import Source
from core.sources.pace import Pace, Share
from core.sources.rest import RestClient, RestSource
from core.staged import Staged
from core.vendor_tables import VendorTables


@dataclass(frozen=True, slots=True)
class Lending:
    """The calls of workers, who know nothing of each other, nor of the bot."""

    pace: Pace
    """The bot's own: what it counts, the vendor counts."""
    share: int
    _lent: dict[str, float] = field(default_factory=dict)

    async def lend(self, task: Task) -> Task:
        """The task with the calls that it may make."""
        self._lent[task.mark] = await self.pace.lend(self.share)
        return replace(task, calls=self.pace.loan)

    def made(self, task: Task, calls: int) -> None:
        """core.elsewhere.Made"""
        if task.mark in self._lent:
            self.pace.repay(self._lent.pop(task.mark), calls)


async def put_together(
    settings: Settings,
    ladder: Ladder,
    tables: VendorTables,
    files: Files,
    client: RestClient | None,
) -> Backfilling:
    """Processes of this machine, or the cluster that the settings name; nobody is hired yet."""
    scheduler = settings.backfill_scheduler
    crew: Crew = Processes(settings.backfill_workers, settle_in)
    if scheduler is not None:
        crew = Cluster(scheduler)

    # At the start: what lies there later, after an update, is not what this process runs.
    mark = "" if scheduler is None else await asyncio.to_thread(checkout)
    calls, jobs = settings.backfill_calls, Jobs(ladder.top.db, ladder.top.now)
    lending = Lending(client.pace, calls) if client is not None and calls is not None else None

    async def task(source: Source, day: TradingDay) -> Task:
        one = Task(
            *(source.name, source.series.key, day, await tables.rules(), jobs.now()),
            place=str(settings.data_dir.absolute()) if scheduler is None else None,
            # Whoever joins the cluster later is not looked at before.
            checkout=mark,
        )
        if lending is None or not isinstance(source, LIMITED):
            return one
        return await lending.lend(one)

    runner = Runner(jobs, ladder, Pool(crew, work), Staged(files), task)
    if client is not None and lending is not None:
        runner.made = lending.made
        shared = client.by(Share(client.pace, lending.share), attempts=3)
        runner.splits = RestSource(shared, jobs.now)
    runner.lock = settings.data_dir / "backfill.lock"
    runner.turn.lock = settings.data_dir / "turn.lock"
    runner.after = Aftermath(jobs, ladder, runner.free)
    estimates = Estimates(jobs, calls, crew.count)
    return Backfilling(ladder, Sessions(ladder, ladder.top.now), runner, estimates)
