"""What people do on Discord -> Reception. Acknowledged first: Discord waits for three seconds."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import discord
from discord import InteractionType
from discord.app_commands import Choice

from alerts.model import Message
from bot.answers import Answer, Sharing
from bot.forms import Kind
from bot.permissions import Asker
from bot.platforms import discord_commands as commands
from bot.platforms.discord_answers import Answers, Interaction, acknowledged
from bot.platforms.discord_line import Line, answer_by
from bot.platforms.discord_parts import KNOWN_BY, PICK
from bot.platforms.work import Work
from bot.reception import Reception
from bot.suggest import Suggestions

logger = logging.getLogger(__name__)

_ASKING = (InteractionType.application_command, InteractionType.component)

AT_ONCE = 16
"""So many answers are made beside each other."""

RESTARTING = "Restarting: please try again in a minute."
_OURS = Answer(Message("", "That failed on our side. The log has the details."))
_STOPPED = Answer(Message("", RESTARTING))
PERHAPS_SHARED = (
    "Restarting, and it is not known whether this was shared: if it is not here, please ask once"
    " more in a minute, and share that."
)
_PERHAPS_SHARED = Answer(Message("", PERHAPS_SHARED))


class Hearing:
    """Each interaction is work of its own; none is begun while the process is about to stop."""

    def __init__(
        self,
        reception: Reception,
        suggestions: Suggestions,
        line: Line,
        answers: Answers,
        *,
        suggest_within_s: float = 2.0,
    ) -> None:
        self.work, self._line = Work("discord"), line
        self._reception, self._suggestions, self._answers = reception, suggestions, answers
        self._suggest_within_s = suggest_within_s
        self._looking: set[asyncio.Task[list[tuple[str, str]]]] = set()
        self._closing, self._turn = False, asyncio.Semaphore(AT_ONCE)

    def hear(self, interaction: Interaction) -> None:
        """Begin to answer it."""
        self.work.begin(self._heard(interaction), f"interaction {interaction.id}")

    async def drain(self, patience_s: float) -> None:
        """Whoever comes now is told to come again; wait for the others."""
        self._closing = True
        await self.work.drain(patience_s)

    async def _heard(self, interaction: Interaction) -> None:
        clock = asyncio.get_running_loop().time
        came = clock()
        async with self._line.held() as session:
            answer_by(session, interaction)
            await self._taken(interaction, lambda: clock() - came)

    async def _taken(self, interaction: Interaction, waited: Callable[[], float]) -> None:
        if interaction.type is InteractionType.autocomplete:
            await self._suggest(interaction)
        elif interaction.type not in _ASKING:
            # Nothing of ours opens a form.
            logger.info("not a thing that is asked here", extra={"kind": interaction.type.name})
        elif self._closing:
            say = interaction.response.send_message
            await acknowledged(interaction, lambda: say(RESTARTING, ephemeral=True))
        else:
            # For one reader alone, and beside the message whose button it was.
            defer = interaction.response.defer
            if await acknowledged(interaction, lambda: defer(ephemeral=True, thinking=True)):
                timings = self._reception.timings
                timings.acknowledged("discord", waited())
                await self._answer(interaction)
                timings.answered("discord", waited())

    async def _answer(self, interaction: Interaction) -> None:
        answer: Answer | None = None
        sorry: Answer | None = _OURS
        sharing = Sharing()
        try:
            # Many at once would make promises late that others wait for.
            async with self._turn:
                answer = await self._asked(interaction)
            if answer is not None and (not answer.public or await self._answers.noted(interaction)):
                await self._answers.given(interaction, answer, sharing)
            sorry = None
        except asyncio.CancelledError:
            # The process stops, and nobody will answer this any more: not even silence is left.
            sorry = _PERHAPS_SHARED if sharing.may_be_out else _STOPPED
            raise
        finally:
            if answer is not None and answer.public and not sharing.may_be_out:
                await self._reception.not_shared(answer)
            # Whatever it met, nobody is left with a promise.
            if sorry is not None:
                await self._answers.given(interaction, sorry)

    async def _asked(self, interaction: Interaction) -> Answer | None:
        once, asker, data = f"discord:{interaction.id}", asker_of(interaction), _data(interaction)
        if interaction.type is InteractionType.component:
            return await self._reception.pressed(once, asker, _button(data))
        return await self._reception.typed(once, asker, commands.line(data))

    async def _suggest(self, interaction: Interaction) -> None:
        typing = commands.focused(_data(interaction))
        found = [] if typing is None or self._closing else await self._suggested(*typing)
        offered = [Choice(name=words, value=value) for words, value in commands.choices(found)]
        await acknowledged(interaction, lambda: interaction.response.autocomplete(offered))

    async def _suggested(self, kind: Kind, typed: str) -> list[tuple[str, str]]:
        """Nothing if it fails, or takes too long: then it goes on, and the next letter finds it."""
        looking = asyncio.create_task(self._found(kind, typed), name="discord suggestions")
        self._looking.add(looking)
        looking.add_done_callback(self._looking.discard)
        done, _ = await asyncio.wait({looking}, timeout=self._suggest_within_s)
        if not done:
            return []
        if (error := looking.exception()) is not None:
            logger.error("nothing suggested", exc_info=error)
            return []
        return looking.result()

    async def _found(self, kind: Kind, typed: str) -> list[tuple[str, str]]:
        if kind is Kind.SESSION:
            return await self._suggestions.sessions(typed)
        if kind is Kind.DAY:
            return await self._suggestions.days(typed)
        return [(name, name) for name in await self._suggestions.tickers(typed)]


def asker_of(interaction: Interaction) -> Asker:
    """As Discord tells us; a thread belongs to its channel."""
    channel = interaction.channel
    place = channel.parent_id if isinstance(channel, discord.Thread) else interaction.channel_id
    may, member = interaction.permissions, interaction.user
    # discord.py's public list lacks the roles of a server that it has not been told of yet.
    roles = member._roles if isinstance(member, discord.Member) else ()
    return Asker(
        platform="discord",
        user=str(member.id),
        channel=str(place or 0),
        roles=frozenset(map(str, roles)),
        manages=may.manage_guild or may.administrator,
        server=str(interaction.guild_id or ""),
    )


def _data(interaction: Interaction) -> dict[str, Any]:
    return dict(interaction.data or {})


def _button(data: dict[str, Any]) -> str:
    """What was clicked; of a menu, what was chosen."""
    name = str(data.get("custom_id", ""))
    if name.partition(":")[0] not in (PICK, KNOWN_BY):
        return name
    return str(next(iter(data.get("values") or []), ""))
