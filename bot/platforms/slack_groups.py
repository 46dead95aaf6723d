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
_TRUSTED_S = 3_600.0
"""So long a group is what it was; then somebody who was taken out of it may still be in what we
know, and it makes nobody an operator."""


@dataclass(slots=True)
class _Group:
    """What is known of one."""

    members: frozenset[str] = frozenset()
    known_at: float = -math.inf
    again_at: float = -math.inf
    seen: str = "no answer yet"
    """Why it is not known any better."""
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
        """The groups that somebody is in; while one cannot be looked up, as it was, for an hour."""
        groups = {name: self._groups.setdefault(name, _Group()) for name in self.ids}
        looks = [task for name, group in groups.items() if (task := self._look(name, group))]
        if looks:
            await asyncio.wait(looks, timeout=self.patience_s)
        known = {name: group for name, group in groups.items() if self._is_known(group)}
        return frozenset(name for name, group in known.items() if user in group.members)

    def known(self, user: str) -> frozenset[str] | None:
        """The groups that somebody is in, without asking; None if Slack would have to be asked."""
        now = self.clock()
        groups = [self._groups.get(name, _Group()) for name in self.ids]
        if not all(self._is_known(group) and now < group.again_at for group in groups):
            return None
        return frozenset(n for n in self.ids if user in self._groups[n].members)

    @property
    def doubt(self) -> str:
        """Which of them make nobody an operator for now, and why; empty if all are known."""
        unknown = [f"{n} ({g.seen})" for n, g in self._groups.items() if not self._is_known(g)]
        return f"Slack does not say who is in user group {', '.join(unknown)}" if unknown else ""

    def _is_known(self, group: _Group) -> bool:
        return self.clock() - group.known_at < _TRUSTED_S

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
            group.seen = error.seen or str(error)
            now = "as it was" if self._is_known(group) else "nobody is an operator by it"
            facts = {"group": name, "seen": group.seen, "now": now}
            logger.warning("a user group of operators cannot be looked up", extra=facts)
            group.again_at = self.clock() + _NOT_AGAIN_FOR_S
        else:
            group.members = frozenset(map(str, told.get("users") or ()))
            group.known_at = self.clock()
            group.again_at = group.known_at + _KEPT_S
