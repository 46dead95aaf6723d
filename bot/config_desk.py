"""/config show: what is set here, for operators. Secrets are set or unset, and nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from alerts.model import Message, Table
from bot.requests import CommandRequest
from bot.settings import SECRETS, Settings
from core.errors import CommandError

USAGE = "show [all]"
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
            raise CommandError(f"/config {' '.join(request.words)[:40]}: there is /config {USAGE}")
        request.only_operators("/config show", everywhere=True)
        found = [(name, *self._said(name)) for name in Settings.model_fields]
        differing = [row for row in found if row[2] != "default"]
        rows = found if rest else differing
        return Message(
            title="Settings",
            lead=f"Set here: {len(differing)} of {len(found)} settings.",
            table=_table(rows) if rows else None,
            footer=(
                "secrets are shown as set or unset; a change takes a restart",
                *(() if rest else ("/config show all has the defaults as well",)),
            ),
            stamp=self.stamp,
        )

    def _said(self, name: str) -> tuple[str, str]:
        """Its value, and whether that is the default."""
        value, field = getattr(self.settings, name), Settings.model_fields[name]
        whence = "default" if value == field.default else "set"
        if name in SECRETS:
            return ("unset" if value is None else "set"), whence
        if name not in SHOWN:
            return "(not shown)", whence
        return _written(value), whence


def _written(value: object) -> str:
    """As it would be typed."""
    if value is None or value == ():
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:%H:%M}" if isinstance(value, time) else str(value)


def _table(rows: Sequence[tuple[str, str, str]]) -> Table:
    shown = tuple((name.upper(), value, whence) for name, value, whence in rows)
    return Table(("setting", "value", ""), shown)
