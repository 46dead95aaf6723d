"""How a process that was started for us ends when we do, however we end: by a pipe that we held."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deaf() -> Iterator[None]:
    """Processes that this thread starts meanwhile never hear ^C: that is for us, and we end them.

    They could say so themselves only after their imports.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_when(ended: Callable[[], object]) -> None:
    """Leave at once when this call returns, whatever else the process is doing.

    `ended` blocks on a pipe whose other end the parent alone holds, and says nothing into.
    """

    def watch() -> None:
        ended()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
