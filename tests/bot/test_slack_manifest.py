"""The manifest: all commands, and exactly the scopes that the code needs."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from bot.commands import Commands
from bot.forms import FORMS, optional_form
from bot.once import Exit
from bot.platforms.slack_manifest import GROUPS, SCOPES, manifest
from bot.platforms.slack_words import RESERVED, declared
from bot.settings import load
from bot.shell import _parser
from tests.servers.slack import _NEEDED

SOURCES = (Path(__file__).parents[2] / "bot" / "platforms").glob("slack*.py")
CALL = re.compile(
    r"client\.(auth_test|(?:api|apps|chat|conversations|files|reactions|usergroups|users|views)"
    r"_[A-Za-z_]+)\b"
)
OF_THE_APP = {"connections:write"}
"""An app-level token's, which no manifest has."""
OF_WHAT_ARRIVES = {"commands", "app_mentions:read"}


def called() -> set[str]:
    """The Web API methods in our code, by slack_sdk's names."""
    return {name for path in SOURCES for name in CALL.findall(path.read_text())}


def needed() -> set[str]:
    """The scopes of all that is called, by what the local server demands."""
    by_name = {method.replace(".", "_"): scopes for method, scopes in _NEEDED.items()}
    names = called()
    assert {"chat_postMessage", "files_info", "views_open"} <= names
    return {scope for name in names for scope in by_name.get(name, ())} - OF_THE_APP


def test_the_scopes_are_those_of_the_methods_that_are_called() -> None:
    assert {*SCOPES, GROUPS} == needed() | OF_WHAT_ARRIVES


def test_groups_are_asked_for_only_where_they_are_used() -> None:
    for groups in (False, True):
        made = manifest(Commands.USAGE, socket_mode=True, groups=groups)
        scopes = made["oauth_config"]["scopes"]["bot"]
        assert (GROUPS in scopes) == groups
        assert set(scopes) - {GROUPS} == set(SCOPES)
        assert scopes == sorted(scopes)


def test_every_command_is_declared_once_under_a_name_that_slack_takes() -> None:
    made = manifest(Commands.USAGE, socket_mode=True)
    commands = made["features"]["slash_commands"]
    names = [command["command"] for command in commands]
    assert len(names) == len(Commands.USAGE) + 1 == len(set(names))
    assert {"/tapewatch", "/tw-mute"} <= set(names)
    for command in commands:
        assert re.fullmatch(r"/[a-z-]{1,31}", command["command"])
        assert command["command"][1:] not in RESERVED
        assert 1 <= len(command["description"]) <= 2_000
        assert len(command.get("usage_hint", "x")) in range(1, 1_001)
        assert command["should_escape"] is True


def test_the_hint_of_a_command_tells_that_it_has_a_form() -> None:
    made = manifest(Commands.USAGE, socket_mode=True)
    hints = {c["command"]: c.get("usage_hint", "") for c in made["features"]["slash_commands"]}
    assert hints["/preview"] == "form | min:4.5 floor:5M"
    assert hints["/subscribe"].startswith("form | ")
    with_one = [name for name, hint in hints.items() if hint.split(" | ")[0] == "form"]
    assert with_one == [declared(name) for name in FORMS if optional_form(name) is not None]
    assert hints["/ticker"] == Commands.USAGE["ticker"][0]


TOKENS = {"slack_bot_token": "xoxb-invented", "slack_app_token": "xapp-invented"}
POSTED = {"slack_bot_token": "xoxb-invented", "slack_signing_secret": "invented-secret"}
HERE = ["--url", "https://desk.example/"]


def printed(words: list[str], settings: dict[str, str]) -> Exit:
    """What the shell is told of `python -m bot manifest`."""
    chosen = _parser().parse_args(["manifest", *words])
    return Exit(asyncio.run(chosen.go(load(**settings), chosen)))


@pytest.mark.parametrize(
    ("words", "settings", "socket_mode"),
    [([], {}, True), ([], TOKENS, True), ([], TOKENS | POSTED, True), (HERE, POSTED, False)],
)
def test_it_is_printed_for_the_way_that_the_settings_choose(
    words: list[str],
    settings: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    *,
    socket_mode: bool,
) -> None:
    assert printed(words, settings) is Exit.DONE
    assert json.loads(capsys.readouterr().out)["settings"]["socket_mode_enabled"] is socket_mode


def test_where_slack_posts_to_has_to_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed([], POSTED) is Exit.USAGE
    caught = capsys.readouterr()
    assert caught.out == ""
    assert "--url" in caught.err


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://x",
            "x",
            "https://",
            "https://x/y",
            "https://x?y",
            "https://me:pw@x",
            "https://x y",
        ),
        *("https://x#y", "ftp://x", ""),
    ],
)
def test_slack_posts_to_a_host_by_https_only(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(["--url", url], POSTED) is Exit.USAGE
    caught = capsys.readouterr()
    assert caught.out == ""
    assert "--url should be https://HOST" in caught.err


@pytest.mark.parametrize("socket_mode", [True, False])
def test_addresses_are_there_only_without_socket_mode(*, socket_mode: bool) -> None:
    url = "https://desk.example/slack/events"
    made = manifest(Commands.USAGE, socket_mode=socket_mode, url=url)
    assert made["settings"]["socket_mode_enabled"] is socket_mode
    assert made["settings"]["event_subscriptions"]["bot_events"] == ["app_mention"]
    places = json.dumps(made).count(url)
    assert places == (0 if socket_mode else len(Commands.USAGE) + 3)
