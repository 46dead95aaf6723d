"""Every setting, read once from the environment and .env into one frozen object."""

import os
import re
from datetime import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.amounts import amount
from core.anomaly import Rule
from core.errors import ConfigError
from core.measure import LEAST_Z

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _clock(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value.strip()):
        raise ValueError("a time of day in New York, HH:MM, such as 11:00")
    return time.fromisoformat(value.strip())


def _url(value: object) -> str:
    text = str(value).strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address that begins with https:// (or http:// on this machine)")
    if parts.port == 0:  # a port that is no number, or too large, raises here
        raise ValueError("an address with a port from 1 to 65535")
    if parts.username or parts.password or parts.query:
        raise ValueError("an address without a user, a password or a query in it")
    return text


def _safe_url(value: object) -> str:
    text = _url(value)
    parts = urlsplit(text)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("https://, for the key travels with every call (http:// only on loopback)")
    return text


def _folder_url(value: object) -> str:
    text = _url(value)
    if text.lower().endswith(".txt"):
        raise ValueError("the address of the folder, without the file's name")
    return text


def _key(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the key as the dashboard shows it, without spaces or line breaks in it")
    return text


def _usd(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return amount(value)
    except ValueError as error:
        raise ValueError("an amount in USD, such as 5M, 500k or 2000000") from error


Key = Annotated[SecretStr, BeforeValidator(_key)]
TimeOfDay = Annotated[time, BeforeValidator(_clock)]
Usd = Annotated[float, BeforeValidator(_usd)]


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
    polygon_rest_url: Annotated[str, BeforeValidator(_safe_url)] = "https://api.massive.com"
    polygon_calls_per_minute: int = Field(5, ge=0, le=60_000)
    flatfiles_access_key_id: Key | None = None
    flatfiles_secret_access_key: Key | None = None
    flatfiles_endpoint_url: Annotated[str, BeforeValidator(_url)] = "https://files.massive.com"
    flatfiles_bucket: str = Field("flatfiles", pattern=r"^[a-z0-9][a-z0-9.-]{1,62}$")
    use_flat_files: bool = False
    use_trades_files: bool = False
    dark_pool_only: bool = False
    finra_url: Annotated[str, BeforeValidator(_folder_url)] = (
        "https://cdn.finra.org/equity/regsho/daily"
    )
    eod_schedule_time: TimeOfDay = time(11, 0)
    eod_poll_minutes: int = Field(10, ge=1, le=240)
    eod_deadline: TimeOfDay = time(20, 0)
    data_dir: Path = Path("data")
    alert_top: int = Field(10, ge=1, le=50)
    alert_min_z: float = Field(4.0, ge=LEAST_Z, le=12)
    alert_floor_usd: Usd = Field(1e6, ge=1e4, le=1e10)
    alert_min_price_usd: Usd = Field(1.0, ge=0.01, le=1000)

    @property
    def conflicts(self) -> list[str]:
        """What each setting alone does not show to be wrong."""
        faults = []
        if self.eod_deadline <= self.eod_schedule_time:
            faults.append(
                f"EOD_DEADLINE={self.eod_deadline:%H:%M} is not after "
                f"EOD_SCHEDULE_TIME={self.eod_schedule_time:%H:%M}"
            )
        if self.use_flat_files and not self.flat_files_configured and not self.polygon_api_key:
            faults.append(
                f"USE_FLAT_FILES=true, but {self.flat_files_missing}, and there is no "
                "POLYGON_API_KEY to fall back on; set them, or unset USE_FLAT_FILES to run on the "
                "built-in sample market"
            )
        if self.use_trades_files and self.sample and not self.use_flat_files:
            faults.append(
                f"USE_TRADES_FILES=true, but {self.flat_files_missing}, and there is no "
                "POLYGON_API_KEY to fall back on; set them, or unset USE_TRADES_FILES to run on "
                "the built-in sample market (DARK_POOL_ONLY=true shows its off-exchange side)"
            )
        if fault := _unusable(self.data_dir):
            faults.append(fault)
        return faults

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
    def notices(self) -> list[str]:
        """What settings that say half of something are taken to mean, for the start-up log."""
        said = []
        if self.use_trades_files and not self.use_flat_files:
            said.append(
                "USE_TRADES_FILES without USE_FLAT_FILES: trades files are flat files, so they are "
                "read; day bars come from REST first. USE_FLAT_FILES=true reads day bars from "
                "files as well"
            )
        if self.use_trades_files and not self.dark_pool_only:
            said.append(
                "USE_TRADES_FILES without DARK_POOL_ONLY: 3-4 GB of trades are read for each "
                "session to judge the volume of all venues, which day bars give as well. "
                "DARK_POOL_ONLY=true judges the off-exchange part"
            )
        if self.use_trades_files and self.flat_files_missing:
            said.append(
                f"USE_TRADES_FILES=true, but {self.flat_files_missing}: without both, trades files "
                "cannot be read"
            )
        if self.dark_pool_only and not self.use_trades_files and not self.sample:
            said.append(
                "DARK_POOL_ONLY without USE_TRADES_FILES: off-exchange volume of regular hours "
                "from FINRA's daily file, prices of all venues. USE_TRADES_FILES=true counts every "
                "off-exchange trade instead (plans from Developer up)"
            )
        return said

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
        held = (
            self.polygon_api_key,
            self.flatfiles_access_key_id,
            self.flatfiles_secret_access_key,
        )
        return [value.get_secret_value() for value in held if value is not None]


def load(**overrides: Any) -> Settings:
    """The settings of this process; raises ConfigError with everything that is wrong."""
    faults: list[str] = []
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        faults = [fault for e in error.errors() for fault in _faults(e)]
        # With defaults in the place of what is wrong, the rest can be checked in the same go.
        names = {str(e["loc"][0]) for e in error.errors()}
        settings = Settings(**(overrides | {name: _default(name) for name in names}))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f".env cannot be read: {error}"]) from error
    if faults := faults + settings.conflicts:
        raise ConfigError(faults)
    return settings


def _default(name: str) -> Any:
    field = Settings.model_fields.get(name.lower(), Settings.model_fields["polygon_api_key"])
    return field.default


_ALLOWED = {
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "string_pattern_mismatch": "a bucket name (lower case letters, digits, dots, hyphens)",
}


def _faults(error: Any) -> list[str]:
    """One sentence a fault: the variable, its value (never a secret's), what is allowed."""
    said = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return said.splitlines()
    name = str(error["loc"][0]).upper()
    return [f"{name}={_shown(name)!r}: should be {_ALLOWED.get(error['type'], _lower(said))}"]


def _shown(name: str) -> str:
    """What was typed, as the environment or .env has it; secrets and passwords hidden."""
    if "KEY" in name or "SECRET" in name:
        return "(hidden)"
    raw = _raw(name)
    return re.sub(r"//[^@/]*@", "//(hidden)@", raw)[:100]


def _raw(name: str) -> str:
    merged = {**dotenv_values(".env"), **os.environ}
    return next((v for k, v in merged.items() if k.upper() == name and v), "")


def _lower(said: str) -> str:
    return said.removeprefix("Input should be ").removeprefix("a valid ")


def _unusable(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"DATA_DIR={str(folder)!r}: should be a writable folder ({error.strerror})"
    return ""
