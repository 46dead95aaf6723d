"""The limits of Discord's messages, as the local Discord has them."""

from typing import Any

import pytest

from tests.servers.discord_rules import problems


def embeds(*descriptions: int) -> dict[str, Any]:
    return {"embeds": [{"description": "d" * length} for length in descriptions]}


def row(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"components": [{"type": 1, "components": list(parts)}]}


def button(name: str = "id", **more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "b", "custom_id": name} | more


def select(*values: str, **more: Any) -> dict[str, Any]:
    options = [{"label": "o", "value": value} for value in values]
    return {"type": 3, "custom_id": "s", "options": options} | more


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"content": "\U0001f4c8" * 2000}, {"content": "x" * 2001}),
        ({"content": "x", "nonce": "n" * 25}, {"content": "x", "nonce": "n" * 26}),
        ({"content": "x", "flags": 4}, {"content": "x", "flags": 1 << 15}),
        ({"content": "x", "tts": False}, {"content": "x", "colour": 1}),
        (embeds(*[1] * 10), embeds(*[1] * 11)),
        (embeds(3000, 3000), embeds(3000, 3001)),
        (embeds(4096), embeds(4097)),
        ({"embeds": [{"title": "t" * 256}]}, {"embeds": [{"title": "t" * 257}]}),
        (
            {"embeds": [{"footer": {"text": "t" * 2048}}]},
            {"embeds": [{"footer": {"text": "t" * 2049}}]},
        ),
        (
            {"embeds": [{"author": {"name": "t" * 256}}]},
            {"embeds": [{"author": {"name": "t" * 257}}]},
        ),
        *(
            ({"embeds": [{"fields": [good] * n}]}, {"embeds": [{"fields": [bad] * m}]})
            for good, bad, n, m in [
                ({"name": "n", "value": "v"}, {"name": "n", "value": "v"}, 25, 26),
                ({"name": "n" * 256, "value": "v"}, {"name": "n" * 257, "value": "v"}, 1, 1),
                ({"name": "n", "value": "v" * 1024}, {"name": "n", "value": "v" * 1025}, 1, 1),
                ({"name": "n", "value": "v"}, {"name": "n", "value": ""}, 1, 1),
            ]
        ),
        (row(*(button(str(i)) for i in range(5))), row(*(button(str(i)) for i in range(6)))),
        (row(button(), button("other")), row(button(), button())),
        (row(button("i" * 100)), row(button("i" * 101))),
        (row(button(label="l" * 80)), row(button(label="l" * 81))),
        (row(select("v")), row(select("v"), button())),
        (row(select(*map(str, range(25)))), row(select(*map(str, range(26))))),
        (row(select("v", placeholder="p" * 150)), row(select("v", placeholder="p" * 151))),
        (row(select("v" * 100)), row(select("v" * 101))),
        (
            {"components": row(button("1"))["components"]},
            {"components": [c for i in range(6) for c in row(button(str(i)))["components"]]},
        ),
        (
            {"attachments": [{"id": i, "filename": "f"} for i in range(10)]},
            {"attachments": [{"id": i, "filename": "f"} for i in range(11)]},
        ),
        (
            {"attachments": [{"id": 0, "description": "d" * 1024}]},
            {"attachments": [{"id": 0, "description": "d" * 1025}]},
        ),
        (
            {
                "embeds": [{"image": {"url": "attachment://f"}}],
                "attachments": [{"id": 0, "filename": "f"}],
            },
            {
                "embeds": [{"image": {"url": "attachment://g"}}],
                "attachments": [{"id": 0, "filename": "f"}],
            },
        ),
        ({"content": "x"}, {"content": "\n "}),
    ],
)
def test_the_rules_end_where_discord_says(good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert problems(good) == []
    assert len(problems(bad)) == 1
