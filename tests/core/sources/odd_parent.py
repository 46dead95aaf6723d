"""A parent that waits for its odd child for ever, and says the child's pid; to be killed."""

import asyncio
import sys
from pathlib import Path

from core.sources.errand import run
from tests.core.sources.test_errand import Odd


def say(pid: int, rows: int) -> None:
    """One line for whoever started this."""
    sys.stdout.write(f"{pid}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(run(Odd("wait"), Path(sys.argv[1]), say))
