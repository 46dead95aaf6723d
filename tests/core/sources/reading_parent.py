"""A parent that reads trades and says its child's pid when the child is under way; to be killed."""

import asyncio
import sys
from datetime import UTC, datetime

from core.bars import Scope
from core.conditions import bundled
from core.progress import Reading
from core.sources.s3 import S3Reader
from core.sources.trades import TradesSource
from tests import files
from tests.core.sources.test_trades import CACHE, DAY, children


def say(reading: Reading) -> None:
    """One line for whoever started this."""
    if reading.rows:
        sys.stdout.write(f"{children()[0]}\n")
        sys.stdout.flush()


async def main() -> None:
    """Read the session."""
    access = files.s3_access(sys.argv[1])
    reader = await asyncio.to_thread(S3Reader, access)
    await TradesSource(
        *(reader, access, lambda: datetime.now(UTC), bundled(), Scope.OFF_EXCHANGE, CACHE, say)
    ).bars(DAY)


if __name__ == "__main__":
    asyncio.run(main())
