"""What installs the bot on a platform: Slack's manifest, Discord's invite address."""

import argparse
import json
import logging
import re

from bot.commands import Commands
from bot.logs import say
from bot.once import Exit
from bot.settings import Settings
from core.errors import DeliveryError, DeliveryRefused

_HOST = re.compile(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?/?", re.IGNORECASE)
_UNREACHED = (
    "Is discord.com reached from here? Try again, or take the application's id from"
    " discord.com/developers/applications (OAuth2, URL Generator makes the address there)"
)


async def manifest(settings: Settings, chosen: argparse.Namespace) -> Exit:
    """To standard output: what a Slack app is made of."""
    from bot.platforms import slack_manifest

    if chosen.url is None and settings.slack_signing_secret and not settings.slack_app_token:
        say("SLACK_SIGNING_SECRET without SLACK_APP_TOKEN: say where Slack posts to, by --url")
        return Exit.USAGE
    if chosen.url is not None and not _HOST.fullmatch(chosen.url):
        say("--url should be https://HOST: where Slack reaches the port, and nothing after it")
        return Exit.USAGE
    url = f"{chosen.url.rstrip('/')}/slack/events" if chosen.url else None
    groups = bool(settings.slack_groups)
    made = slack_manifest.manifest(Commands.USAGE, socket_mode=url is None, groups=groups, url=url)
    print(json.dumps(made, indent=2, ensure_ascii=False))
    return Exit.DONE


async def invite(settings: Settings, chosen: argparse.Namespace) -> Exit:
    """To standard output: the address; Discord is asked whose token it is."""
    from bot.platforms.discord_invite import application_id, invite_url

    if settings.discord_token is None:
        say(
            "DISCORD_TOKEN is not set: put it into .env (discord.com/developers/applications,"
            " your application, Bot, Reset Token): the address has its application in it"
        )
        return Exit.CONFIG
    token = settings.discord_token.get_secret_value()
    try:
        print(invite_url(await application_id(token, settings.discord_api_url)))
    except DeliveryError as error:
        refused = isinstance(error, DeliveryRefused)
        step = "Reset Token, under Bot, gives another one" if refused else _UNREACHED
        said = f"Discord does not tell whose token that is: {error.reason} ({error.seen})"
        say(f"{said}. {step}", logging.ERROR)
        return Exit.TRY_AGAIN
    return Exit.DONE
