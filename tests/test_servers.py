"""The local S3 server against real boto3: what the tests of the flat files stand on."""

import asyncio
import gc
import gzip
import hashlib
import socket
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from tests import files
from tests.servers import faults
from tests.servers.s3 import S3Server, internal_error, slow_down, too_many
from tests.servers.s3_apart import S3Apart, apart

ACCESS_KEY_ID, SECRET = "0f0e0d0c-1111-2222-3333-444455556666", "invented-secret-of-32-characters"
DAYS = "us_stocks_sip/day_aggs_v1/2024/03/"
KEY, BODY = f"{DAYS}2024-03-07.csv.gz", gzip.compress(b"some rows of some market\n" * 200, 9)
TRADES = "us_stocks_sip/trades_v1/2024/03/2024-03-07.csv.gz"

Client = Any


def s3_server(**settings: Any) -> S3Server:
    """Two objects, and a day on which the file of the 9th is still to come."""
    usual: dict[str, Any] = {
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET,
        "objects": {KEY: BODY, TRADES: b"t"},
        "today": date(2024, 3, 9),
    }
    return S3Server(**(usual | settings))


async def call(
    server: S3Server | S3Apart, name: str, *, secret: str = SECRET, **wanted: Any
) -> Any:
    """One call of a new boto3 client, without retries, in a thread; a body is read to its end."""
    access_key_id = wanted.pop("access_key_id", ACCESS_KEY_ID)

    def blocking() -> Any:
        client: Client = boto3.client(
            "s3",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret,
            config=Config(
                signature_version="s3v4", retries={"total_max_attempts": 1}, read_timeout=1
            ),
        )
        try:
            answer = getattr(client, name)(Bucket="flatfiles", **wanted)
            if name == "get_object":
                answer["Body"] = answer["Body"].read()
            return answer
        finally:
            client.close()

    return await asyncio.to_thread(blocking)


async def refused(server: S3Server, name: str, **wanted: Any) -> tuple[int, str]:
    """The status and the code of a call that is refused."""
    with pytest.raises(ClientError) as caught:
        await call(server, name, **wanted)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


async def test_reads_with_the_right_keys() -> None:
    async with s3_server() as server:
        got = await call(server, "get_object", Key=KEY)
        head = await call(server, "head_object", Key=KEY)
    assert got["Body"] == BODY
    assert got["ETag"] == head["ETag"] == f'"{hashlib.md5(BODY).hexdigest()}"'  # noqa: S324
    assert head["ContentLength"] == len(BODY)
    assert abs(head["LastModified"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert [(seen.method, seen.key, seen.status) for seen in server.requests] == [
        ("GET", KEY, 200),
        ("HEAD", KEY, 200),
    ]


@pytest.mark.parametrize("name", ["list_objects_v2", "get_object"])
@pytest.mark.parametrize(
    ("wrong", "shift", "code"),
    [
        ({"access_key_id": SECRET}, 0, "InvalidAccessKeyId"),
        ({"secret": "another"}, 0, "SignatureDoesNotMatch"),
        ({}, 16, "RequestTimeTooSkewed"),
        ({}, -16, "RequestTimeTooSkewed"),
    ],
)
async def test_refuses_wrong_credentials(
    name: str, wrong: dict[str, str], shift: int, code: str
) -> None:
    wanted = {"Key": KEY} if name == "get_object" else {}
    async with s3_server(clock_shift=timedelta(minutes=shift)) as server:
        assert await refused(server, name, **wrong, **wanted) == (403, code)
        server.opaque_credentials = True
        assert await refused(server, name, **wrong, **wanted) == (403, "403")


async def test_tells_its_own_time() -> None:
    async with s3_server(clock_shift=timedelta(hours=-3)) as server, files.plain_http() as client:
        answer = await client.get(f"{server.url}/flatfiles")
    told = parsedate_to_datetime(answer.headers["Date"])
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text
    assert abs(datetime.now(UTC) - told - timedelta(hours=3)) < timedelta(minutes=1)


async def test_signs_odd_keys() -> None:
    odd = "us stocks/a+b=c&d é~'(1).csv.gz"
    async with s3_server(objects={odd: b"x"}) as server:
        listed = await call(server, "list_objects_v2", Prefix=odd)
        assert [entry["Key"] for entry in listed["Contents"]] == [odd]
        assert (await call(server, "get_object", Key=odd))["Body"] == b"x"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven files on disk; the last hides behind the object in memory."""
    for day in range(1, 8):
        path = tmp_path / f"{DAYS}2024-03-{day:02}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"on disk")
    return tmp_path


async def test_lists_in_pages_and_folders(folder: Path) -> None:
    async with s3_server(root=folder, page_keys=3) as server:
        keys: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await call(server, "list_objects_v2", Prefix=DAYS, **token)
            keys += [entry["Key"] for entry in page["Contents"]]
            if not page["IsTruncated"]:
                break
            token = {"ContinuationToken": page["NextContinuationToken"]}
        folders = await call(
            server, "list_objects_v2", Prefix="us_stocks_sip/", Delimiter="/", MaxKeys=2
        )
        one = await call(server, "list_objects_v2", Prefix=KEY, MaxKeys=1)
        none = await call(server, "list_objects_v2", Prefix="nothing/")
        on_disk = await call(server, "get_object", Key=f"{DAYS}2024-03-01.csv.gz", Range="bytes=3-")
        in_memory = await call(server, "get_object", Key=KEY)
    assert keys == [f"{DAYS}2024-03-{day:02}.csv.gz" for day in range(1, 8)]
    assert [f["Prefix"] for f in folders["CommonPrefixes"]] == [
        "us_stocks_sip/day_aggs_v1/",
        "us_stocks_sip/trades_v1/",
    ]
    assert (one["KeyCount"], one["Contents"][0]["Size"], one["IsTruncated"]) == (
        1,
        len(BODY),
        False,
    )
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)
    assert on_disk["Body"] == b"disk"
    assert in_memory["Body"] == BODY


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-0", BODY[:1]),
        ("bytes=7-", BODY[7:]),
        ("bytes=-5", BODY[-5:]),
        ("bytes=3-9", BODY[3:10]),
    ],
    ids=["first byte", "from the middle on", "last five", "inside"],
)
async def test_reads_ranges(wanted: str, part: bytes) -> None:
    async with s3_server() as server:
        got = await call(server, "get_object", Key=KEY, Range=wanted)
    assert got["Body"] == part
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"].endswith(f"/{len(BODY)}")
    assert server.requests[0].range == wanted


LARGE = bytes(range(256)) * 40_000


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ({}, LARGE),
        ({"Range": "bytes=0-0"}, LARGE[:1]),
        ({"Range": "bytes=5000001-"}, LARGE[5_000_001:]),
        ({"Range": "bytes=-777"}, LARGE[-777:]),
    ],
    ids=["whole", "first byte", "from the middle on", "last ones"],
)
async def test_sends_from_the_disk(tmp_path: Path, wanted: dict[str, str], part: bytes) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    (tmp_path / "empty").write_bytes(b"")
    async with s3_server(root=tmp_path) as server:
        got = await call(server, "get_object", Key="large", **wanted)
        head = await call(server, "head_object", Key="large", **wanted)
        empty = await call(server, "get_object", Key="empty")
    assert (got["Body"], empty["Body"]) == (part, b"")
    assert got["ContentLength"] == head["ContentLength"] == len(part)
    assert got["ETag"] == f'"{hashlib.md5(LARGE).hexdigest()}"'  # noqa: S324
    assert server.requests[0].sent_bytes == len(part)


async def test_spoils_what_is_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    async with s3_server(root=tmp_path) as server:
        server.faults.add(faults.Clipped(0.25), faults.Truncated(0.5))
        assert (await call(server, "get_object", Key="large"))["Body"] == LARGE[: len(LARGE) // 4]
        with pytest.raises(ResponseStreamingError):
            await call(server, "get_object", Key="large")
        assert (await call(server, "get_object", Key="large"))["Body"] == LARGE


async def test_a_client_hangs_up_on_a_large_file(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE * 4)
    async with s3_server(root=tmp_path) as server:
        await asyncio.to_thread(_begun_and_left, server)
        assert (await call(server, "get_object", Key="large"))["Body"] == LARGE * 4


def _begun_and_left(server: S3Server) -> None:
    client: Client = boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET,
    )
    body = client.get_object(Bucket="flatfiles", Key="large")["Body"]
    assert body.read(1_000) == LARGE[:1_000]
    body.close()
    client.close()


async def test_a_process_of_its_own_tells_what_it_was_asked(tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "large").write_bytes(LARGE)
    log, keys = tmp_path / "log", {"access_key_id": ACCESS_KEY_ID, "secret": SECRET}
    with apart(tmp_path / "bucket", log, **keys) as server:
        assert server.requests == []
        got = await call(server, "get_object", Key="large", Range="bytes=1-")
        await call(server, "list_objects_v2", Prefix="")
        seen = server.requests
    assert got["Body"] == LARGE[1:]
    assert [(one.method, one.key, one.range, one.status) for one in seen] == [
        ("GET", "large", "bytes=1-", 206),
        ("GET", "", None, 200),
    ]
    assert seen[0].sent_bytes == len(LARGE) - 1


async def test_keeps_conditions() -> None:
    async with s3_server() as server:
        etag = (await call(server, "head_object", Key=KEY))["ETag"]
        assert (await call(server, "get_object", Key=KEY, IfMatch=etag))["Body"] == BODY
        other = await refused(server, "get_object", Key=KEY, IfMatch='"other"')
        same = await refused(server, "get_object", Key=KEY, IfNoneMatch=etag)
        beyond = await refused(server, "get_object", Key=KEY, Range="bytes=99999-")
    assert (other, same, beyond) == (
        (412, "PreconditionFailed"),
        (304, "304"),
        (416, "InvalidRange"),
    )


@pytest.mark.parametrize("body", ["empty", "json"])
async def test_lists_what_it_refuses_to_read(body: str) -> None:
    async with s3_server(entitled=lambda k: "trades" not in k, refusal_body=body) as server:
        listed = await call(server, "list_objects_v2", Prefix=TRADES)
        assert listed["KeyCount"] == 1
        assert await refused(server, "get_object", Key=TRADES, Range="bytes=0-0") == (403, "403")
        assert await refused(server, "head_object", Key=TRADES) == (403, "403")
        assert (await call(server, "get_object", Key=KEY))["Body"] == BODY


async def test_missing_files_of_today_and_before() -> None:
    async with s3_server() as server:
        before = await refused(server, "get_object", Key=f"{DAYS}2024-03-08.csv.gz")
        today = await refused(server, "get_object", Key=f"{DAYS}2024-03-09.csv.gz")
        head = await refused(server, "head_object", Key=f"{DAYS}2024-03-02.csv.gz")
    assert (before, today, head) == ((404, "NoSuchKey"), (403, "403"), (404, "404"))


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (internal_error(), 500, "InternalError"),
        (slow_down(), 503, "SlowDown"),
        (too_many(), 429, "429"),
        (faults.html(502), 502, "502"),
        (faults.html(403), 403, "403"),
    ],
)
async def test_s3_status_faults(fault: faults.Fault, status: int, code: str) -> None:
    async with s3_server() as server:
        server.faults.add(fault, on="get")
        assert (await call(server, "list_objects_v2"))["KeyCount"] == 2
        assert (await refused(server, "get_object", Key=KEY))[0] == status
        server.faults.add(fault, on="list")
        seen, said = await refused(server, "list_objects_v2")
        assert (seen, len(server.faults)) == (status, 0)
        assert said == code or "html" in repr(fault)
        assert (await call(server, "get_object", Key=KEY))["Body"] == BODY


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (faults.Reset(), ConnectionClosedError),
        (faults.Reset(after_bytes=10), (ResponseStreamingError, OSError)),
        (faults.Truncated(), (ResponseStreamingError, BotoCoreError)),
        (faults.Hang(), ReadTimeoutError),
        (faults.Hang(after_bytes=10), ReadTimeoutError),
    ],
)
async def test_s3_line_faults(fault: faults.Fault, raised: Any) -> None:
    async with s3_server() as server:
        server.faults.add(fault)
        with pytest.raises(raised):
            await call(server, "get_object", Key=KEY)
        assert (await call(server, "get_object", Key=KEY))["Body"] == BODY


@pytest.mark.parametrize("fault", [faults.Drip(chunk_bytes=20), faults.Delay(0.1)])
async def test_s3_slow_faults(fault: faults.Fault) -> None:
    async with s3_server() as server:
        server.faults.always(fault, on="get")
        assert (await call(server, "get_object", Key=KEY))["Body"] == BODY


async def test_an_html_page_as_a_listing() -> None:
    async with s3_server() as server:
        server.faults.add(faults.html(), faults.html(well_formed=False), on="list")
        # To boto3 a page that is well-formed is a listing that says nothing: not even KeyCount.
        listed = await call(server, "list_objects_v2")
        # One that is not, it reports as the server's error, which was none.
        assert await refused(server, "list_objects_v2") == (500, "500")
    assert set(listed) == {"ResponseMetadata"}


async def test_an_object_replaced_midway() -> None:
    async with s3_server() as server:
        etag = (await call(server, "head_object", Key=KEY))["ETag"]
        server.faults.add(server.replaced_midway(KEY, b"new", after_bytes=10), on="get")
        with pytest.raises((ResponseStreamingError, OSError)):
            await call(server, "get_object", Key=KEY)
        resumed = await refused(server, "get_object", Key=KEY, Range="bytes=10-", IfMatch=etag)
        assert resumed == (412, "PreconditionFailed")
        assert (await call(server, "get_object", Key=KEY))["Body"] == b"new"


@pytest.mark.parametrize("turns", range(5))
def test_a_client_of_the_last_moment_is_hung_up_on(turns: int) -> None:
    with socket.socket() as client:

        async def listen_until_it_comes() -> None:
            async with s3_server() as server:
                client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
                for _ in range(turns):
                    await asyncio.sleep(0)

        asyncio.run(listen_until_it_comes())
        gc.collect()  # a warning, thus a failure, if the server's end is still open
