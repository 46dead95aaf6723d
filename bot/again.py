"""A service that cannot begin yet tries again by itself: hosts count its starts, and give up."""

import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType

_FIRST_S, _LONGEST_S, _TRIES = 5, 300, 16


def pauses() -> Iterator[int]:
    """Seconds between two tries, an hour in all; whoever keeps it has a say after that."""
    yield from (min(_FIRST_S * 2**n, _LONGEST_S) for n in range(_TRIES))


def rested(seconds: float, ended_by: Iterable[int] = (signal.SIGTERM, signal.SIGINT)) -> bool:
    """After so long; False at once if we are told to stop. Blocking, in the main thread."""
    told = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        told.set()

    before = {number: signal.signal(number, stop) for number in ended_by}
    try:
        return not told.wait(seconds)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
