"""The shell's commands that move files: backup, restore, copy-bars."""

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from alerts.words import listed
from bot.app import utc_now
from bot.logs import say
from bot.once import Exit
from bot.settings import Settings
from bot.storage import DISK, BarsLacking, copied, is_same, keep_at, kept_at, opened_files, place
from core.alone import alone
from core.backup import backup, restore
from core.db import Db, StorageError
from core.errors import TapewatchError
from core.files import Folder
from core.lease import at_work
from core.ledger import known_series
from core.passing import InUse, is_passing

_NAMED = 10


async def back_up(settings: Settings, chosen: argparse.Namespace) -> Exit:
    """`python -m bot backup FILE.tar`."""
    return await _filed(backup, "written", settings.data_dir, chosen.file)


async def put_back(settings: Settings, chosen: argparse.Namespace) -> Exit:
    """`python -m bot restore FILE.tar`."""
    put = partial(restore, set_aside=chosen.set_aside)
    return await _filed(put, "put back", chosen.file, settings.data_dir)


async def _filed(do: Callable[[Path, Path], int], did: str, source: Path, to: Path) -> Exit:
    try:
        count = await asyncio.to_thread(do, source, to)
    except InUse:
        raise
    except (OSError, StorageError) as error:
        say(f"not {did}: {error}", logging.ERROR)
        return Exit.TRY_AGAIN if is_passing(error) else Exit.CONFIG
    say(f"{did}: the state, and {count:,} files of bars, in {to}")
    return Exit.DONE


class _AtWork(TapewatchError):
    """Somebody stores bars."""


@asynccontextmanager
async def _nobody_else(settings: Settings) -> AsyncIterator[Sequence[str]]:
    """The series that are known, while nobody can store a session of them; _AtWork at once."""
    async with Db.open(settings.state_db) as db:
        if (service := await at_work(db, utc_now())) is not None:
            raise _AtWork(f"a service ({service.place})")
        folder = settings.data_dir
        async with (
            alone(folder / "backfill.lock") as no_job,
            alone(folder / "turn.lock") as no_turn,
        ):
            if not no_job or not no_turn:
                raise _AtWork("another process" if no_job else "a backfill")
            yield await known_series(db)


async def copy_bars(settings: Settings, chosen: argparse.Namespace) -> Exit:
    """`python -m bot copy-bars [--back]`."""
    if settings.data_url is None:
        say("DATA_URL is not set: bars are in DATA_DIR, and there is nowhere to copy them to")
        return Exit.CONFIG
    url = place(settings)
    origin, target = (url, DISK) if chosen.back else (DISK, url)
    if not is_same(at := await asyncio.to_thread(kept_at, settings), origin):
        said = (one.replace(" ", " of ") for one in (at, origin))
        say(f"the bars are in {', not in '.join(said)}: nothing to copy")
        return Exit.USAGE
    bucket = await asyncio.to_thread(opened_files, settings)
    both = [Folder(settings.data_dir), bucket]
    source, to = reversed(both) if chosen.back else both
    try:
        async with _nobody_else(settings) as known:
            done = await asyncio.to_thread(copied, source, to, known)
            await asyncio.to_thread(keep_at, settings, target)
    except _AtWork as error:
        say(f"{error} stores bars here: end it first, or what it stores meanwhile stays behind")
        return Exit.TRY_AGAIN
    except BarsLacking as error:
        say(str(error))
        return Exit.CONFIG
    except OSError as error:
        say(f"not all is copied: {error}. What is there stays there: run it again")
        return Exit.TRY_AGAIN
    say(f"{done.count:,} files copied from {source} to {to}; the others were there")
    if done.aside:
        sessions = sorted({Path(name).name.partition(".")[0] for name in done.aside})
        say(
            f"{len(done.aside):,} files that were in {to} before, and are not in {source}, are in"
            f" damaged/ there now; they are of {listed(sessions, _NAMED)}. What is missing by"
            " /backfill plan a backfill reads again",
            logging.WARNING,
        )
    if chosen.back:
        say("from now on the bars are in DATA_DIR: unset DATA_URL")
    return Exit.DONE
