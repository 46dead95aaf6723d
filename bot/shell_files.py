"""The shell's commands that move files: backup, restore, copy-bars."""

import argparse
import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bot.logs import say
from bot.once import Exit
from bot.settings import Settings
from bot.storage import DISK, copied, keep_at, kept_at, opened_files
from core.backup import backup, restore
from core.db import Db, StorageError
from core.files import Folder
from core.ledger import known_series
from core.passing import InUse, is_passing


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


async def copy_bars(settings: Settings, chosen: argparse.Namespace) -> Exit:
    """`python -m bot copy-bars [--back]`."""
    if settings.data_url is None:
        say("DATA_URL is not set: bars are in DATA_DIR, and there is nowhere to copy them to")
        return Exit.CONFIG
    url = settings.data_url
    origin, target = (url, DISK) if chosen.back else (DISK, url)
    if (at := await asyncio.to_thread(kept_at, settings)) != origin:
        say(f"the bars are in {at}, not in {origin}: nothing to copy")
        return Exit.USAGE
    bucket = await asyncio.to_thread(opened_files, settings)
    both = [Folder(settings.data_dir), bucket]
    source, to = reversed(both) if chosen.back else both
    async with Db.open(settings.state_db) as db:
        known = await known_series(db)
    try:
        count = await asyncio.to_thread(copied, source, to, known)
        await asyncio.to_thread(keep_at, settings, target)
    except OSError as error:
        say(f"not all is copied: {error}. What is there stays there: run it again")
        return Exit.TRY_AGAIN
    say(f"{count:,} files copied from {source} to {to}; the others were there")
    if chosen.back:
        say("from now on the bars are in DATA_DIR: unset DATA_URL")
    return Exit.DONE
