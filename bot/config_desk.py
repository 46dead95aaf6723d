"""/config show: what is set here, for operators. Secrets are set or unset, and nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from alerts.budget import clipped
from alerts.model import File, Message
from bot.requests import CommandRequest
from bot.setting_types import looks_secret
from bot.settings import SECRETS, Settings
from core.errors import CommandError

USAGE = "show [all]"
DEFAULT = " (default)"
_SHORT, _SHORT_VALUE = 3_000, 400
"""So much of all of them, and of each, every platform shows whole, with its escapes."""

SHOWN = frozenset(
    f"{kind}_{name}"
    for kind, names in {
        "polygon": ("rest_url", "calls_per_minute"),
        "flatfiles": ("endpoint_url", "bucket"),
        "use": ("flat_files", "trades_files"),
        "dark_pool": ("only",),
        "finra": ("url",),
        "eod": ("schedule_time", "poll_minutes", "deadline"),
        "data": ("dir", "url", "endpoint_url", "region", "cache_mb"),
        "backfill": ("workers", "scheduler"),
        "alert": ("top", "detail", "min_z", "floor_usd", "min_price_usd"),
        "discord": ("alert_channel", "guild_id", "operators", "api_url", "gateway_url"),
        "slack": ("alert_channel", "operators", "api_url"),
        "operator": ("channel",),
    }.items()
    for name in names
) | {"log_format", "port", "paused"}
"""Settings whose values may be shown; one that is new is not, until it is put here."""


@dataclass(frozen=True, slots=True)
class ConfigDesk:
    """Answers about the settings of this process."""

    settings: Settings
    stamp: str

    async def answer(self, request: CommandRequest) -> Message:
        """What differs from the defaults, or everything; CommandError for others."""
        action, *rest = [word.lower() for word in request.words] or ["show"]
        if action != "show" or rest not in ([], ["all"]):
            raise CommandError(
                f"/config {clipped(' '.join(request.words), 40)}: there is /config {USAGE}"
            )
        request.only_operators("/config show", everywhere=True)
        known = Settings.model_fields
        found = [(name.upper(), self._said(name), self._is_set(name)) for name in known]
        here = tuple((name, said) for name, said, is_set in found if is_set)
        all_ = tuple((name, f"{said}{'' if is_set else DEFAULT}") for name, said, is_set in found)
        facts = all_ if rest else here
        return Message(
            title="Settings",
            lead=f"Set here: {len(here)} of {len(found)} settings.",
            facts=facts,
            footer=(
                "secrets are shown as set or unset; a change takes a restart",
                *(() if rest else ("/config show all has the defaults as well",)),
            ),
            stamp=self.stamp,
            files=_long(facts),
        )

    def _is_set(self, name: str) -> bool:
        return bool(getattr(self.settings, name) != Settings.model_fields[name].default)

    def _said(self, name: str) -> str:
        value = getattr(self.settings, name)
        if name in SECRETS:
            return "unset" if value is None else "set"
        return _written(value) if name in SHOWN else "(not shown)"


def _written(value: object) -> str:
    """As it would be typed."""
    if value is None or value == ():
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    said = f"{value:%H:%M}" if isinstance(value, time) else str(value)
    return "(hidden: it looks like a key)" if looks_secret(said) else said


def _long(facts: Sequence[tuple[str, str]]) -> tuple[File, ...]:
    """What a chat could not show whole, as a file."""
    content = "".join(f"{name}={value}\n" for name, value in facts)
    if len(content) <= _SHORT and all(len(value) <= _SHORT_VALUE for _, value in facts):
        return ()
    return (File("settings.txt", content),)
