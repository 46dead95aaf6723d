"""The limits of Slack's messages, as the local Slack has them."""

from typing import Any

import pytest

from tests.servers.slack_rules import problems
from tests.servers.slack_views import view_problems

METADATA = {"event_type": "alert", "event_payload": {"k": "a1b2"}}


def text(words: str, kind: str = "mrkdwn") -> dict[str, Any]:
    return {"type": kind, "text": words}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": text("Why", "plain_text"), "action_id": "why"} | more


def section(**parts: Any) -> list[dict[str, Any]]:
    return [{"type": "section"} | parts]


def actions(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "actions", "elements": list(elements)}]


def buttons(count: int) -> list[dict[str, Any]]:
    return actions(*(button(action_id=f"b{i}") for i in range(count)))


def table(rows: int, columns: int) -> list[dict[str, Any]]:
    return [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * columns] * rows}]


def options(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"text": text("x", "plain_text"), "value": f"v{i}"} | more for i in range(count)]


def menu(kind: str, count: int, **more: Any) -> list[dict[str, Any]]:
    return actions({"type": kind, "action_id": "m", "options": options(count)} | more)


def field(kind: str, **more: Any) -> list[dict[str, Any]]:
    element = {"type": kind, "action_id": "f"} | more
    label = {"label": text("Name", "plain_text"), "block_id": "i"}
    return [{"type": "input", "element": element} | label]


def number(**more: Any) -> list[dict[str, Any]]:
    return field("number_input", is_decimal_allowed=False, **more)


def rich(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": []} | more]}


def cells(*row: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "table", "rows": [list(row)]}]


def view(**more: Any) -> dict[str, Any]:
    return {
        **{"type": "modal", "title": text("Watch", "plain_text"), "blocks": field("datepicker")},
        **({"submit": text("Save", "plain_text")} | more),
    }


def header(words: str, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "header", "text": text(words, "plain_text")} | more]


def context(count: int) -> list[dict[str, Any]]:
    return [{"type": "context", "elements": [text("x")] * count}]


def image(alt: str) -> list[dict[str, Any]]:
    return [{"type": "image", "image_url": "https://example.com/x.png", "alt_text": alt}]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ([{"type": "divider"}] * 50, [{"type": "divider"}] * 51),
        (section(text=text("x" * 3000)), section(text=text("x" * 3001))),
        (section(fields=[text("x")] * 10), section(fields=[text("x")] * 11)),
        (section(fields=[text("x" * 2000)]), section(fields=[text("x" * 2001)])),
        (section(text=text("x")), section(text=text(""))),
        (section(text=text("x")), section(text=text("x"), colour="red")),
        (header("x" * 150), header("x" * 151)),
        (header("x"), [{"type": "header", "text": text("x")}]),
        (header("x", block_id="i" * 255), header("x", block_id="i" * 256)),
        (header("x", block_id="i") + header("x"), header("x", block_id="i") * 2),
        (context(10), context(11)),
        (buttons(25), buttons(26)),
        (buttons(2), actions(button(), button())),
        (actions(button(value="v" * 2000)), actions(button(value="v" * 2001))),
        (actions(button(action_id="i" * 255)), actions(button(action_id="i" * 256))),
        (image("a" * 2000), image("a" * 2001)),
        (table(100, 20), table(101, 20)),
        (table(1, 20), table(1, 21)),
        (table(1, 1), table(1, 1) * 2),
        ([{"type": "markdown", "text": "x"}], [{"type": "marquee", "text": "x"}]),
        (
            actions(button(text=text("x" * 75, "plain_text"))),
            actions(button(text=text("x" * 76, "plain_text"))),
        ),
        (section(text=text("x" * 3000)) * 4, section(text=text("x" * 3000)) * 4 + header("x")),
    ],
)
def test_the_rules_end_where_slack_says(good: Any, bad: Any) -> None:
    assert problems({"text": "x", "blocks": good}) == []
    assert len(problems({"text": "x", "blocks": bad})) == 1


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (menu("static_select", 100), menu("static_select", 101)),
        (menu("overflow", 2), menu("overflow", 1)),
        (menu("overflow", 5), menu("overflow", 6)),
        (menu("checkboxes", 10), menu("checkboxes", 11)),
        (
            menu("static_select", 1, placeholder=text("x" * 150, "plain_text")),
            menu("static_select", 1, placeholder=text("x" * 151, "plain_text")),
        ),
        (
            menu("static_select", 0, options=options(1, value="v" * 150)),
            menu("static_select", 0, options=options(1, value="v" * 151)),
        ),
        (
            menu("static_select", 0, options=options(1, text=text("x" * 75, "plain_text"))),
            menu("static_select", 0, options=options(1, text=text("x" * 76, "plain_text"))),
        ),
        (
            menu("static_select", 1, initial_option=options(1)[0]),
            menu("static_select", 1, initial_option=options(2)[1]),
        ),
        (menu("radio_buttons", 2), menu("dial", 2)),
        (field("plain_text_input", max_length=3000), field("plain_text_input", max_length=3001)),
        (number(min_value="1"), number(min_value=1)),
        (number(initial_value="30"), number(initial_value="1.5")),
        (
            field("datepicker", initial_date="2026-11-27"),
            field("datepicker", initial_date="27.11.2026"),
        ),
        (field("checkboxes", options=options(1)), field("button", text=text("x", "plain_text"))),
        (
            [field("datepicker")[0] | {"hint": text("x" * 2000, "plain_text")}],
            [field("datepicker")[0] | {"hint": text("x" * 2001, "plain_text")}],
        ),
        (cells(rich("rich_text_section")), cells(rich("rich_text_poem"))),
        ([rich("rich_text_quote")], [{"type": "rich_text", "elements": []}]),
        (
            [rich("rich_text_section", elements=[{"type": "text", "text": "x"}])],
            [rich("rich_text_section", elements=[{"type": "text", "text": ""}])],
        ),
        (cells({"type": "raw_text", "text": "x"}), cells({"type": "raw_text", "text": ""})),
    ],
)
def test_what_is_chosen_or_typed_has_rules_as_well(good: Any, bad: Any) -> None:
    assert problems({"text": "x", "blocks": good}) == []
    assert len(problems({"text": "x", "blocks": bad})) == 1


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (view(title=text("x" * 24, "plain_text")), view(title=text("x" * 25, "plain_text"))),
        (view(submit=text("x" * 24, "plain_text")), view(submit=text("x" * 25, "plain_text"))),
        (view(private_metadata="x" * 3000), view(private_metadata="x" * 3001)),
        (view(callback_id="x" * 255), view(callback_id="x" * 256)),
        (view(blocks=[{"type": "divider"}] * 100), view(blocks=[{"type": "divider"}] * 101)),
        (view(blocks=header("x")), view(blocks=table(1, 1))),
        (view(blocks=header("x"), submit=None), view(submit=None)),
        (view(close=None), view(colour="red")),
        (view(), view(type="drawer")),
        (view(), view(blocks=field("datepicker") * 2)),
    ],
)
def test_a_modal_has_rules_of_its_own(good: Any, bad: Any) -> None:
    assert view_problems(good) == []
    assert len(view_problems(bad)) == 1


@pytest.mark.parametrize(
    ("good", "bad", "error"),
    [
        ({"text": "x" * 40_000}, {"text": "x" * 40_001}, "msg_too_long"),
        ({"blocks": header("x")}, {}, "no_text"),
        ({"text": "x"}, {"text": "x", "blocks": "x"}, "invalid_blocks_format"),
        (
            {"text": "x", "metadata": {"event_type": "e", "event_payload": {"k": "v" * 8_100}}},
            {"text": "x", "metadata": {"event_type": "e", "event_payload": {"k": "v" * 8_192}}},
            "metadata_too_large",
        ),
        (
            {"text": "x", "metadata": METADATA},
            {"text": "x", "metadata": {"event_type": "e"}},
            "invalid_metadata_format",
        ),
    ],
)
def test_a_whole_message_has_limits_too(good: Any, bad: Any, error: str) -> None:
    assert problems(good) == []
    assert problems(bad) == [error]
