"""The doctor against local vendors: each verdict of the closed list, and a next step for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from core.calendar import last_complete, sessions_ending
from core.errors import Verdict
from core.sources.access import DATA_SETS, Doctor
from core.sources.control import control_day
from core.sources.day_aggs import key
from core.sources.next_step import Part, next_step
from core.sources.pace import Pace
from core.sources.rest import RestClient, RestSource
from tests import files
from tests.files import Clock, Rest, line
from tests.servers import faults, s3, vendor_faults
from tests.servers.s3 import S3Server

# Signatures carry the machine's own time, so these sessions are of this week.
NOW = datetime.now(UTC)
DAY, OLD = (sessions_ending(last_complete(NOW), 60)[n] for n in (-2, 0))
LINES = [line("A"), line("NA")]
V = Verdict


@dataclass(frozen=True, slots=True)
class Clinic:
    """A doctor and both servers."""

    doctor: Doctor
    rest: Rest
    s3: S3Server

    async def verdicts(self, day: date = DAY.date) -> list[Verdict]:
        """Of REST, day aggregates and trades; what is told holds no secret."""
        probes = await self.doctor.examine(day)
        assert [probe.part for probe in probes] == [Part.REST, *DATA_SETS]
        assert all(files.says_no_secret(probe) and probe.seen for probe in probes)
        assert all(probe.next_step for probe in probes)
        return [probe.verdict for probe in probes]


@asynccontextmanager
async def clinic(
    access: dict[str, Any] | None = None, plan_from: date | None = None, **settings: Any
) -> AsyncIterator[Clinic]:
    """All is well unless told otherwise."""
    days = (DAY, OLD, control_day(DAY, NOW), control_day(OLD, NOW))
    objects = {key("day_aggs_v1", day.date): files.packed(day, LINES) for day in days}
    objects |= {key("trades_v1", day.date): b"t" for day in days}
    rows = {day.date: files.grouped(LINES) for day in days}
    async with (
        files.s3_server(objects, **settings) as server,
        files.rest(Clock(NOW), days=rows, plan_from=plan_from) as rest,
    ):
        told = files.s3_access(server.url, **(access or {}))
        doctor = Doctor(rest.source, rest.server.url, told, "", Clock(NOW))
        yield Clinic(doctor, rest, server)


async def test_finds_nothing_wrong_where_nothing_is() -> None:
    async with clinic() as at:
        assert await at.verdicts() == [V.OK] * 3
        assert files.says_no_secret(at.doctor)


async def test_a_starter_plan_lacks_trades_alone() -> None:
    async with clinic(entitled=lambda k: "trades" not in k) as at:
        assert await at.verdicts() == [V.OK, V.OK, V.PLAN_LACKS_DATA_SET]
        trades = (await at.doctor.examine(DAY.date))[2]
        assert "Developer" in trades.next_step


async def test_a_basic_plan_has_rest_alone() -> None:
    async with clinic(entitled=lambda k: False) as at:
        assert await at.verdicts() == [V.OK, V.PLAN_LACKS_DATA_SET, V.PLAN_LACKS_DATA_SET]
        assert "Starter" in (await at.doctor.examine(DAY.date))[1].next_step


async def test_an_old_date_is_outside_the_plan() -> None:
    async with clinic(
        entitled=lambda k: OLD.date.isoformat() not in k, plan_from=DAY.date - timedelta(days=20)
    ) as at:
        assert await at.verdicts(OLD.date) == [V.DATE_OUTSIDE_PLAN] * 3


@pytest.mark.parametrize(
    ("access", "settings", "verdict"),
    [
        ({"access_key_id": "other"}, {}, V.WRONG_ACCESS_KEY),
        ({"access_key_id": files.API_KEY}, {}, V.KEY_LOOKS_LIKE_API_KEY),
        ({"secret_access_key": "other"}, {}, V.WRONG_SECRET),
        ({}, {"clock_shift": timedelta(hours=1)}, V.CLOCK_WRONG),
        ({}, {"clock_shift": timedelta(hours=1), "opaque_credentials": True}, V.CLOCK_WRONG),
        ({"bucket": "other"}, {}, V.VENDOR_FAULT),
        ({"endpoint_url": "http://127.0.0.1:1"}, {}, V.UNREACHABLE),
    ],
)
async def test_bad_credentials_for_files_leave_rest_alone(
    access: dict[str, Any], settings: dict[str, Any], verdict: Verdict
) -> None:
    async with clinic(access, **settings) as at:
        assert await at.verdicts() == [V.OK, verdict, verdict]


async def test_a_wrong_api_key_leaves_files_alone() -> None:
    async with clinic() as at:
        at.rest.server.api_key = "another"
        assert await at.verdicts() == [V.WRONG_ACCESS_KEY, V.OK, V.OK]


async def test_a_grouped_endpoint_that_no_date_opens_is_lacking_in_the_plan() -> None:
    async with clinic() as at:
        at.rest.server.entitled_grouped = False
        assert (await at.verdicts())[0] is V.PLAN_LACKS_DATA_SET


async def test_what_is_not_up_yet_is_not_published() -> None:
    async with clinic() as at:
        at.rest.server.days = {}
        for name in DATA_SETS.values():
            del at.s3.objects[key(name, DAY.date)]
        assert await at.verdicts() == [V.NOT_PUBLISHED_YET] * 3
        at.s3.objects.clear()
        assert (await at.verdicts())[1:] == [V.NOT_PUBLISHED_YET] * 2


async def test_what_is_not_up_yet_and_would_be_refused_is_lacking_in_the_plan() -> None:
    async with clinic(entitled=lambda k: "trades" not in k) as at:
        for name in DATA_SETS.values():
            del at.s3.objects[key(name, DAY.date)]
        assert (await at.verdicts())[1:] == [V.NOT_PUBLISHED_YET, V.PLAN_LACKS_DATA_SET]


async def test_a_session_that_is_not_over_is_not_published() -> None:
    async with clinic() as at:
        early = Clock(DAY.tape_end - timedelta(hours=1))
        rest = RestSource(at.rest.client, early)
        doctor = replace(at.doctor, rest=rest, now=early)
        for name in DATA_SETS.values():
            del at.s3.objects[key(name, DAY.date)]
        probes = await doctor.examine(DAY.date)
        assert [probe.verdict for probe in probes] == [V.NOT_PUBLISHED_YET] * 3
        assert all("extended hours" in probe.seen for probe in probes)


@pytest.mark.parametrize("day", [date(2026, 10, 3), date(2026, 7, 3), date(2025, 1, 9)])
async def test_a_day_without_a_session_is_named_and_nobody_is_asked(day: date) -> None:
    async with clinic() as at:
        assert await at.verdicts(day) == [V.NOT_A_SESSION] * 3
        assert (at.s3.requests, at.rest.paths) == ([], [])


async def test_throttling_is_told() -> None:
    async with clinic() as at:
        at.s3.faults.always(s3.slow_down())
        at.rest.server.faults.always(vendor_faults.too_many())
        assert await at.verdicts() == [V.RATE_LIMITED] * 3


async def test_faults_of_the_vendor_are_told() -> None:
    async with clinic() as at:
        at.s3.faults.always(faults.html())
        at.rest.server.faults.always(faults.html())
        assert await at.verdicts() == [V.VENDOR_FAULT] * 3


async def test_a_line_that_is_cut_is_told() -> None:
    async with clinic() as at, files.plain_http() as http:
        at.s3.faults.always(faults.Reset())
        nowhere = RestClient(http, "http://127.0.0.1:1", files.API_KEY, Pace(0), attempts=1)
        sick = replace(at, doctor=replace(at.doctor, rest=RestSource(nowhere, Clock(NOW))))
        assert await sick.verdicts() == [V.UNREACHABLE] * 3


async def test_without_credentials_nobody_is_asked() -> None:
    doctor = Doctor(None, "https://api.massive.com", None, "no access key", Clock(NOW))
    probes = await doctor.examine(DAY.date)
    assert [probe.verdict for probe in probes] == [V.NOT_CONFIGURED] * 3
    assert [probe.seen for probe in probes][1:] == ["no access key"] * 2


def step(part: Part, verdict: Verdict) -> str:
    place = f"s3://flatfiles/{key(DATA_SETS[part], DAY.date)}" if part in DATA_SETS else ""
    return next_step(part, verdict, "http://localhost:9", place, DAY.date)


@pytest.mark.parametrize("verdict", Verdict, ids=lambda verdict: verdict.name)
@pytest.mark.parametrize("part", Part)
def test_every_verdict_on_every_part_has_a_next_step(part: Part, verdict: Verdict) -> None:
    told = step(part, verdict)
    assert told
    if verdict in (V.OK, V.NOT_A_SESSION):
        return
    if verdict is V.NOT_CONFIGURED and part is not Part.FINRA:
        return
    by_files = ("mc alias set", "mc cat", "aws s3api")
    commands = {Part.BARS: ("aws s3 ls",), **dict.fromkeys(DATA_SETS, by_files)}
    assert all(command in told for command in commands.get(part, ("curl -sS",)))
    assert ("YOUR_" in told) == (part is not Part.FINRA)


def test_an_address_that_is_not_finras_is_told_so_and_of_no_key() -> None:
    told = step(Part.FINRA, V.NOT_CONFIGURED)
    assert "set FINRA_URL to the folder" in told
    assert "firewall" in told
    assert "POLYGON_API_KEY" not in told
    assert f"curl -sS -A Mozilla/5.0 'http://localhost:9/CNMSshvol{DAY.date:%Y%m%d}.txt'" in told


def test_the_next_steps_differ_where_the_cure_does() -> None:
    cures = {v: step(Part.DAY_AGGS, v).partition(". To check")[0] for v in Verdict}
    assert len(set(cures.values())) == len(cures)
    assert step(Part.DAY_AGGS, V.PLAN_LACKS_DATA_SET) != step(Part.TRADES, V.PLAN_LACKS_DATA_SET)
