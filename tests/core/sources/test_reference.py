"""The vendor's reference tables: whole, paged, cut short, refused."""

from collections.abc import Callable
from typing import Any

import pytest

from core.conditions import BUNDLED_VERSION, bundled
from core.errors import BadBars, SourceError, SourceRefused, SourceUnavailable, Verdict
from core.sources.reference import Reference
from tests import files
from tests.files import Rest
from tests.servers import faults, vendor_faults
from tests.servers.faults import Fault
from tests.servers.vendor import CONDITIONS, EXCHANGES
from tests.servers.vendor_reference import default_conditions, old_exchanges

Edit = Callable[[dict[str, Any]], Any]


async def condition_failure(rest: Rest) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await Reference(rest.client).conditions()
    assert files.says_no_secret(caught.value)
    return caught.value


async def test_the_published_conditions_are_the_bundled_ones() -> None:
    async with files.rest() as rest:
        rules = await Reference(rest.client).conditions()
        (seen,) = rest.server.requests
    assert rules.updates == bundled().updates
    assert rules.version == BUNDLED_VERSION
    asked = {"asset_class": "stocks", "data_type": "trade", "limit": "1000"}
    assert (seen.path, dict(seen.query)) == (CONDITIONS, asked)


async def test_a_table_in_pages_is_read_to_its_end() -> None:
    more = [row | {"id": number} for number in range(100, 1300) for row in default_conditions()[:1]]
    async with files.rest(conditions=[*more, *default_conditions()]) as rest:
        rules = await Reference(rest.client).conditions()
        assert rest.paths == [CONDITIONS] * 2
    assert len(rules.updates) == len(bundled().updates) + 1200


async def test_the_ten_rows_of_a_call_without_a_limit_are_refused() -> None:
    cut = vendor_faults.Edited(lambda body: {"status": "OK", "results": body["results"][:10]})
    async with files.rest() as rest:
        rest.server.faults.add(cut)
        error = await condition_failure(rest)
    assert isinstance(error, BadBars)
    assert "10 of the" in error.seen


async def test_what_the_table_leaves_out_here_and_there_keeps_its_bundled_rule() -> None:
    some = [row for row in default_conditions() if row["id"] not in (14, 15, 35)]
    async with files.rest(conditions=some) as rest:
        rules = await Reference(rest.client).conditions()
    assert rules.updates == bundled().updates
    assert rules.version == BUNDLED_VERSION


async def test_a_rule_that_changed_is_the_vendors() -> None:
    fields = {f"updates_{f}": f == "volume" for f in ("high_low", "open_close", "volume")}
    changed = [
        row | {"update_rules": {"consolidated": fields}} if row["id"] == 14 else row
        for row in default_conditions()
    ]
    async with files.rest(conditions=changed) as rest:
        rules = await Reference(rest.client).conditions()
    assert rules.verdict("14") == (False, False, True)
    assert rules.version != BUNDLED_VERSION


REFUSALS: dict[str, tuple[Fault, type[SourceError], Verdict]] = {
    "401": (faults.Status(401), SourceRefused, Verdict.WRONG_ACCESS_KEY),
    "403": (vendor_faults.refused(), SourceRefused, Verdict.PLAN_LACKS_DATA_SET),
    "a refusal in a 200": (
        vendor_faults.refused_200(),
        SourceRefused,
        Verdict.PLAN_LACKS_DATA_SET,
    ),
    "404": (vendor_faults.not_found(), SourceRefused, Verdict.PLAN_LACKS_DATA_SET),
    "429": (vendor_faults.too_many(), SourceUnavailable, Verdict.RATE_LIMITED),
    "500": (faults.Status(500), SourceUnavailable, Verdict.VENDOR_FAULT),
    "a web page": (faults.html(), SourceUnavailable, Verdict.VENDOR_FAULT),
    "a reset": (faults.Reset(), SourceUnavailable, Verdict.UNREACHABLE),
    "no status": (
        vendor_faults.Edited(lambda body: {"results": body["results"]}),
        SourceUnavailable,
        Verdict.VENDOR_FAULT,
    ),
}


@pytest.mark.parametrize(("fault", "kind", "verdict"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_every_failure_is_one_of_the_four(
    fault: Fault, kind: type[SourceError], verdict: Verdict
) -> None:
    async with files.rest() as rest:
        rest.server.faults.always(fault)
        error = await condition_failure(rest)
        assert (type(error), error.verdict) == (kind, verdict)
        with pytest.raises(kind):
            await Reference(rest.client).exchanges()


UNREADABLE: dict[str, Edit] = {
    "an id that is none": lambda row: row | {"id": "x"},
    "an endless id": lambda row: row | {"id": float("inf")},
    "a list for an id": lambda row: row | {"id": [1]},
    "a row that is a number": lambda row: 5,
}


@pytest.mark.parametrize("edit", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_row_that_cannot_be_read_is_bad_bars(edit: Edit) -> None:
    async with files.rest() as rest:
        rest.server.faults.always(vendor_faults.edited_rows(edit))
        assert isinstance(await condition_failure(rest), BadBars)
        with pytest.raises(BadBars):
            await Reference(rest.client).exchanges()


async def test_exchanges_by_their_id_and_rows_without_one_left_out() -> None:
    async with files.rest() as rest:
        names = await Reference(rest.client).exchanges()
        assert rest.paths == [EXCHANGES]
    assert names[4] == "FINRA Alternative Display Facility"
    assert names[10] == "New York Stock Exchange"
    assert list(names) == sorted(names)
    assert "OTC Reporting Facility" not in names.values()


async def test_facilities_that_share_an_id_are_named_together() -> None:
    rows = [row | {"id": str(row["id"])} if "id" in row else row for row in old_exchanges()]
    async with files.rest(exchanges=[*rows, rows[0]]) as rest:
        names = await Reference(rest.client).exchanges()
    assert names[4] == (
        "FINRA NYSE TRF, FINRA Nasdaq TRF Carteret, FINRA Nasdaq TRF Chicago, "
        "FINRA Alternative Display Facility"
    )


async def test_a_list_without_exchanges_is_bad_bars() -> None:
    async with files.rest(exchanges=[{"asset_class": "stocks", "id": 3}]) as rest:
        with pytest.raises(BadBars):
            await Reference(rest.client).exchanges()
