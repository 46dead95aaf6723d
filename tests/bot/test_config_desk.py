"""/config show: what operators see of the settings, and what nobody does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.app import opened
from bot.commands import Reply
from bot.config_desk import SHOWN
from bot.platforms.console import render
from bot.settings import SECRETS, Settings, load
from tests.bot.small_market import ask

SECRET = "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t00"


async def asked(tmp_path: Path, text: str, *, operator: bool = True, **settings: Any) -> Reply:
    given = await asyncio.to_thread(load, data_dir=tmp_path, **settings)
    async with opened(given) as app:
        return await ask(app, text, operator=operator)


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
    assert reply.message.table is not None
    shown = {name: value for name, value, _ in reply.message.table.rows}
    assert shown == {
        **{name.upper(): "set" for name in SECRETS},
        "DATA_DIR": str(tmp_path),
        "DATA_URL": "s3://tape",
        "EOD_SCHEDULE_TIME": "10:30",
        "DISCORD_ALERT_CHANNEL": "123456789012345678,223456789012345678",
    }
    assert SECRET not in render(reply.message, 100)


async def test_all_of_them_can_be_seen(tmp_path: Path) -> None:
    reply = await asked(tmp_path, "/config show all")
    assert reply.message.table is not None
    rows = {name: (value, whence) for name, value, whence in reply.message.table.rows}
    assert list(rows) == [name.upper() for name in Settings.model_fields]
    assert rows["POLYGON_API_KEY"] == ("unset", "default")
    assert rows["USE_FLAT_FILES"] == ("false", "default")
    assert rows["EOD_DEADLINE"] == ("20:00", "default")
    assert rows["DATA_DIR"] == (str(tmp_path), "set")
    assert reply.message.lead == f"Set here: 1 of {len(rows)} settings."


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
