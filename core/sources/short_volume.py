"""The vendor's short-volume endpoint: FINRA's off-exchange volume by REST, on every plan."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import polars as pl

from core.bars import Bars
from core.calendar import TradingDay
from core.sources import Served
from core.sources.control import raise_if_open
from core.sources.finra_file import OFF_EXCHANGE, volumes_only
from core.sources.grouped import frame_of, results_of
from core.sources.rest import Answer, RestClient, raise_if_refused

SHORT_VOLUME = "/stocks/v1/short-volume"

_ROWS_A_PAGE = 50_000  # the most there is; unasked it gives ten
_NAMES = {"ticker": "ticker", "total_volume": "volume", "date": "date"}
_RESULT = {"ticker": pl.String, "total_volume": pl.Float64, "date": pl.String}


class ShortVolumeSource:
    """FINRA's numbers as the vendor hands them on; its facility columns are FINRA's facilities."""

    name = "REST short volume"
    series = OFF_EXCHANGE

    def __init__(self, client: RestClient, now: Callable[[], datetime]) -> None:
        self._client, self._now = client, now

    async def bars(self, day: TradingDay) -> Served:
        """Raises only NotPublished, SourceUnavailable, SourceRefused or BadBars."""
        raise_if_open(day, self._now())
        results, travelled = list[Any](), 0
        async for answer in self._client.pages(SHORT_VOLUME, _asked(day, _ROWS_A_PAGE)):
            await raise_if_refused(answer, SHORT_VOLUME, day, self._now(), self._one_row)
            results += results_of(answer.body)
            travelled += answer.travelled
        bars = await asyncio.to_thread(parse, results, day)
        return Served(bars, self.name, travelled=travelled)

    async def version(self, day: TradingDay) -> str | None:
        """REST answers carry no name of their copy."""
        return None

    async def _one_row(self, day: TradingDay) -> Answer:
        return await self._client.get(SHORT_VOLUME, _asked(day, 1))


def parse(results: list[Any], day: TradingDay) -> Bars:
    """The bars in the rows of one session; none at all is not an empty market."""
    return volumes_only(frame_of(results, _RESULT, day).rename(_NAMES), "%Y-%m-%d", day)


def _asked(day: TradingDay, limit: int) -> dict[str, str]:
    return {"date": f"{day}", "limit": f"{limit}"}
