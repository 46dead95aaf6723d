"""Commands on Discord and Slack while `/backfill run` reads trades files with two workers.

What bench.acknowledge measures, with other work beside it: the sessions to be read are older than
all that the service itself asks for, so that only the backfill reads.

python -m bench acknowledge-backfill [COMMANDS] [SESSIONS] [MILLIONS OF TRADES EACH]
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.acknowledge import (
    COMMANDS,
    TRADES,
    goals_of,
    publish_trades,
    published,
    show,
    side,
    stored,
)
from bench.data import SESSIONS as STORED
from bench.data import Data
from bench.harness import Goal
from bench.stream import _serving
from core.calendar import TradingDay, last_complete, sessions_ending

TAPES, WORKERS = 36, 2


def main() -> None:
    """Measure as much as is asked for."""
    for goal in measured(*(float(word) for word in sys.argv[1:])):
        print(goal)


def run(_: Data, *asked: float) -> list[Goal]:
    """On a market of its own, for the service goes by today's date."""
    return measured(*asked)


def measured(
    commands: float = COMMANDS, tapes: float = TAPES, millions: float = TRADES / 1e6
) -> list[Goal]:
    """Two services, one after the other, on copies of the same folder."""
    trades = int(millions * 1e6)
    with tempfile.TemporaryDirectory(prefix="tapewatch-acknowledge-") as name:
        days = sessions_ending(last_complete(datetime.now(UTC)), STORED + int(tapes))
        taped, known = days[: int(tapes)], days[int(tapes) :]
        vendor = published(Path(name), known, taped, trades)
        with _serving(str(vendor)) as s3_url:
            return asyncio.run(_measured(Path(name), s3_url, taped, known, int(commands), trades))


async def _measured(
    folder: Path, s3_url: str, taped: Sequence[TradingDay], known: Sequence[TradingDay],
    commands: int, trades: int,
) -> list[Goal]:  # fmt: skip
    settings = await stored(folder, s3_url, known) | {"BACKFILL_WORKERS": str(WORKERS)}
    idle = await side("nothing to read", folder, settings, known, commands)
    publish_trades(folder)
    typed = f"/backfill run {taped[0]} {taped[-1]}"
    ours = await side("a backfill", folder, settings, known, commands, reads=True, typed=typed)
    show([ours, idle], trades)
    return goals_of(ours, idle)


if __name__ == "__main__":
    main()
