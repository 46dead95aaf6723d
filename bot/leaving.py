"""The end in time: a point for each step of it, all counted from the word that it is time to go."""

import logging
import multiprocessing.util
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bot.logs import say

_LEFT = (
    "not all could be closed in time: it is left behind, as by a crash, and nothing is half written"
)


@dataclass(slots=True)
class Leaving:
    """Seconds since that word; a step that is late takes them from those behind it."""

    drained_s: float = 5.0
    """Answers and deliveries are made until then; who waits for one has an apology soon after."""
    hung_up_s: float = 7.5
    """Platforms and loops have taken their leave."""
    gone_s: float = 8.0
    """The process is no more: whoever keeps it kills it at 10."""
    clock: Callable[[], float] = time.monotonic
    _since: float | None = None

    def begin(self) -> None:
        """It is time to go; the first word counts."""
        if self._since is None:
            self._since = self.clock()

    def left_s(self, point_s: float) -> float:
        """The seconds until one of the points."""
        self.begin()
        return max(0.0, (self._since or 0.0) + point_s - self.clock())

    def surely(self, code: int) -> None:
        """End with this code at the last point, whoever is still at work."""
        timer = threading.Timer(self.left_s(self.gone_s), _left_behind, [code])
        timer.daemon = True
        timer.start()

    def now(self, code: int) -> None:
        """If it is time to go: all is closed, and nobody waits for what is of no use any more.

        A thread that reckons cannot be cancelled, and asyncio and the interpreter wait for it; and
        where all else works too, the interpreter takes seconds to put its own things away.
        """
        if self._since is not None:
            # Or Python tells of semaphores that the workers have left.
            multiprocessing.util._run_finalizers(0)  # type: ignore[attr-defined]
            # Nobody may read it any more.
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(code)


def _left_behind(code: int) -> None:
    # As by a crash, after which sessions are whole or not there, and the state is as committed.
    say(_LEFT, logging.WARNING)
    os._exit(code)
