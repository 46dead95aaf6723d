"""A digest at a glance, and what can be done about it."""

from dataclasses import replace

from alerts.clicks import CHOICES, GLANCE, clickable, digest_table, line_actions
from alerts.letters import pushed
from alerts.message import digest
from alerts.model import Report
from alerts.rank import report
from tests.records import anomaly, judged


def made(*names: str, top: int = 10) -> Report:
    return report(judged(*(anomaly(name) for name in names)), top, None)


def test_the_table_numbers_the_lines_as_the_rows_do() -> None:
    message = pushed(made("AAAA", "BBBB"))
    assert message.table is not None
    assert message.table.columns == ("#", "name", "trd", "vol", "move")
    assert [row[:2] for row in message.table.rows] == [("1", "AAAA"), ("2", "BBBB")]
    for row, line in zip(message.table.rows, message.rows, strict=True):
        assert line.head.startswith(f"{row[0]}. {row[1]}")
        said = " ".join([line.head, *line.details])
        assert all(number in said for number in row[2:])


def test_the_share_stands_in_the_table_only_where_one_is_known() -> None:
    known = replace(anomaly("AAAA"), share=0.62, usual_share=0.4)
    table = digest_table(report(judged(known, anomaly("BBBB")), 10, None))
    assert table is not None
    assert table.columns[-1] == "off"
    assert {row[1]: row[-1] for row in table.rows} == {"AAAA": "62%", "BBBB": "?"}
    plain = digest_table(made("AAAA"))
    assert plain is not None
    assert "off" not in plain.columns


def test_what_is_not_counted_is_no_column_or_a_question_mark() -> None:
    uncounted = replace(anomaly("AAAA"), trades_ratio=None)
    table = digest_table(report(judged(uncounted, anomaly("BBBB")), 10, None))
    assert table is not None
    assert {row[1]: row[2] for row in table.rows} == {"AAAA": "?", "BBBB": "4.8×"}
    table = digest_table(report(judged(uncounted), 10, None))
    assert table is not None
    assert table.columns == ("#", "name", "vol", "move")


def test_every_line_can_be_chosen_and_the_session_asked_about() -> None:
    said = made(*(f"T{n:02}" for n in range(12)), top=10)
    message = clickable(digest(said), said)
    (menu,) = message.menus
    on = said.judged.session
    lines = [f"ticker {a.ticker} {on} text" for a in said.pushed]
    assert [o.command for o in menu.options] == lines
    assert len(lines) > 5
    assert [a.label for a in message.actions] == ["All", "My watchlist", "Show raw", "CSV"]
    assert message.actions[0].command == f"anomalies {on} all"


def test_a_quiet_day_has_no_lines_to_choose_and_no_table() -> None:
    message = pushed(made())
    assert message.brief
    assert (message.table, message.menus) == (None, ())
    assert [a.label for a in message.actions] == ["My watchlist", "Show raw", "CSV"]


def test_menus_and_tables_have_an_end() -> None:
    message = pushed(made(*(f"T{n:02}" for n in range(50)), top=50))
    known = {option.command for menu in message.menus for option in menu.options}
    assert [len(menu.options) for menu in message.menus] == [CHOICES, len(known) - CHOICES]
    assert len(known) > 40
    assert [menu.placeholder for menu in message.menus] == [
        "Open a line… (1-25)",
        f"Open a line… (26-{len(known)})",
    ]
    assert message.table is not None
    assert len(message.table.rows) == GLANCE
    assert len(message.rows) > CHOICES


def test_only_a_line_of_the_digest_is_useful_or_noise() -> None:
    on = made("AAAA").judged.session
    assert [a.label for a in line_actions("AAAA", on, is_line=False)] == [
        "Chart", "Why", "Mute for me", "Watch",
    ]  # fmt: skip
    assert [a.label for a in line_actions("AAAA", on, is_line=True, without=("Chart",))] == [
        "Why", "Mute for me", "Watch", "Useful", "Noise",
    ]  # fmt: skip


def test_the_same_command_has_the_same_key_everywhere() -> None:
    first, again = (pushed(made("AAAA", "BBBB")) for _ in range(2))
    assert [a.key for a in first.actions] == [a.key for a in again.actions]
    keys = {a.key for a in (*first.actions, *first.menus[0].options)}
    assert len(keys) == len(first.actions) + 2
    assert all(len(key) == 16 for key in keys)


def test_the_first_line_has_its_picture_in_the_digest() -> None:
    message = pushed(made("AAAA", "BBBB"))
    assert [chart.ticker for chart in message.charts] == ["AAAA"]
