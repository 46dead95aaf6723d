"""What each setting alone does not show: contradictions, and halves that mean something."""

from pathlib import Path
from typing import TYPE_CHECKING

from bot import cluster
from core.files import Folder
from core.passing import Unwritable, is_passing

if TYPE_CHECKING:
    from bot.settings import Settings


def conflicts(settings: "Settings") -> list[str]:
    """What each setting alone does not show to be wrong.

    Raises Unwritable if nothing is, and DATA_DIR takes nothing now: that is no setting's fault.
    """
    faults = []
    if settings.eod_deadline <= settings.eod_schedule_time:
        faults.append(
            f"EOD_DEADLINE={settings.eod_deadline:%H:%M} is not after "
            f"EOD_SCHEDULE_TIME={settings.eod_schedule_time:%H:%M}"
        )
    if (
        settings.use_flat_files
        and not settings.flat_files_configured
        and not settings.polygon_api_key
    ):
        faults.append(
            f"USE_FLAT_FILES=true, but {settings.flat_files_missing}, and there is no "
            "POLYGON_API_KEY to fall back on; set them, or unset USE_FLAT_FILES to run on the "
            "built-in sample market"
        )
    if settings.use_trades_files and settings.sample and not settings.use_flat_files:
        faults.append(
            f"USE_TRADES_FILES=true, but {settings.flat_files_missing}, and there is no "
            "POLYGON_API_KEY to fall back on; set them, or unset USE_TRADES_FILES to run on "
            "the built-in sample market (DARK_POOL_ONLY=true shows its off-exchange side)"
        )
    faults += _half_a_bucket(settings)
    faults += _mute_platforms(settings)
    if settings.backfill_scheduler is not None and not cluster.is_installed():
        faults.append(cluster.NOT_INSTALLED)
    # Whoever pauses it may do so to make room in there.
    return faults if settings.paused else faults + _no_folder(settings, faults)


def _no_folder(settings: "Settings", faults: list[str]) -> list[str]:
    try:
        Folder(settings.data_dir).probe()
    except OSError as error:
        if not is_passing(error):
            return [_unusable(settings.data_dir, error)]
        if not faults:
            raise Unwritable(f"DATA_DIR={settings.data_dir}: {error.strerror}") from error
    return []


def _half_a_bucket(settings: "Settings") -> list[str]:
    keys = {
        "DATA_ACCESS_KEY_ID": settings.data_access_key_id,
        "DATA_SECRET_ACCESS_KEY": settings.data_secret_access_key,
    }
    if settings.data_url:
        lacking = [name for name, value in keys.items() if value is None]
        return [f"DATA_URL={settings.data_url} needs {name}, which is not set" for name in lacking]
    given = [name for name, value in keys.items() if value is not None]
    return [f"{name} is set, but DATA_URL is not: where is the bucket?" for name in given]


def _mute_platforms(settings: "Settings") -> list[str]:
    """Channels that are named, and no token to speak there."""
    operator = (settings.operator_channel or "").partition(":")[0]
    needs = (
        ("DISCORD_TOKEN", settings.discord_token, settings.discord_alert_channel, "discord"),
        ("SLACK_BOT_TOKEN", settings.slack_bot_token, settings.slack_alert_channel, "slack"),
    )
    listens = [
        f"{name} is set, but SLACK_BOT_TOKEN is not: without it Slack cannot be answered"
        for name, value in (
            ("SLACK_APP_TOKEN", settings.slack_app_token),
            ("SLACK_SIGNING_SECRET", settings.slack_signing_secret),
        )
        if value is not None and settings.slack_bot_token is None
    ]
    return listens + [
        f"{named} is set, but {token} is not: without it nothing can be said there"
        for token, value, channels, platform in needs
        for named, there in (
            (f"{platform.upper()}_ALERT_CHANNEL", channels),
            ("OPERATOR_CHANNEL", operator == platform),
        )
        if there and value is None
    ]


def _unusable(folder: Path, error: OSError) -> str:
    return f"DATA_DIR={str(folder)!r}: should be a writable folder ({error.strerror})"


def notices(settings: "Settings") -> list[str]:
    """What settings that say half of something are taken to mean, for the start-up log."""
    said = []
    if settings.slack_bot_token is not None and not settings.slack_listens:
        said.append(
            "SLACK_BOT_TOKEN without SLACK_APP_TOKEN or SLACK_SIGNING_SECRET: digests are sent"
            " to Slack, but nothing that is typed or clicked there arrives. SLACK_APP_TOKEN"
            " (xapp-...) is the simplest way"
        )
    if settings.discord_token is not None and not (
        settings.discord_operators or settings.discord_guild_id
    ):
        said.append(
            "DISCORD_TOKEN without DISCORD_OPERATORS or DISCORD_GUILD_ID: whoever manages a"
            " Discord server may /subscribe and /mute there, but nobody on Discord may"
            " /backfill run or act in the /outbox, which reach beyond one server"
        )
    return said + _about_data(settings)


def _about_data(settings: "Settings") -> list[str]:
    said = []
    if settings.use_trades_files and not settings.use_flat_files:
        said.append(
            "USE_TRADES_FILES without USE_FLAT_FILES: trades files are flat files, so they are "
            "read; day bars come from REST first. USE_FLAT_FILES=true reads day bars from "
            "files as well"
        )
    if settings.use_trades_files and not settings.dark_pool_only:
        said.append(
            "USE_TRADES_FILES without DARK_POOL_ONLY: 3-4 GB of trades are read for each "
            "session to judge the volume of all venues, which day bars give as well. "
            "DARK_POOL_ONLY=true judges the off-exchange part"
        )
    if settings.use_trades_files and settings.flat_files_missing:
        said.append(
            f"USE_TRADES_FILES=true, but {settings.flat_files_missing}: without both, trades files "
            "cannot be read"
        )
    if settings.dark_pool_only and not settings.use_trades_files and not settings.sample:
        said.append(
            "DARK_POOL_ONLY without USE_TRADES_FILES: off-exchange volume of regular hours "
            "from FINRA's daily file, prices of all venues. USE_TRADES_FILES=true counts every "
            "off-exchange trade instead (plans from Developer up)"
        )
    return said
