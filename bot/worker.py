"""What a worker does: one session of one source, from the settings of its own environment.

Runs in a process of its own, of this machine or of another one: nothing but tasks goes in, nothing
but receipts comes out, and the frames are on the disk that both share.
"""

import asyncio
import signal
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from bot.checkout import checkout
from bot.outside import outside
from bot.settings import load
from bot.sources import Sources
from bot.storage import opened_files
from core.elsewhere import Receipt, Refused, Task, WorkerUnfit, fetched
from core.errors import ConfigError, Verdict
from core.parent import end_when
from core.progress import Board
from core.sources.pace import Lent
from core.staged import Staged


def work(task: Task) -> Receipt | Refused:
    """For an Executor. Reads and writes; everything that can go wrong with a source is a value."""
    return asyncio.run(_worked(task))


def settle_in(parent: Connection) -> None:
    """For processes of this machine: they end when their parent hangs up, or is no more."""
    # A terminal's ^C, or a service manager's stop, reaches every process: the parent decides.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    end_when(lambda: parent.poll(None))


async def _worked(task: Task) -> Receipt | Refused:
    if task.checkout not in ("", await asyncio.to_thread(checkout)):
        return _unfit("a worker has another Tapewatch than the bot: all need the same checkout")
    own = {} if task.place is None else {"data_dir": Path(task.place)}
    try:
        settings = await asyncio.to_thread(load, **own)
    except ConfigError as error:
        return _unfit("this worker's settings are wrong: " + "; ".join(error.faults))

    def now() -> datetime:
        return task.asked_at

    lent = None if task.calls is None else Lent(task.calls)
    async with outside(settings, now, lent) as there:
        known = Sources(settings, there, now, Board()).every(task.rules)
        with suppress(StopIteration):
            found = next(s for s in known if (s.name, s.series.key) == (task.source, task.series))
            staged = Staged(await asyncio.to_thread(opened_files, settings))
            done = await fetched(found, task, staged)
            return done if lent is None else replace(done, calls=lent.made)
    return _unfit(f"this worker's settings know no {task.source!r} for {task.series}")


def _unfit(seen: str) -> Refused:
    return Refused(WorkerUnfit.__name__, seen, Verdict.NOT_CONFIGURED)
