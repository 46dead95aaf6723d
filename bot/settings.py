"""Every setting, read once from the environment and .env into one frozen object."""

import contextlib
import difflib
import os
from collections.abc import Mapping, Sequence
from datetime import time
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from alerts.model import Destination, Detail
from bot import secret_files
from bot.logs import Form
from bot.permissions import Operators
from bot.setting_checks import conflicts
from bot.setting_types import (
    BucketUrl,
    DiscordChannels,
    DiscordGuild,
    DiscordPeople,
    FolderUrl,
    GatewayUrl,
    Key,
    Operator,
    SafeUrl,
    Scheduler,
    SecretUrl,
    SlackAppToken,
    SlackBotToken,
    SlackChannels,
    SlackPeople,
    TimeOfDay,
    Usd,
    looks_secret,
)
from core.anomaly import Rule
from core.errors import ConfigError
from core.measure import LEAST_Z


class Settings(BaseSettings):
    """All of the environment that matters. Secrets never show in repr."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        env_ignore_empty=True,
        frozen=True,
        hide_input_in_errors=True,
    )

    polygon_api_key: Key | None = Field(
        None, validation_alias=AliasChoices("POLYGON_API_KEY", "MASSIVE_API_KEY")
    )
    polygon_rest_url: SafeUrl = "https://api.massive.com"
    polygon_calls_per_minute: int = Field(5, ge=0, le=60_000)
    flatfiles_access_key_id: Key | None = None
    flatfiles_secret_access_key: Key | None = None
    flatfiles_endpoint_url: SafeUrl = "https://files.massive.com"
    flatfiles_bucket: str = Field("flatfiles", pattern=r"^[a-z0-9][a-z0-9.-]{1,62}$")
    use_flat_files: bool = False
    use_trades_files: bool = False
    dark_pool_only: bool = False
    finra_url: FolderUrl = "https://cdn.finra.org/equity/regsho/daily"
    eod_schedule_time: TimeOfDay = time(11, 0)
    eod_poll_minutes: int = Field(10, ge=1, le=240)
    eod_deadline: TimeOfDay = time(20, 0)
    data_dir: Path = Path("data")
    data_url: BucketUrl | None = None
    data_endpoint_url: SafeUrl | None = None
    data_region: str = Field("us-east-1", pattern=r"^[a-z0-9-]{2,40}$")
    data_access_key_id: Key | None = None
    data_secret_access_key: Key | None = None
    data_cache_mb: int = Field(2048, ge=64, le=10_000_000)
    backfill_workers: int = Field(1, ge=1, le=64)
    backfill_scheduler: Scheduler | None = None
    alert_top: int = Field(10, ge=1, le=50)
    alert_detail: Detail = Detail.FULL
    alert_min_z: float = Field(4.0, ge=LEAST_Z, le=12)
    alert_floor_usd: Usd = Field(1e6, ge=1e4, le=1e10)
    alert_min_price_usd: Usd = Field(1.0, ge=0.01, le=1000)
    discord_token: Key | None = None
    discord_alert_channel: DiscordChannels = ()
    discord_guild_id: DiscordGuild | None = None
    discord_operators: DiscordPeople = ()
    discord_api_url: SafeUrl = "https://discord.com/api/v10"
    discord_gateway_url: GatewayUrl = "wss://gateway.discord.gg"
    slack_bot_token: SlackBotToken | None = None
    slack_app_token: SlackAppToken | None = None
    slack_signing_secret: Key | None = None
    slack_alert_channel: SlackChannels = ()
    slack_operators: SlackPeople = ()
    slack_api_url: SafeUrl = "https://slack.com/api"
    operator_channel: Operator | None = None
    heartbeat_url: SecretUrl | None = None
    log_format: Form = Form.TEXT
    port: int | None = Field(None, ge=0, le=65_535)
    paused: bool = False

    @property
    def state_db(self) -> Path:
        """The database of everything that was decided."""
        return self.data_dir / "state.db"

    @property
    def backfill_calls(self) -> int | None:
        """A backfill's share of the calls a minute: one is left for the chats. None: no limit."""
        limit = self.polygon_calls_per_minute
        return max(1, limit - 1) if limit else None

    @property
    def first_routes(self) -> tuple[Destination, ...]:
        """The channels that the environment names."""
        return (
            *(Destination("discord", channel) for channel in self.discord_alert_channel),
            *(Destination("slack", channel) for channel in self.slack_alert_channel),
        )

    @property
    def operator(self) -> Destination | None:
        """Where operators are told what needs them."""
        return Destination.parse(self.operator_channel) if self.operator_channel else None

    @property
    def slack_listens(self) -> bool:
        """Is there a way for Slack to reach us?"""
        return self.slack_app_token is not None or self.slack_signing_secret is not None

    @property
    def door_port(self) -> int | None:
        """Where health is told and Slack posts to; None: nowhere."""
        posts = self.slack_signing_secret is not None and self.slack_app_token is None
        return _SLACK_POSTS_TO if self.port is None and posts else self.port

    @property
    def slack_groups(self) -> tuple[str, ...]:
        """User groups whose members are operators."""
        return tuple(name for name in self.slack_operators if name.startswith("S"))

    @property
    def operators(self) -> Operators:
        """Who may change what others are told."""
        named = {"discord": self.discord_operators, "slack": self.slack_operators}
        ids = {platform: frozenset(people) for platform, people in named.items()}
        return Operators(ids, self.discord_guild_id)

    @property
    def flat_files_secret(self) -> SecretStr | None:
        """The S3 secret, which at this vendor is the API key unless another is set."""
        return self.flatfiles_secret_access_key or self.polygon_api_key

    @property
    def flat_files_configured(self) -> bool:
        """Are both halves of the S3 credentials there?"""
        return not self.flat_files_missing

    @property
    def flat_files_missing(self) -> str:
        """Which half of the S3 credentials is missing, in words; empty if none is."""
        missing = [
            name
            for name, value in (
                ("FLATFILES_ACCESS_KEY_ID", self.flatfiles_access_key_id),
                ("FLATFILES_SECRET_ACCESS_KEY (or POLYGON_API_KEY)", self.flat_files_secret),
            )
            if value is None
        ]
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set" * bool(
            missing
        )

    @property
    def sample(self) -> bool:
        """No credentials at all: the built-in market."""
        return self.polygon_api_key is None and not self.flat_files_configured

    @property
    def rule(self) -> Rule:
        """The rule with the floors and the cut that are set."""
        return Rule(
            min_z=self.alert_min_z,
            min_adv_usd=self.alert_floor_usd,
            min_close_usd=self.alert_min_price_usd,
        )

    @property
    def secrets(self) -> list[str]:
        """Values that must never leave the process; for the log filter."""
        held = (getattr(self, name) for name in SECRETS)
        return [value.get_secret_value() for value in held if value is not None]


SECRETS = tuple(
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
)
"""The settings that are never shown, and may be in files."""
_SLACK_POSTS_TO = 8080
_VOLUME = "RAILWAY_VOLUME_MOUNT_PATH"
_NEAR = 0.8
"""So alike a name is a slip; the environment is full of other programs' names."""
_FILE = secret_files.SUFFIX
_ALSO = {"MASSIVE_API_KEY": "polygon_api_key"}


def load(**overrides: Any) -> Settings:
    """The settings of this process; raises ConfigError with everything that is wrong."""
    wrong = set[str]()
    try:
        environment = _environment()
        files, faults = secret_files.read(environment, map(_names, SECRETS))
        given = {name.lower(): value for name, value in files.items()}
        overrides = _on_its_volume(environment) | given | overrides
        settings = Settings(**overrides)
    except ValidationError as error:
        faults += [fault for e in error.errors() for fault in _faults(e)]
        # With defaults in the place of what is wrong, the rest can be checked in the same go.
        wrong = {_field(str(e["loc"][0])) for e in error.errors()}
        settings = Settings(**(overrides | {name: _default(name) for name in wrong}))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f".env cannot be read: {error}"]) from error
    # What one that is wrong lacks, or contradicts, is not known.
    known = [s for s in conflicts(settings) if not any(name.upper() in s for name in wrong)]
    if faults := faults + known:
        raise ConfigError(faults + strangers())
    return settings


def _on_its_volume(environment: Mapping[str, str]) -> dict[str, Any]:
    """A volume that is attached and not named is meant: beside it all would be forgotten."""
    volume = environment.get(_VOLUME)
    return {} if volume is None or "DATA_DIR" in environment else {"data_dir": volume}


def form_asked() -> Form:
    """Of the log, also where other settings are wrong; blocking."""
    with contextlib.suppress(OSError, UnicodeDecodeError, ValueError):
        return Form(_environment().get("LOG_FORMAT", Form.TEXT))
    return Form.TEXT


def secrets_asked() -> list[str]:
    """Secrets as they are typed, also where other settings are wrong; blocking."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        held = _environment()
        names = [name for field in SECRETS for name in _names(field)]
        files = [held[f"{name}{_FILE}"] for name in names if f"{name}{_FILE}" in held]
        pasted = [value for value in files if not secret_files.is_place(value)]
        return [held[name] for name in names if name in held] + pasted
    return []


def strangers() -> list[str]:
    """Names that look like settings and are none, each with what may have been meant; blocking."""
    plain = [name for field in Settings.model_fields for name in _names(field)]
    known = plain + [f"{name}{_FILE}" for field in SECRETS for name in _names(field)]
    own, said = {name.upper() for name in dotenv_values(".env")}, list[str]()
    for name in sorted({*_environment(), *own} - {*known}):
        base = name.removeprefix("TAPEWATCH_")
        if base.removesuffix(_FILE) in plain and base.endswith(_FILE):
            only = f"{name} is no setting: only keys, tokens and secrets may be in files"
            said.append(f"{only}; set {base.removesuffix(_FILE)}")
        elif near := _meant(base, known):
            said.append(f"{name} is no setting: did you mean {' or '.join(near)}?")
        elif name in own or name.startswith("TAPEWATCH_"):
            said.append(f"{name} is no setting of Tapewatch; .env.example lists them")
    return said


def _meant(name: str, known: Sequence[str]) -> Sequence[str]:
    """Those that have all of its words and begin alike; else the one that is spelled nearly so."""
    words = name.split("_")
    fuller = [k for k in known if k.startswith(f"{words[0]}_") and {*words} <= {*k.split("_")}]
    if len(words) > 1 and fuller:
        return [k for k in fuller if name.endswith(_FILE) or not k.endswith(_FILE)]
    return difflib.get_close_matches(name, known, 1, _NEAR)


def _names(field: str) -> tuple[str, ...]:
    """What it may be called in the environment, its own name first."""
    return (field.upper(), *(name for name, of in _ALSO.items() if of == field))


def _field(name: str) -> str:
    """Whose variable it is, by any of its names."""
    return _ALSO.get(name.upper(), name.lower())


def _default(field: str) -> Any:
    return Settings.model_fields[field].default


_ALLOWED = {
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
}
_SPELLED = {
    "FLATFILES_BUCKET": "a name of lower case letters, digits, dots and hyphens",
    "DATA_REGION": "a name of lower case letters, digits and hyphens, such as us-east-1",
}


def _faults(error: Any) -> list[str]:
    """One sentence a fault: the variable, its value (never a secret's), what is allowed."""
    said = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return said.splitlines()
    name = str(error["loc"][0]).upper()
    if error["type"] == "enum":
        said = error["ctx"]["expected"].replace("'", "")
    elif error["type"] == "string_pattern_mismatch":
        said = _SPELLED[name]
    return [f"{name}={_shown(name)!r}: should be {_ALLOWED.get(error['type'], _lower(said))}"]


def _shown(name: str) -> str:
    """What was typed, as the environment or .env has it; secrets and passwords hidden."""
    if any(word in name for word in ("KEY", "SECRET", "TOKEN", "HEARTBEAT")):
        return "(hidden)"
    raw = _environment().get(name, "")
    return "(hidden)" if looks_secret(raw) else raw[:100]


def _environment() -> dict[str, str]:
    """What is set, by names in capitals: .env, and over it the process's own."""
    merged = {**dotenv_values(".env"), **os.environ}
    return {name.upper(): value for name, value in merged.items() if value}


def _lower(said: str) -> str:
    return said.removeprefix("Input should be ").removeprefix("a valid ")
