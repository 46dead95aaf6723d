"""How a backfill is put together: who works for it, and what they are given."""

from bot.aftermath import Aftermath
from bot.arguments import Sessions
from bot.backfilling import Backfilling
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
from core.sources.pace import Pace
from core.sources.rest import RestClient
from core.staged import Staged
from core.vendor_tables import VendorTables


def put_together(
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

    calls, jobs = settings.backfill_calls, Jobs(ladder.top.db, ladder.top.now)
    pace = Pace(calls or 0)

    async def task(source: Source, day: TradingDay) -> Task:
        # Here, where all tasks pass: workers know nothing of each other.
        if isinstance(source, LIMITED):
            await pace.wait()
            if client is not None:
                client.pace.count()
        return Task(
            *(source.name, source.series.key, day, await tables.rules(), jobs.now()),
            place=str(settings.data_dir.absolute()) if scheduler is None else None,
        )

    runner = Runner(jobs, ladder, Pool(crew, work), Staged(files), task)
    runner.lock = settings.data_dir / "backfill.lock"
    runner.turn.lock = settings.data_dir / "turn.lock"
    runner.after = Aftermath(jobs, ladder, runner.free)
    estimates = Estimates(jobs, calls, crew.count)
    return Backfilling(ladder, Sessions(ladder, ladder.top.now), runner, estimates)
