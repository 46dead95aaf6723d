"""`python -m bot run` in a time that a test or a bench sets: the bell rings whenever it has moved.

TEST_CLOCK=FILE python -m tests.shifted; the file holds seconds to add to the machine's time.
"""

import argparse
import asyncio
import mmap
import os
import struct
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot import shell as program
from bot.once import Exit
from bot.service import Service
from bot.settings import Settings
from core.lease import Lease

ENVIRONMENT = "TEST_CLOCK"
_LOOK_S = 0.02
_SHIFT = struct.Struct("d")


def set_clock(path: Path, shift_s: float) -> None:
    """From now on it is so much later than it is."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.write(_SHIFT.pack(shift_s))


class Clock:
    """The machine's, and what the file adds."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), _SHIFT.size, access=mmap.ACCESS_READ)

    @property
    def shift_s(self) -> float:
        """As it is set now."""
        return float(_SHIFT.unpack_from(self._bytes)[0])

    def __call__(self) -> datetime:
        """The time it is taken to be."""
        return datetime.now(UTC) + timedelta(seconds=self.shift_s)


class Shifted(Service):
    """Rings by the clock that is set; the machine's rings as well, and does no harm."""

    def beside(self) -> list[Coroutine[Any, Any, None]]:
        """And the ringing."""
        return [*super().beside(), self._ring()]

    async def _ring(self) -> None:
        clock = self.now
        assert isinstance(clock, Clock)
        rung = clock.shift_s
        while True:
            await asyncio.sleep(_LOOK_S)
            if clock.shift_s != rung and self.health.app is not None:
                rung = clock.shift_s
                self.health.app.bell.ring()


async def _run(settings: Settings, chosen: argparse.Namespace) -> Exit:
    clock = Clock(Path(os.environ[ENVIRONMENT]))
    return await Shifted(settings, Lease(settings.state_db, clock), clock).run()


if __name__ == "__main__":
    program._run = _run
    sys.exit(program.main(["run"]))
