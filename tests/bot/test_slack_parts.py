"""Tables, buttons, menus and files on Slack: within its limits, whatever is in them."""

import json
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from syrupy.assertion import SnapshotAssertion

from alerts.letters import pushed
from alerts.model import Action, File, Menu, Message, Row, Table
from bot.platforms.slack_parts import SHORT, buttons, is_short, table
from bot.platforms.slack_text import WHOLE, Look, Rendered, rendered
from tests.alerts.test_message import CASES
from tests.bot.hostile import HOSTILE, LONG, MESSAGES
from tests.bot.test_slack_text import PICTURE, markup, payload, read
from tests.servers.slack_rules import problems

ACTIONS = st.lists(st.builds(Action, LONG, HOSTILE, LONG), max_size=30).map(tuple)
MENUS = st.lists(st.builds(Menu, LONG, ACTIONS), max_size=3).map(tuple)
CELLS = st.lists(HOSTILE, max_size=25).map(tuple)
TABLES = st.none() | st.builds(Table, CELLS, st.lists(CELLS, max_size=110).map(tuple))
CLICKABLE = st.builds(replace, MESSAGES, actions=ACTIONS, menus=MENUS, table=TABLES)
FULL = Message(
    *("t", "l"),
    table=Table(("a",) * 30, (("1",) * 30,) * 200),
    actions=tuple(Action(f"{n}" * 80, f"why T{n}") for n in range(60)),
    menus=(Menu("p" * 200, tuple(Action("x" * 80, f"why U{n}", "y" * 90) for n in range(120))),),
)


def well_formed(made: Rendered) -> None:
    """Both libraries' opinion."""
    assert problems(payload(made)) == []
    for block in made.blocks:
        parsed = Block.parse(block)
        if parsed is not None:  # slack_sdk has no class for a table yet
            parsed.validate_json()
        else:
            assert block["type"] == "table"


@settings(max_examples=40, deadline=None)
@given(CLICKABLE, st.integers(0, 5))
@example(replace(FULL, menus=()), 5)
@example(Message("", "", table=Table((), ())), 0)
@example(Message("", "", actions=(Action("", ""),), menus=(Menu("", (Action("", "x"),)),)), 0)
def test_no_buttons_break_a_limit(message: Message, pictures: int) -> None:
    look = Look(private=True, share="share:0123456789abcdef")
    made = rendered(message, [PICTURE] * pictures, look)
    assert [p for p in problems(payload(made)) if "too_long" not in p] == []
    for text in markup(made):
        assert "<!" not in text


def test_the_digest_with_all_that_can_be_clicked_reads_as_reviewed(
    snapshot: SnapshotAssertion,
) -> None:
    made = rendered(pushed(CASES["five kinds"]))
    well_formed(made)
    assert read(made) == snapshot


def test_the_table_goes_before_any_line_does() -> None:
    rows = tuple(Row(f"{n}. T{n:02}", ("x" * 500,)) for n in range(19))
    table_of = Table(("#", "name"), tuple((f"{n}", f"T{n:02}") for n in range(19)))
    made = rendered(Message("title", "lead", ("context",), rows=rows, table=table_of))
    well_formed(made)
    assert len(json.dumps(made.blocks)) <= WHOLE
    assert "table" not in [block["type"] for block in made.blocks]
    assert "T18" in read(made)
    assert "did not fit" not in read(made)


def test_words_stand_to_the_left_and_numbers_to_the_right() -> None:
    made = table(Table(("#", "name", "is"), (("1", "ABC", "2×"), ("2", "XYZ", ""))))
    assert [column["align"] for column in made["column_settings"]] == ["right", "left", "left"]
    assert made["rows"][2][2]["text"] == "…"


def test_the_same_action_twice_is_one_button() -> None:
    twice = (Action("Why", "why ABC"), Action("Why again", "why ABC"))
    (block,) = buttons(Message("", "", actions=twice), "")
    assert len(block["elements"]) == 1


def test_only_a_short_file_is_shown_and_it_does_nothing() -> None:
    assert not is_short(File("a.csv", "x" * (SHORT + 1)))
    assert not is_short(File("a.csv", " \n"))
    file = File("a.csv", "a,b\n<!channel>,*c*\n```x```")
    made = rendered(Message("", "lead"), (), Look(private=True, files=(file,)))
    well_formed(made)
    shown = made.blocks[-1]["elements"][0]
    assert shown["type"] == "rich_text_preformatted"
    assert shown["elements"] == [{"type": "text", "text": file.content}]
