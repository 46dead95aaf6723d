"""Bodies that Discord reads: JSON, or a form of `payload_json` and `files[n]`."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.base_protocol import BaseProtocol

from tests.servers.chat import Call, Row

_FILE = re.compile(r"files\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it came."""

    filename: str
    data: bytes


async def read_body(call: Call) -> tuple[Row, dict[int, Upload]]:
    """The JSON and the files by their numbers; ValueError when it is neither."""
    if not call.content_type.startswith("multipart/form-data"):
        return _object(call.body or b"{}"), {}
    stream = _stream(call.body)
    payload: Row = {}
    uploads: dict[int, Upload] = {}
    async for part in aiohttp.MultipartReader(call.headers, stream):
        if not isinstance(part, aiohttp.BodyPartReader):
            raise ValueError("a form in a form")
        data = bytes(await part.read())
        if part.name == "payload_json":
            payload = _object(data)
        elif numbered := _FILE.fullmatch(part.name or ""):
            uploads[int(numbered[1])] = Upload(part.filename or "unknown", data)
        else:
            raise ValueError(f"an unknown part {part.name!r}")
    return payload, uploads


def with_attachments(payload: Row, uploads: Mapping[int, Upload]) -> Row:
    """Every file is an attachment, whether the JSON says so or not."""
    listed = payload.get("attachments") or []
    known = {str(entry.get("id")) for entry in listed if isinstance(entry, dict)}
    more = [{"id": i, "filename": u.filename} for i, u in uploads.items() if str(i) not in known]
    return {**payload, "attachments": [*listed, *more]} if listed or more else payload


def _object(text: bytes) -> Row:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _stream(body: bytes) -> aiohttp.StreamReader:
    loop = asyncio.get_running_loop()
    stream = aiohttp.StreamReader(BaseProtocol(loop), 2**26, loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    return stream
