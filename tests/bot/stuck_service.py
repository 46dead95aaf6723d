"""A service one of whose threads reckons for ever; to be told to stop."""

import asyncio
import sys
import time
from pathlib import Path

from bot.app import utc_now
from bot.leaving import Leaving
from bot.service import Service
from bot.settings import load
from core.lease import Lease


class Stuck(Service):
    """As with an answer that takes hours."""

    async def _work(self) -> None:
        await asyncio.to_thread(_reckon)


def _reckon() -> None:
    # Said by the thread itself: one that has not begun yet can be cancelled.
    sys.stdout.write("at work\n")
    sys.stdout.flush()
    time.sleep(3_600)


async def main(folder: Path, gone_s: float) -> None:
    """Until told."""
    settings = await asyncio.to_thread(load, data_dir=folder)
    lease, leaving = Lease(settings.state_db, utc_now), Leaving(gone_s=gone_s)
    serving = Stuck(settings, lease, utc_now, leaving=leaving)
    code = await serving.run()
    if gone_s > 60:
        serving.leaving.now(code)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
