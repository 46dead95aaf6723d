"""Parquet files that are there whole or not at all. Blocking calls."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import polars as pl

_LEFTOVER_S = 600


def write_whole(path: Path, frame: pl.DataFrame, rows_a_group: int | None = None) -> Path:
    """Write, flush to the disk, then rename: a reader never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: two processes may store the same session at the same time.
    descriptor, name = tempfile.mkstemp(".partial", f"{path.stem}.", path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            frame.write_parquet(file, compression="zstd", row_group_size=rows_a_group)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _clear_leftovers(path)
    return path


def _clear_leftovers(path: Path) -> None:
    """Remove what killed writers of this session left; a young one may still be written to."""
    now_s = path.stat().st_mtime
    for leftover in path.parent.glob(f"{path.stem}.*.partial"):
        with suppress(FileNotFoundError):  # its writer was quicker
            if now_s - leftover.stat().st_mtime > _LEFTOVER_S:
                leftover.unlink()
