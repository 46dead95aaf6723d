"""Logging: one line a fact, and no secret in any of them.

All that this process writes to standard error comes by here: the log, what is said to whoever
started it, and what nobody has caught.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from types import TracebackType
from urllib.parse import quote, quote_plus

logger = logging.getLogger("bot")

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


_CHATTY = (
    *("apscheduler", "httpx", "httpcore", "botocore", "urllib3", "asyncio"),
    "discord.client",  # that it logs in, at each try
)


class Form(StrEnum):
    """How a line looks: for a person, or for a program."""

    TEXT = "text"
    JSON = "json"


class Redacted(logging.Formatter):
    """`time level logger message key=value …`, with every known secret blanked."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        spelled = {
            written for s in secrets if s for written in (s, quote(s), quote(s, ""), quote_plus(s))
        }
        # The longest first: one secret may be part of another.
        self._secrets = sorted(spelled, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in the facts; then the trace, if there is one."""
        said = " ".join([record.getMessage(), *(f"{k}={v}" for k, v in self.facts(record).items())])
        head = f"{self.formatTime(record)} {record.levelname} {record.name}: {said}"
        return self.blanked("\n".join([_in_one_line(head), *self.trace(record)]))

    def said(self, text: str, level: int) -> str:
        """To a person, as it is."""
        return self.blanked(text)

    def facts(self, record: logging.LogRecord) -> dict[str, object]:
        """What was given in `extra`."""
        return {k: v for k, v in vars(record).items() if k not in _STANDARD and v is not None}

    def trace(self, record: logging.LogRecord) -> list[str]:
        """Of the exception, and of whoever logged; mostly neither."""
        found = [self.formatException(record.exc_info)] if record.exc_info else []
        return [*found, *([self.formatStack(record.stack_info)] if record.stack_info else [])]

    def blanked(self, text: str) -> str:
        """Without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "(hidden)")
        return text


class JsonLines(Redacted):
    """An object a line: at, level, logger, message, what was given in `extra`, trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Numbers stay numbers; everything else is text."""
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self.facts(record),
        }
        if trace := self.trace(record):
            said["trace"] = "\n".join(trace)
        plain = {
            key: value if isinstance(value, bool | int | float) else self.blanked(str(value))
            for key, value in said.items()
        }
        return json.dumps(plain, ensure_ascii=False)

    def said(self, text: str, level: int) -> str:
        """A line like any other."""
        return self.format(logger.makeRecord(logger.name, level, "", 0, text, (), None))


_formatter = Redacted([])
_asked: Callable[[], None] | None = None


def say(text: str, level: int = logging.INFO) -> None:
    """To whoever started this, beside the answer and never in it; `level` is for programs."""
    sys.stderr.write(_formatter.said(text, level) + "\n")
    sys.stderr.flush()


def set_up(secrets: list[str], level: int = logging.INFO, form: Form = Form.TEXT) -> None:
    """Log to standard error; chatty libraries only from WARNING."""
    global _formatter, _asked
    _asked = partial(set_up, secrets, level, form)
    _formatter = (JsonLines if form is Form.JSON else Redacted)(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter)
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def as_here() -> Callable[[], None]:
    """What makes another process of ours say all as this one does; nothing, if that is not set."""
    return partial(_like, _asked)


def _like(asked: Callable[[], None] | None) -> None:
    if asked is not None:
        asked()
        hear_last_words()


def hear_last_words() -> None:
    """What nobody catches goes by the filter as well, for the rest of this process."""
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda un: _uncaught(un.exc_type, un.exc_value, un.exc_traceback)
    threading.excepthook = lambda un: _uncaught(un.exc_type, un.exc_value, un.exc_traceback)


def _uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    """The event loop logs by itself; this is for the main thread, the others, and finalizers."""
    facts = (kind, error or kind(), trace)
    logger.critical("what nobody has caught: a fault of Tapewatch", exc_info=facts)


def _in_one_line(text: str) -> str:
    """A vendor's answer may have line breaks in it, and must not look like lines of ours."""
    return text.replace("\r", "\\r").replace("\n", "\\n")
