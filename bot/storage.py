"""Where the settings keep bars: a folder, or a bucket with a folder for what was read lately.

Blocking calls, but for those that are not.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.settings import Settings
from core.aside import PLACE
from core.damaged import put_aside
from core.db import Db
from core.errors import BarsAway, ConfigError, Verdict
from core.files import Files, Folder
from core.ledger import known_series
from core.sources.access import Probe
from core.sources.next_step import Part, next_step
from core.sources.s3_names import S3Access
from core.store import Store
from core.whole import written_whole

_MB = 1 << 20
_KINDS = ("bars", "held")
DISK = "disk"


def opened_files(settings: Settings) -> Files:
    """Where bars and what workers stage are; asks nobody yet."""
    if settings.data_url is None:
        return Folder(settings.data_dir)
    from core.bucket import Bucket  # boto3 takes its time to come in

    key_id, secret = settings.data_access_key_id, settings.data_secret_access_key
    assert key_id is not None and secret is not None  # noqa: S101, PT018 - bot.setting_checks
    bucket, _, prefix = settings.data_url.removeprefix("s3://").partition("/")
    access = S3Access(
        *(_endpoint(settings), bucket, key_id.get_secret_value(), secret.get_secret_value()),
        region=settings.data_region,
    )
    return Bucket(access, prefix, settings.data_dir / "cached", settings.data_cache_mb * _MB)


def _endpoint(settings: Settings) -> str:
    return settings.data_endpoint_url or f"https://s3.{settings.data_region}.amazonaws.com"


def place(settings: Settings) -> str:
    """DISK, or which bucket and whose: a name is somebody else's on another server."""
    return DISK if settings.data_url is None else f"{settings.data_url} {_endpoint(settings)}"


def is_same(one: str, other: str) -> bool:
    """Are two places one? Of before servers were written down a bucket's name is all there is."""
    return all(mine == its for mine, its in zip(one.split(), other.split(), strict=False))


async def opened_store(settings: Settings, db: Db) -> Store:
    """Raises ConfigError if the bars that are known are somewhere else."""
    files = await asyncio.to_thread(opened_files, settings)
    was, now = await asyncio.to_thread(kept_at, settings), place(settings)
    if was != now:
        if not is_same(was, now) and await known_series(db):
            raise ConfigError([_elsewhere(settings, was)])
        await asyncio.to_thread(keep_at, settings, now)
    # What is made of bars, and can be made again, stays on this machine.
    return Store(files, Folder(settings.data_dir))


def kept_at(settings: Settings) -> str:
    """The place() that has the bars; blocking, as keep_at."""
    try:
        return (settings.data_dir / PLACE).read_text().strip()
    except FileNotFoundError:
        return DISK


def keep_at(settings: Settings, place: str) -> None:
    """From now on the bars are there, and what is elsewhere may be old."""
    with written_whole(settings.data_dir / PLACE) as file:
        file.write(place.encode())


def _elsewhere(settings: Settings, was: str) -> str:
    if was == DISK:
        return (
            f"DATA_URL={settings.data_url}, but the bars are in DATA_DIR={settings.data_dir}:"
            " `python -m bot copy-bars` copies them there, or unset DATA_URL"
        )
    url, _, endpoint = was.partition(" ")
    if settings.data_url == url:
        return (
            f"{url} is asked of {_endpoint(settings)}, but the bars are in that of {endpoint}: set"
            f" DATA_ENDPOINT_URL={endpoint} again; if it is the same storage by another name, write"
            f" {url} alone into {settings.data_dir / PLACE}"
        )
    was = url
    said = f"DATA_URL={settings.data_url}" if settings.data_url else "DATA_URL is not set"
    return (
        f"{said}, but the bars are in {was}: set DATA_URL={was} again, and run `python -m bot"
        " copy-bars --back` if they are to be in DATA_DIR from then on"
    )


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of a place that bars were copied to."""

    count: int
    """Files that were not there, or were others."""
    aside: Sequence[str]
    """Those that were there and are not where the bars come from: what they were called."""


class BarsLacking(Exception):
    """Where bars are to be copied from there are none: a volume that is not mounted, perhaps."""


def copied(source: Files, to: Files, series: Sequence[str]) -> Copied:
    """Make `to` have what `source` has.

    What it has beside that is of an earlier stay: the ledger knows of another revision, or of none.
    It is put aside over there. BarsLacking, with nothing done, if that would be all that is there.
    """
    for folder in (f"bars/{key}" for key in series):
        if (there := to.listed(folder)) and not source.listed(folder):
            raise BarsLacking(
                f"{source} has no sessions in {folder}, and {to} has {len(there):,}: nothing is"
                " copied. If they are of an earlier stay, and of no use, delete them there first"
            )
    count, aside = 0, list[str]()
    for folder in (f"{kind}/{key}" for kind in _KINDS for key in series):
        there, here = to.listed(folder), source.listed(folder)
        for name in sorted(here):
            whole = _read(source, f"{folder}/{name}")
            if name not in there or _read(to, f"{folder}/{name}") != whole:
                to.put(f"{folder}/{name}", whole)
                count += 1
        for name in sorted(there.keys() - here.keys()):
            put_aside(to, f"{folder}/{name}")
            aside.append(f"{folder}/{name}")
    return Copied(count, aside)


def _read(files: Files, name: str) -> bytes:
    (path,) = files.paths([name])
    return path.read_bytes()


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
