"""The vendor's short-volume endpoint: pages, refusals, odd rows."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

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
from core.sources.control import control_day
from core.sources.finra import FinraSource
from core.sources.short_volume import ShortVolumeSource
from tests import files
from tests.files import Clock, Rest, line
from tests.servers import faults, vendor_faults
from tests.servers.faults import Fault
from tests.servers.vendor import SHORT_VOLUME
from tests.servers.vendor_faults import BEFORE_END_OF_DAY, NOT_ENTITLED, TIMEFRAME

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
DAY, OLD = trading_day(date(2026, 10, 2)), trading_day(date(2023, 3, 1))
ROWS = files.short_volumes([line("A"), line("BRK.B", volume="1733619.4634"), line("NA")])


def vendor(**settings: Any) -> Any:
    """The vendor with the sessions of these tests and of the control calls."""
    days = {day.date: ROWS for day in (DAY, OLD, control_day(DAY, NOW), control_day(OLD, NOW))}
    return files.rest(Clock(NOW), **({"short_volumes": days} | settings))


def source(rest: Rest) -> ShortVolumeSource:
    return ShortVolumeSource(rest.client, Clock(NOW))


async def failure(rest: Rest, day: TradingDay = DAY) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await source(rest).bars(day)
    assert files.says_no_secret(caught.value)
    return caught.value


async def test_asks_for_one_session_and_all_of_it() -> None:
    many = files.short_volumes([line(f"T{n:05}", volume=f"{n}") for n in range(20_000)])
    async with vendor(short_volumes={DAY.date: many, OLD.date: ROWS}) as rest:
        bars = (await source(rest).bars(DAY)).bars
        (seen,) = rest.server.requests
    assert dict(seen.query) == {"date": "2026-10-02", "limit": "50000"}
    assert bars["volume"].to_list() == list(range(20_000))
    assert seen.had_bearer


async def test_follows_the_pages_there_are() -> None:
    many = files.short_volumes([line(f"T{n:05}", volume="1") for n in range(100_001)])
    async with vendor(short_volumes={DAY.date: many}) as rest:
        assert len((await source(rest).bars(DAY)).bars) == 100_001
        assert rest.paths == [SHORT_VOLUME] * 3


async def test_is_of_the_same_series_as_finras_own_files() -> None:
    async with vendor() as rest:
        assert source(rest).series == FinraSource.series
        assert await source(rest).version(DAY) is None
        assert rest.paths == []


async def test_401_is_a_wrong_key() -> None:
    async with vendor(api_key="another") as rest:
        error = await failure(rest)
        assert (type(error), error.verdict) == (SourceRefused, Verdict.WRONG_ACCESS_KEY)


async def test_a_plan_without_it_and_a_plan_without_the_date_are_told_apart() -> None:
    async with vendor(entitled_short_volume=False) as rest:
        assert (await failure(rest)).verdict is Verdict.PLAN_LACKS_DATA_SET
    async with vendor(plan_from=date(2024, 10, 5)) as rest:
        error = await failure(rest, OLD)
        assert (type(error), error.verdict) == (SourceRefused, Verdict.DATE_OUTSIDE_PLAN)
        control = {"date": f"{control_day(OLD, NOW)}", "limit": "1"}
        assert dict(rest.server.requests[-1].query) == control


async def test_today_before_the_end_of_day_is_not_published() -> None:
    async with vendor(today=DAY.date) as rest:
        assert type(await failure(rest)) is NotPublished


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize("text", [BEFORE_END_OF_DAY, TIMEFRAME, NOT_ENTITLED, "something new"])
async def test_whatever_the_text_a_served_control_day_decides(text: str, status: int) -> None:
    async with vendor() as rest:
        rest.server.faults.add(vendor_faults.refused(text, status))
        assert type(await failure(rest)) is NotPublished
        rest.server.faults.add(vendor_faults.refused(text, status))
        assert (await failure(rest, OLD)).verdict is Verdict.DATE_OUTSIDE_PLAN


async def test_no_results_on_a_session_is_not_an_empty_market() -> None:
    async with vendor(short_volumes={}) as rest:
        assert type(await failure(rest)) is NotPublished


async def test_404_blames_the_address() -> None:
    async with vendor() as rest:
        rest.server.faults.add(vendor_faults.not_found())
        error = await failure(rest)
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.VENDOR_FAULT)


Edit = Callable[[dict[str, Any]], Any]
ROW_FAULTS: dict[str, Edit] = {
    "a volume in words": lambda row: row | {"total_volume": "ten"},
    "a list for a volume": lambda row: row | {"total_volume": [1]},
    "a huge number": lambda row: row | {"total_volume": 10**400},
    "no ticker": lambda row: {k: v for k, v in row.items() if k != "ticker"},
    "no date": lambda row: {k: v for k, v in row.items() if k != "date"},
    "a date that is a number": lambda row: row | {"date": 20261002},
    "another date": lambda row: row | {"date": "2026-10-01"},
    "a date that is none": lambda row: row | {"date": "2026-02-30"},
}
BAD: dict[str, Fault] = {
    "results is an object": vendor_faults.Edited(lambda body: body | {"results": {"A": 1}}),
    "rows are numbers": vendor_faults.Edited(lambda body: body | {"results": [1, 2, 3]}),
    "endless": faults.Endless(),
    **{name: vendor_faults.edited_rows(edit, every=2) for name, edit in ROW_FAULTS.items()},
}


@pytest.mark.parametrize("fault", BAD.values(), ids=BAD.keys())
async def test_an_answer_that_cannot_be_is_bad_bars(fault: Fault) -> None:
    async with vendor() as rest:
        rest.server.faults.always(fault)
        assert isinstance(await failure(rest), BadBars)


async def test_rows_of_another_date_are_kept_aside() -> None:
    async with vendor() as rest:
        rest.server.faults.add(vendor_faults.edited_rows(ROW_FAULTS["another date"]))
        error = await failure(rest)
        assert isinstance(error, HeldBars)
        assert len(error.rows) == len(ROWS)


async def test_more_fields_change_nothing() -> None:
    async with vendor() as rest:
        before = (await source(rest).bars(DAY)).bars
        more = vendor_faults.edited_rows(lambda row: row | {"short_volume_ratio": 31.57, "x": [1]})
        rest.server.faults.add(more)
        assert (await source(rest).bars(DAY)).bars.equals(before)
