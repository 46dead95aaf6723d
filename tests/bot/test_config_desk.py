"""/config show: what operators see of the settings, and what nobody does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from alerts.model import Message
from bot.app import opened
from bot.commands import Reply
from bot.config_desk import SHOWN, ConfigDesk
from bot.platforms import discord_text, slack_text
from bot.platforms.console import render
from bot.requests import CommandRequest
from bot.settings import SECRETS, Settings, load
from tests.bot.small_market import ask
from tests.bot.test_discord_text import payload, read
from tests.servers.discord_rules import problems

SECRET = "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t00"


async def asked(tmp_path: Path, text: str, *, operator: bool = True, **settings: Any) -> Reply:
    given = await asyncio.to_thread(load, data_dir=tmp_path, **settings)
    async with opened(given) as app:
        return await ask(app, text, operator=operator)


def desk_of(*channels: str) -> ConfigDesk:
    """Of a process with these channels, and a folder that is called the same everywhere."""
    given: dict[str, Any] = {"data_dir": Path("/data"), "discord_alert_channel": channels}
    return ConfigDesk(Settings(**given), "")


async def test_it_shows_what_differs_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        begins = {"slack_bot_token": "xoxb-", "slack_app_token": "xapp-"}.get(name, "https://x.y/")
        monkeypatch.setenv(name.upper(), begins + SECRET)
    monkeypatch.setenv("DATA_URL", "s3://tape")
    monkeypatch.setenv("EOD_SCHEDULE_TIME", "10:30")
    monkeypatch.setenv("DISCORD_ALERT_CHANNEL", "123456789012345678,223456789012345678")
    reply = await asked(tmp_path, "/config show")
    assert reply.ok
    assert dict(reply.message.facts) == {
        **{name.upper(): "set" for name in SECRETS},
        "DATA_DIR": str(tmp_path),
        "DATA_URL": "s3://tape",
        "EOD_SCHEDULE_TIME": "10:30",
        "DISCORD_ALERT_CHANNEL": "123456789012345678,223456789012345678",
    }
    assert SECRET not in render(reply.message, 100)
    assert "EOD_SCHEDULE_TIME" in render(reply.message, 100)


async def test_all_of_them_can_be_seen(tmp_path: Path) -> None:
    reply = await asked(tmp_path, "/config show all")
    rows = dict(reply.message.facts)
    assert list(rows) == [name.upper() for name in Settings.model_fields]
    assert rows["POLYGON_API_KEY"] == "unset (default)"
    assert rows["USE_FLAT_FILES"] == "false (default)"
    assert rows["EOD_DEADLINE"] == "20:00 (default)"
    assert rows["DATA_DIR"] == str(tmp_path)
    assert reply.message.lead == f"Set here: 1 of {len(rows)} settings."


async def test_all_of_them_are_whole_on_discord(snapshot: SnapshotAssertion) -> None:
    desk = desk_of(*["123456789012345678"] * 3)
    for text in ("/config show", "/config show all"):
        message = await desk.answer(CommandRequest.typed(text))
        made = discord_text.rendered(message)
        assert problems(payload(made)) == []
        assert read(made) == snapshot
        assert message.files == ()


@pytest.mark.parametrize(
    "shown",
    [
        lambda message: read(discord_text.rendered(message)),
        lambda message: read(discord_text.text_only(message)),
        lambda message: str(slack_text.rendered(message).blocks),
        lambda message: slack_text.text_only(message).text,
        lambda message: render(message, 400),
    ],
    ids=["discord", "discord in words", "slack", "slack in words", "terminal"],
)
async def test_each_is_whole_wherever_it_is_read(shown: Callable[[Message], str]) -> None:
    channels = tuple(f"{n}23456789012345678" for n in range(1, 10))
    desk = desk_of(*channels)
    text = shown(await desk.answer(CommandRequest.typed("/config show")))
    assert "DISCORD_ALERT_CHANNEL" in text.replace("\\", "")
    assert ",".join(channels) in text


async def test_what_no_chat_shows_whole_is_a_file_as_well() -> None:
    channels = tuple(f"1234567890123{n:05}" for n in range(99))
    desk = desk_of(*channels)
    message = await desk.answer(CommandRequest.typed("/config show"))
    (file,) = message.files
    assert file.content == f"DATA_DIR=/data\nDISCORD_ALERT_CHANNEL={','.join(channels)}\n"
    assert "…" in read(discord_text.rendered(message)), "and it is said that there is more"


@pytest.mark.parametrize(
    "text", ["/config set ALERT_TOP 3", "/config show more", "/config show all x"]
)
async def test_anything_else_is_answered_in_a_sentence(tmp_path: Path, text: str) -> None:
    reply = await asked(tmp_path, text)
    assert not reply.ok
    assert reply.message.lead.endswith("there is /config show [all]")


async def test_it_is_for_operators(tmp_path: Path) -> None:
    reply = await asked(tmp_path, "/config show", operator=False)
    assert not reply.ok
    assert "is for operators" in reply.message.lead


def test_whether_a_setting_is_shown_was_decided_for_each_of_them() -> None:
    assert set(Settings.model_fields) == SHOWN | set(SECRETS)
    assert not SHOWN & set(SECRETS)
