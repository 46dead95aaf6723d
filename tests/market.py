"""The built-in market behind local vendor servers: real HTTP, real boto3, no key of anyone's."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import core
from bot.settings import Settings, load
from core.calendar import NEW_YORK, TradingDay, sessions_ending, trading_day
from core.sources.day_aggs import key
from core.sources.finra_file import name_of
from core.sources.sample_market import SampleMarket
from tests.servers.finra import FinraServer
from tests.servers.s3 import S3Server
from tests.servers.vendor import VendorServer
from tests.servers.vendor_data import Split
from tests.servers.vendor_reference import whole_market
from tests.shared import Shared

NOW = datetime(2026, 3, 7, 16, 5, tzinfo=UTC)
"""Saturday 11:05 in New York: Friday's files are there."""
NEWEST = trading_day(date(2026, 3, 6))

API_KEY = "k3yk3yk3yk3yk3yk3yk3yk3yk3yk3y42"
ACCESS_KEY_ID = "0f1e2d3c-1111-2222-3333-0123456789ab"
MARKET = SampleMarket()


@cache
def day_file(day: TradingDay) -> bytes:
    """One session in the vendor's format."""
    return MARKET.day_aggs(day)


def window(last: TradingDay = NEWEST, count: int = 84) -> list[TradingDay]:
    """Sessions enough for a baseline and two digests."""
    return sessions_ending(last, count)


def objects(days: Sequence[TradingDay]) -> dict[str, bytes]:
    """The bucket with these sessions' day aggregates."""
    return {key("day_aggs_v1", day.date): day_file(day) for day in days}


@cache
def off_exchange_file(day: TradingDay) -> bytes:
    """The same session in FINRA's format."""
    return MARKET.off_exchange_file(day)


def compiled_once(data_dir: Path) -> None:
    """Let this data folder share the compiled code of all others."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "cache").symlink_to(Path(core.__file__).parent / "__pycache__")


@dataclass(frozen=True, slots=True)
class Vendor:
    """All servers, and the settings that lead to them."""

    s3: S3Server
    rest: VendorServer
    finra: FinraServer

    def environment(self, data_dir: Path, **changes: str) -> dict[str, str]:
        """Environment variables of a process that uses these servers."""
        return {
            "POLYGON_API_KEY": API_KEY,
            "POLYGON_REST_URL": self.rest.url,
            "POLYGON_CALLS_PER_MINUTE": "0",
            "FLATFILES_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "FLATFILES_ENDPOINT_URL": self.s3.url,
            "FINRA_URL": self.finra.daily_url,
            "USE_FLAT_FILES": "true",
            "DATA_DIR": str(data_dir),
            **changes,
        }

    async def settings(self, data_dir: Path, **changes: Any) -> Settings:
        """The same as an object."""
        values = {k.lower(): v for k, v in self.environment(data_dir).items()}
        values["POLYGON_API_KEY"] = values.pop("polygon_api_key")
        return await asyncio.to_thread(load, **(values | changes))


def publish(folder: Path, days: Sequence[TradingDay], shared: Shared | None = None) -> None:
    """Lay the files of these sessions, which may be made once for all workers, into a folder."""
    kept = shared.once("vendor", lambda made: publish(made, window())) if shared else folder
    for day in days:
        for name, make in (
            (key("day_aggs_v1", day.date), day_file),
            (f"finra/{name_of(day.date)}", off_exchange_file),
        ):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if shared is None:
                path.write_bytes(make(day))
            else:
                shutil.copyfile(kept / name, path)


@asynccontextmanager
async def vendor(
    folder: Path,
    days: Sequence[TradingDay],
    now: datetime = NOW,
    *,
    shared: Shared | None = None,
) -> AsyncIterator[Vendor]:
    """All servers with these sessions published."""
    await asyncio.to_thread(publish, folder, days, shared)
    # The vendor's date only: signatures go by the machine's clock on both sides.
    today = now.astimezone(NEW_YORK).date()
    splits = [
        Split(s.execution_date, s.ticker, s.split_from, s.split_to)
        for s in MARKET.splits(days[0].date, days[-1].date)
    ]
    async with (
        S3Server(
            root=folder, access_key_id=ACCESS_KEY_ID, secret_access_key=API_KEY, today=today
        ) as s3,
        VendorServer(
            root=folder,
            api_key=API_KEY,
            splits=splits,
            instruments=whole_market(),
            today=today,
        ) as rest,
        FinraServer(root=folder / "finra") as finra,
    ):
        yield Vendor(s3, rest, finra)
