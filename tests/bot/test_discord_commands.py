"""The slash commands that Discord is told of: what they are, and when it is told."""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.app import App
from bot.commands import Commands
from bot.forms import FORMS, Kind
from bot.platforms import discord_commands as commands
from bot.platforms.discord_invite import application_id, invite_url
from bot.platforms.discord_sync import KEPT
from core.errors import DeliveryRefused, Reason
from tests.bot.discord_talk import CHANNEL, FAST, TOKEN, ear_of, quiet, registering, served, until
from tests.bot.small_market import at
from tests.servers import faults
from tests.servers.chat import Row
from tests.servers.discord import DiscordServer, too_many
from tests.servers.discord_command_rules import command_problems
from tests.servers.faults import Status

GUILD = 900000000000000010


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer(token=TOKEN) as running:
        running.add_channel(CHANNEL)
        yield running


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with at(tmp_path) as opened:
        yield opened


def fields() -> dict[tuple[str, str], Row]:
    """Every option that a person can fill in, by command and name."""
    found = {}
    for command in commands.payload():
        for option in command["options"]:
            inner = option["options"] if option["type"] == 1 else [option]
            name = f"{command['name']} {option['name']}" if option["type"] == 1 else command["name"]
            found.update({(name, field["name"]): field for field in inner})
    return found


def test_discord_takes_them_all() -> None:
    assert command_problems(commands.payload()) == []


def test_each_command_is_there_for_everybody_in_servers_and_with_the_bot_alone() -> None:
    made = commands.payload()
    assert [command["name"] for command in made] == list(Commands.USAGE)
    for command in made:
        assert command["contexts"] == [0, 1]
        assert "default_member_permissions" not in command


def test_a_command_with_actions_is_a_group_of_them() -> None:
    for command in commands.payload():
        actions = [form.action for form in FORMS[command["name"]]]
        kinds = {option["type"] for option in command["options"]}
        if actions == [""]:
            assert 1 not in kinds
        else:
            assert kinds == {1}
            assert [option["name"] for option in command["options"]] == actions


def test_fields_are_what_they_are() -> None:
    found = fields()
    for forms in FORMS.values():
        for form in forms:
            for field in form.fields:
                option = found[f"{form.command} {form.action}".strip(), field.name]
                kinds = {Kind.WHOLE: 4, Kind.FLAG: 5, Kind.CHANNEL: 7}
                assert option["type"] == kinds.get(field.kind, 3)
                assert option["required"] is field.required
                assert option.get("channel_types", []) == [0, 5] * (field.kind is Kind.CHANNEL)
                assert option.get("autocomplete", False) is (
                    field.kind in (Kind.TICKER, Kind.TICKERS, Kind.SESSION, Kind.DAY)
                )
                assert (option.get("min_value"), option.get("max_value")) == (
                    field.least,
                    field.most,
                )
                offered = tuple(choice["value"] for choice in option.get("choices", ()))
                assert offered == field.choices


def test_what_was_filled_in_is_read_as_a_line() -> None:
    options = [{"name": "symbol", "type": 3, "value": "NVDA"}, {"name": "sessions", "value": 60}]
    assert commands.line({"name": "ticker", "options": options}) == "ticker $NVDA 60"
    assert commands.line({"name": "help"}) == "help"
    end = {"name": "end", "type": 1, "options": [{"name": "number", "type": 4, "value": 1}]}
    assert commands.line({"name": "mutes", "options": [end]}) == "mutes end 1"


def test_a_channel_that_is_picked_is_named_by_its_id() -> None:
    def listed(kind: int, value: str) -> str:
        option = {"name": "channel", "type": kind, "value": value}
        inner = {"name": "list", "type": 1, "options": [option]}
        return commands.line({"name": "watch", "options": [inner]})

    assert listed(7, "900000000000000011") == "watch discord:900000000000000011 list"
    # Whoever has not reloaded still types.
    assert listed(3, "discord:900000000000000011") == "watch discord:900000000000000011 list"
    assert listed(3, "add NVDA") == "watch channel:add_NVDA list"


def test_what_is_no_longer_known_is_a_line_too() -> None:
    gone = {"name": "gone", "type": 1, "options": []}
    assert commands.line({"name": "mutes", "options": [gone]}) == "mutes"
    assert commands.line({"name": "gone\nand more"}) == "gone and more"
    assert commands.line({}) == ""


def test_only_what_is_ours_is_suggested() -> None:
    def typing(**option: Any) -> Row:
        return {"name": "ticker", "options": [{"type": 3, "focused": True, **option}]}

    assert commands.focused(typing(name="symbol", value="NV")) == (Kind.TICKER, "NV")
    assert commands.focused(typing(name="other", value="NV")) is None
    assert commands.focused({"name": "gone", "options": [{"name": "x", "focused": True}]}) is None
    assert commands.focused({"name": "ticker"}) is None


def test_suggestions_are_those_that_discord_takes() -> None:
    many = [(f"T{n}", f"T{n}") for n in range(99)]
    assert len(commands.choices(many)) == 25
    odd = [(" ", "x"), ("x", ""), ("x", "y" * 101), ("w" * 200, "y"), ("a\u202eb", "ab")]
    assert commands.choices(odd) == [("w" * 99 + "…", "y"), ("ab", "ab")]


# When Discord is told.


async def connected(app: App, server: DiscordServer, guild_id: str | None = None) -> None:
    """Once, until all is done."""
    ear = ear_of(app, server, guild_id=guild_id)
    server.gateway.forget_sessions()
    async with served(ear):
        await server.gateway.connected()
        await quiet(ear)


def told(server: DiscordServer) -> list[str]:
    """What was asked for, in order."""
    return [s.operation for s in server.requests if s.operation.endswith("commands.set")]


async def test_it_is_told_once_for_all_starts(app: App, server: DiscordServer) -> None:
    for _ in range(3):
        await connected(app, server)
    assert told(server) == ["commands.set"]
    (known,) = [server.commands.registered[None]]
    assert len(known) == len(FORMS)


async def test_it_is_told_again_when_they_have_changed(app: App, server: DiscordServer) -> None:
    await connected(app, server)
    async with app.db.transaction() as writer:
        await writer.execute("UPDATE kept SET value = replace(value, substr(value, -4), 'beef')")
    await connected(app, server)
    assert told(server) == ["commands.set"] * 2


async def test_another_application_is_told_as_well(app: App, server: DiscordServer) -> None:
    await connected(app, server)
    async with app.db.transaction() as writer:
        await writer.execute("UPDATE kept SET value = '1' || value WHERE name = ?", (KEPT,))
    await connected(app, server)
    assert told(server) == ["commands.set"] * 2


async def test_one_server_has_them_for_itself(app: App, server: DiscordServer) -> None:
    for _ in range(2):
        await connected(app, server, str(GUILD))
    assert told(server) == ["guild_commands.set"]
    assert server.commands.registered[None] == []


async def test_they_are_never_in_two_places(app: App, server: DiscordServer) -> None:
    await connected(app, server)
    await connected(app, server, str(GUILD))
    assert server.commands.registered[None] == []
    assert len(server.commands.registered[GUILD]) == len(FORMS)
    await connected(app, server)
    assert server.commands.registered[GUILD] == []
    assert len(server.commands.registered[None]) == len(FORMS)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_server_that_is_not_ours_is_said_and_all_have_them(
    app: App, server: DiscordServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    body = json.dumps({"code": 50001, "message": "Missing Access"}).encode()
    server.before.always(Status(status, body, "application/json"), on="guild_commands.set")
    for _ in range(2):
        await connected(app, server, "123")
    assert told(server) == ["guild_commands.set", "commands.set", "guild_commands.set"]
    assert caplog.text.count("unset DISCORD_GUILD_ID") == 2
    assert len(server.commands.registered[None]) == len(FORMS)


TODAY = Status(400, b'{"code": 30034, "message": "200 a day"}', "application/json")


@pytest.mark.parametrize("fault", [faults.Reset(), TODAY], ids=["reset", "too many"])
async def test_what_could_not_be_told_keeps_nobody_from_asking(
    app: App, server: DiscordServer, caplog: pytest.LogCaptureFixture, fault: faults.Fault
) -> None:
    caplog.set_level(logging.WARNING)
    await connected(app, server)
    async with app.db.transaction() as writer:
        await writer.execute("DELETE FROM kept")
    server.before.always(fault, on="commands.set")
    ear = ear_of(app, server)
    server.gateway.forget_sessions()
    async with served(ear):
        await server.gateway.connected()
        asked = await (await server.interact_command("help")).answered()
        await until(lambda: "commands not registered" in caplog.text)
        # An answer under way still holds the addresses, of which a process has one pair.
        await until(lambda: not len(ear.hearing.work))
    assert asked.is_ephemeral
    assert not registering(), "it ends with its client"
    server.before.clear()
    await connected(app, server)
    assert told(server)[-1] == "commands.set"
    assert await app.db.rows("SELECT * FROM kept")


def rests(caplog: pytest.LogCaptureFixture) -> list[float]:
    """After each try that failed."""
    failed = [r for r in caplog.records if "commands not registered" in r.message]
    return [vars(record)["again_in_s"] for record in failed]


async def test_what_could_not_be_told_is_told_again_on_the_same_connection(
    app: App, server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.before.add(Status(503), on="commands.set", times=3)
    server.before.add(faults.html(200), on="commands.set")
    await connected(app, server)
    assert told(server) == ["commands.set"] * 5
    assert len(server.commands.registered[None]) == len(FORMS)
    assert (server.gateway.connections, server.gateway.resumes) == (1, 0)
    assert rests(caplog) == [0.05, 0.1, 0.2, 0.4]
    await connected(app, server)
    assert told(server) == ["commands.set"] * 5, "once it is known it is told no more"


@pytest.mark.parametrize(("fault", "rest_s"), [(TODAY, 3_600.0), (too_many(120), 120.0)])
async def test_discord_is_left_alone_for_as_long_as_it_says(
    app: App,
    server: DiscordServer,
    caplog: pytest.LogCaptureFixture,
    fault: faults.Fault,
    rest_s: float,
) -> None:
    server.before.add(fault, on="commands.set")
    async with served(ear_of(app, server)):
        await until(lambda: rests(caplog))
        assert registering()
    assert rests(caplog) == [rest_s]
    assert told(server) == ["commands.set"]
    assert not registering()


async def test_the_rest_between_two_tries_stays_below_an_hour(
    app: App, server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.before.add(Status(503), on="commands.set")
    patient = replace(FAST, register_pause_s=9_000.0)
    async with served(ear_of(app, server, patience=patient)):
        await until(lambda: rests(caplog))
    assert rests(caplog) == [3_600.0]


async def test_a_slow_registration_keeps_nobody_from_asking(
    app: App, server: DiscordServer
) -> None:
    await connected(app, server)
    async with app.db.transaction() as writer:
        await writer.execute("DELETE FROM kept")
    server.before.add(faults.Delay(1.5), on="commands.set")
    ear = ear_of(app, server)
    server.gateway.forget_sessions()
    async with served(ear):
        await server.gateway.connected(1)
        asked = await (await server.interact_command("help")).answered(1)
        assert registering()
        assert told(server)[1:] == ["commands.set"]
        assert not await app.db.rows("SELECT * FROM kept")
        await quiet(ear)
    assert asked.is_ephemeral


# How the bot comes onto a server.


def test_the_invitation_asks_for_the_least() -> None:
    url = invite_url(900000000000000001)
    assert url.startswith("https://discord.com/oauth2/authorize?client_id=900000000000000001&")
    assert "scope=bot+applications.commands" in url
    bits = (10, 11, 14, 15, 16, 35, 38)
    assert f"permissions={sum(1 << bit for bit in bits)}" in url


async def test_whose_invitation_it_is_is_asked(server: DiscordServer) -> None:
    assert await application_id(TOKEN, server.api_url) == 900000000000000001


async def test_a_token_that_is_not_known_has_no_invitation(server: DiscordServer) -> None:
    with pytest.raises(DeliveryRefused) as caught:
        await application_id("another.token", server.api_url)
    assert caught.value.reason is Reason.TOKEN_REFUSED
    assert "another.token" not in str(caught.value)
