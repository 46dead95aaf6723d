"""The local REST vendor against a real HTTP client, and both servers from the shell."""

import asyncio
import gzip
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import files
from tests.servers import faults, vendor_faults
from tests.servers.vendor import (
    CONDITIONS,
    GROUPED,
    MARKET_STATUS,
    NEWS,
    OLD_SPLITS,
    SHORT_VOLUME,
    SPLITS,
    TICKERS,
    VendorServer,
)
from tests.servers.vendor_data import Split
from tests.servers.vendor_reference import instrument_row, news_row, whole_market

SECRET = "invented-secret-of-32-characters"
DAY = date(2024, 3, 7)
FILE = "us_stocks_sip/day_aggs_v1/2024/03/2024-03-07.csv.gz"
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
LINES = (
    "A,1942872,147.09,146.0,148.5,145.25,1709787600000000000,37404",
    "BApA,1733619.463400,60.55,60.04,60.77,59.85,1709787600000000000,1344",
    "NA,100,2,2,2,2,1709787600000000000,1",
)


@dataclass(frozen=True, slots=True)
class Rest:
    """The vendor and a client that is logged in."""

    server: VendorServer
    client: httpx.AsyncClient

    async def grouped(self, day: str = "2024-03-07", **query: str) -> httpx.Response:
        return await self.client.get(GROUPED + day, params={"adjusted": "false"} | query)


@asynccontextmanager
async def vendor(**settings: Any) -> AsyncIterator[Rest]:
    told = {"api_key": SECRET, "days": {DAY: rows()}} | settings
    async with VendorServer(**told) as server:
        login = {"Authorization": f"Bearer {SECRET}"}
        async with files.plain_http(base_url=server.url, headers=login, timeout=1) as client:
            yield Rest(server, client)


def rows() -> list[dict[str, Any]]:
    prices = {"o": 10.0, "h": 12.0, "l": 9.0, "c": 11.0, "vw": 10.5}
    return [{"T": name, "v": 1000, "n": 10} | prices for name in ("AAA", "BBB", "CCC")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one flat file and some splits."""
    path = tmp_path / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("\n".join((HEADER, *LINES, "")).encode()))
    splits = "execution_date,ticker,split_from,split_to\n2024-03-08,A,1,2\n"
    (tmp_path / "splits.csv").write_text(splits)
    return tmp_path


async def test_grouped_out_of_a_flat_file(folder: Path) -> None:
    async with vendor(root=folder, days=None) as rest:
        body = (await rest.grouped()).json()
    found = {row["T"]: row for row in body["results"]}
    assert (body["resultsCount"], body["status"], body["adjusted"]) == (3, "OK", False)
    assert set(found) == {"A", "BApA", "NA"}
    assert found["BApA"]["v"] == 1733619.4634
    assert (found["A"]["o"], found["A"]["c"], found["A"]["n"]) == (147.09, 146.0, 37404)
    assert found["A"]["t"] == 1709845200000  # 16:00 New York
    assert (rest.server.requests[0].had_bearer, rest.server.requests[0].status) == (True, 200)


async def test_adjusts_unless_told_not_to() -> None:
    splits = [Split(date(2024, 3, 8), "AAA", 1, 2), Split(DAY, "BBB", 1, 2)]
    async with vendor(splits=splits) as rest:
        raw = (await rest.grouped()).json()
        rebased = (await rest.client.get(f"{GROUPED}{DAY}")).json()
    assert [(row["c"], row["v"]) for row in raw["results"]] == [(11.0, 1000)] * 3
    assert [(row["c"], row["v"]) for row in rebased["results"]] == [
        (5.5, 2000),
        (11.0, 1000),
        (11.0, 1000),
    ]
    assert (raw["adjusted"], rebased["adjusted"]) == (False, True)


async def test_a_day_without_trading_has_no_results() -> None:
    async with vendor() as rest:
        answer = await rest.grouped("2024-03-09")
    assert answer.status_code == 200
    assert answer.json()["queryCount"] == 0
    assert "results" not in answer.json()


async def test_leaves_out_otc_unless_asked() -> None:
    mixed = [*rows(), rows()[0] | {"T": "OTCX", "otc": True}]
    async with vendor(days={DAY: mixed}) as rest:
        without = (await rest.grouped()).json()["resultsCount"]
        everything = (await rest.grouped(include_otc="true")).json()["resultsCount"]
    assert (without, everything) == (3, 4)


async def test_knows_its_key() -> None:
    async with vendor() as rest, files.plain_http(base_url=rest.server.url) as stranger:
        none = await stranger.get(f"{GROUPED}{DAY}")
        wrong = await stranger.get(f"{GROUPED}{DAY}", headers={"Authorization": "Bearer no"})
        by_query = await stranger.get(f"{GROUPED}{DAY}", params={"apiKey": SECRET})
    assert (none.status_code, wrong.status_code, by_query.status_code) == (401, 401, 200)
    assert none.json()["error"] == "Unknown API Key"
    assert [seen.had_bearer for seen in rest.server.requests] == [False, True, False]


async def test_keeps_to_the_plan() -> None:
    async with vendor(plan_from=date(2024, 3, 1), today=date(2024, 3, 8)) as rest:
        today, old = await rest.grouped("2024-03-08"), await rest.grouped("2024-02-29")
        bad = await rest.grouped("2024-13-01")
        rest.server.entitled_grouped = False
        lacking = await rest.grouped()
    answers = (today, old, bad, lacking)
    assert {(a.status_code, a.json()["status"]) for a in answers} == {(403, "NOT_AUTHORIZED")}
    assert "before end of day" in today.json()["message"]
    assert "timeframe" in old.json()["message"]
    assert "not entitled" in lacking.json()["message"]


@pytest.mark.parametrize(("path", "first_page"), [(OLD_SPLITS, 10), (SPLITS, 100)])
async def test_pages_through_splits(path: str, first_page: int) -> None:
    many = [Split(DAY + timedelta(days=n % 2), f"T{n}", 1, 3) for n in range(240)]
    async with vendor(splits=many) as rest:
        answer = (await rest.client.get(path, params={"execution_date.gte": "2024-03-08"})).json()
        found, pages = answer["results"], 1
        assert len(found) == first_page
        while url := answer.get("next_url"):
            assert url.startswith(rest.server.url)
            assert SECRET not in url
            answer = (await rest.client.get(url)).json()
            found, pages = found + answer["results"], pages + 1
        exact = (await rest.client.get(path, params={"execution_date": "2024-03-07"})).json()
    assert len({row["ticker"] for row in found}) == 120
    assert pages == -(-120 // first_page)
    assert {row["execution_date"] for row in exact["results"]} == {"2024-03-07"}
    assert ("historical_adjustment_factor" in found[0]) == (path == SPLITS)


async def test_short_volumes_out_of_a_file_of_finras(tmp_path: Path) -> None:
    path = tmp_path / "finra/CNMSshvol20240307.txt"
    path.parent.mkdir()
    path.write_text(
        "Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market\r\n"
        "20240307|BRK/B|1.5|0|3.25|Q\r\n20240307|NA|1|0|2|Q\r\n2\r\n"
    )
    async with vendor(root=tmp_path, entitled_short_volume=True) as rest:
        found = (await rest.client.get(SHORT_VOLUME, params={"date": "2024-03-07"})).json()
        none = (await rest.client.get(SHORT_VOLUME, params={"date": "2024-03-08"})).json()
        rest.server.entitled_short_volume = False
        refused = await rest.client.get(SHORT_VOLUME, params={"date": "2024-03-07"})
    told = [(row["date"], row["ticker"], row["total_volume"]) for row in found["results"]]
    assert told == [("2024-03-07", "BRK.B", 3.25), ("2024-03-07", "NA", 2)]
    assert (none["results"], refused.status_code) == ([], 403)


async def test_the_smaller_tables() -> None:
    volumes = {DAY: [{"ticker": f"T{n}", "total_volume": n} for n in range(12)]}
    async with vendor(short_volumes=volumes) as rest:
        market = (await rest.client.get(MARKET_STATUS)).json()
        ten = (await rest.client.get(SHORT_VOLUME, params={"date": "2024-03-07"})).json()
        all_12 = (await rest.client.get(SHORT_VOLUME, params={"limit": "50000"})).json()
        few = (await rest.client.get(CONDITIONS, params={"data_type": "trade"})).json()
        nowhere = await rest.client.get("/v9/nothing")
        no_number = await rest.client.get(CONDITIONS, params={"limit": "x"})
    assert market["market"] == "closed"
    assert (len(ten["results"]), len(all_12["results"]), len(few["results"])) == (10, 12, 10)
    assert "next_url" in few
    assert (nowhere.status_code, no_number.status_code) == (404, 400)


async def test_the_list_of_tickers_comes_in_hundreds() -> None:
    some = [instrument_row("AAp", "PFD"), instrument_row("OLD", active=False)]
    async with vendor(instruments=whole_market(*some, count=250)) as rest:
        asked = {"market": "stocks", "active": "true"}
        hundred = (await rest.client.get(TICKERS, params=asked)).json()
        second = (await rest.client.get(hundred["next_url"])).json()
        all_249 = (await rest.client.get(TICKERS, params=asked | {"limit": "1000"})).json()
        preferred = (await rest.client.get(TICKERS, params={"type": "PFD"})).json()
    assert (len(hundred["results"]), hundred["results"][0]["ticker"]) == (100, "AAp")
    assert second["results"][0]["ticker"] > hundred["results"][-1]["ticker"]
    assert (len(all_249["results"]), "next_url" in all_249) == (249, False)
    assert [row["ticker"] for row in preferred["results"]] == ["AAp"]


async def test_the_events_of_a_ticker_are_one_object() -> None:
    changes = {"META": (("2012-05-18", "FB"), ("2022-06-09", "META"))}
    async with vendor(changes=changes) as rest:
        found = (await rest.client.get("/vX/reference/tickers/META/events")).json()
        unknown = await rest.client.get("/vX/reference/tickers/FB/events")
    assert [event["date"] for event in found["results"]["events"]] == ["2022-06-09", "2012-05-18"]
    assert (unknown.status_code, unknown.json()["status"]) == (404, "NOT_FOUND")


async def test_news_is_newest_first_and_ten_at_a_time() -> None:
    news = [news_row(f"N{n}", f"2026-11-{n:02d}T12:00:00Z", "AAA") for n in range(1, 21)]
    async with vendor(news=news) as rest:
        ten = (await rest.client.get(NEWS)).json()
        since = {"published_utc.gte": "2026-11-19T00:00:00Z", "order": "asc"}
        two = (await rest.client.get(NEWS, params=since)).json()
    assert [ten["results"][0]["title"], len(ten["results"])] == ["N20", 10]
    assert "next_url" in ten
    assert [row["title"] for row in two["results"]] == ["N19", "N20"]


@pytest.mark.parametrize(
    ("operation", "path"),
    [("tickers", TICKERS), ("news", NEWS), ("events", "/vX/reference/tickers/A/events")],
)
async def test_a_plan_may_lack_a_part_of_the_reference(operation: str, path: str) -> None:
    async with vendor(refuses={operation}) as rest:
        refused = await rest.client.get(path)
        rest.server.refuses = ()
        other = await rest.client.get(path)
    assert (refused.status_code, refused.json()["status"]) == (403, "NOT_AUTHORIZED")
    assert other.status_code != 403


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        (vendor_faults.refused_200(), 200, '"NOT_AUTHORIZED"'),
        (vendor_faults.refused(), 403, "not entitled"),
        (vendor_faults.not_found(), 404, "NOT_FOUND"),
        (vendor_faults.delayed(), 200, '"DELAYED"'),
        (faults.html(), 200, "<html>"),
        (faults.html(502), 502, "<html>"),
        (faults.empty(), 200, ""),
        (faults.Clipped(), 200, '"results":[{'),
        (faults.ContentType("text/csv"), 200, '"results":[{'),
        (vendor_faults.a_list(), 200, '[{"'),
        (vendor_faults.results_missing(), 200, '"resultsCount":12000'),
        (faults.Status(500), 500, ""),
        (faults.Status(503, b"down"), 503, "down"),
        (faults.Status(504), 504, ""),
        (vendor_faults.too_many(), 429, "maximum requests per minute"),
        (vendor_faults.too_many("7"), 429, "maximum requests per minute"),
        (vendor_faults.too_many(empty=True), 429, ""),
        (vendor_faults.without("vw", "n"), 200, '"AAA"'),
        (vendor_faults.fractional_volumes(), 200, '"v":1000.153126'),
        (vendor_faults.zero_prices(), 200, '"o":0,'),
        (vendor_faults.duplicates(), 200, '"resultsCount":6'),
        (vendor_faults.doubled_volumes(), 200, '"v":2000'),
        (vendor_faults.only_rows(1), 200, '"resultsCount":1'),
        (vendor_faults.wrong_day(), 200, '"t":1709758800000'),
    ],
)
async def test_vendor_answer_faults(fault: faults.Fault, status: int, text: str) -> None:
    async with vendor() as rest:
        rest.server.faults.add(fault, on="grouped")
        assert (await rest.client.get(MARKET_STATUS)).status_code == 200
        spoiled, well = await rest.grouped(), await rest.grouped()
    assert spoiled.status_code == status == rest.server.requests[1].status
    assert text in spoiled.text
    assert "Date" in spoiled.headers
    assert well.json()["resultsCount"] == 3
    assert spoiled.content != well.content or isinstance(fault, faults.ContentType)


async def test_retry_after_is_optional() -> None:
    async with vendor() as rest:
        rest.server.faults.add(vendor_faults.too_many(), vendor_faults.too_many("7"))
        without, with_it = await rest.grouped(), await rest.grouped()
    assert "Retry-After" not in without.headers
    assert with_it.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (faults.Hang(), httpx.ReadTimeout),
        (faults.Hang(after_bytes=5), httpx.ReadTimeout),
        (faults.Reset(), (httpx.ReadError, httpx.RemoteProtocolError)),
        (faults.Reset(after_bytes=5), httpx.ReadError),
        (faults.Truncated(), httpx.RemoteProtocolError),
    ],
)
async def test_vendor_line_faults(fault: faults.Fault, raised: Any) -> None:
    async with vendor() as rest:
        rest.server.faults.add(fault)
        with pytest.raises(raised):
            await rest.grouped()
        assert (await rest.grouped()).status_code == 200


@pytest.mark.parametrize("claims", [None, 3_000_000_000])
async def test_an_endless_body(claims: int | None) -> None:
    async with vendor() as rest:
        rest.server.faults.add(faults.Endless(claims))
        seen = 0
        async with rest.client.stream("GET", f"{GROUPED}{DAY}") as answer:
            async for chunk in answer.aiter_raw():
                seen += len(chunk)
                if seen > 5_000_000:
                    break
        assert answer.headers.get("Content-Length") == (claims and str(claims))
        assert (await rest.grouped()).status_code == 200


async def test_a_gzip_bomb() -> None:
    async with vendor() as rest:
        rest.server.faults.add(faults.GzipBomb(megabytes=20))
        async with rest.client.stream("GET", f"{GROUPED}{DAY}") as answer:
            packed = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 100_000
    assert len(gzip.decompress(packed)) == 20_000_000


async def test_faults_come_in_order_and_can_be_cleared() -> None:
    async with vendor() as rest:
        rest.server.faults.add(faults.Status(500), faults.Status(502), times=2)
        rest.server.faults.always(faults.Status(503), on="grouped")
        statuses = [(await rest.grouped()).status_code for _ in range(6)]
        rest.server.faults.clear()
        assert (await rest.grouped()).status_code == 200
    assert statuses == [500, 500, 502, 502, 503, 503]


@pytest.mark.parametrize(
    "command",
    [
        ["tests.servers.s3", "--access-key-id", "K", "--secret", SECRET],
        ["tests.servers.vendor", "--api-key", SECRET, "--splits", "splits.csv"],
        ["tests.servers.finra"],
    ],
)
async def test_runs_from_the_shell(folder: Path, command: list[str]) -> None:
    words = [str(folder / word) if word == "splits.csv" else word for word in command]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        words[0],
        str(folder),
        "--port",
        "0",
        *words[1:],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    async with files.plain_http(base_url=url) as client:
        answer = await client.get(f"{GROUPED}{DAY}", params={"apiKey": SECRET})
    process.terminate()
    assert await process.wait() == 0
    assert answer.status_code == (200 if "vendor" in words[0] else 403)
