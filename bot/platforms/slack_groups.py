"""Who is in the user groups of Slack that the settings name as operators."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.platforms.slack_answers import ask
from core.errors import DeliveryError

logger = logging.getLogger(__name__)

_KEPT_S = 300.0


@dataclass(slots=True)
class Groups:
    """Asked at most once in five minutes for each group, and only when somebody asks us."""

    client: AsyncWebClient
    ids: Sequence[str]
    clock: Callable[[], float] = time.monotonic
    _members: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, user: str) -> frozenset[str]:
        """The groups that somebody is in; of what cannot be looked up, nobody is a member."""
        return frozenset([name for name in self.ids if user in await self._of_group(name)])

    async def _of_group(self, name: str) -> frozenset[str]:
        async with self._one_at_a_time:
            asked_at, members = self._members.get(name, (0.0, None))
            if members is None or self.clock() - asked_at >= _KEPT_S:
                members = await self._looked_up(name)
                self._members[name] = (self.clock(), members)
            return members

    async def _looked_up(self, name: str) -> frozenset[str]:
        try:
            told = await ask(partial(self.client.usergroups_users_list, usergroup=name))
        except DeliveryError as error:
            facts = {"group": name, "seen": error.seen or str(error)}
            logger.warning("a user group of operators cannot be looked up", extra=facts)
            return frozenset()
        return frozenset(map(str, told.get("users") or ()))
