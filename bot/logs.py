"""Logging: one line a fact, and no secret in any of them."""

import logging
import sys

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Redacted(logging.Formatter):
    """`time level logger message key=value …`, with every known secret blanked."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        # The longest first: one secret may be part of another.
        self._secrets = sorted((s for s in secrets if s), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The standard line, the facts in `extra`, then the trace if there is one."""
        facts = {k: v for k, v in vars(record).items() if k not in _STANDARD and v is not None}
        head, *trace = super().format(record).split("\n", 1)
        text = "\n".join([" ".join([head, *(f"{k}={v}" for k, v in facts.items())]), *trace])
        for secret in self._secrets:
            text = text.replace(secret, "(hidden)")
        return text


def set_up(secrets: list[str], level: int = logging.INFO) -> None:
    """Log to standard error; chatty libraries only from WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacted(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("apscheduler", "httpx", "httpcore", "botocore", "urllib3", "asyncio", "stamina"):
        logging.getLogger(name).setLevel(logging.ERROR if name == "stamina" else logging.WARNING)
