"""FINRA's file server on a local port: daily files, and 403 for those that it does not have.

It answers 403 to a program that says what it is, too.
"""

import argparse
import asyncio
import hashlib
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from aiohttp import web

from tests.servers.faults import Answer
from tests.servers.local import LocalServer, serve, utc_now

PATH = "/equity/regsho/daily/"

_XML = {"Content-Type": "application/xml"}
_DENIED = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>'


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request, with all that its headers gave away, and the status it got."""

    method: str
    name: str
    headers: Mapping[str, str]
    status: int


class FinraServer(LocalServer):
    """A folder of daily files. Every setting is an attribute and may be changed while it runs."""

    def __init__(
        self,
        *,
        files: MutableMapping[str, bytes] | None = None,
        root: Path | None = None,
        etags: bool = True,
        missing_status: Literal[403, 404] = 403,
        clock_shift: timedelta = timedelta(),
        now: Callable[[], datetime] = utc_now,
        port: int = 0,
    ) -> None:
        super().__init__(port=port, now=now, clock_shift=clock_shift)
        self.files = {} if files is None else files
        self.root = root
        self.etags = etags
        self.missing_status = missing_status
        self.requests: list[SeenRequest] = []

    @property
    def daily_url(self) -> str:
        """What FINRA_URL is set to."""
        return f"{self.url}{PATH.rstrip('/')}"

    async def answer(self, request: web.BaseRequest) -> tuple[str, Answer]:
        """The file, or 403; the operation is get or head."""
        operation = request.method.lower()
        if operation not in ("get", "head"):
            return operation, Answer(405, b"405 method not allowed")
        browser = request.headers.get("User-Agent", "").startswith("Mozilla/")
        body = await asyncio.to_thread(self._file, request.path)
        if body is None or not browser:
            return operation, Answer(self.missing_status if browser else 403, _DENIED, _XML)
        headers = {
            "Content-Type": "text/plain",
            "Last-Modified": "Fri, 02 Oct 2026 21:37:08 GMT",
        }
        if self.etags:
            headers["ETag"] = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        return operation, Answer(200, body, headers)

    def record(self, request: web.BaseRequest, answer: Answer, sent_bytes: int) -> None:
        """Remember it in `requests`."""
        name = request.path.removeprefix(PATH)
        self.requests.append(
            SeenRequest(request.method, name, dict(request.headers), answer.status)
        )

    def _file(self, path: str) -> bytes | None:
        name = path.removeprefix(PATH)
        if not path.startswith(PATH) or "/" in name:
            return None
        if (body := self.files.get(name)) is not None:
            return body
        if self.root is None or not (found := self.root / name).is_file():
            return None
        return found.read_bytes()


def _from_shell() -> FinraServer:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.finra", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds CNMSshvolYYYYMMDD.txt")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    return FinraServer(root=args.folder, port=args.port)


if __name__ == "__main__":
    asyncio.run(serve(_from_shell()))
