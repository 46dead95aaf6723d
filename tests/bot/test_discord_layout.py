"""What a message on Discord has besides its words: a table, buttons, menus, and names."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.letters import pushed
from alerts.model import Action, File, Letter, Menu, Message, Picture, Row, Table
from bot.platforms.discord_parts import Body, letter_view, view
from bot.platforms.discord_table import WIDTH, block
from bot.platforms.discord_text import escaped, named, rendered, text_only
from tests.alerts.test_message import CASES
from tests.bot.hostile import HOSTILE, LONG, MESSAGES
from tests.bot.test_discord_text import payload, read
from tests.servers.discord_rules import problems

KNOWN_BY = "alert:" + Letter("key", Message("", "")).token


def components(message: Message, *, clicks: bool = True) -> list[dict[str, Any]]:
    return letter_view(Letter("key", message), clicks=clicks).to_components()


def labels(made: list[dict[str, Any]]) -> list[list[str]]:
    """The buttons and menus row by row."""
    return [
        [part.get("label") or f"[{part.get('placeholder')}]" for part in row["components"]]
        for row in made
    ]


def buttons(count: int) -> tuple[Action, ...]:
    return tuple(Action(f"B{n}", f"command {n}") for n in range(count))


@pytest.mark.parametrize("case", ["five kinds", "off exchange, FINRA's volume", "nothing today"])
def test_digests_with_all_they_have_read_as_reviewed(
    case: str, snapshot: SnapshotAssertion
) -> None:
    message = pushed(CASES[case])
    made, parts = rendered(message), components(message)
    assert problems({**payload(made), "components": parts}) == []
    assert "\n".join([read(made), *map(str, labels(parts))]) == snapshot


# The table.


@pytest.mark.parametrize(
    ("columns", "rows", "shown"),
    [
        (
            ("#", "name", "is", "move"),
            (("1", "QWOH", "12.1×", "+8.8%"), ("10", "AB", "shift", "−0.1%")),
            " # name    is  move\n 1 QWOH 12.1× +8.8%\n10 AB   shift −0.1%",
        ),
        (
            ("name", "n"),
            (("A", "1"), ("LONGLONGLONGLONG", "22")),
            "name          n\nA             1\nLONGLONGLON… 22",
        ),
        (
            ("a", "b", "c", "d"),
            (("x" * 12, "y" * 12, "z" * 12, "1"),),
            "a            b\nxxxxxxxxxxxx yyyyyyyyyyyy",
        ),
        (("a", "b"), (("`" * 3, "1\n2"),), "a     b\n''' 1 2"),
        (("a", "b"), (("x",), ("y", "1", "2")), "a b\nx\ny 1"),
    ],
)
def test_a_table_is_narrow(columns: Any, rows: Any, shown: str) -> None:
    assert block(Table(columns, rows)) == f"```\n{shown}\n```"


def test_a_table_without_anything_is_none() -> None:
    assert block(Table((), ())) == ""
    assert block(Table(("a",), ())) == ""
    assert "```" not in read(rendered(Message("t", "l", table=Table(("a",), ()))))


def test_a_long_table_ends_early() -> None:
    made = block(Table(("day", "n"), tuple((f"day {n}", "1") for n in range(999))))
    assert len(made) <= 1_200
    *rows, last, fence = made.splitlines()[2:]
    assert (last, fence) == (f"… and {999 - len(rows)} more", "```")


def test_the_table_is_above_everything_and_goes_with_the_layout() -> None:
    table = Table(("name", "n"), (("QWOH", "1"),))
    message = Message("t", "the lead", banners=("careful",), rows=(Row("a line"),), table=table)
    made = rendered(message)
    assert made.content == "the lead"
    assert (made.embeds[0].description or "").startswith("```\nname n\nQWOH 1\n```\n⚠ careful")
    assert "QWOH" not in text_only(message).content
    assert "QWOH" not in read(rendered(replace(message, brief=True)))


# Buttons and menus.


def test_menus_come_first_and_it_is_known_by_the_first_of_them() -> None:
    message = Message(
        "t",
        "l",
        context=("data revision 3",),
        actions=buttons(4),
        menus=(Menu("choose", buttons(2)),),
    )
    made = components(message)
    assert labels(made) == [["[choose]"], ["B0", "B1", "B2", "B3"]]
    assert made[0]["components"][0]["custom_id"] == KNOWN_BY
    values = [option["value"] for option in made[0]["components"][0]["options"]]
    assert values == [f"do:{action.key}" for action in buttons(2)]


def test_without_a_menu_it_is_known_by_its_last_button() -> None:
    made = components(Message("t", "l", context=("data revision 3",), actions=buttons(2)))
    assert labels(made) == [["B0", "B1", "data revision 3"]]
    last = made[0]["components"][-1]
    assert (last["custom_id"], last["disabled"]) == (KNOWN_BY, True)


@pytest.mark.parametrize(
    ("menus", "actions", "shape"),
    [
        (0, 0, [1]),
        (0, 24, [5, 5, 5, 5, 5]),
        (0, 99, [5, 5, 5, 5, 5]),
        (4, 99, [1, 1, 1, 1, 5]),
        (9, 0, [1, 1, 1, 1, 1]),
        (9, 9, [1, 1, 1, 1, 5]),
        (1, 5, [1, 5]),
        (0, 5, [5, 1]),
    ],
)
def test_what_does_not_fit_is_left_out_from_the_end(
    menus: int, actions: int, shape: list[int]
) -> None:
    named_ = tuple(Menu(f"m{n}", buttons(1)) for n in range(menus))
    made = components(Message("t", "l", actions=buttons(actions), menus=named_))
    assert [len(row["components"]) for row in made] == shape
    known = made[0]["components"][0] if menus else made[-1]["components"][-1]
    assert known["custom_id"] == KNOWN_BY
    assert problems({"content": "l", "components": made}) == []


def test_the_same_twice_is_there_once() -> None:
    twice = (Action("one", "help"), Action("two", "help"), Action("three", "why X"))
    made = components(Message("t", "l", actions=twice, menus=(Menu("m", twice), Menu("empty", ()))))
    assert labels(made) == [["[m]"], ["one", "three"]]
    assert problems({"content": "l", "components": made}) == []


def test_without_clicks_a_letter_is_still_known() -> None:
    made = components(Message("t", "l", actions=buttons(3)), clicks=False)
    assert labels(made) == [["Tapewatch"]]


async def test_a_view_listens_to_nothing() -> None:
    assert view(Message("t", "l", actions=buttons(3))).is_finished()


TEXT = HOSTILE | LONG
ACTIONS = st.lists(st.builds(Action, TEXT, TEXT, TEXT), max_size=8).map(tuple)
WITH_ALL = st.builds(
    lambda message, table, actions, menus: replace(
        message, table=table, actions=actions, menus=menus
    ),
    MESSAGES,
    st.builds(
        Table,
        st.lists(TEXT, max_size=6).map(tuple),
        st.lists(st.lists(TEXT, max_size=6).map(tuple), max_size=8).map(tuple),
    ),
    ACTIONS,
    st.lists(st.builds(Menu, TEXT, ACTIONS), max_size=5).map(tuple),
)


SLOW = [HealthCheck.too_slow]


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(WITH_ALL)
@example(Message("", "", actions=(Action("", ""),), menus=(Menu("", (Action("", ""),)),)))
@example(Message("t", "l", menus=tuple(Menu(f"{n}", buttons(99)) for n in range(9))))
@example(Message("", "", footer=("```x",), table=Table(("@everyone",), ((),))))
def test_no_message_with_all_it_can_have_breaks_a_limit(message: Message) -> None:
    made = rendered(message)
    parts = components(message)
    assert problems({**payload(made), "components": parts}) == []
    ids = [part["custom_id"] for row in parts for part in row["components"]]
    assert ids.count(KNOWN_BY) == 1
    # Nothing else has blocks: three backticks in a footer open none.
    plain = [
        {
            **embed.to_dict(),
            "description": re.sub(r"```.*?```", "", embed.description or "", flags=re.DOTALL),
        }
        for embed in made.embeds
    ]
    said = json.dumps({**payload(made), "embeds": plain}, ensure_ascii=False)
    assert "@everyone" not in said


@settings(max_examples=60, deadline=None)
@given(
    st.lists(TEXT, min_size=1, max_size=6).map(tuple),
    st.lists(st.lists(TEXT, max_size=7).map(tuple), min_size=1, max_size=30).map(tuple),
)
def test_no_table_breaks_out_of_its_block(columns: Any, rows: Any) -> None:
    made = block(Table(columns, rows))
    first, *lines, last = made.splitlines()
    assert (first, last) == ("```", "```")
    assert made.count("`") == 6
    assert all(len(line) <= WIDTH for line in lines)
    assert len(made) <= 1_200


# People and channels.


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("muted by discord:@123", "muted by <@123>"),
        ("discord:456: two lines", "<#456>: two lines"),
        ("in discord:456, by discord:@1.", "in <#456>, by <@1>."),
        ("such as discord:123456789012345678", "such as discord:123456789012345678"),
        ("discord:@1x and xdiscord:1", "discord:@\u200b1x and xdiscord:1"),
        ("slack:@U1 discord:abc", "slack:@\u200bU1 discord:abc"),
        ("https://a.b/discord:1", "<https://a.b/discord:1>"),
        ("discord:" + "1" * 30, "discord:" + "1" * 30),
    ],
)
def test_ids_of_discord_are_shown_as_names(text: str, shown: str) -> None:
    assert named(escaped(text)) == shown


def test_names_are_where_discord_shows_them_and_nowhere_else() -> None:
    by = "by discord:@123"
    message = Message(
        by, by, banners=(by,), rows=(Row(by, (by,)),), footer=(by,), facts=((by, by),)
    )
    made = rendered(message)
    assert made.content == "by <@123>"
    (embed,) = made.embeds
    assert embed.title == "by discord:@\u200b123"
    assert embed.footer.text == "by discord:@\u200b123"
    assert (embed.description or "").count("by <@123>") == 5
    assert "discord:" not in text_only(message).content


def test_files_come_after_pictures_within_the_limit() -> None:
    pictures = [Picture(b"png", "a line")] * 12
    files = tuple(File(f"../{n}/@x y.csv", "a") for n in range(12))
    made = Body.whole(Message("t", "l", files=files), pictures).files()
    names = [file.filename for file in made]
    assert len(names) == 10
    assert names[6:8] == ["chart6.png", "0-x-y.csv"]
