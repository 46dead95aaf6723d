"""What is left out of a message that is too long, and that the message says so."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alerts.budget import clipped, fitted
from alerts.message import digest
from alerts.model import Message, Row, Section
from bot.platforms.plain import lines
from tests.records import anomaly, said

TICKERS = [f"A{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(40)]
MANY = digest(said(*map(anomaly, TICKERS), top=40))
LAST = [row.head.split()[1] for row in MANY.rows]
SMALL = digest(said(anomaly()))


def size(message: Message) -> int:
    return len("\n".join(lines(message)))


def within(most: int, message: Message = MANY) -> Message:
    return fitted(message, lambda m: size(m) <= most)


def test_what_fits_is_left_as_it_is() -> None:
    assert within(size(SMALL), SMALL) is SMALL


def test_reasons_go_first_from_the_tail_and_are_named() -> None:
    cut = within(size(MANY) - 250)

    assert [row.head for row in cut.rows] == [row.head for row in MANY.rows]
    bare = [bool(row.details) for row in cut.rows]
    assert bare == sorted(bare, reverse=True)
    assert (
        cut.footer[0] == f"reasons did not fit: {', '.join(LAST[-3:])}; /anomalies 2026-12-17 all"
    )
    assert cut.footer[1:] == MANY.footer


def test_lines_go_next_from_the_tail_and_are_named() -> None:
    cut = within(1_800)

    kept = len(cut.rows)
    assert 3 < kept < len(LAST)
    assert cut.rows[:3] == MANY.rows[:3]
    lost = LAST[kept:]
    assert f"{len(lost)} lines did not fit: {lost[0]}, {lost[1]}, " in cut.footer[0]
    assert f"reasons did not fit: {LAST[3]}" in cut.footer[0]
    assert cut.footer[0].endswith("/anomalies 2026-12-17 all")


def test_the_lines_of_sections_are_the_tail() -> None:
    etfs = replace(MANY, rows=MANY.rows[:4], sections=(Section("ETFs", MANY.rows[4:]),))

    cut = within(1_100, etfs)

    assert cut.sections == ()
    assert len(cut.rows) >= 3
    assert "lines did not fit" in cut.footer[0]


def test_one_line_may_go_too() -> None:
    bare = replace(MANY, rows=tuple(Row(f"{n}. T{n:02} {'x' * 90}") for n in range(4)))
    cut = within(size(bare) - 20, bare)
    assert cut.footer[0] == "1 line did not fit: T03; /anomalies 2026-12-17 all"


def test_the_first_line_is_the_last_to_go() -> None:
    cut = within(700)
    assert [row.head for row in cut.rows] == [MANY.rows[0].head]


def test_a_giant_text_is_clipped_where_it_stands() -> None:
    giant = replace(SMALL, rows=(Row(SMALL.rows[0].head, ("x" * 50_000,)), *SMALL.rows))

    cut = within(3_000, giant)

    assert cut.rows[0].details[0].endswith("x…")
    assert cut.rows[1] == SMALL.rows[0]


def test_a_message_of_giants_still_ends_up_small() -> None:
    giant = Message(title="t" * 9_999, lead="l" * 9_999, banners=("b" * 9_999,) * 99)
    cut = within(200, giant)
    assert size(cut) <= 200
    assert cut.lead.startswith("lll")


def test_what_can_never_fit_is_still_a_message() -> None:
    cut = fitted(replace(MANY, stamp="SAMPLE"), lambda m: False)

    assert cut.lead
    assert cut.stamp == "SAMPLE"


def test_a_clipped_text_says_so() -> None:
    assert clipped("abc", 3) == "abc"
    assert clipped("abcd", 3) == "ab…"
    assert clipped("a bcd", 3) == "a…"


words = st.text(max_size=300)
details = st.lists(words, max_size=3).map(tuple)


@given(
    st.builds(
        Message,
        title=words,
        lead=words,
        banners=details,
        rows=st.lists(st.builds(Row, words, details), max_size=30).map(tuple),
        facts=st.lists(st.tuples(words, words), max_size=5).map(tuple),
        footer=details,
        context=details,
    ),
    st.integers(400, 4_000),
)
def test_whatever_the_message_it_fits_and_keeps_its_first_lines(
    message: Message, most: int
) -> None:
    cut = within(most, message)
    assert size(cut) <= most
    for kept, was in zip(cut.rows, message.rows, strict=False):
        assert kept.head[:50] == was.head[:50]
    assert (cut is message) == (size(message) <= most)
