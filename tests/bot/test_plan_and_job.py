"""/backfill plan beside what its job then does: the vendor's servers count their requests."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.plan_card import plan_card
from bot.app import opened
from core.jobs import Policy
from core.plan import Plan
from core.pool import Pool
from tests import market
from tests.bot.test_backfilling import Threads
from tests.bot.test_estimate import FEW
from tests.market import API_KEY, NEWEST, NOW, Vendor
from tests.servers.vendor_data import Split
from tests.shared import Shared

NEAR = 1
"""So many requests of flat files a plan may be off: the calls of REST are exact."""
A_SECOND = 60
"""Calls a minute: a plan's seconds are its calls."""


@pytest.fixture
async def vendor(shared: Shared, tmp_path: Path) -> AsyncIterator[Vendor]:
    async with market.vendor(tmp_path / "vendor", FEW, shared=shared) as running:
        yield running


@pytest.fixture
def begins(vendor: Vendor, request: pytest.FixtureRequest) -> None:
    """Where in the span REST and the flat files begin."""
    rest, files = request.param
    vendor.rest.plan_from = FEW[rest].date
    vendor.s3.entitled = lambda name: name[-17:-7] >= str(FEW[files])


async def planned_and_done(
    vendor: Vendor,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *words: str,
    calls: int = A_SECOND,
    **changes: str,
) -> tuple[Plan, int, int]:
    """The plan, by so many calls a minute; the requests its job made of REST, and of files."""
    for name, value in vendor.environment(folder, **changes).items():
        monkeypatch.setenv(name, value)
    called = {k if k == "POLYGON_API_KEY" else k.lower(): v for k, v in changes.items()}
    settings = await vendor.settings(folder, **called)
    async with opened(settings, now=lambda: NOW) as app:
        doing = app.backfilling
        doing.runner.pool = Pool(Threads(), doing.runner.pool.do)
        wish = doing.wish("run", [str(FEW[0]), str(NEWEST), *words])
        estimates = replace(doing.estimates, calls_per_minute=calls)
        plan = await replace(doing, estimates=estimates).plan(wish)
        for server in (vendor.rest, vendor.s3, vendor.finra):
            server.requests.clear()
        job = await doing.begin(wish, who="console:@me", place="console:terminal")
        await doing.runner.work_off(job)
    files = len(vendor.s3.requests) + len(vendor.finra.requests)
    return plan, len(vendor.rest.requests), files


@pytest.mark.parametrize(
    ("begins", "first", "order"),
    [((0, 15), "files", "newest-first"), ((15, 10), "REST", "oldest-first")],
    indirect=["begins"],
)
@pytest.mark.usefixtures("begins")
async def test_what_the_first_refuses_and_the_next_one_serves_is_asked_of_both(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, order: str
) -> None:
    plan, rest, files = await planned_and_done(
        *(vendor, tmp_path / "data", monkeypatch, order),
        USE_FLAT_FILES=str(first == "files").lower(),
    )
    assert plan.seconds == rest, "the calls of REST, that for the splits as well"
    assert plan.requests + plan.asked_beyond == pytest.approx(rest + files, abs=NEAR)


@pytest.mark.parametrize("begins", [(20, 20)], indirect=True)
@pytest.mark.usefixtures("begins")
async def test_volumes_are_asked_for_where_there_are_prices_alone(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, rest, files = await planned_and_done(
        *(vendor, tmp_path / "data", monkeypatch), DARK_POOL_ONLY="true", USE_TRADES_FILES="false"
    )
    assert len(vendor.finra.requests) == 10
    assert plan.beyond == 20
    assert plan.seconds == rest
    assert plan.requests + plan.asked_beyond == pytest.approx(rest + files, abs=NEAR)


@pytest.mark.parametrize(("order", "calls"), [("newest-first", 22), ("oldest-first", 46)])
@pytest.mark.parametrize("begins", [(15, 0)], indirect=True)
@pytest.mark.usefixtures("begins")
async def test_a_plan_of_five_calls_a_minute_counts_them_as_well(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, calls: int
) -> None:
    plan, rest, files = await planned_and_done(
        *(vendor, tmp_path / "data", monkeypatch, order), calls=5, USE_FLAT_FILES="false"
    )
    assert rest == calls
    assert files == 2 * 15
    assert plan.requests == rest + files
    assert plan.seconds == 60 * rest / 5


@pytest.mark.parametrize("flat", ["true", "false"])
@pytest.mark.parametrize(
    ("key", "why"), [(f"wrong{API_KEY}", "wrong access key"), (API_KEY, "plan lacks this data set")]
)
async def test_where_nothing_is_served_the_plan_says_so_and_why_and_the_few_calls_it_takes(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, why: str, flat: str
) -> None:
    vendor.rest.entitled_grouped, vendor.s3.entitled = False, lambda name: False
    plan, rest, files = await planned_and_done(
        *(vendor, tmp_path / "data", monkeypatch), POLYGON_API_KEY=key, USE_FLAT_FILES=flat
    )
    said = dict(plan_card(plan, "").facts)["not to be had"]
    assert said.startswith("none of them is served (")
    assert why in said
    assert plan.requests + plan.asked_beyond == pytest.approx(rest + files, abs=NEAR)


async def test_the_pages_of_the_splits_are_counted_by_how_many_are_known(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.rest.splits = [Split(NEWEST.date, f"T{n}", 1, 2) for n in range(2_500)]
    for name, value in vendor.environment(tmp_path, USE_FLAT_FILES="false").items():
        monkeypatch.setenv(name, value)
    settings = await vendor.settings(tmp_path, use_flat_files="false")
    async with opened(settings, now=lambda: NOW) as app:
        runner = app.backfilling.runner
        runner.pool = Pool(Threads(), runner.pool.do)
        wish = app.backfilling.wish("run", [str(NEWEST), str(NEWEST), "all"])
        fresh = await app.backfilling.plan(wish)
        job = await app.backfilling.begin(wish, who="console:@me", place="console:terminal")
        await runner.work_off(job)
        known = await app.backfilling.plan(wish)
        vendor.rest.requests.clear()
        job = await app.backfilling.begin(wish, who="console:@me", place="console:terminal")
        await runner.work_off(job)
        stored = await app.backfilling.plan(replace(wish, policy=Policy.MISSING))
    assert (fresh.requests, known.requests, stored.requests) == (2, 4, 0)
    assert len(vendor.rest.requests) == known.requests


async def test_the_splits_alone_do_not_make_a_plan_one_of_few_calls_a_minute(
    vendor: Vendor, tmp_path: Path
) -> None:
    settings = await vendor.settings(tmp_path, polygon_calls_per_minute="5")
    async with opened(settings, now=lambda: NOW) as app:
        plan = await app.backfilling.plan(app.backfilling.wish("plan", [str(NEWEST), str(NEWEST)]))
    assert (plan.requests, plan.calls_per_minute, plan.seconds) == (2 + 1, None, None)
