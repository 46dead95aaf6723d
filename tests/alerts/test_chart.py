"""Pictures of one ticker: real PNGs, the same facts in words, and nothing that a text can break."""

import io
import math
import random
import struct
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from syrupy.assertion import SnapshotAssertion

from alerts.cards import Flag
from alerts.chart import HEIGHT_PX, WIDTH_PX, inert, picture
from alerts.chart_data import HISTORY_SESSIONS, SESSIONS, ChartData, alt, chart_data
from alerts.chart_scale import date_ticks, dollars, log_ticks, price_ticks, reach, shares
from alerts.model import Picture
from core.bars import BARS, Family, Scope, Series
from core.calendar import sessions_ending
from core.labels import OFF_EXCHANGE_SHIFT
from tests.frames import day

DAILY = Series(Scope.ALL, Family.DAILY)
SAMPLE = Series(Scope.ALL, Family.SAMPLE)
DAYS = [d.date for d in sessions_ending(day("2026-12-17"), HISTORY_SESSIONS)]
LAST = HISTORY_SESSIONS - 1
FLAG = Flag(DAYS[-1], 1, "news-like", 6.2)
EARLIER = Flag(DAYS[-30], 4, "crowd", 4.4)
NOTHING: dict[str, None] = dict.fromkeys(c for c in BARS if c != "session")


def history(
    changes: dict[int, dict[str, Any]] | None = None, ticker: str = "XYZQ", first: int = 0
) -> pl.DataFrame:
    """A dense history of about 30 dollars and 2M shares; with changes by place."""
    draw, rows, close = random.Random("chart"), list[dict[str, Any]](), 30.0
    for n, session in enumerate(DAYS):
        close *= 1 + draw.gauss(0, 0.012)
        prices = {"open": close, "high": close * 1.01, "low": close * 0.985, "close": close}
        bar = {"ticker": ticker, **prices, "volume": 2e6 * math.exp(draw.gauss(0, 0.25))}
        bar |= {"transactions": 9_000, "vwap": None}
        rows.append({"session": session, **(bar if n >= first else NOTHING)})
        rows[-1] |= (changes or {}).get(n, {})
    return pl.DataFrame(rows, schema=BARS)


def without(*places: int) -> dict[int, dict[str, Any]]:
    """Changes that leave these sessions without a trade."""
    return dict.fromkeys(places, NOTHING)


def with_shares(last: float) -> pl.DataFrame:
    """The history with about 40 % off exchange, but for the last session."""
    draw = random.Random("shares")
    known = [0.4 + draw.gauss(0, 0.03) for _ in DAYS[:-1]]
    return history().with_columns(share=pl.Series([*known, last]))


SPIKE = {LAST: {"volume": 12_400_000.0, "close": 24.5, "low": 24.0, "high": 27.1, "open": 26.0}}
HOSTILE = "$x^{$\x00\n\t\\frac{1}{0}$ \u202e@everyone 🚀日本 <b>*_`"

CASES: dict[str, ChartData] = {
    "spike": chart_data(
        history(SPIKE), [FLAG, EARLIER], DAILY, row={"dev_volume": math.log(6.2)}
    ),
    "not judged": chart_data(history(SPIKE), [], DAILY),
    "sample": chart_data(history(), [], SAMPLE, title="quiet"),
    "short history": chart_data(history(first=LAST - 17), [], DAILY),
    "one session": chart_data(history(first=LAST), [], DAILY),
    "gaps": chart_data(history(without(*range(90, 115), 130)), [EARLIER], DAILY),
    "no trade in the last": chart_data(history(without(LAST)), [], DAILY),
    "nothing at all": chart_data(history(first=HISTORY_SESSIONS), [], DAILY),
    "no row": chart_data(history().clear(), [], DAILY),
    "off-exchange share": chart_data(
        with_shares(0.62), [Flag(DAYS[-1], 1, OFF_EXCHANGE_SHIFT, 2.0)], DAILY
    ),
    "off exchange, no price": chart_data(
        history().with_columns(pl.lit(None, pl.Float64).alias(c) for c in ("low", "high", "close")),
        [],
        Series(Scope.OFF_EXCHANGE, Family.FINRA),
    ),
    "penny": chart_data(
        history({n: {"close": 0.08 + n / 1e4, "low": 0.07, "high": 0.12} for n in range(150)}),
        [],
        DAILY,
    ),
    "huge": chart_data(
        history({n: {"close": 5e5 + n, "low": 5e5, "high": 5.1e5, "volume": 9e11}
                 for n in range(LAST)}),
        [], DAILY,
    ),
    "hostile": chart_data(history(SPIKE, HOSTILE), [Flag(DAYS[-9], 1, HOSTILE, 4.0)], SAMPLE,
                          title="\ud800" + HOSTILE + "W" * 300),
    "flagged daily": chart_data(
        history(SPIKE), [Flag(d, 1, "volume " * 9, 1e9) for d in DAYS], DAILY
    ),
}  # fmt: skip


@cache
def drawn(name: str) -> Picture:
    """The picture of a case, drawn once."""
    return picture(CASES[name])


def image(of: Picture) -> Image.Image:
    """Its pixels."""
    return Image.open(io.BytesIO(of.png)).convert("RGB")


def chunks(png: bytes) -> Iterator[bytes]:
    """The names of a PNG's parts."""
    at = 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8]
        at += 12 + size


@pytest.mark.parametrize("name", CASES)
def test_a_picture_says_its_facts_in_words(name: str, snapshot: SnapshotAssertion) -> None:
    said = alt(CASES[name])
    assert len(said) <= 1000
    assert said.isprintable()
    assert said == snapshot


@pytest.mark.parametrize("name", ["spike", "off-exchange share", "hostile", "one session",
                                  "nothing at all", "off exchange, no price"])  # fmt: skip
def test_a_picture_is_a_small_png_of_one_size(name: str) -> None:
    made = drawn(name)
    assert image(made).size == (WIDTH_PX, HEIGHT_PX)
    assert len(made.png) < 120_000
    assert made.alt == alt(CASES[name])


def test_the_same_data_gives_the_same_bytes_and_they_tell_nothing_else() -> None:
    again = picture(chart_data(history(SPIKE), [EARLIER, FLAG], DAILY,
                               row={"dev_volume": math.log(6.2)}))  # fmt: skip
    assert again == drawn("spike")
    assert set(chunks(again.png)) <= {b"IHDR", b"PLTE", b"IDAT", b"IEND"}


def test_a_flag_is_seen_in_both_panels() -> None:
    unflagged = chart_data(
        history(SPIKE), [], DAILY, title="news-like", row={"dev_volume": math.log(6.2)}
    )
    box = ImageChops.difference(image(picture(unflagged)), image(drawn("spike"))).getbbox()
    assert box is not None
    assert box[1] < HEIGHT_PX / 2 < box[3]


def test_any_text_is_drawn_as_plain_glyphs_on_one_line() -> None:
    assert inert(HOSTILE) == "$x^{$ \\frac{1}{0}$ @everyone ??? <b>*_`"
    assert inert("12.4M, 6.2× · −18.2%") == "12.4M, 6.2× · −18.2%"


def test_what_is_usual_is_what_the_judge_takes_of_the_sessions_before() -> None:
    shown, bars = CASES["not judged"], history(SPIKE)
    before = bars["volume"].log().to_list()[-21:-1]
    usual = shown.days[-1].usual
    assert len(shown.days) == SESSIONS
    assert all(d.usual is not None and d.usual.low is not None for d in shown.days)
    assert usual is not None
    assert usual.level == pytest.approx(math.exp(median(before)))
    assert usual.low is not None
    assert usual.high is not None
    assert usual.low * usual.high == pytest.approx(usual.level**2)


def test_what_was_expected_of_the_last_session_is_the_judges_own_number() -> None:
    assert CASES["spike"].expected == pytest.approx(2_000_000)
    assert CASES["not judged"].expected is None
    untraded = chart_data(history(without(LAST)), [], DAILY, row={"dev_volume": 1.0})
    assert untraded.expected is None


def test_numbers_that_no_tape_can_hold_are_left_out() -> None:
    odd = history({LAST: {"close": -1.0, "low": 0.0, "high": 1e300, "volume": 5e6},
                   LAST - 1: {"volume": -4.0}, LAST - 2: {"volume": 1e300}})  # fmt: skip
    *_, before, last = chart_data(odd, [], DAILY).days
    assert (last.close, last.low, last.high, last.volume) == (None, None, None, 5e6)
    assert before.volume is None


def test_axes_say_round_numbers_exactly() -> None:
    assert [t for _, t in price_ticks(36, 45)] == ["$36", "$38", "$40", "$42", "$44"]
    assert [t for _, t in price_ticks(36, 46.5)] == ["$37.50", "$40.00", "$42.50", "$45.00"]
    assert [t for _, t in price_ticks(0.0104, 0.0137)] == ["$0.011", "$0.012", "$0.013"]
    assert [t for _, t in log_ticks(5.4, 7.6, shares)] == ["300k", "1M", "3M", "10M", "30M"]
    assert [t for _, t in log_ticks(1.7, 8.1, dollars)] == ["$100", "$10k", "$1M", "$100M"]


def test_dates_are_months_or_days_by_how_many_sessions_there_are() -> None:
    assert [t for _, t in date_ticks(DAYS[-90:])] == ["Sep", "Oct", "Nov", "Dec"]
    assert [t for _, t in date_ticks(DAYS[-10:])] == ["17 Dec", "14 Dec", "9 Dec", "4 Dec"]
    january = [d.date for d in sessions_ending(day("2027-02-10"), 40)]
    assert [t for _, t in date_ticks(january)] == ["Jan 2027", "Feb"]


def test_a_bad_print_does_not_flatten_the_closes_but_the_newest_range_is_whole() -> None:
    closes = [10.0, 11.0, 10.5]
    assert reach(closes, [(0, 1.0, 90.0)], newest=2) == pytest.approx((9.4, 11.6))
    assert reach(closes, [(2, 8.0, 90.0)], newest=2) == (8.0, 90.0)


NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@given(
    rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=60),
    flagged=st.sets(st.sampled_from(DAYS[-60:]), max_size=4),
    ordinary=st.booleans(),
)
@settings(max_examples=4, deadline=None)
def test_any_finite_numbers_make_a_picture(
    rows: list[tuple[float | None, ...]], flagged: set[date], ordinary: bool
) -> None:
    columns = ("open", "low", "high", "close", "volume")
    odd = {HISTORY_SESSIONS - len(rows) + n: dict(zip(columns, row, strict=True))
           for n, row in enumerate(rows)}  # fmt: skip
    bars = history(odd, first=0 if ordinary else LAST)
    flags = [Flag(session, 1, "volume", 4.0) for session in flagged]
    made = picture(chart_data(bars, flags, DAILY))
    assert image(made).size == (WIDTH_PX, HEIGHT_PX)
    assert len(made.alt) <= 1000


def test_only_the_drawing_module_imports_the_drawing_library() -> None:
    root = Path(__file__).parents[2]
    sources = [p for folder in ("core", "alerts", "bot") for p in (root / folder).rglob("*.py")]
    found = [p.name for p in sources if "import matplotlib" in p.read_text()]
    assert found == ["chart.py"]
