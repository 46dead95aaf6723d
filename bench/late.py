"""A rival of the acknowledgement: the same service, whose handlers work first, as tutorials do.

python -m bench.late run
"""

import sys
from typing import Any

from discord import InteractionType
from slack_bolt.response import BoltResponse

from bot.platforms.discord_answers import Interaction, acknowledged
from bot.platforms.discord_hearing import Hearing
from bot.platforms.slack_desk import Body, Desk
from bot.shell import main


async def _heard(self: Any, interaction: Interaction) -> None:
    """The answer is made; then Discord is told that there will be one."""
    if interaction.type is InteractionType.autocomplete:
        await self._suggest(interaction)
        return
    answer = await self._asked(interaction)
    defer = interaction.response.defer
    if answer and await acknowledged(interaction, lambda: defer(ephemeral=True, thinking=True)):
        await self._answers.given(interaction, answer)


async def _desk_heard(self: Any, body: Body) -> BoltResponse:
    """The answer is made and sent; then Slack has its ack."""
    await self._carried_out(str(body.get("type") or "command"), body)
    return BoltResponse(status=200, body="")


if __name__ == "__main__":
    Hearing._heard = _heard  # type: ignore[method-assign]
    Desk.heard = _desk_heard  # type: ignore[method-assign]
    sys.exit(main())
