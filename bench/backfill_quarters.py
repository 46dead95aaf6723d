"""After a backfill that was disturbed: do the files by ticker have what the daily ones have?"""

from collections import Counter
from collections.abc import Sequence
from datetime import date

import polars as pl

from bench.backfill_world import BUCKET, World
from bench.stream import ACCESS_KEY_ID, SECRET
from core.bars import UNREADABLE, Series
from core.bucket import Bucket
from core.files import Files, Folder
from core.quarters import Quarters
from core.sources.s3_names import S3Access

_CACHE_BYTES, _DATE_CHARS = 1 << 30, len("2026-11-20")


def wrong(world: World, series: Sequence[str]) -> list[str]:
    """By what whoever is begun next makes of them: one that is taken for whole stays. Blocking."""
    files = _files(world)
    return [problem for key in series for problem in _problems(files, key)]


def _problems(files: Files, key: str) -> list[str]:
    quarters = Quarters(files, Series.of_key(key))
    quarters.renew()
    daily = sorted(name for name in files.listed(f"bars/{key}") if name.count(".") == 1)
    days = [date.fromisoformat(name[:_DATE_CHARS]) for name in daily]
    names = quarters.names(days)
    many = Counter((day.year, (day.month - 1) // 3) for day in days)
    whole, wanted = sum(n.startswith("quarters/") for n in names), sum(n > 1 for n in many.values())
    problems = [] if whole == wanted else [f"quarters: {key}: {whole} files, not {wanted}"]
    try:
        same = _rows(files, names).equals(_rows(files, [f"bars/{key}/{name}" for name in daily]))
        problems += [] if same else [f"quarters: {key}: other rows than the sessions have"]
    except UNREADABLE as error:
        problems.append(f"quarters: {key}: {error}")
    stale = {f"quarters/{key}/{name}" for name in files.listed(f"quarters/{key}")} - {*names}
    return problems + [f"quarters: {name} is of no use, and stays" for name in sorted(stale)]


def _files(world: World) -> Files:
    if world.bucket is None:
        return Folder(world.data)
    access = S3Access(world.bucket.url, BUCKET, ACCESS_KEY_ID, SECRET)
    return Bucket(access, "kept", world.folder / "looked", _CACHE_BYTES)


def _rows(files: Files, names: Sequence[str]) -> pl.DataFrame:
    if not names:
        return pl.DataFrame()
    return pl.concat(map(pl.read_parquet, files.paths(names))).sort("session", "ticker")
