"""State databases that know nothing yet: migrated once a worker, then copied."""

import asyncio
import tempfile
from functools import cache
from pathlib import Path

from core.migrate import migrate


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        migrate(path)
        return path.read_bytes()


async def new_state(folder: Path) -> Path:
    """The folder's `state.db`; each migration of a file of its own waits for the disk."""
    path = folder / "state.db"
    path.write_bytes(await asyncio.to_thread(_migrated))
    return path
