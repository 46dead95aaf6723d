"""The process that draws: it is not there for longer than who it draws for."""

import asyncio
import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.core.sources.test_errand import alive, gone_within


async def test_who_draws_does_not_outlive_a_parent_that_was_killed(folder: Path) -> None:
    """Nor does it need a home, and what it says on the way is in the form that was asked for."""
    # It lies beside compiled code, which tests share.
    await asyncio.to_thread(shutil.rmtree, folder / "cache" / "matplotlib", ignore_errors=True)
    homeless = {"HOME": "/proc/nobody", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bot.drawing_parent", str(folder)),
        env={k: v for k, v in os.environ.items() if k != "MPLCONFIGDIR"} | homeless,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    child = int(await parent.stdout.readline())
    try:
        said = json.loads(await parent.stderr.readline())
        assert said["logger"] == "matplotlib.font_manager"
        assert await asyncio.to_thread(alive, child)
        parent.kill()
        assert await parent.wait() == -signal.SIGKILL
        assert await asyncio.to_thread(gone_within, 1, child)
        assert list((folder / "cache" / "matplotlib").glob("fontlist-*.json"))
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
