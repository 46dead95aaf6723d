"""Logs hold facts and no secrets."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from bot.logs import JsonLines, Redacted

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


@pytest.mark.parametrize("spell", [quote, quote_plus, lambda text: quote(text, "")])
def test_a_secret_as_an_address_spells_it_is_blanked(spell: Callable[[str], str]) -> None:
    made = logging.makeLogRecord({"msg": f"GET /?key={spell('a/b+c d=e~f')}&x=1"})
    shown = Redacted(["a/b+c d=e~f"]).format(made)
    assert shown.endswith("GET /?key=(hidden)&x=1")


def test_what_a_vendor_answers_cannot_look_like_a_line_of_ours() -> None:
    shown = line("refused", seen="no\n2026-11-20 CRITICAL core.x: sold everything\r\n")
    assert len(shown.splitlines()) == 1
    assert "seen=no\\n2026-11-20 CRITICAL" in shown


def parsed(message: str, **extra: object) -> dict[str, Any]:
    """One JSON line."""
    try:
        raise ValueError(f"with {SECRET}")
    except ValueError:
        trace = sys.exc_info()
    made = logging.getLogger("core.x").makeRecord(
        "core.x", logging.INFO, "f", 1, message, (), trace, extra=extra
    )
    shown = JsonLines([SECRET, 'quo"ted']).format(made)
    assert len(shown.splitlines()) == 1
    found: dict[str, Any] = json.loads(shown)
    return found


def test_a_json_line_has_the_facts_by_name_and_no_secret() -> None:
    found = parsed(
        'stored\nquo"ted', rows=12, share=0.5, held=False, session="2026-11-20", none=None
    )
    assert found.pop("at").endswith("+00:00")
    assert "ValueError: with (hidden)" in found.pop("trace")
    assert found == {
        "level": "INFO", "logger": "core.x", "message": "stored\n(hidden)", "rows": 12,
        "share": 0.5, "held": False, "session": "2026-11-20",
    }  # fmt: skip
