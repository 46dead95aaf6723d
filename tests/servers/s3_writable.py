"""A bucket that can be written to: PUT, copy and DELETE beside what tests.servers.s3 answers.

As AWS documents them. What was asked for is done before the answer is spoiled: a fault stands for
an answer that was lost.
"""

import hashlib
from datetime import datetime
from urllib.parse import unquote

from aiohttp import web

from tests.servers import faults
from tests.servers.s3 import S3Server, error

_XML = {"Content-Type": "application/xml"}


class WritableS3Server(S3Server):
    """Objects in memory; `refuses_writes` is a key that may only read."""

    def __init__(self, *, access_key_id: str, secret_access_key: str, bucket: str) -> None:
        self.times = dict[str, datetime]()
        super().__init__(
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            bucket=bucket,
            modified=self.times,
        )
        self.refuses_writes = False
        self.is_full = False

    async def answer(self, request: web.BaseRequest) -> tuple[str, faults.Answer]:
        """Also to a client that waits to be asked for the body."""
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await super().answer(request)

    async def changed(self, request: web.BaseRequest, key: str) -> faults.Answer:
        """PUT, a copy, or DELETE."""
        if self.refuses_writes:
            return error("AccessDenied", key)
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return faults.Answer(204)
        if request.method != "PUT" or not key:
            return error("MethodNotAllowed", key)
        if self.is_full:
            return error("QuotaExceeded", key)
        if source := request.headers.get("x-amz-copy-source"):
            return self._copied(unquote(source).removeprefix("/").partition("/")[2], key)
        return self._put(key, await request.read())

    def _put(self, key: str, body: bytes) -> faults.Answer:
        self.objects[key], self.times[key] = body, self.now()
        return faults.Answer(200, b"", {"ETag": _etag(body)})

    def _copied(self, source: str, key: str) -> faults.Answer:
        if source not in self.objects:
            return error("NoSuchKey", source)
        etag = self._put(key, self.objects[source]).headers["ETag"]
        when = f"{self.times[key]:%Y-%m-%dT%H:%M:%S.000Z}"
        told = f"<LastModified>{when}</LastModified><ETag>{etag}</ETag>"
        xml = f'<?xml version="1.0"?><CopyObjectResult>{told}</CopyObjectResult>'
        return faults.Answer(200, xml.encode(), _XML)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
