"""FINRA's daily files: the parser on good, cut and foreign text, and the source over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bars import Bars, Family, Scope
from core.calendar import TradingDay, trading_day
from core.errors import (
    BadBars,
    HeldBars,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)
from core.gate import possible
from core.sources import NoneServed
from core.sources.control import control_day
from core.sources.day_aggs import parse as parse_day_aggs
from core.sources.finra import FinraSource, connected
from core.sources.finra_file import name_of, parse
from core.sources.sample_market import SampleMarket
from core.sources.sample_names import names
from core.sources.sample_shift import large
from tests import files
from tests.files import FINRA_HEADER, Clock, line
from tests.servers import faults
from tests.servers.faults import Fault
from tests.servers.finra import FinraServer

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
DAY = trading_day(date(2026, 10, 2))
FILE = """\
Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market
20261002|A|380591.095732|11|631970.726692|B,Q,N
20261002|BACpL|12|0|40.5|Q
20261002|BRK/B|87.5|0|412.25|B,Q,N
20261002|CCV/WS|1|0|9|Q,N
20261002|FEAC/U|1|0|8|N
20261002|NA|1|0|7|D
20261002|NULL|1|0|6|Q
20261002|TDW/WS/A|1|0|5|Q
20261002|TRUE|1|0|4|Q
9
""".replace("\n", "\r\n").encode()
VOLUMES = {
    "A": 631970.726692,
    "BACpL": 40.5,
    "BRK.B": 412.25,
    "CCV.WS": 9,
    "FEAC.U": 8,
    "NA": 7,
    "NULL": 6,
    "TDW.WS.A": 5,
    "TRUE": 4,
}


def volumes(bars: Bars) -> dict[str, float]:
    return dict(bars.select("ticker", "volume").iter_rows())


# The parser.


def test_reads_shares_under_the_vendors_spelling_and_no_prices() -> None:
    bars = parse(FILE, DAY)
    assert volumes(bars) == VOLUMES
    assert bars["session"].unique().to_list() == [DAY.date]
    for column in ("open", "high", "low", "close", "transactions", "vwap"):
        assert bars[column].null_count() == len(bars), column


@pytest.mark.parametrize(
    "text",
    [
        FILE.replace(b"\r\n", b"\n"),
        b"\xef\xbb\xbf" + FILE,
        FILE.rstrip(),
        FILE + b"\r\n",
        FILE.replace(b"\r\n9\r\n", b"\r\nRecords: 9\r\n"),
    ],
    ids=["LF", "BOM", "no last line end", "an empty line more", "a count in words"],
)
def test_reads_the_same_in_other_line_ends(text: bytes) -> None:
    assert volumes(parse(text, DAY)) == VOLUMES


@pytest.mark.parametrize(
    "header",
    [
        "Market|TotalVolume|ShortExemptVolume|ShortVolume|Symbol|Date",
        f"{FINRA_HEADER}|Note|Other",
        "Symbol|Date|TotalVolume",
    ],
)
def test_reads_columns_by_name(header: str) -> None:
    text = files.finra(DAY, [line("A", volume="2.5"), line("BRK.B")], header)
    assert volumes(parse(text, DAY)) == {"A": 2.5, "BRK.B": 1942872}


def test_no_beginning_of_a_file_is_taken_for_the_whole() -> None:
    taken = []
    for size in range(len(FILE.rstrip())):
        try:
            taken.append((size, parse(FILE[:size], DAY)))
        except BadBars:
            continue
    assert taken == []


LINES = FILE.split(b"\r\n")
NOT_WHOLE = {
    "a line missing": b"\r\n".join(LINES[:4] + LINES[5:]),
    "a line twice": b"\r\n".join(LINES[:4] + LINES[3:]),
    "no count": b"\r\n".join([*LINES[:-2], b""]),
    "two files in one": FILE + FILE,
    "no row": FINRA_HEADER.encode() + b"\r\n0\r\n",
    "nothing": b"",
    "a web page": b"<!DOCTYPE html>\n<html><body>Access denied</body></html>",
    "another file of the family": FILE.replace(b"TotalVolume", b"TOTAL VOLUME"),
    "a column twice": FILE.replace(b"ShortVolume", b"TotalVolume"),
    "a field too many": FILE.replace(b"|B,Q,N", b"|B|Q,N"),
    "a volume in words": FILE.replace(b"|412.25|", b"|many|"),
    "no symbol": FILE.replace(b"|BRK/B|", b"||"),
    "an empty line inside": FILE.replace(b"20261002|NA", b"\r\n20261002|NA"),
    "not UTF-8": FILE.replace(b"BRK/B", b"BR\xff/B"),
}


@pytest.mark.parametrize("text", NOT_WHOLE.values(), ids=NOT_WHOLE.keys())
def test_what_is_not_a_whole_file_is_bad_bars(text: bytes) -> None:
    with pytest.raises(BadBars) as caught:
        parse(text, DAY)
    assert "2026-10-02" in caught.value.seen


@pytest.mark.parametrize("wrong", [b"20261001", b"20260230", b"yesterday", b""])
def test_rows_of_another_date_are_held(wrong: bytes) -> None:
    for text in (FILE.replace(b"20261002", wrong), FILE.replace(b"20261002|NA", wrong + b"|NA")):
        with pytest.raises(HeldBars) as caught:
            parse(text, DAY)
        assert len(caught.value.rows) == len(VOLUMES)


def test_a_ticker_that_comes_twice_is_left_to_the_gate() -> None:
    text = files.finra(DAY, [line("A", volume="2"), line("A", volume="3"), line("B", volume="1")])
    bars = parse(text, DAY)
    assert len(bars) == 3
    screened = possible(bars)
    assert volumes(screened.bars) == {"A": 3, "B": 1}
    assert any("ticker twice" in note for note in screened.notes)


@given(st.binary(max_size=400))
def test_garbage_is_bad_bars(junk: bytes) -> None:
    for text in (junk, FINRA_HEADER.encode() + b"\r\n" + junk):
        with pytest.raises(BadBars):
            parse(text, DAY)


@given(st.data())
def test_a_file_with_some_bytes_changed_is_bars_or_bad_bars(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(FILE)))
    end = data.draw(st.integers(start, min(start + 20, len(FILE))))
    junk = data.draw(
        st.binary(max_size=20) | st.sampled_from([b"|", b"\n", b"nan", b"-1", b"9e999"])
    )
    with suppress(BadBars):
        parse(FILE[:start] + junk + FILE[end:], DAY)


# The source.


@dataclass(frozen=True, slots=True)
class Finra:
    """The server and a source that asks it."""

    server: FinraServer
    source: FinraSource

    async def failure(self, day: TradingDay = DAY) -> SourceError:
        """What bars() raises."""
        with pytest.raises(SourceError) as caught:
            await self.source.bars(day)
        return caught.value


@asynccontextmanager
async def finra(
    *, attempts: int = 1, answer_s: float = 20, **settings: Any
) -> AsyncIterator[Finra]:
    """FINRA with the files of two sessions, one of them long ago; 0.3 s of silence is a hang."""
    days = (DAY, control_day(DAY, NOW))
    told: dict[str, Any] = {"files": {name_of(day.date): FILE for day in days}} | settings
    async with (
        FinraServer(**told) as server,
        files.plain_http(timeout=0.3 if answer_s < 20 else 10) as http,
    ):
        source = FinraSource(
            http, server.daily_url + "/", Clock(NOW), attempts=attempts, answer_s=answer_s
        )
        yield Finra(server, source)


async def test_serves_the_file_of_its_series_and_names_the_copy() -> None:
    async with finra() as it:
        served = await it.source.bars(DAY)
        assert volumes(served.bars) == VOLUMES
        assert (served.source, served.version) == ("FINRA daily file", await it.source.version(DAY))
        assert [(seen.method, seen.name) for seen in it.server.requests] == [
            ("GET", "CNMSshvol20261002.txt"),
            ("HEAD", "CNMSshvol20261002.txt"),
        ]
    assert (it.source.series.scope, it.source.series.family) == (Scope.OFF_EXCHANGE, Family.FINRA)


async def test_a_replaced_file_has_another_name() -> None:
    async with finra() as it:
        before = await it.source.version(DAY)
        it.server.files[name_of(DAY.date)] = FILE.replace(b"40.5", b"41.5")
        assert before not in (None, await it.source.version(DAY))


async def test_a_copy_without_an_etag_is_named_by_its_date_of_change() -> None:
    async with finra(etags=False) as it:
        assert await it.source.version(DAY) == "Fri, 02 Oct 2026 21:37:08 GMT"
        it.server.faults.add(faults.Status(200))
        assert await it.source.version(DAY) is None


async def test_a_copy_keeps_its_name_when_it_is_packed_for_the_way() -> None:
    async with finra() as it:
        for tag in ('W/"abc"', '"abc"'):
            it.server.faults.add(faults.Status(200, headers={"ETag": tag}))
        assert await it.source.version(DAY) == await it.source.version(DAY) == '"abc"'


async def test_nothing_but_the_name_of_a_file_goes_to_finra() -> None:
    async with FinraServer(files={name_of(DAY.date): FILE}) as server:
        async with connected(server.daily_url, Clock(NOW)) as source:
            await source.bars(DAY)
            await source.version(DAY)
        for seen in server.requests:
            sent = {name.lower() for name in seen.headers}
            assert sent == {"host", "accept", "accept-encoding", "connection", "user-agent"}
            assert seen.headers["User-Agent"] == "Mozilla/5.0 (compatible; Tapewatch)"
            assert files.says_no_secret(seen)


async def test_the_server_refuses_a_program_that_says_what_it_is() -> None:
    async with finra() as it, files.plain_http() as http:
        url = f"{it.server.daily_url}/{name_of(DAY.date)}"
        assert (await http.get(url)).status_code == 403
        assert (await http.get(url, headers={"User-Agent": "Mozilla/5.0"})).status_code == 200
        assert (await http.post(url)).status_code == 405


@pytest.mark.parametrize("status", [403, 404])
async def test_a_missing_file_is_not_published(status: Any) -> None:
    day = trading_day(date(2026, 10, 1))
    control = name_of(control_day(day, NOW).date)
    async with finra(missing_status=status, attempts=3) as it:
        it.server.files[control] = FILE
        error = await it.failure(day)
        assert type(error) is NotPublished
        assert f"{status} for CNMSshvol20261001.txt" in error.seen
        assert "403 for a file that it does not have" in error.seen
        with pytest.raises(NotPublished):
            await it.source.version(day)
        assert [(seen.method, seen.name) for seen in it.server.requests] == [
            ("GET", name_of(day.date)),
            ("HEAD", control),
            ("HEAD", name_of(day.date)),
            ("HEAD", control),
        ]


async def test_a_file_older_than_those_that_are_kept_is_not_published() -> None:
    old = trading_day(date(2019, 3, 7))
    async with finra(files={name_of(control_day(old, NOW).date): FILE}) as it:
        assert control_day(old, NOW).date > date(2026, 9, 1)
        assert type(await it.failure(old)) is NotPublished


@pytest.mark.parametrize("status", [403, 404])
async def test_an_address_that_has_no_file_at_all_is_a_refusal_for_every_session(
    status: Any,
) -> None:
    async with finra(missing_status=status, files={}, attempts=3) as it:
        error = await it.failure()
        assert type(error) is SourceRefused
        assert NoneServed({it.source.name: error}).for_every_session
        assert error.seen == (
            f"{status} for CNMSshvol20261002.txt and for the control file,"
            f" {name_of(control_day(DAY, NOW).date)}: is FINRA_URL right, or is this address"
            " blocked?"
        )
        with pytest.raises(SourceRefused):
            await it.source.version(DAY)


async def test_a_control_that_cannot_be_asked_for_says_nothing_of_the_file() -> None:
    async with finra(attempts=2) as it:
        it.server.faults.always(faults.html(503), on="head")
        error = await it.failure(trading_day(date(2026, 10, 1)))
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.VENDOR_FAULT)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_5xx_is_tried_again_and_then_told(status: int) -> None:
    async with finra(attempts=3) as it:
        it.server.faults.add(faults.html(status), times=2)
        assert volumes((await it.source.bars(DAY)).bars) == VOLUMES
        it.server.faults.always(faults.html(status))
        error = await it.failure()
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.VENDOR_FAULT)
        assert len(it.server.requests) == 6


async def test_429_is_told_with_the_wait_it_asks_for() -> None:
    async with finra(attempts=3) as it:
        it.server.faults.add(faults.Status(429, headers={"Retry-After": "60"}))
        error = await it.failure()
        assert isinstance(error, SourceUnavailable)
        assert (error.verdict, error.retry_after_s) == (Verdict.RATE_LIMITED, 60)
        assert len(it.server.requests) == 1


async def test_a_redirect_is_not_followed() -> None:
    async with finra() as it, finra() as other:
        target = {"Location": f"{other.server.daily_url}/{name_of(DAY.date)}"}
        it.server.faults.always(faults.Status(302, headers=target))
        error = await it.failure()
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.VENDOR_FAULT)
        assert other.server.requests == []


LINE_FAULTS: dict[str, Fault] = {
    "reset": faults.Reset(),
    "reset midway": faults.Reset(after_bytes=100),
    "truncated": faults.Truncated(),
    "a hang": faults.Hang(),
    "sips without end": faults.Drip(chunk_bytes=1, pause_s=0.05),
}


@pytest.mark.parametrize("fault", LINE_FAULTS.values(), ids=LINE_FAULTS.keys())
async def test_a_line_that_fails_is_unreachable(fault: Fault) -> None:
    async with finra(answer_s=0.5) as it:
        it.server.faults.always(fault)
        error = await it.failure()
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.UNREACHABLE)


BAD: dict[str, Fault] = {
    "a web page": faults.html(),
    "empty": faults.empty(),
    "clipped": faults.Clipped(),
    "3 GB by its own word": faults.Endless(claims_bytes=3 * 10**9),
    "a gzip bomb": faults.GzipBomb(80),
}


@pytest.mark.parametrize("fault", BAD.values(), ids=BAD.keys())
async def test_what_cannot_be_a_file_is_bad_bars(fault: Fault) -> None:
    async with finra(attempts=3) as it:
        it.server.faults.always(fault)
        assert isinstance(await it.failure(), BadBars)
        assert len(it.server.requests) == 1


async def test_an_address_that_is_none_is_unreachable() -> None:
    async with files.plain_http() as http:
        for url in ("http://127.0.0.1:1", "http://[", "gopher://x"):
            source = FinraSource(http, url, Clock(NOW), attempts=1)
            with pytest.raises(SourceUnavailable):
                await source.bars(DAY)


# The built-in market's own files.

WHOLE, FRACTIONS = trading_day(date(2026, 2, 20)), trading_day(date(2026, 2, 23))


@cache
def market() -> SampleMarket:
    return SampleMarket()


@pytest.mark.parametrize("day", [WHOLE, FRACTIONS], ids=str)
def test_a_third_to_a_half_of_the_built_in_market_is_off_exchange(day: TradingDay) -> None:
    text = market().off_exchange_file(day)
    assert text == SampleMarket().off_exchange_file(day)
    assert (b"." in text) == (day == FRACTIONS)
    off = volumes(parse(text, day))
    every = volumes(parse_day_aggs(market().day_aggs(day), day))
    blocks = {event.ticker for event in market().planted(day) if event.kind == "block"}
    on_exchange = {names(1)[place].ticker for place in large(1)}
    apart = blocks | on_exchange
    shares = [off[t] / every[t] for t in off if t not in apart and every[t] > 1000]
    assert len(shares) > 500
    assert min(shares) > 0.29
    assert max(shares) < 0.5
    moved = market().shifted(day)
    assert moved in on_exchange - {event.ticker for event in market().planted(day)}
    assert off[moved] / every[moved] > 0.75
    shares = [off[t] / every[t] for t in on_exchange - blocks - {moved}]
    assert min(shares) > 0.09
    assert max(shares) < 0.12


def test_a_planted_block_is_off_exchange() -> None:
    days = [trading_day(date(2026, 3, n)) for n in (2, 3, 4, 5, 6)]
    seen = [(d, e) for d in days for e in market().planted(d) if e.kind == "block"]
    assert seen
    for day, event in seen:
        off = volumes(parse(market().off_exchange_file(day), day))[event.ticker]
        every = volumes(parse_day_aggs(market().day_aggs(day), day))[event.ticker]
        assert off / every > 0.85


def test_the_built_in_market_is_spelled_as_finra_spells() -> None:
    text = market().off_exchange_file(FRACTIONS)
    assert b"|QBRK/B|" in text
    assert b"|QBRK.B|" not in text
    assert volumes(parse(text, FRACTIONS))["QBRK.B"] > 0
