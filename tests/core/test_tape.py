"""A day's trades -> bars, against a slow independent reduction; and what bad files get."""

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, time
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.bars import MAX_TICKER_CHARS
from core.calendar import NEW_YORK, TradingDay
from core.conditions import Rules, bundled
from core.errors import BadBars
from core.sources.sample_market import SampleMarket
from core.sources.sample_trades import TRADES_HEADER
from core.tape import Tape, read_tape, session_of, tape_of
from core.tape_count import count
from core.tape_sums import Counted, Limits, Session
from tests.core.slow_tape import KNOWN, reduced
from tests.frames import day

DAY, HALF_DAY, OLD_DAY = day("2026-10-02"), day("2025-11-28"), day("2024-04-05")
HEADER = TRADES_HEADER.split(",")
HOUR = 3600 * 10**9
Row = dict[str, Any]


def nanoseconds(session: TradingDay, at: time) -> int:
    return int(datetime.combine(session.date, at, NEW_YORK).timestamp()) * 10**9


def bells(session: TradingDay) -> tuple[int, int]:
    return nanoseconds(session, time(9, 30)), int(session.close.timestamp()) * 10**9


def trade(sequence: int = 1, **values: Any) -> Row:
    """One plausible trade of DAY; name what should differ."""
    sip = nanoseconds(DAY, time(12)) + sequence
    plain = {"ticker": "A", "conditions": "", "correction": "0", "exchange": 4, "id": 77}
    stamps = {"participant_timestamp": sip - 5, "sip_timestamp": sip, "trf_timestamp": sip - 2}
    more = {"price": "10.250000", "size": "100.000000", "tape": 1, "trf_id": 202}
    return {**plain, **stamps, **more, "sequence_number": sequence, **values}


def packed(rows: Sequence[Row], header: Sequence[str] = HEADER, end: str = "\n") -> bytes:
    """The rows as the vendor packs them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, header, extrasaction="ignore", lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode(), 1)


def read(data: bytes, session: TradingDay = DAY, **limits: int) -> Tape:
    return read_tape(io.BytesIO(data), session, bundled(), Limits(**limits))


def assert_exact(data: bytes, session: TradingDay = DAY, **limits: int) -> Tape:
    """Every bar is that of the slow reduction: equal, but the vwap to the last digits."""
    tape = read(data, session, **limits)
    slow = reduced(data, *bells(session))
    rows = {(row["ticker"], row["scope"]): row for row in tape.bars.iter_rows(named=True)}
    assert list(rows) == sorted(slow)
    for key, expected in slow.items():
        ours = {name: rows[key][name] for name in expected}
        vwap = expected.pop("vwap")
        near = None if vwap is None else pytest.approx(vwap, rel=1e-12)
        assert ours.pop("vwap") == near, key
        assert ours == expected, key
    return tape


def shuffled(count: int, seed: int, decimals: bool) -> list[Row]:
    """Every condition and every correction, tickers and times in no order."""
    rng, known = Random(seed), [str(n) for n in sorted(KNOWN)]
    rows = []
    for n in range(count):
        marks = known[n % len(known)] if n < 3 * len(known) else ""
        if n % 3 == 1:
            marks = ",".join(rng.sample([*known, "26", "99"], rng.randint(0, 4)))
        size = rng.choice([0, 1, 50, 100, 9_999, 10_000, 250_000])
        part = f".{rng.randrange(10**6):06d}" if decimals else ""
        rows.append(
            trade(
                1 + n * 7 % count,
                ticker=rng.choice(["A", "BApA", "BAPA", "NA", "BRK.B", "ZVZZT", "nan"]),
                conditions=marks,
                correction=rng.choice(["", "0", "00", "0", "0", "1", "7", "8", "10", "11", "12"]),
                exchange=rng.choice([4, 4, 1, 10, 12, 19]),
                id=rng.choice(["900]:C", "H^e", 'q"u,o"te', 123456789012]),
                price=f"{rng.randint(1, 400)}.{rng.randrange(10**4):04d}"
                + ("00" if decimals else ""),
                sip_timestamp=nanoseconds(DAY, time(0)) + rng.randrange(24 * HOUR) // HOUR * HOUR,
                size=f"{size}{part}",
                trf_id=rng.choice(["", "0", "12", "201", "202", "203"]),
            )
        )
    return rows


@pytest.mark.parametrize("decimals", [False, True], ids=["integers", "decimals"])
def test_every_condition_and_correction_in_any_order(decimals: bool) -> None:
    tape = assert_exact(packed(shuffled(3_000, 1, decimals)))
    assert tape.lines == 3_000
    assert tape.unknown_conditions == ("26", "99")
    assert set(tape.corrections) == {0, 1, 7, 8, 10, 11, 12}
    assert set(tape.facilities) == {0, 12, 201, 202, 203}
    assert tape.unreadable == tape.other_day == 0


def test_columns_in_another_order_and_one_more() -> None:
    rows = [row | {"decimal_size": "1.5", "note": 'a,"b"'} for row in shuffled(400, 2, True)]
    header = sorted([*HEADER, "decimal_size", "note"], key=lambda name: name[::-1])
    assert header != HEADER
    assert_exact(packed(rows, header))
    assert_exact(packed(rows, ["note", *reversed(HEADER)]))
    without = [name for name in HEADER if name != "trf_id"]
    assert read(packed(rows, without)).bars.equals(read(packed(rows)).bars)


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("last", [True, False], ids=["ends", "no last newline"])
def test_a_block_may_end_at_any_byte(end: str, last: bool) -> None:
    text = gzip.decompress(packed(shuffled(40, 3, True), end=end))
    data = gzip.compress(text if last else text[: -len(end)])
    whole = assert_exact(data)
    for size in [*range(1, 100), len(text) - 1, len(text), len(text) + 1]:
        assert read(data, block_bytes=size).bars.equals(whole.bars), size


def test_many_members_are_one_file() -> None:
    text = gzip.decompress(packed(shuffled(300, 4, True)))
    cuts = [0, 1, 500, 501, 20_000, len(text)]
    members = [gzip.compress(text[a:b]) for a, b in pairwise(cuts)]
    assert_exact(b"".join(members))


def test_commas_and_quotes_in_a_field_of_any_length() -> None:
    notes = [text[:n] for n in range(140) for text in ("," * n, ',"' * n, 'a""' * n)]
    rows = [trade(n, id=note, note=note[::-1]) for n, note in enumerate(notes)]
    tape = assert_exact(packed(rows, ["note", *HEADER]))
    assert (tape.lines, tape.unreadable) == (3 * 140, 0)


def test_overnight_prints_and_resent_closes() -> None:
    four, close = nanoseconds(DAY, time(4)), bells(DAY)[1]
    night = {"participant_timestamp": four - 7 * HOUR, "conditions": "12,37"}
    lit = {"exchange": 11, "trf_id": 0, "price": "11", "sip_timestamp": close + 3 * 10**8}
    tape = assert_exact(
        packed(
            [
                trade(1, sip_timestamp=four, price="9.5", size="5", **night),
                trade(2),
                trade(3, conditions="19", size="1671248", **lit),
                *(trade(n, conditions="15", size="1671248", **lit) for n in range(4, 8)),
                trade(8, conditions="15", **lit | {"size": "0"}),
            ]
        )
    )
    bar = tape.bars.filter(scope="all").row(0, named=True)
    assert (bar["open"], bar["close"], bar["low"]) == (10.25, 11, 10.25)
    assert (bar["volume"], bar["transactions"]) == (1_671_353, 3)
    assert (bar["regular_volume"], bar["uncounted"]) == (100, 5)


def test_prices_are_null_where_no_trade_may_set_them() -> None:
    tape = assert_exact(
        packed([trade(1, conditions="37"), trade(2, ticker="B", conditions="10", price="7")])
    )
    rows = {row["ticker"]: row for row in tape.bars.filter(scope="all").iter_rows(named=True)}
    assert [rows["A"][c] for c in ("open", "high", "low", "close")] == [None] * 4
    assert [rows["B"][c] for c in ("open", "high", "low", "close")] == [None, 7, 7, None]
    assert rows["A"]["vwap"] == 10.25


def test_the_bells_of_a_half_day() -> None:
    close = bells(HALF_DAY)[1]
    sips = [close - 1, close, nanoseconds(HALF_DAY, time(9, 30)), close + HOUR]
    rows = [trade(n, sip_timestamp=sip, size=str(10**n)) for n, sip in enumerate(sips)]
    tape = assert_exact(packed(rows), HALF_DAY)
    assert tape.bars["regular_volume"].to_list() == [101, 101]


def test_sums_are_exact_to_eighteen_decimals_and_prices_to_fifteen_digits() -> None:
    rows = [trade(n, size="0.100000000000000001", price="123456.789012345") for n in range(1, 40)]
    rows += [trade(50, size="999999999999", price="0.000123"), trade(51, price="1.100000000000000")]
    assert_exact(packed(rows))


def test_of_equal_times_and_sequences_the_order_of_the_file_decides() -> None:
    rows = [trade(5, price=p, exchange=x) for p, x in (("3", 4), ("1", 1), ("2", 4), ("4", 1))]
    assert_exact(packed(rows))
    assert_exact(packed(rows[::-1]))


def test_a_block_is_ten_thousand_shares_or_two_hundred_thousand_dollars() -> None:
    sizes = (("10000", "1"), ("9999.999999", "1"), ("2000000", "0.1"), ("400", "500"))
    less = (("399.999999", "500"), ("8000", "25"), ("6250", "31.9999"))
    rows = [trade(n, size=s, price=p) for n, (s, p) in enumerate((*sizes, *less))]
    tape = assert_exact(packed(rows))
    assert tape.bars["blocks"].to_list() == [4, 4]


TRADES = st.builds(
    trade,
    st.integers(0, 6),
    ticker=st.sampled_from(["A", "B", "ABCDEFGH", "ABCDEFGHI", "p"]),
    conditions=st.lists(st.sampled_from([*sorted(KNOWN), 26]), max_size=4).map(
        lambda marks: ",".join(map(str, marks))
    ),
    correction=st.sampled_from(["", "0", "1", "8", "12"]),
    exchange=st.sampled_from([4, 4, 10]),
    price=st.decimals("0.0001", "9999", places=4).map(str),
    size=st.decimals("0", "30000", places=6).map(lambda d: f"{d:f}"),
    sip_timestamp=st.integers(*bells(DAY)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(TRADES, min_size=1, max_size=30), st.integers(1, 4_000))
def test_any_mixture(rows: list[Row], block_bytes: int) -> None:
    present = [*rows, trade(9, ticker="OFF")]  # so that the filter matches and a trade counts
    assert_exact(packed(present), block_bytes=block_bytes)


@pytest.mark.parametrize("session", [DAY, OLD_DAY, HALF_DAY], ids=str)
def test_bars_of_all_trades_are_the_day_aggregates(session: TradingDay) -> None:
    market = SampleMarket()
    bars = read(market.trades(session), session).bars.filter(scope="all")
    names = ("open", "high", "low", "close", "volume", "transactions")
    ours = {row["ticker"]: [row[c] for c in names] for row in bars.iter_rows(named=True)}
    text = gzip.decompress(market.day_aggs(session)).decode()
    published = csv.DictReader(io.StringIO(text))
    assert ours == {row["ticker"]: [float(row[c]) for c in names] for row in published}


def test_another_process_may_count() -> None:
    asked = json.loads(json.dumps([asdict(session_of(DAY)), bundled().plain()]))
    session, rules = Session(**asked[0]), Rules.from_plain(asked[1])
    assert (session, rules) == (session_of(DAY), bundled())
    data = packed(shuffled(500, 6, True))
    tape, direct = tape_of(Counted.load(count(io.BytesIO(data), session, rules).dump())), read(data)
    assert tape.facts() == direct.facts()
    assert tape.bars.equals(direct.bars)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("core.tape_count", {"polars", "core.calendar"}), ("core.tape", {"numba", "isal"})],
)
def test_neither_process_loads_what_the_other_needs(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; print(sorted({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_ticker_is_as_long_as_the_bars_let_it_be() -> None:
    assert Limits().ticker_bytes == MAX_TICKER_CHARS


def test_progress_is_told() -> None:
    heard: list[int] = []
    data = packed(shuffled(500, 5, True))
    read_tape(io.BytesIO(data), DAY, bundled(), Limits(block_bytes=10_000), heard.append)
    assert heard == sorted(heard)
    assert len(heard) > 5
    assert heard[-1] == 500


# What bad input gets.

GOOD = packed([trade(n) for n in range(1, 2_000)])
TEXT = gzip.decompress(GOOD)


def broken() -> Iterator[tuple[str, bytes, str]]:
    """What it is, the file, and words of the sentence it gets."""
    yield "cut", GOOD[: len(GOOD) // 2], "end in the middle"
    yield "cut in the trailer", GOOD[:-3], "end in the middle"
    yield "bad checksum", GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:], "no sound gzip"
    yield "bad deflate", GOOD[:60] + b"\xff" * 40 + GOOD[100:], "no sound gzip|end in the middle"
    yield "plain text", TEXT, "no sound gzip"
    yield "garbage behind", GOOD + b"garbage that goes on", "no sound gzip"
    yield "nothing", b"", "not even a header|end in the middle"
    yield "empty", gzip.compress(b""), "not even a header"
    yield "header only", gzip.compress(TEXT.split(b"\n")[0] + b"\n"), "no trade, on a session"
    yield "no price", gzip.compress(TEXT.replace(b"price", b"prize")), "columns price are missing"
    yield "twice", gzip.compress(TEXT.replace(b",id,", b",size,")), "columns size are twice"
    yield "another file", gzip.compress(b"a,b\n1,2\n"), "are missing from the trades"
    yield "no off exchange", packed([trade(1, exchange=12)]), "none of 1 trades .* off exchange"
    yield "another day", packed([trade(1, sip_timestamp=0)]), "1 of 1 trades are not of 2026-10-02"
    yield "nothing counts", packed([trade(1, correction=8)]), "no trade counts"
    yield "a long line", gzip.compress(TEXT + b"x" * 70_000), "longer than 16,384 bytes"
    yield "noise", gzip.compress(TEXT + Random(1).randbytes(9_000)), "are not readable"


@pytest.mark.parametrize(("data", "words"), [b[1:] for b in broken()], ids=[b[0] for b in broken()])
def test_a_bad_file_is_refused_with_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(BadBars, match=words):
        read(data, block_bytes=10_000)


@pytest.mark.parametrize(
    "wrong",
    [{"price": p} for p in ("", "abc", "-1", "0", "1e5", "1.2.3", ".", "9" * 20, "nan")]
    + [{"size": s} for s in ("", "-5", "1" * 13, "x")]
    + [{"sip_timestamp": s} for s in ("", "12.5", "99999999999999999999")]
    + [{"exchange": ""}, {"exchange": "TRF"}, {"correction": "x"}, {"ticker": ""}]
    + [{"ticker": "A" * 25}, {"conditions": "1," * 40}, {"trf_id": "x"}, {"sequence_number": ""}],
    ids=str,
)
def test_a_wrong_number_in_a_row_is_counted_and_bounded(wrong: Row) -> None:
    bad = trade(9, ticker="BAD") | wrong
    with pytest.raises(BadBars, match=r"1 of 10 trades .* not readable, more than 0.01%"):
        read(packed([*(trade(n) for n in range(1, 10)), bad]))


@pytest.mark.parametrize(
    "wrong", [b"A,,0,4\n", b"A" + b"," * 9_000 + b"\n", b'"A' + b"," * 12 + b"\n"]
)
def test_one_wrong_row_in_ten_thousand_is_left_out(wrong: bytes) -> None:
    text = TEXT + TEXT[TEXT.index(b"\n") + 1 :] * 5
    tape = read(gzip.compress(text + wrong))
    assert (tape.lines, tape.unreadable) == (11_995, 1)
    assert tape.bars["transactions"].to_list() == [11_994] * 2


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(BadBars, match="unpack to more than"):
        read(GOOD * 20, unpacked_bytes=300_000, block_bytes=50_000)


def test_more_tickers_than_there_can_be_are_refused() -> None:
    rows = [trade(n, ticker=f"T{n}", conditions=str(n)) for n in range(1, 50)]
    with pytest.raises(BadBars, match="more than 40 tickers or"):
        read(packed(rows), tickers=40)
    with pytest.raises(BadBars, match="or 40 kinds of conditions"):
        read(packed(rows), conditions=40)


def test_the_streams_own_error_passes_through() -> None:
    class Dropped(io.BytesIO):
        def readinto(self, _: Any) -> int:
            raise ConnectionResetError("dropped")

        def read(self, _: int | None = -1) -> bytes:
            raise ConnectionResetError("dropped")

    with pytest.raises(ConnectionResetError):
        read_tape(Dropped(), DAY, bundled())


def test_a_header_that_no_csv_has_is_a_bad_file() -> None:
    with pytest.raises(BadBars, match="have no header"):
        read(gzip.compress(b"ticker\r\x00\nA\n"))
