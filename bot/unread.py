"""Output that nobody reads to its end, as by `| head`: no fault of ours, and no trace of it."""

import os
import select
import sys
from collections.abc import Callable

from bot.once import Exit

_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


def ended(main: Callable[[], int]) -> int | str | None:
    """Its exit code, once all that it printed is out; UNREAD if whoever read that has gone."""
    _opened()
    try:
        try:
            code: int | str | None = main()
        except SystemExit as leaving:  # as after --help
            code = leaving.code
        sys.stdout.flush()
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        # What is left of it Python would try to write at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.UNREAD
    return code


def _opened() -> None:
    """What is closed, as by `>&-`, is None; and its number the next file would get."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _nobody_reads() -> bool:
    """By the pipe itself: a write that failed has emptied the buffer, a second one would succeed;
    and there are other pipes."""
    looked = select.poll()
    looked.register(sys.stdout.fileno(), 0)
    return any(found & _GONE for _, found in looked.poll(0))
