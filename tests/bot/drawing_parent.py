"""A parent that had a picture drawn, and says the pid of the process that drew it; to be killed."""

import asyncio
import multiprocessing
import sys
from pathlib import Path

from alerts.model import ChartOf
from bot import logs
from tests.bot.small_market import at
from tests.market import NEWEST


async def main(folder: Path) -> None:
    """Draw, and wait for ever."""
    logs.set_up([], form=logs.Form.JSON)
    async with at(folder) as app:
        of = ChartOf(app.ladder.top.series.key, NEWEST.date, "QWOH")
        if await app.reception.draw(of) is not None:
            (child,) = multiprocessing.active_children()
            sys.stdout.write(f"{child.pid}\n")
            sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
