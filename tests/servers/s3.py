"""The vendor's flat files on a local port: enough S3 for boto3, with the vendor's own refusals.

Plain S3 (listing, GET, HEAD, ranges, conditions, signatures, XML) is as AWS documents it. The
vendor's part is as its users report it: the listing shows every data set to any valid credentials;
reading what the plan lacks is a 403 without XML; so is a file of today that is not yet there, while
an older one that never was is an ordinary 404 NoSuchKey.
"""

import argparse
import asyncio
import json
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from aiohttp import web

from tests.servers import faults, sigv4
from tests.servers.local import LocalServer, serve, utc_now
from tests.servers.s3_apart import SeenRequest
from tests.servers.s3_objects import ListQuery, Shelf, StoredObject, listing

_XML = {"Content-Type": "application/xml"}
_FILE_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})\.csv\.gz$")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_STATUS = {
    "AuthorizationHeaderMalformed": 400,
    "InvalidArgument": 400,
    "InvalidRange": 416,
    "MethodNotAllowed": 405,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "PreconditionFailed": 412,
    "XAmzContentSHA256Mismatch": 400,
}


@dataclass(frozen=True, slots=True)
class ReplacedMidway(faults.Reset):
    """The line is cut after `after_bytes`, and the object is another one from then on."""

    objects: MutableMapping[str, bytes] | None = None
    key: str = ""
    body: bytes = b""

    def spoil(self, answer: faults.Answer) -> faults.Answer:
        """The old bytes go out; the new ones are in their place."""
        if self.objects is not None:
            self.objects[self.key] = self.body
        return answer


class S3Server(LocalServer):
    """A bucket of flat files. Every setting is an attribute and may be changed while it runs."""

    def __init__(
        self,
        *,
        access_key_id: str,
        secret_access_key: str,
        objects: MutableMapping[str, bytes] | None = None,
        modified: Mapping[str, datetime] | None = None,
        root: Path | None = None,
        bucket: str = "flatfiles",
        entitled: Callable[[str], bool] = lambda key: True,
        today: date | None = None,
        refusal_body: Literal["empty", "json"] = "empty",
        opaque_credentials: bool = False,
        page_keys: int = 1000,
        ignores_ranges: bool = False,
        clock_shift: timedelta = timedelta(),
        now: Callable[[], datetime] = utc_now,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        super().__init__(port=port, now=now, clock_shift=clock_shift)
        self.keys = sigv4.Keys(access_key_id, secret_access_key)
        self.objects = {} if objects is None else objects
        self.bucket = bucket
        self.entitled = entitled
        self.today = today
        self.refusal_body = refusal_body
        self.opaque_credentials = opaque_credentials
        self.page_keys = page_keys
        self.ignores_ranges = ignores_ranges
        self.requests: list[SeenRequest] = []
        self.log = log
        """Where each of them is written to as well, a line of JSON, before it is answered."""
        self._shelf = Shelf(self.objects, modified or {}, root, self.now())

    def replaced_midway(self, key: str, body: bytes, after_bytes: int) -> ReplacedMidway:
        """A fault: the object changes, with a new ETag, while it is being read."""
        return ReplacedMidway(after_bytes, self.objects, key, body)

    async def answer(self, request: web.BaseRequest) -> tuple[str, faults.Answer]:
        """Check the signature, then the rest; the operation is list, get or head."""
        bucket, key = _bucket_and_key(request)
        operation = "list" if request.method == "GET" and not key else request.method.lower()
        if code := sigv4.fault(await _signed(request), self.keys, self.now()):
            return operation, self._bare_403() if self.opaque_credentials else error(code)
        if bucket != self.bucket:
            return operation, error("NoSuchBucket" if bucket else "AccessDenied", bucket)
        if request.method not in ("GET", "HEAD"):
            return operation, await self.changed(request, key)
        if operation == "list":
            return operation, await asyncio.to_thread(self._list, request.query)
        if not key:
            return operation, faults.Answer(200)
        return operation, await asyncio.to_thread(self._object, key, request.headers)

    async def changed(self, request: web.BaseRequest, key: str) -> faults.Answer:
        """Flat files are there to be read."""
        return error("MethodNotAllowed", key)

    def record(self, request: web.BaseRequest, answer: faults.Answer, sent_bytes: int) -> None:
        """Remember it in `requests`."""
        _, key = _bucket_and_key(request)
        part, match = request.headers.get("Range"), request.headers.get("If-Match")
        query = dict(request.query)
        seen = SeenRequest(request.method, key, query, part, match, answer.status, sent_bytes)
        self.requests.append(seen)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(json.dumps(asdict(seen)) + "\n")

    def sent_bytes(self, key: str) -> int:
        """How much of an object's bytes went out, all answers together."""
        right = (seen for seen in self.requests if seen.status in (200, 206))
        return sum(seen.sent_bytes for seen in right if seen.key == key)

    def _list(self, query: Mapping[str, str]) -> faults.Answer:
        try:
            page = listing(self._shelf, self.bucket, ListQuery.of(query, self.page_keys))
        except ValueError as wrong:
            return error("InvalidArgument", str(wrong))
        return faults.Answer(200, page, _XML)

    def _object(self, key: str, headers: Mapping[str, str]) -> faults.Answer:
        found = self._shelf.find(key)
        if not self.entitled(key) or (found is None and self._is_to_come(key)):
            return self._bare_403()
        if found is None:
            return error("NoSuchKey", key)
        wanted = "" if self.ignores_ranges else headers.get("Range", "")
        return _conditions(found, headers) or _part(found, wanted)

    def _is_to_come(self, key: str) -> bool:
        match = _FILE_DATE.search(key)
        today = self.today or self.new_york_date()
        return match is not None and match[1] >= today.isoformat()

    def _bare_403(self) -> faults.Answer:
        """A refusal as the vendor's users see it: no XML, so no code."""
        if self.refusal_body == "empty":
            return faults.Answer(403)
        return faults.Answer(403, b'{"message":"Forbidden"}', {"Content-Type": "application/json"})


def error(code: str, resource: str = "", status: int | None = None) -> faults.Answer:
    """S3's own error answer; the status is 403 unless the code has another."""
    told = f"<Code>{code}</Code><Message>{code}, says the local server.</Message>"
    where = f"<Resource>{escape(resource)}</Resource><RequestId>LOCAL0000000000A</RequestId>"
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{told}{where}</Error>'
    return faults.Answer(status or _STATUS.get(code, 403), xml.encode(), _XML)


def xml_error(status: int, code: str) -> faults.Status:
    """A fault that S3 explains in XML."""
    return faults.Status(status, error(code).body, "application/xml")


def slow_down() -> faults.Status:
    """S3's throttling."""
    return xml_error(503, "SlowDown")


def internal_error() -> faults.Status:
    """S3's apology."""
    return xml_error(500, "InternalError")


def too_many() -> faults.Status:
    """A throttling proxy before S3: 429 and no XML."""
    return faults.Status(429, b"Too Many Requests\n")


def _bucket_and_key(request: web.BaseRequest) -> tuple[str, str]:
    bucket, _, key = unquote(request.raw_path.partition("?")[0])[1:].partition("/")
    return bucket, key


async def _signed(request: web.BaseRequest) -> sigv4.Signed:
    path, _, query = request.raw_path.partition("?")
    names = {name.lower() for name in request.headers}
    headers = {name: ",".join(request.headers.getall(name)) for name in names}
    return sigv4.Signed(request.method, path, query, headers, await request.read())


def _about(found: StoredObject) -> dict[str, str]:
    headers = {
        "ETag": found.etag,
        "Last-Modified": format_datetime(found.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/gzip" if found.key.endswith(".gz") else "text/plain",
    }
    if "/trades_v1/" in found.key:  # the vendor says this of trades and quotes only
        headers["x-amz-meta-entitlement-data-type"] = "trades"
    return headers


def _conditions(found: StoredObject, headers: Mapping[str, str]) -> faults.Answer | None:
    wanted, known = headers.get("If-Match", "*"), headers.get("If-None-Match", "")
    if wanted not in ("*", found.etag, found.etag.strip('"')):
        return error("PreconditionFailed", found.key)
    if known in ("*", found.etag, found.etag.strip('"')):
        return faults.Answer(304, b"", _about(found))
    return None


def _part(found: StoredObject, wanted: str) -> faults.Answer:
    """All of the object, or 206 and the bytes of the range; a range that makes no sense is none."""
    match = _RANGE.fullmatch(wanted)
    if match is None or not (match[1] or match[2]):
        return found.answer(200, _about(found), 0, found.size)
    first = int(match[1]) if match[1] else max(found.size - int(match[2]), 0)
    last = min(int(match[2]), found.size - 1) if match[1] and match[2] else found.size - 1
    if first > last:
        return error("InvalidRange", found.key)
    where = {"Content-Range": f"bytes {first}-{last}/{found.size}"}
    return found.answer(206, {**_about(found), **where}, first, last + 1)


def _from_shell() -> S3Server:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.s3", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds us_stocks_sip/...")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--access-key-id", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--bucket", default="flatfiles")
    parser.add_argument("--today", type=date.fromisoformat)
    parser.add_argument("--unentitled", action="append", default=[], help="such as trades_v1")
    parser.add_argument("--log", type=Path, help="each request, a line of JSON")
    args = parser.parse_args()
    lacking: list[str] = args.unentitled
    return S3Server(
        root=args.folder,
        port=args.port,
        access_key_id=args.access_key_id,
        secret_access_key=args.secret,
        bucket=args.bucket,
        today=args.today,
        log=args.log,
        entitled=lambda key: not any(name in key.split("/") for name in lacking),
    )


if __name__ == "__main__":
    asyncio.run(serve(_from_shell()))
