"""How a backfill is put together: who works for it, and what they are given."""

from bot.aftermath import Aftermath
from bot.arguments import Sessions
from bot.backfilling import Backfilling
from bot.cluster import Cluster
from bot.estimate import Estimates
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
from core.staged import Staged
from core.vendor_tables import VendorTables


def put_together(
    settings: Settings, ladder: Ladder, jobs: Jobs, tables: VendorTables, files: Files
) -> Backfilling:
    """Processes of this machine, or the cluster that the settings name; nobody is hired yet."""
    scheduler = settings.backfill_scheduler
    crew: Crew = Processes(settings.backfill_workers, settle_in)
    if scheduler is not None:
        crew = Cluster(scheduler)

    async def task(source: Source, day: TradingDay) -> Task:
        return Task(
            *(source.name, source.series.key, day, await tables.rules(), jobs.now()),
            place=str(settings.data_dir.absolute()) if scheduler is None else None,
            calls_per_minute=settings.backfill_calls_each(crew.size),
        )

    runner = Runner(jobs, ladder, Pool(crew, work), Staged(files), task)
    runner.after = Aftermath(jobs, ladder, runner.free)
    estimates = Estimates(jobs, settings.backfill_calls_each, lambda: crew.size)
    return Backfilling(ladder, Sessions(ladder, ladder.top.now), runner, estimates)
