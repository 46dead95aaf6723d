"""Who is in the user groups of Slack that the settings name as operators."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.platforms.slack_ways import ask
from bot.platforms.work import Work
from core.errors import DeliveryError

logger = logging.getLogger(__name__)

_KEPT_S, _NOT_AGAIN_FOR_S = 300.0, 5.0


@dataclass(slots=True)
class _Group:
    """What is known of one."""

    members: frozenset[str] = frozenset()
    again_at: float = -math.inf
    looking: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Groups:
    """Each is asked about at most once in five minutes, sooner if it failed, when we are asked."""

    client: AsyncWebClient
    ids: Sequence[str]
    work: Work
    patience_s: float = 2.0
    """Most of what is asked is for everybody: nobody waits longer to be known as an operator."""
    clock: Callable[[], float] = time.monotonic
    _groups: dict[str, _Group] = field(default_factory=dict)

    async def of(self, user: str) -> frozenset[str]:
        """The groups that somebody is in; while one cannot be looked up, as it was before."""
        groups = {name: self._groups.setdefault(name, _Group()) for name in self.ids}
        looks = [task for name, group in groups.items() if (task := self._look(name, group))]
        if looks:
            await asyncio.wait(looks, timeout=self.patience_s)
        return frozenset(name for name, group in groups.items() if user in group.members)

    def _look(self, name: str, group: _Group) -> asyncio.Task[None] | None:
        """The look-up that is under way; None if none is needed."""
        if group.looking is None or group.looking.done():
            if self.clock() < group.again_at:
                return None
            group.looking = self.work.begin(self._looked_up(name, group), f"group {name}")
        return group.looking

    async def _looked_up(self, name: str, group: _Group) -> None:
        try:
            told = await ask(partial(self.client.usergroups_users_list, usergroup=name))
        except DeliveryError as error:
            facts = {"group": name, "seen": error.seen or str(error)}
            logger.warning("a user group of operators cannot be looked up", extra=facts)
            group.again_at = self.clock() + _NOT_AGAIN_FOR_S
        else:
            group.members = frozenset(map(str, told.get("users") or ()))
            group.again_at = self.clock() + _KEPT_S
