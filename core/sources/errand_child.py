"""What every process that runs an errand for us has in common (core.sources.errand starts them).

The errand comes as the first line of stdin; how far it is, and how it ended, goes to stdout. Such
a process leaves nothing behind: no file, no memory, and not itself once its parent is gone.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import NoReturn, Self

from core.errors import SourceError, SourceUnavailable, Verdict
from core.parent import end_when

_NICE = 10
_EVERY_S = 0.25

Told = Callable[[int, int], None]
"""Hears how many bytes of a file have come, and how many rows were counted, so far."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of the child's: how far it is, and in the last one how it ended."""

    done_bytes: int = 0
    rows: int = 0
    result_bytes: int | None = None
    """The result follows in so many bytes."""
    error: str = ""
    seen: str = ""
    verdict: str = ""

    def line(self) -> bytes:
        """For the child's stdout."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """The other way round; ValueError if it is no such line."""
        try:
            return cls(**json.loads(line))
        except TypeError as error:
            raise ValueError("a line of something else") from error

    @classmethod
    def failed(cls, error: SourceError) -> Self:
        """The last line of one that could not."""
        return cls(error=type(error).__name__, seen=error.seen, verdict=error.verdict)

    def failure(self, kinds: Mapping[str, type[SourceError]]) -> SourceError | None:
        """The error that it tells of, if it does; SourceUnavailable for one of no such kind."""
        if not self.error:
            return None
        return kinds.get(self.error, SourceUnavailable)(self.seen, Verdict(self.verdict))


def run(work: Callable[[bytes, Told], bytes]) -> NoReturn:
    """Do the one errand there is, and be gone: `work` makes the result of the errand's line."""
    sys.excepthook = _crash
    line = sys.stdin.buffer.readline()
    end_when(sys.stdin.buffer.read)  # nothing more is ever written there
    if hasattr(os, "nice"):
        os.nice(_NICE)  # whoever chats comes first
    try:
        result = work(line, _now_and_then())
    except SourceError as error:
        _say(Heard.failed(error))
    else:
        _say(Heard(result_bytes=len(result)), result)
    _leave(0)


def _now_and_then() -> Told:
    """Passes on the first word, then one a quarter of a second."""
    next_at = time.monotonic()

    def told(done_bytes: int, rows: int) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + _EVERY_S
            _say(Heard(done_bytes, rows))

    return told


def _say(heard: Heard, more: bytes = b"") -> None:
    sys.stdout.buffer.write(heard.line() + more)
    sys.stdout.buffer.flush()


def _crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.__excepthook__(kind, error, trace)
    _leave(1)


def _leave(status: int) -> NoReturn:
    # Not sys.exit: it would wait for a thread that waits for the network.
    sys.stderr.flush()
    os._exit(status)
