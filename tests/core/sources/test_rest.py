"""The REST source against the local vendor: each row of its tables of refusals and oddities."""

import asyncio
import inspect
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from core.calendar import TradingDay, trading_day
from core.errors import (
    BadBars,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)
from core.sources.control import control_day
from core.sources.fetch import FOREIGN, translate
from core.sources.pace import Pace
from core.sources.rest import RestClient, RestSource, connected
from core.splits import Split
from tests import files
from tests.files import API_KEY, Clock, Rest, line
from tests.servers import faults, vendor_faults
from tests.servers.faults import Fault
from tests.servers.vendor import GROUPED, OLD_SPLITS, SPLITS, VendorServer
from tests.servers.vendor_data import Split as VendorSplit
from tests.servers.vendor_faults import BEFORE_END_OF_DAY, NOT_ENTITLED, TIMEFRAME

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
DAY, OLD = trading_day(date(2026, 10, 2)), trading_day(date(2023, 3, 1))
LINES = [line("A"), line("BApA", volume="1733619.463400"), line("NA")]
ROWS = files.grouped(LINES)


def vendor(*, attempts: int = 1, answer_s: float = 20, **settings: Any) -> Any:
    """The vendor with the sessions of these tests and of the control calls."""
    days = {day.date: ROWS for day in (DAY, OLD, control_day(DAY, NOW), control_day(OLD, NOW))}
    told = {"days": days} | settings
    return files.rest(Clock(NOW), attempts=attempts, answer_s=answer_s, **told)


async def failure(rest: Rest, day: TradingDay = DAY) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await rest.source.bars(day)
    assert files.says_no_secret(caught.value)
    return caught.value


def grouped(day: TradingDay) -> str:
    return f"{GROUPED}{day}"


async def test_asks_for_raw_prices_without_otc_by_a_bearer_header() -> None:
    async with vendor() as rest:
        await rest.source.bars(DAY)
    (seen,) = rest.server.requests
    assert (seen.method, seen.path) == ("GET", grouped(DAY))
    assert dict(seen.query) == {"adjusted": "false", "include_otc": "false"}
    assert seen.had_bearer


async def test_bars_are_not_rebased_by_a_later_split() -> None:
    splits = [VendorSplit(date(2026, 10, 5), "A", 1, 4)]
    async with vendor(splits=splits) as rest:
        bars = (await rest.source.bars(DAY)).bars
    assert bars.row(0, named=True)["close"] == 146
    assert bars.row(0, named=True)["volume"] == 1942872


async def test_401_is_a_wrong_key() -> None:
    async with vendor(api_key="another") as rest:
        error = await failure(rest)
        assert (type(error), error.verdict) == (SourceRefused, Verdict.WRONG_ACCESS_KEY)
        assert "Unknown API Key" in error.seen
        assert len(rest.paths) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b"[" * 100_000])
async def test_a_refusal_without_a_reason_is_still_a_refusal(body: bytes) -> None:
    async with vendor(attempts=3) as rest:
        rest.server.faults.always(faults.Status(401, body))
        assert (await failure(rest)).verdict is Verdict.WRONG_ACCESS_KEY
        assert len(rest.paths) == 1


async def test_a_vendor_that_quotes_the_key_is_not_quoted() -> None:
    async with vendor() as rest:
        for status, verdict in (
            (401, Verdict.WRONG_ACCESS_KEY),
            (403, Verdict.PLAN_LACKS_DATA_SET),
            (200, Verdict.PLAN_LACKS_DATA_SET),
        ):
            said = vendor_faults.refused(f"Unknown API Key {API_KEY}", status)
            rest.server.faults.add(said, said)
            error = await failure(rest)
            assert error.verdict is verdict
            assert "YOUR_API_KEY" in error.seen
            rest.server.faults.clear()


@pytest.mark.parametrize("key", ["clé", "a…b", "two\nlines", "nul\0"])
async def test_a_key_that_fits_in_no_header_is_a_wrong_key(key: str) -> None:
    async with vendor() as rest, files.plain_http() as http:
        client = RestClient(http, rest.server.url, key, Pace(0))
        with pytest.raises(SourceRefused) as caught:
            await RestSource(client, Clock(NOW)).bars(DAY)
        assert caught.value.verdict is Verdict.WRONG_ACCESS_KEY
        assert files.says_no_secret(caught.value, key)
        assert rest.paths == []


async def test_today_before_the_end_of_day_is_not_published() -> None:
    async with vendor(today=DAY.date) as rest:
        error = await failure(rest)
        assert type(error) is NotPublished
        assert "before end of day" in error.seen
        assert rest.paths == [grouped(DAY)]


async def test_a_date_before_the_plan_is_outside_it() -> None:
    async with vendor(plan_from=date(2024, 10, 5)) as rest:
        error = await failure(rest, OLD)
        assert (type(error), error.verdict) == (SourceRefused, Verdict.DATE_OUTSIDE_PLAN)
        assert rest.paths == [grouped(OLD), grouped(control_day(OLD, NOW))]


async def test_an_endpoint_that_no_date_opens_is_lacking_in_the_plan() -> None:
    async with vendor(entitled_grouped=False) as rest:
        error = await failure(rest)
        assert (type(error), error.verdict) == (SourceRefused, Verdict.PLAN_LACKS_DATA_SET)
        assert "refused as well" in error.seen


TEXTS = (BEFORE_END_OF_DAY, TIMEFRAME, NOT_ENTITLED, "something new", "")


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize("text", TEXTS)
async def test_whatever_the_text_a_served_control_day_decides(text: str, status: int) -> None:
    async with vendor() as rest:
        rest.server.faults.add(vendor_faults.refused(text, status))
        assert type(await failure(rest, DAY)) is NotPublished
        rest.server.faults.add(vendor_faults.refused(text, status))
        assert (await failure(rest, OLD)).verdict is Verdict.DATE_OUTSIDE_PLAN


@pytest.mark.parametrize("text", TEXTS[1:])
async def test_whatever_the_text_a_refused_control_day_decides(text: str) -> None:
    async with vendor() as rest:
        rest.server.faults.always(vendor_faults.refused(text))
        for day in (DAY, OLD):
            assert (await failure(rest, day)).verdict is Verdict.PLAN_LACKS_DATA_SET


@pytest.mark.parametrize("text", TEXTS[1:])
@pytest.mark.parametrize("fault", [faults.Status(500), vendor_faults.too_many(), faults.Reset()])
async def test_without_a_control_day_it_is_not_known_why_whatever_the_text(
    fault: Fault, text: str
) -> None:
    async with vendor() as rest:
        rest.server.faults.add(vendor_faults.refused(text), fault)
        error = await failure(rest, OLD)
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.REFUSAL_UNCLEAR)
        assert f"{control_day(OLD, NOW)} could not be asked" in error.seen


@pytest.mark.parametrize("fault", [vendor_faults.not_found(), faults.html(404)])
async def test_404_blames_the_address(fault: Fault) -> None:
    async with vendor() as rest:
        rest.server.faults.add(fault)
        error = await failure(rest)
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.VENDOR_FAULT)


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        (None, None),
        ("60", 60.0),
        ("6", 6.0),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("Mon, 05 Oct 2026 12:01:00 GMT", None),
    ],
)
@pytest.mark.parametrize("empty", [False, True])
async def test_429_is_told_with_the_wait_it_asks_for(
    header: str | None, asked: float | None, empty: bool
) -> None:
    async with vendor(attempts=3) as rest:
        rest.server.faults.add(vendor_faults.too_many(header, empty=empty))
        error = await failure(rest)
        assert isinstance(error, SourceUnavailable)
        assert (error.verdict, error.retry_after_s) == (Verdict.RATE_LIMITED, asked)
        assert len(rest.paths) == 1


@pytest.mark.parametrize("header", ["0", "1", "5"])
async def test_429_that_asks_for_a_short_wait_is_tried_again(header: str) -> None:
    async with vendor(attempts=3) as rest:
        rest.server.faults.add(vendor_faults.too_many(header))
        assert len((await rest.source.bars(DAY)).bars) == 3
        assert len(rest.paths) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_5xx_is_tried_again_and_then_told(status: int) -> None:
    async with vendor(attempts=3) as rest:
        rest.server.faults.add(faults.html(status), times=2)
        assert len((await rest.source.bars(DAY)).bars) == 3
        rest.server.faults.always(faults.html(status))
        error = await failure(rest)
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.VENDOR_FAULT)
        assert error.seen == f"HTTP {status}"
        assert len(rest.paths) == 6


async def test_delayed_data_is_data() -> None:
    async with vendor(status="DELAYED") as rest:
        assert len((await rest.source.bars(DAY)).bars) == 3


Edit = Callable[[dict[str, Any]], Any]
ROW_FAULTS: dict[str, Edit] = {
    "a price in words": lambda row: row | {"o": "ten"},
    "a list for a volume": lambda row: row | {"v": [1]},
    "a huge number": lambda row: row | {"v": 10**400},
    "no ticker": lambda row: {k: v for k, v in row.items() if k != "T"},
    "half a surrogate pair": lambda row: row | {"T": "\ud800"},
    "no time": lambda row: {k: v for k, v in row.items() if k != "t"},
    "a time in nanoseconds": lambda row: row | {"t": row["t"] * 10**6},
    "a time before the flood": lambda row: row | {"t": -(9 * 10**18)},
    "a negative time": lambda row: row | {"t": -1},
    "infinitely many trades": lambda row: row | {"n": math.inf},
}
BAD: dict[str, Fault] = {
    "results missing": vendor_faults.results_missing(12_000),
    "count mismatch": vendor_faults.Edited(lambda body: body | {"resultsCount": 2}),
    "results is an object": vendor_faults.Edited(lambda body: body | {"results": {"A": 1}}),
    "rows are numbers": vendor_faults.Edited(lambda body: body | {"results": [1, 2, 3]}),
    "another day": vendor_faults.wrong_day(-1),
    "one row of another day": vendor_faults.wrong_day(1, every=3),
    "3 GB by its own word": faults.Endless(claims_bytes=3 * 10**9),
    "endless": faults.Endless(),
    "a gzip bomb": faults.GzipBomb(80),
    **{name: vendor_faults.edited_rows(edit, every=2) for name, edit in ROW_FAULTS.items()},
}


@pytest.mark.parametrize("fault", BAD.values(), ids=BAD.keys())
async def test_an_answer_that_cannot_be_is_bad_bars(fault: Fault) -> None:
    async with vendor(attempts=3) as rest:
        rest.server.faults.always(fault)
        assert isinstance(await failure(rest), BadBars)
        assert len(rest.paths) == 1


UNREADABLE: dict[str, tuple[Fault, str]] = {
    "a web page with 200": (faults.html(), "no JSON (text/html"),
    "clipped JSON": (faults.Clipped(), "no JSON (application/json"),
    "an empty body": (faults.empty(), "0 bytes"),
    "a JSON list": (vendor_faults.a_list(), "JSON is a list"),
    "deep JSON": (faults.Status(200, b"[" * 100_000), "no JSON"),
    "another status": (vendor_faults.Edited(lambda b: b | {"status": "ERROR"}), "'ERROR'"),
    "no status": (vendor_faults.Edited(lambda b: {"results": b["results"]}), "'None'"),
    "no gzip, as it says": (
        faults.Status(200, b"{}", "application/json", {"Content-Encoding": "gzip"}),
        "DecodingError",
    ),
    "a redirect": (faults.Status(302, headers={"Location": "/elsewhere"}), "HTTP 302"),
    "a teapot": (faults.Status(418), "HTTP 418"),
}


@pytest.mark.parametrize(("fault", "seen"), UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_an_answer_that_is_none_is_the_vendors_fault(fault: Fault, seen: str) -> None:
    async with vendor() as rest:
        rest.server.faults.always(fault)
        error = await failure(rest)
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.VENDOR_FAULT)
        assert seen in error.seen


LINE_FAULTS: dict[str, Fault] = {
    "reset": faults.Reset(),
    "reset midway": faults.Reset(after_bytes=60),
    "truncated": faults.Truncated(),
    "a hang": faults.Hang(),
    "a hang midway": faults.Hang(after_bytes=60),
    "sips without end": faults.Drip(chunk_bytes=1, pause_s=0.05),
}


@pytest.mark.parametrize("fault", LINE_FAULTS.values(), ids=LINE_FAULTS.keys())
async def test_a_line_that_fails_is_tried_again_and_then_told(fault: Fault) -> None:
    async with vendor(attempts=2, answer_s=0.5) as rest:
        rest.server.faults.always(fault)
        error = await failure(rest)
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.UNREACHABLE)
        rest.server.faults.clear()
        if "Hang" not in repr(fault) and "Drip" not in repr(fault):
            rest.server.faults.add(fault)
        assert len((await rest.source.bars(DAY)).bars) == 3


async def test_a_port_on_which_nobody_listens_is_unreachable() -> None:
    async with vendor() as rest:
        pass
    async with files.plain_http() as http:
        client = RestClient(http, rest.server.url, API_KEY, Pace(0), attempts=2)
        with pytest.raises(SourceUnavailable) as caught:
            await RestSource(client, Clock(NOW)).bars(DAY)
    assert caught.value.verdict is Verdict.UNREACHABLE


@pytest.mark.parametrize("every", [1, 2])
async def test_missing_average_prices_and_counts_are_null(every: int) -> None:
    async with vendor() as rest:
        rest.server.faults.add(vendor_faults.without("vw", "n", every=every))
        bars = (await rest.source.bars(DAY)).bars
    assert bars["transactions"].null_count() == (3 if every == 1 else 2)
    assert bars["vwap"].null_count() == 3
    assert bars["close"].null_count() == 0


async def test_average_prices_are_kept() -> None:
    days = {DAY.date: [row | {"vw": 146.6667} for row in ROWS]}
    async with vendor(days=days) as rest:
        assert (await rest.source.bars(DAY)).bars["vwap"].unique().to_list() == [146.6667]


async def test_fractional_volumes_are_kept() -> None:
    async with vendor() as rest:
        rest.server.faults.add(vendor_faults.fractional_volumes())
        bars = (await rest.source.bars(DAY)).bars
    assert bars["volume"][0] == 1942872.153126


async def test_over_the_counter_rows_are_left_out() -> None:
    days = {DAY.date: [*ROWS, ROWS[0] | {"T": "OTCQX", "otc": True}]}
    async with vendor(days=days) as rest:
        assert "OTCQX" not in (await rest.source.bars(DAY)).bars["ticker"].to_list()


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    async with VendorServer(api_key=API_KEY) as foreign, vendor() as rest:
        target = {"Location": f"{foreign.url}{grouped(DAY)}"}
        for status in (301, 302, 303, 307, 308):
            rest.server.faults.always(faults.Status(status, headers=target))
            async with connected(rest.server.url, API_KEY, 0) as client:
                with pytest.raises(SourceUnavailable):
                    await RestSource(client, Clock(NOW)).bars(DAY)
            rest.server.faults.clear()
        assert foreign.requests == []


async def test_a_connected_client_reads_and_shows_no_key() -> None:
    async with vendor() as rest, connected(rest.server.url + "/", API_KEY, 0) as client:
        source = RestSource(client, Clock(NOW))
        assert len((await source.bars(DAY)).bars) == 3
        assert all(files.says_no_secret(told) for told in (client, source, vars(source)))


# Splits.

FIRST, LAST = date(2026, 9, 1), date(2026, 10, 2)
TWO = [VendorSplit(date(2026, 9, 8), "A", 1, 2), VendorSplit(date(2026, 9, 9), "NA", 10, 1)]


async def split_failure(rest: Rest) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await rest.source.splits(FIRST, LAST)
    assert files.says_no_secret(caught.value)
    return caught.value


async def test_splits_of_the_days_asked_for_and_no_others() -> None:
    outside = [VendorSplit(date(2026, 8, 31), "A", 1, 3), VendorSplit(date(2026, 10, 3), "A", 1, 3)]
    async with vendor(splits=[*TWO, *outside]) as rest:
        found = await rest.source.splits(FIRST, LAST)
    assert sorted(found) == [
        Split(date(2026, 9, 8), "A", 1, 2),
        Split(date(2026, 9, 9), "NA", 10, 1),
    ]
    assert all(seen.had_bearer and "apiKey" not in seen.query for seen in rest.server.requests)


async def test_no_splits_are_none() -> None:
    async with vendor() as rest:
        assert await rest.source.splits(FIRST, LAST) == []


MANY = [VendorSplit(date(2026, 9, 8), f"T{n:04}", 1, 2) for n in range(1100)]


@pytest.mark.parametrize("old", [False, True])
async def test_splits_come_in_pages_from_either_endpoint(old: bool) -> None:
    async with vendor(splits=MANY) as rest:
        if old:
            rest.server.faults.add(vendor_faults.not_found(), on="splits")
        found = await rest.source.splits(FIRST, LAST)
        assert sorted(s.ticker for s in found) == [s.ticker for s in MANY]
        assert rest.paths == ([SPLITS, OLD_SPLITS, OLD_SPLITS] if old else [SPLITS, SPLITS])


async def test_the_next_page_is_asked_of_our_host_whatever_it_names() -> None:
    async with VendorServer(api_key=API_KEY) as foreign, vendor(splits=MANY) as rest:

        def elsewhere(body: dict[str, Any]) -> dict[str, Any]:
            url = str(body.get("next_url", "")).replace(rest.server.url, foreign.url)
            return body | {"next_url": url}

        rest.server.faults.always(vendor_faults.Edited(elsewhere), on="splits")
        assert len(await rest.source.splits(FIRST, LAST)) == len(MANY)
        assert foreign.requests == []
        assert len(rest.paths) == 2


@pytest.mark.parametrize("url", ["{}/x", ".{}/x", "@{}/x", "5", "http://[", "javascript:x"])
async def test_a_next_page_that_could_lead_elsewhere_is_not_asked_for(url: str) -> None:
    async with VendorServer(api_key=API_KEY) as foreign, vendor(splits=TWO) as rest:
        named = url.format(foreign.url.removeprefix("http://"))
        leads = vendor_faults.Edited(lambda body: body | {"next_url": named})
        rest.server.faults.always(leads, on="splits")
        assert isinstance(await split_failure(rest), SourceError)
        assert foreign.requests == []
        assert rest.paths == [SPLITS]


async def test_pages_without_end_end() -> None:
    async with vendor(splits=TWO) as rest:
        circle = vendor_faults.Edited(
            lambda body: body | {"next_url": f"{rest.server.url}{SPLITS}"}
        )
        rest.server.faults.always(circle, on="splits")
        assert type(await split_failure(rest)) is BadBars


@pytest.mark.parametrize(
    ("fault", "kind", "verdict"),
    [
        (faults.Status(401), SourceRefused, Verdict.WRONG_ACCESS_KEY),
        (vendor_faults.refused(), SourceRefused, Verdict.PLAN_LACKS_DATA_SET),
        (vendor_faults.refused_200(), SourceRefused, Verdict.PLAN_LACKS_DATA_SET),
        (vendor_faults.not_found(), SourceRefused, Verdict.PLAN_LACKS_DATA_SET),
        (vendor_faults.too_many(), SourceUnavailable, Verdict.RATE_LIMITED),
        (faults.Status(500), SourceUnavailable, Verdict.VENDOR_FAULT),
        (faults.html(), SourceUnavailable, Verdict.VENDOR_FAULT),
        (
            vendor_faults.Edited(lambda _: {"status": "ERROR"}),
            SourceUnavailable,
            Verdict.VENDOR_FAULT,
        ),
        (vendor_faults.without("split_to"), BadBars, Verdict.VENDOR_FAULT),
        (
            vendor_faults.edited_rows(lambda row: row | {"split_from": 10**400}),
            BadBars,
            Verdict.VENDOR_FAULT,
        ),
        (vendor_faults.Edited(lambda body: body | {"results": 5}), BadBars, Verdict.VENDOR_FAULT),
    ],
)
async def test_splits_that_fail_are_never_no_splits(
    fault: Fault, kind: type[SourceError], verdict: Verdict
) -> None:
    async with vendor(splits=TWO) as rest:
        rest.server.faults.always(fault, on="splits")
        error = await split_failure(rest)
        assert (type(error), error.verdict) == (kind, verdict)


# The library's errors, all of them.


def all_of_httpx() -> list[type[Exception]]:
    found = [kind for _, kind in inspect.getmembers(httpx, inspect.isclass)]
    return [kind for kind in found if issubclass(kind, Exception)]


def made(kind: type[Exception]) -> Exception:
    """One of them, with the key in its text, as far as its maker lets us."""
    for arguments in ((f"said {API_KEY}",), ()):
        try:
            if kind is httpx.HTTPStatusError:
                request = httpx.Request("GET", "http://localhost")
                return httpx.HTTPStatusError(
                    API_KEY, request=request, response=httpx.Response(500, request=request)
                )
            return kind(*arguments)
        except TypeError:
            continue
    raise AssertionError(f"cannot make a {kind}")


class Failing(httpx.AsyncBaseTransport):
    """A transport that only fails: httpx's own place for one."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self._error


def test_the_list_of_httpx_errors_is_the_whole_one() -> None:
    assert len(all_of_httpx()) >= 25
    assert {httpx.CookieConflict, httpx.InvalidURL, httpx.ReadTimeout} <= set(all_of_httpx())


@pytest.mark.parametrize("kind", all_of_httpx(), ids=lambda kind: kind.__name__)
async def test_every_httpx_error_is_translated(kind: type[Exception]) -> None:
    error = made(kind)
    assert isinstance(error, FOREIGN)
    assert isinstance(translate(error), SourceUnavailable)
    async with httpx.AsyncClient(transport=Failing(error)) as http:
        client = RestClient(http, "http://localhost", API_KEY, Pace(0), attempts=1)
        with pytest.raises(SourceUnavailable) as caught:
            await RestSource(client, Clock(NOW)).bars(DAY)
    assert kind.__name__ in caught.value.seen
    assert API_KEY not in f"{caught.value} {caught.value!r}"


async def test_giving_up_is_not_an_error_of_the_source() -> None:
    async with vendor() as rest:
        rest.server.faults.always(faults.Hang())
        task = asyncio.create_task(rest.source.bars(DAY))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
