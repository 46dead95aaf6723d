"""`python -m bot run`, unchanged, that also tells how many tasks its loop has: a line a second.

python -m bench.soak_child
"""

import argparse
import asyncio
import json
import sys
from collections import Counter

from bot import shell as program
from bot.once import Exit
from bot.settings import Settings

TOLD = "tasks "
_EVERY_S = 1.0
_run = program._run


async def _told(settings: Settings, chosen: argparse.Namespace) -> Exit:
    telling = asyncio.create_task(_tell(), name="bench tells")
    try:
        return await _run(settings, chosen)
    finally:
        telling.cancel()


async def _tell() -> None:
    while True:
        await asyncio.sleep(_EVERY_S)
        # One for each answer has a name with its number in it.
        names = Counter(task.get_name().rstrip("0123456789 -") for task in asyncio.all_tasks())
        del names["bench tells"]
        print(TOLD + json.dumps(names), flush=True)


if __name__ == "__main__":
    program._run = _told
    sys.exit(program.main(["run"]))
