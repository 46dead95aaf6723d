"""Logs hold facts and no secrets."""

import logging

from bot.logs import Redacted

SECRET = "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t00"


def line(message: str, *args: object, **extra: object) -> str:
    """One formatted record."""
    made = logging.getLogger("core.x").makeRecord(
        "core.x", logging.INFO, "f", 1, message, args, None, extra=extra
    )
    return Redacted([SECRET, SECRET[:8]]).format(made)


def test_facts_follow_the_message() -> None:
    shown = line("session finished", session="2026-11-20", rows=12, nothing=None)
    assert shown.endswith("INFO core.x: session finished session=2026-11-20 rows=12")


def test_a_secret_in_any_place_is_blanked() -> None:
    shown = line("key %s", SECRET, url=f"https://x?apiKey={SECRET}")
    assert SECRET not in shown
    assert SECRET[:8] not in shown
    assert shown.count("(hidden)") == 2
