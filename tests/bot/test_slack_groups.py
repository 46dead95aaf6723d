"""User groups of Slack: who is in them, also while Slack does not say."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from bot.platforms.slack import make_client
from bot.platforms.slack_groups import Groups
from bot.platforms.work import Work
from tests.bot.slack_desk import ALICE, TOKEN, local_slack
from tests.servers.faults import Delay
from tests.servers.slack import SlackServer, refusal

GROUP, LOOK = "S0OPERATORS", "usergroups.users.list"


@dataclass(slots=True)
class There:
    """A group with one member, and a clock that is set by hand."""

    server: SlackServer
    groups: Groups
    work: Work
    time: float = 0.0

    @property
    def looks(self) -> int:
        """How often Slack was asked."""
        return sum(request.operation == LOOK for request in self.server.requests)

    async def is_member(self) -> bool:
        """Is she one of them, as far as is known?"""
        return await self.groups.of(ALICE) == {GROUP}


@pytest.fixture
async def there() -> AsyncIterator[There]:
    """Nobody waits longer than a fifth of a second."""
    work = Work("slack")
    async with local_slack() as server, aiohttp.ClientSession() as session:
        server.people.usergroups[GROUP] = [ALICE]
        client = make_client(TOKEN, server.api_url, session)
        made = There(server, Groups(client, (GROUP,), work, patience_s=0.2), work)
        made.groups.clock = lambda: made.time
        yield made
        await work.drain(0)


async def test_a_group_is_asked_about_once_in_five_minutes(there: There) -> None:
    assert [await there.is_member() for _ in range(3)] == [True] * 3
    there.time = 299.0
    assert await there.is_member()
    assert there.looks == 1
    there.server.people.usergroups[GROUP] = []
    there.time = 300.0
    assert not await there.is_member()
    assert there.looks == 2


async def test_a_look_up_that_fails_is_made_again_soon(there: There) -> None:
    there.server.before.add(refusal("internal_error"), on=LOOK)
    assert not await there.is_member()
    await there.work.drain(5)
    looks = there.looks
    assert not await there.is_member()
    assert there.looks == looks
    there.time = 5.0
    assert await there.is_member()


async def test_a_member_stays_one_while_slack_does_not_say(there: There) -> None:
    assert await there.is_member()
    there.time = 300.0
    there.server.before.add(refusal("no_permission"), on=LOOK)
    assert await there.is_member()
    assert there.looks == 2
    there.time = 305.0
    assert await there.is_member()
    assert there.looks == 3


async def test_a_group_that_slack_does_not_tell_for_an_hour_makes_nobody_an_operator(
    there: There, caplog: pytest.LogCaptureFixture
) -> None:
    assert await there.is_member()
    assert there.groups.doubt == ""
    there.server.before.always(refusal("no_permission"), on=LOOK)
    there.time = 3_599.0
    assert await there.is_member()
    await there.work.drain(5)
    there.time = 3_604.0
    assert not await there.is_member()
    await there.work.drain(5)
    assert there.groups.doubt.endswith(f"who is in user group {GROUP} (no_permission)")
    said = [vars(r)["now"] for r in caplog.records if "cannot be looked up" in r.message]
    assert said == ["as it was", "nobody is an operator by it"]
    there.server.before.clear()
    there.time = 3_609.0
    assert await there.is_member()
    assert there.groups.doubt == ""


async def test_nobody_waits_long_for_a_slow_look_up_which_goes_on(there: There) -> None:
    there.server.before.add(Delay(0.6), on=LOOK)
    clock = asyncio.get_running_loop().time
    began = clock()
    assert await asyncio.gather(*(there.is_member() for _ in range(5))) == [False] * 5
    assert clock() - began < 0.5
    await there.work.drain(5)
    assert await there.is_member()
    assert there.looks == 1


async def test_what_is_known_without_asking_is_only_what_was_asked_lately(there: There) -> None:
    assert there.groups.known(ALICE) is None
    assert there.looks == 0
    await there.is_member()
    assert there.groups.known(ALICE) == frozenset({GROUP})
    assert there.groups.known("U0BOB") == frozenset()
    there.time = 300.0
    assert there.groups.known(ALICE) is None
    assert there.looks == 1
