"""Where the settings keep bars: a folder, or a bucket with a folder for what was read lately.

Blocking calls, but for those that are not.
"""

import asyncio
import logging
from collections.abc import Sequence

from bot.settings import Settings
from core.db import Db
from core.errors import BarsAway, ConfigError, Verdict
from core.files import Files, Folder
from core.ledger import finished_series
from core.sources.access import Probe
from core.sources.next_step import Part, next_step
from core.sources.s3 import S3Access
from core.store import Store

logger = logging.getLogger(__name__)

_MB = 1 << 20
_KINDS = ("bars", "held", "quarters")


def opened_files(settings: Settings) -> Files:
    """Where bars and what workers stage are; asks nobody yet."""
    if settings.data_url is None:
        return Folder(settings.data_dir)
    from core.bucket import Bucket  # boto3 takes its time to come in

    key_id, secret = settings.data_access_key_id, settings.data_secret_access_key
    assert key_id is not None and secret is not None  # noqa: S101, PT018 - bot.setting_checks
    bucket, _, prefix = settings.data_url.removeprefix("s3://").partition("/")
    region = settings.data_region
    endpoint = settings.data_endpoint_url or f"https://s3.{region}.amazonaws.com"
    access = S3Access(
        *(endpoint, bucket, key_id.get_secret_value(), secret.get_secret_value()), region=region
    )
    return Bucket(access, prefix, settings.data_dir / "cached", settings.data_cache_mb * _MB)


async def opened_store(settings: Settings, db: Db) -> Store:
    """Raises ConfigError if sessions that were stored would seem to be gone."""
    files = await asyncio.to_thread(opened_files, settings)
    # What is made of bars, and can be made again, stays on this machine.
    store = Store(files, Folder(settings.data_dir))
    if settings.data_url is None:
        return store
    try:
        behind = await asyncio.to_thread(_left_behind, settings, files, await finished_series(db))
    except BarsAway as error:
        # It may be back before anybody asks; /source status tells, and what to do.
        logger.warning("the storage of bars is away", extra={"seen": str(error)})
        return store
    if behind:
        fault = (
            f"DATA_URL={settings.data_url}: {behind:,} files of bars are in"
            f" DATA_DIR={settings.data_dir} and not there yet; `python -m bot copy-bars` copies"
            " them, or unset DATA_URL"
        )
        raise ConfigError([fault])
    return store


def _left_behind(settings: Settings, files: Files, series: Sequence[str]) -> int:
    return sum(len(_lacking(Folder(settings.data_dir), files, f)) for f in _folders(series))


def copied(source: Files, to: Files, series: Sequence[str]) -> int:
    """Every file that is not there yet; how many. What is there stays as it is."""
    count = 0
    for folder in _folders(series):
        for name in sorted(_lacking(source, to, folder)):
            (path,) = source.paths([f"{folder}/{name}"])
            to.put(f"{folder}/{name}", path.read_bytes())
            count += 1
    return count


async def probe(files: Files) -> Probe | None:
    """Can a bucket be listed, written and read? None for a folder: the start has shown that."""
    if isinstance(files, Folder):
        return None
    try:
        await asyncio.to_thread(files.probe)
    except BarsAway as error:
        found, seen = error.verdict, str(error)
    else:
        found, seen = Verdict.OK, f"{files} can be listed, written, read and deleted from"
    return Probe(Part.BARS, found, seen, next_step(Part.BARS, found, files.url, str(files)))


def _folders(series: Sequence[str]) -> list[str]:
    return [f"{kind}/{key}" for kind in _KINDS for key in series]


def _lacking(source: Files, to: Files, folder: str) -> set[str]:
    return set(source.listed(folder)) - set(to.listed(folder))
