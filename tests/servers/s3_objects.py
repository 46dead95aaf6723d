"""What the local S3 server holds, and the pages of its listing (ListObjectsV2)."""

import base64
import hashlib
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

from tests.servers import faults

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object; its bytes are in memory or on disk."""

    key: str
    size: int
    etag: str  # quoted
    modified: datetime
    source: Path | bytes

    def answer(
        self, status: int, headers: Mapping[str, str], start: int, stop: int
    ) -> faults.Answer:
        """With the bytes from start up to, not including, stop; those on disk stay there."""
        if isinstance(self.source, bytes):
            return faults.Answer(status, self.source[start:stop], headers)
        return faults.Answer(status, b"", headers, faults.FilePart(self.source, start, stop))


@dataclass(frozen=True, slots=True)
class Shelf:
    """Objects in memory over files in a folder: the former hide the latter."""

    objects: MutableMapping[str, bytes]
    modified: Mapping[str, datetime]
    root: Path | None
    since: datetime

    def keys(self) -> list[str]:
        """All keys in S3's order, that of their bytes."""
        found = set(self.objects)
        for folder, _, names in os.walk(self.root) if self.root else ():
            under = Path(folder).relative_to(self.root or "").as_posix()
            found.update(names if under == "." else (f"{under}/{name}" for name in names))
        return sorted(found, key=str.encode)

    def find(self, key: str) -> StoredObject | None:
        """The object of a key, if there is one."""
        if (body := self.objects.get(key)) is not None:
            modified = self.modified.get(key, self.since)
            return StoredObject(key, len(body), _etag(body), modified, body)
        if self.root is None or ".." in key.split("/") or not (self.root / key).is_file():
            return None
        path = self.root / key
        stat = path.stat()
        modified = self.modified.get(key, datetime.fromtimestamp(int(stat.st_mtime), UTC))
        return StoredObject(key, stat.st_size, _file_etag(path, stat.st_mtime_ns), modified, path)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What one ListObjectsV2 call asks for."""

    prefix: str = ""
    delimiter: str = ""
    start_after: str = ""
    token: str = ""
    max_keys: int = 1000
    url_encoded: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str], page_keys: int) -> "ListQuery":
        """Out of the query string; ValueError if a number or a token is none."""
        return cls(
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            start_after=query.get("start-after", ""),
            token=query.get("continuation-token", ""),
            max_keys=min(int(query.get("max-keys", "1000")), page_keys),
            url_encoded=query.get("encoding-type") == "url",
        )

    @property
    def after(self) -> str:
        """The last entry of the page before this one."""
        return base64.urlsafe_b64decode(self.token).decode() if self.token else self.start_after


def listing(shelf: Shelf, bucket: str, query: ListQuery) -> bytes:
    """The answer of ListObjectsV2, in XML."""
    entries = _entries(shelf.keys(), query)
    page, rest = entries[: query.max_keys], entries[query.max_keys :]
    text: Callable[[str], str] = quote if query.url_encoded else escape
    told = {
        "Name": bucket,
        "Prefix": text(query.prefix),
        "Delimiter": text(query.delimiter),
        "MaxKeys": str(query.max_keys),
        "KeyCount": str(len(page)),
        "EncodingType": "url" if query.url_encoded else "",
        "ContinuationToken": query.token,
        "NextContinuationToken": _token(page[-1]) if rest and page else "",
        "IsTruncated": "true" if rest else "false",
    }
    head = "".join(f"<{name}>{value}</{name}>" for name, value in told.items() if value)
    body = "".join(_entry_xml(shelf, entry, query, text) for entry in page)
    xml = f'<ListBucketResult xmlns="{NAMESPACE}">{head}{body}</ListBucketResult>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}'.encode()


def _entries(keys: list[str], query: ListQuery) -> list[str]:
    """Keys, and with a delimiter common prefixes, that come after the page before."""
    matching = (_folded(key, query) for key in keys if key.startswith(query.prefix))
    later = ["", *(e for e in matching if e.encode() > query.after.encode())]
    return [this for before, this in pairwise(later) if this != before]


def _folded(key: str, query: ListQuery) -> str:
    head, found, _ = key[len(query.prefix) :].partition(query.delimiter or "\0")
    return f"{query.prefix}{head}{found}"


def _entry_xml(shelf: Shelf, entry: str, query: ListQuery, text: Callable[[str], str]) -> str:
    is_itself = entry == query.prefix  # an object with the name of the folder is one like others
    if query.delimiter and entry.endswith(query.delimiter) and not is_itself:
        return f"<CommonPrefixes><Prefix>{text(entry)}</Prefix></CommonPrefixes>"
    if (found := shelf.find(entry)) is None:  # taken away in between
        return ""
    return (
        f"<Contents><Key>{text(entry)}</Key>"
        f"<LastModified>{found.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f"<ETag>{escape(found.etag)}</ETag><Size>{found.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def _token(entry: str) -> str:
    return base64.urlsafe_b64encode(entry.encode()).decode()


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@lru_cache(maxsize=4096)
def _file_etag(path: Path, mtime_ns: int) -> str:
    """The time of change is a part of the question: a replaced file has another answer."""
    with path.open("rb") as file:
        return f'"{hashlib.file_digest(file, "md5").hexdigest()}"'
