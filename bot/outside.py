"""The connections to whoever has bars: opened from the settings, closed when the block ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bot.settings import Settings
from core.sources.finra import FinraSource
from core.sources.finra import connected as finra
from core.sources.pace import Pace
from core.sources.rest import RestClient, RestSource, connected
from core.sources.s3_names import S3Access
from core.sources.short_volume import ShortVolumeSource

if TYPE_CHECKING:
    from core.sources.s3 import S3Reader


@dataclass(frozen=True, slots=True)
class Outside:
    """Every connection that is open; None where there are no credentials."""

    client: RestClient | None
    rest: RestSource | None
    short_volume: ShortVolumeSource | None
    finra: FinraSource | None
    access: S3Access | None
    reader: "S3Reader | None"


@asynccontextmanager
async def outside(
    settings: Settings, now: Callable[[], datetime], pace: Pace | None = None
) -> AsyncIterator[Outside]:
    """Nobody is asked yet. `pace`: what calls wait for, each made once, instead of the settings'"""
    async with AsyncExitStack() as stack:
        client = None
        if settings.polygon_api_key is not None:
            key = settings.polygon_api_key.get_secret_value()
            limit = settings.polygon_calls_per_minute
            opening = connected(settings.polygon_rest_url, key, limit)
            client = await stack.enter_async_context(opening)
            client = client if pace is None else client.by(pace)
        s3, free = _s3(settings), settings.dark_pool_only and not settings.sample
        yield Outside(
            client=client,
            rest=RestSource(client, now) if client else None,
            short_volume=ShortVolumeSource(client, now) if client and free else None,
            finra=await stack.enter_async_context(finra(settings.finra_url, now)) if free else None,
            access=s3,
            # Building a client reads botocore's data files: not on the loop.
            reader=None if s3 is None else await asyncio.to_thread(_reader, s3),
        )


def _reader(access: S3Access) -> "S3Reader":
    from core.sources.s3 import S3Reader  # boto3 takes its time to come in

    return S3Reader(access)


def _s3(settings: Settings) -> S3Access | None:
    key_id, secret = settings.flatfiles_access_key_id, settings.flat_files_secret
    if key_id is None or secret is None:
        return None
    api_key = settings.polygon_api_key
    return S3Access(
        settings.flatfiles_endpoint_url,
        settings.flatfiles_bucket,
        key_id.get_secret_value(),
        secret.get_secret_value(),
        api_key.get_secret_value() if api_key else None,
    )
