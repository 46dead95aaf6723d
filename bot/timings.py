"""How long people wait: for an acknowledgement, and for the answer."""

from collections.abc import Callable
from dataclasses import dataclass

Heard = Callable[[str, float], None]
"""The platform, and the seconds."""


def unheard(platform: str, seconds: float) -> None:
    """Where nobody measures."""


@dataclass(slots=True)
class Timings:
    """Told of every acknowledgement and every answer."""

    acknowledged: Heard = unheard
    """From a command's arrival until its ack is handed over (Slack) or accepted (Discord)."""
    answered: Heard = unheard
    """From its arrival until its answer is shown."""
