"""The lines of a session as CSV."""

import io
from dataclasses import replace

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from alerts.rank import report
from alerts.spreadsheet import inactive, spreadsheet, table
from core.bars import Family, Scope, Series
from tests.records import anomaly, judged


def test_every_line_is_in_it_those_past_the_cap_without_a_number() -> None:
    said = report(judged(*(anomaly(f"T{n}") for n in range(5))), 3, None)
    file = spreadsheet(said)
    assert file.name == f"tapewatch-{said.judged.session}.csv"
    read = pl.read_csv(io.StringIO(file.content))
    assert read["ticker"].to_list() == [f"T{n}" for n in range(5)]
    assert read["line"].to_list() == [1, 2, 3, None, None]
    assert read["ratio"].to_list() == [a.ratio for a in said.judged.anomalies]
    assert not any(read["sample"].to_list())


def test_invented_numbers_say_so() -> None:
    sample = replace(judged(anomaly("AAAA")), series=Series(Scope.ALL, Family.SAMPLE))
    file = spreadsheet(report(sample, 3, None))
    assert file.name.startswith("tapewatch-sample-")
    assert pl.read_csv(io.StringIO(file.content))["sample"].to_list() == [True]


def test_a_session_without_a_line_has_a_heading_only() -> None:
    assert spreadsheet(report(judged(), 3, None)).content.splitlines()[1:] == []


FIRST = [*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20"]


@given(st.text() | st.tuples(st.sampled_from(FIRST), st.text()).map("".join))
def test_no_text_is_a_formula(text: str) -> None:
    assert not inactive(text).startswith(tuple(FIRST))
    assert inactive(text).endswith(text)


def test_a_hostile_name_is_a_text() -> None:
    found = replace(anomaly("AAAA"), label="=HYPERLINK(1)")
    content = spreadsheet(report(judged(found), 3, None)).content
    assert "'=HYPERLINK(1)" in content


def test_a_headline_is_its_title_and_nothing_is_a_formula() -> None:
    told = {"title": "=HYPERLINK(1)", "publisher": "@x", "url": "https://x", "published_at": "-"}
    rows: list[dict[str, object]] = [
        {"ticker": "A", "headline": told, "z": -1.5, "split": None},
        {"ticker": "B", "headline": "unknown", "z": 2.0, "split": "+1:4"},
        {"ticker": "C", "headline": None, "z": None, "split": None},
    ]
    assert table(rows).splitlines() == [
        "ticker,headline,z,split",
        "A,'=HYPERLINK(1),-1.5,",
        "B,unknown,2.0,'+1:4",
        "C,,,",
    ]
