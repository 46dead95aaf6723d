"""What discord.py raises, in the words of the outbox."""

import discord
from discord import app_commands, oggparse, opus

from alerts.budget import clipped
from alerts.words import inert
from bot.platforms import network
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryError,
    DeliveryRefused,
    Reason,
)

UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MESSAGE = 10003, 10004, 10008
MISSING_ACCESS, MISSING_PERMISSIONS = 50001, 50013
WRONG_CHANNEL_TYPE, THREAD_ARCHIVED = 50024, 50083
THREAD_EXISTS, THREAD_LOCKED, TOO_MANY_THREADS = 160004, 160005, 160006

TRANSLATED = (
    discord.HTTPException,
    discord.Forbidden,
    discord.NotFound,
    discord.DiscordServerError,
    discord.RateLimited,
    discord.LoginFailure,
    discord.DiscordException,
)
"""What the calls of a sender are known to raise."""

NEVER_HERE = (
    # Of the gateway and of voice, which a sender does not use.
    discord.GatewayNotFound,
    discord.ConnectionClosed,
    discord.PrivilegedIntentsRequired,
    discord.errors.FFmpegProcessError,
    opus.OpusError,
    opus.OpusNotLoaded,
    oggparse.OggError,
    # Of mistakes in our own code, and of commands.
    discord.ClientException,
    discord.InvalidData,
    discord.InteractionResponded,
    discord.MissingApplicationID,
    app_commands.AppCommandError,
    app_commands.CommandInvokeError,
    app_commands.TransformerError,
    app_commands.TranslationError,
    app_commands.CheckFailure,
    app_commands.NoPrivateMessage,
    app_commands.MissingRole,
    app_commands.MissingAnyRole,
    app_commands.MissingPermissions,
    app_commands.BotMissingPermissions,
    app_commands.CommandOnCooldown,
    app_commands.CommandLimitReached,
    app_commands.CommandAlreadyRegistered,
    app_commands.CommandSignatureMismatch,
    app_commands.CommandNotFound,
    app_commands.CommandSyncFailure,
)
"""Were one of these to come all the same, nobody knows what became of the message."""

FOREIGN = (discord.DiscordException, *network.FOREIGN, *network.ODD, RuntimeError)
"""All that is translated. aiohttp answers for a closed session with a RuntimeError."""

_GONE = (UNKNOWN_CHANNEL, UNKNOWN_GUILD)


def translated(error: BaseException) -> DeliveryError:
    """The error to raise instead."""
    if isinstance(error, discord.RateLimited):
        wait = error.retry_after
        return DeliveryDeferred(Reason.RATE_LIMITED, "by discord.py", retry_after_s=wait)
    if isinstance(error, discord.LoginFailure):
        return DeliveryRefused(Reason.TOKEN_REFUSED, "Discord does not know the token")
    if isinstance(error, discord.HTTPException):
        return _answered(error)
    if isinstance(error, discord.DiscordException):
        return DeliveryAmbiguous(Reason.SERVER_ERROR, type(error).__name__)
    if isinstance(error, RuntimeError):
        return DeliveryDeferred(Reason.UNREACHABLE, "the client is closed")
    return network.translated(error)


def code_of(error: DeliveryError) -> int:
    """Discord's own code of what was translated; 0 if there is none."""
    cause = error.__cause__
    return cause.code if isinstance(cause, discord.HTTPException) else 0


def status_of(error: DeliveryError) -> int:
    """The status of the answer that was translated; 0 if there was none."""
    cause = error.__cause__
    return cause.status if isinstance(cause, discord.HTTPException) else 0


def _answered(error: discord.HTTPException) -> DeliveryError:
    seen = clipped(inert(f"{error.status}, code {error.code}: {error.text}"), 200)
    if error.status == 429:
        wait = network.seconds(error.response.headers.get("Retry-After"))
        return DeliveryDeferred(Reason.RATE_LIMITED, seen, retry_after_s=wait)
    if error.status == 408 or error.status >= 500:
        return DeliveryAmbiguous(Reason.SERVER_ERROR, seen)
    if error.status == 401:
        return DeliveryRefused(Reason.TOKEN_REFUSED, seen)
    if error.code in _GONE:
        return DeliveryRefused(Reason.CHANNEL_GONE, seen)
    if error.code == UNKNOWN_MESSAGE:
        return DeliveryRefused(Reason.MESSAGE_GONE, seen)
    if error.status == 403:
        return DeliveryRefused(Reason.NO_PERMISSION, seen)
    return DeliveryRefused(Reason.MESSAGE_REJECTED, seen)
