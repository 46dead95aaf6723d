"""What the local Discord takes as commands, and what it keeps of them."""

from typing import Any

import aiohttp
import pytest

from tests.servers.chat import Row
from tests.servers.discord import DiscordServer
from tests.servers.discord_command_rules import command_problems

TOKEN = "invented.discord.token"


def command(name: str = "chart", *options: Row, **more: Any) -> Row:
    """A slash command."""
    return {"name": name, "description": "Show", "options": list(options), **more}


def option(name: str = "symbol", kind: int = 3, **more: Any) -> Row:
    """An option; subcommands are options too."""
    return {"type": kind, "name": name, "description": "what", **more}


def choices(count: int, **more: Any) -> list[Row]:
    """Of different names."""
    return [{"name": str(i), "value": str(i), **more} for i in range(count)]


def options(count: int) -> list[Row]:
    """Of different names."""
    return [option(f"o{i}") for i in range(count)]


SUB = option("add", 1, options=[option()])
LONG = [option(f"o{i}", choices=choices(25, name="n" * 100)) for i in range(3)]
LONG += [option(name, description="d" * 100) for name in "xyz"]  # 54 signs are left of 8000


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ([command("a" * 32)], [command("a" * 33)]),
        ([command("a-b_c'9")], [command("Chart")]),
        ([command("a")], [command("")]),
        ([command("a")], [command("a b")]),
        ([command("a")], ["a"]),
        ([command("a")], [command("a", surprise=1)]),
        ([command("a"), command("b")], [command("a"), command("a")]),
        ([command("a"), {"name": "a", "type": 2}], [command("a", type=4)]),
        ([{"name": "Why this", "type": 3}], [{"name": "Why", "type": 3, "description": "x"}]),
        ([command(description="d" * 100)], [command(description="d" * 101)]),
        ([command(description="d")], [command(description="")]),
        ([command(f"c{i}") for i in range(100)], [command(f"c{i}") for i in range(101)]),
        ([command("a", *options(25))], [command("a", *options(26))]),
        ([command("a", option("b"))], [command("a", option("b"), option("b"))]),
        ([command("a", option("b"))], [command("a", option("B"))]),
        ([command("a", option("b"))], [command("a", option("b", 12))]),
        (
            [command("a", option("b", required=True), option("c"))],
            [command("a", option("b"), option("c", required=True))],
        ),
        (
            [command("a", option(choices=choices(25)))],
            [command("a", option(choices=choices(26)))],
        ),
        (
            [command("a", option(choices=choices(1, value="v" * 100)))],
            [command("a", option(choices=choices(1, value="v" * 101)))],
        ),
        (
            [command("a", option(kind=4, choices=choices(1, value=1)))],
            [command("a", option(kind=4, choices=choices(1)))],
        ),
        (
            [command("a", option(autocomplete=True))],
            [command("a", option(autocomplete=True, choices=choices(1)))],
        ),
        ([command("a", option(kind=4, max_value=3))], [command("a", option(max_value=3))]),
        (
            [command("a", option(min_length=1, max_length=2))],
            [command("a", option(min_length=2, max_length=1))],
        ),
        ([command("a", SUB)], [command("a", SUB, option())]),
        (
            [command("a", option("group", 2, options=[SUB]))],
            [command("a", option("sub", 1, options=[SUB]))],
        ),
        (
            [command("a", option("group", 2, options=[SUB]))],
            [command("a", option("group", 2, options=[option("other", 2, options=[SUB])]))],
        ),
        (
            [command("a", *LONG, option("o", description="d" * 53))],
            [command("a", *LONG, option("o", description="d" * 54))],
        ),
        (
            [command(default_member_permissions="0", contexts=[0], integration_types=[0, 1])],
            [command(default_member_permissions="all")],
        ),
        ([command(contexts=[0, 1, 2])], [command(contexts=[3])]),
    ],
)
def test_what_is_taken_and_what_is_not(good: list[Any], bad: list[Any]) -> None:
    assert command_problems(good) == []
    assert command_problems(bad) != []


async def test_a_list_takes_the_place_of_the_old_one() -> None:
    auth = {"Authorization": f"Bot {TOKEN}"}
    async with (
        DiscordServer(token=TOKEN) as server,
        aiohttp.ClientSession(server.url, headers=auth) as session,
    ):
        path = f"/api/v10/applications/{server.guild.bot_id}/commands"
        async with session.put(path, json=[command("a"), command("b")]) as answer:
            first = await answer.json()
        async with session.put(path, json=[command("b", option()), command("c")]) as answer:
            second = await answer.json()
        async with session.put(path, json=[command("B")]) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, 50035)
        async with session.get(path) as answer:
            assert await answer.json() == second
        async with session.put(path, json=[command(f"n{i}") for i in range(100)]) as answer:
            assert answer.status == 200
        async with session.put(path, json=[command(f"m{i}") for i in range(100)]) as answer:
            assert (await answer.json())["code"] == 30034
    assert second[0]["id"] == first[1]["id"]
    assert second[0]["version"] != first[1]["version"]
    assert (server.commands.syncs, server.commands.created) == (3, 103)
    assert server.commands.names()[:2] == ["n0", "n1"]


async def test_commands_of_the_guild_and_of_others() -> None:
    async with DiscordServer(token=TOKEN) as server, aiohttp.ClientSession(server.url) as session:
        auth = {"Authorization": f"Bot {TOKEN}"}
        own = f"/api/v10/applications/{server.guild.bot_id}"
        wanted = {
            f"{own}/guilds/{server.guild.id}/commands": (200, None),
            f"{own}/guilds/5/commands": (403, 50001),
            "/api/v10/applications/5/commands": (403, 20012),
        }
        for path, expected in wanted.items():
            async with session.put(path, json=[command("a")], headers=auth) as answer:
                body = await answer.json()
                code = body["code"] if answer.status != 200 else None
                assert (answer.status, code) == expected
        async with session.put(f"{own}/commands", json=[]) as answer:
            assert answer.status == 401
        server.add_channel(11)
        it = await server.interact_command("a")
        assert it.payload["data"]["guild_id"] == str(server.guild.id)
