"""Which platforms are listened to: one ear for each that the settings have tokens for."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from bot.door import Door
from bot.links import Link
from bot.reception import Reception
from bot.settings import Settings
from bot.suggest import Suggestions


class Ear(Protocol):
    """One platform's way in."""

    link: Link

    async def serve(self) -> None:
        """Connect and answer until cancelled.

        Raises LinkRefused where trying again is pointless, anything else where it is not.
        """

    async def drain(self, patience_s: float) -> None:
        """Take nothing new, and wait for the answers that are being made."""


def ears(
    settings: Settings,
    reception: Reception,
    suggestions: Suggestions,
    now: Callable[[], datetime],
    door: Door,
) -> Sequence[Ear]:
    """By the settings; nothing is connected before it is served."""
    found: list[Ear] = []
    # Each library takes its time to load: only those that are used are.
    if settings.discord_token is not None:
        from bot.platforms.discord_ear import DiscordEar

        found.append(
            DiscordEar(
                settings.discord_token.get_secret_value(),
                Link("discord", now),
                reception,
                suggestions,
                api_url=settings.discord_api_url,
                gateway_url=settings.discord_gateway_url,
                guild_id=settings.discord_guild_id,
            )
        )
    if settings.slack_bot_token is not None and settings.slack_listens:
        found.append(
            _slack(settings.slack_bot_token, settings, reception, Link("slack", now), door)
        )
    return found


def _slack(
    token: SecretStr, settings: Settings, reception: Reception, link: Link, door: Door
) -> Ear:
    from bot.platforms.slack_ear import SlackEar

    app_token, secret = settings.slack_app_token, settings.slack_signing_secret
    return SlackEar(
        token.get_secret_value(),
        link,
        reception,
        api_url=settings.slack_api_url,
        app_token=app_token.get_secret_value() if app_token else None,
        signing_secret=secret.get_secret_value() if secret else None,
        door=door,
        groups=settings.slack_groups,
    )
