"""A server with a certificate that nobody knows: told as that, whatever asks it."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from urllib3.exceptions import SSLError
from urllib3.util.ssl_match_hostname import CertificateError

from core.bucket import Bucket
from core.calendar import trading_day
from core.errors import BarsAway, SourceUnavailable, Verdict
from core.sources.certificate import not_accepted
from core.sources.fetch import client
from core.sources.finra import FinraSource
from core.sources.next_step import Part, next_step
from core.sources.pace import Pace
from core.sources.rest import RestClient, RestSource
from core.sources.s3 import S3Reader, translate
from tests.files import API_KEY, Clock, s3_access
from tests.servers.self_signed import self_signed

DAY = trading_day(date(2026, 10, 1))
CLOCK = Clock(datetime(2026, 10, 2, 12, tzinfo=UTC))
SEEN = "not who it should be: self-signed certificate"


async def test_neither_rest_nor_finra_call_it_the_network() -> None:
    async with self_signed() as url, await asyncio.to_thread(client) as http:
        rest = RestSource(RestClient(http, url, API_KEY, Pace(0), attempts=1), CLOCK)
        finra = FinraSource(http, url, CLOCK, attempts=1)
        for source in (rest, finra):
            with pytest.raises(SourceUnavailable) as caught:
                await source.bars(DAY)
            assert (caught.value.verdict, caught.value.seen) == (Verdict.CERTIFICATE, SEEN)


async def test_nor_does_s3(tmp_path: Path) -> None:
    async with self_signed() as url:
        reader = await asyncio.to_thread(S3Reader, s3_access(url), attempts=1)
        with pytest.raises(SourceUnavailable) as caught:
            await asyncio.to_thread(reader.find, "a")
        assert (caught.value.verdict, caught.value.seen) == (Verdict.CERTIFICATE, SEEN)
        bars = await asyncio.to_thread(Bucket, s3_access(url), "", tmp_path, 1 << 20, attempts=1)
        with pytest.raises(BarsAway, match=SEEN) as away:
            await asyncio.to_thread(bars.listed, "bars/x")
        assert away.value.verdict is Verdict.CERTIFICATE


def test_what_to_do_is_said_with_the_names_of_the_variables() -> None:
    for part in Part:
        told = next_step(part, Verdict.CERTIFICATE, "https://localhost:9", "s3://a/b", DAY.date)
        assert "SSL_CERT_FILE" in told
        assert "AWS_CA_BUNDLE" in told
    assert not_accepted(OSError("another")) is None


def test_a_certificate_of_another_host_is_one_in_urllib3s_words_as_well() -> None:
    error = SSLError(CertificateError("hostname 'a' doesn't match 'b'"))
    error.__cause__ = error.args[0]
    assert translate(error).verdict is Verdict.CERTIFICATE
