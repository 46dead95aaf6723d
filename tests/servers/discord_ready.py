"""What the gateway of the local Discord tells of itself and of the guild at the beginning."""

from collections.abc import Iterable

from tests.servers.chat import Row
from tests.servers.discord_store import Guild, StoredChannel

_NONE = ("presences", "voice_states", "stage_instances", "guild_scheduled_events")


def ready(guild: Guild, session_id: str, gateway_url: str) -> Row:
    """READY; the guild comes afterwards."""
    own = {"mfa_enabled": False, "verified": True, "email": None, "locale": "en-US"}
    return {
        **{"v": 10, "user": {**guild.user(guild.bot_id), **own}, "session_id": session_id},
        **{"guilds": [{"id": str(guild.id), "unavailable": True}], "shard": [0, 1]},
        **{"resume_gateway_url": gateway_url, "user_settings": {}, "private_channels": []},
        **{"application": {"id": str(guild.bot_id), "flags": 0}},
        **{"relationships": [], "presences": [], "_trace": []},
    }


def guild_create(guild: Guild, channels: Iterable[StoredChannel]) -> Row:
    """GUILD_CREATE, with the bot as the one member that is told without the intent for more."""
    there = [c for c in channels if not c.deleted and c.recipient_id is None]
    bot = guild.member(guild.bot_id)
    assert bot is not None
    return {
        **guild.wire(),
        **{"unavailable": False, "large": False, "member_count": 2, "members": [bot]},
        "joined_at": bot["joined_at"],
        "channels": [guild.channel(channel) for channel in there if channel.parent is None],
        "threads": [guild.channel(channel) for channel in there if channel.parent is not None],
        **{name: [] for name in (*_NONE, "soundboard_sounds")},
    }
