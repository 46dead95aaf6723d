"""Asks every source so often that its server may send all it has; says its own peak in MB.

Arguments: the addresses of the REST vendor, of FINRA and of S3, and how often each is asked.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from core.calendar import last_complete, sessions_ending
from core.errors import SourceError
from core.sources.finra import FinraSource
from core.sources.flatfiles import DayAggsSource
from core.sources.pace import Pace
from core.sources.reference import Reference
from core.sources.rest import RestClient, RestSource
from core.sources.s3 import S3Reader
from core.sources.short_volume import ShortVolumeSource
from tests import files


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def say(word: object) -> None:
    """One line for whoever started this."""
    sys.stdout.write(f"{word}\n")


def peak_mb() -> int:
    """The most memory held since this program began.

    Not ru_maxrss, which on Linux begins with what the parent held when it started the child.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


async def ask(name: str, question: Callable[[], Awaitable[object]], times: int) -> None:
    """What each answer did."""
    for _ in range(times):
        try:
            await question()
            said = "read"
        except SourceError as error:
            said = str(error)[:100]
        say(f"{peak_mb()} MB {name}: {said}")


async def main(vendor: str, finra: str, s3: str, *times: str) -> None:
    """All of it in one process, as the service does."""
    day = sessions_ending(last_complete(now()), 2)[0]
    reader = await asyncio.to_thread(S3Reader, files.s3_access(s3))
    async with files.plain_http() as http:
        client = RestClient(http, vendor, files.API_KEY, Pace(0), attempts=1)
        reference = Reference(client)
        questions: dict[str, Callable[[], Awaitable[object]]] = {
            "grouped": lambda: RestSource(client, now).bars(day),
            "short volumes": lambda: ShortVolumeSource(client, now).bars(day),
            "tickers": reference.tickers,
            "news": lambda: reference.news(now(), now()),
            "finra": lambda: FinraSource(http, finra, now, attempts=1).bars(day),
            "day files": lambda: DayAggsSource(reader, now).bars(day),
        }
        for (name, question), often in zip(questions.items(), times, strict=True):
            await ask(name, question, int(often))
    say(peak_mb())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
