"""Bars on object storage: core.files.Files over S3, with a read cache on this machine. Blocking.

An object is there whole or not at all. What is cached carries the object's ETag in its name, so a
copy is never taken for another; all of the cache may be deleted.
"""

import http.client
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from email.utils import parsedate_to_datetime
from hashlib import sha256
from math import inf
from pathlib import Path
from secrets import token_hex
from typing import Any

import polars as pl
import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from core.bars import UNREADABLE
from core.bucket_bounds import USUAL, Most
from core.bucket_listings import Listings
from core.errors import BadBars, BarsAway, SourceUnavailable, Verdict
from core.files import Stamp, Which, every
from core.sources.bounds import refuse_over
from core.sources.s3 import bound_answers, client, code_of, translate
from core.sources.s3_body import WHOLE_S, as_it_comes
from core.sources.s3_names import S3Access
from core.whole import written_whole

_NO_ANSWER = (
    *(BotoCoreError, ResponseParserError),
    *(urllib3.exceptions.HTTPError, http.client.HTTPException, ConnectionError, TimeoutError),
)
_AT_ONCE = 8
_LIST_ATTEMPTS, _LISTING_WHOLE_S = 2, 30.0
_PASSING = ("staged", "probe")
"""Folders of what is written by one and read by another: no use for a copy here."""
_STATE_CHARS = 16
_IN_USE_S, _SPARED = 600.0, 16
"""So long a path that was given out may be opened only then; of one name that is written often so
many copies are kept for that."""


class Bucket:
    """`s3://bucket/prefix`, and a folder for what has been read of it."""

    def __init__(
        self,
        access: S3Access,
        prefix: str,
        cache: Path,
        most_bytes: int,
        *,
        attempts: int = 3,
        listed_for_s: float = 10,
        most: Most = USUAL,
        whole_s: float = WHOLE_S,
        list_timeout_s: float = 10,
    ) -> None:
        """`most_bytes`: of the cache; what is in use may be more. `listed_for_s`: so old a listing
        may be, for others write there as well, and every question asks for one. `whole_s`: an
        answer that drips is waited for so long. `list_timeout_s`: for silence, in a listing.
        """
        self._access, self._prefix = access, f"{prefix}/" if prefix else ""
        self._cache, self._most_bytes = cache, most_bytes
        self._client, self._most = client(access, attempts=attempts), most
        bound_answers(self._client, whole_s)
        self._whole_s = whole_s
        # Everybody asks for one, and waits for it: a server that hangs is given up soon.
        tries = min(attempts, _LIST_ATTEMPTS)
        self._lister = client(access, attempts=tries, read_timeout_s=list_timeout_s)
        bound_answers(self._lister, min(whole_s, _LISTING_WHOLE_S))
        self._listings = Listings(self._list, listed_for_s)

    def __str__(self) -> str:
        """As a person would name it."""
        return f"s3://{self._access.bucket}/{self._prefix}"

    @property
    def url(self) -> str:
        """Of the server."""
        return self._access.endpoint_url

    def listed(self, folder: str, only: Which = every) -> Mapping[str, Stamp]:
        """As of some seconds ago, and all that was written here since."""
        return {name: stamp for name, stamp in self._listings.of(folder).items() if only(name)}

    def look_again(self, folder: str, begins: str) -> None:
        """In one request; a listing of all of it would be several, where ten years are stored."""
        self._listings.renew(folder, begins, lambda: self._list(folder, begins))

    def version(self, folder: str) -> str:
        """Listings are kept anyway."""
        return ""

    def stamp(self, name: str) -> Stamp | None:
        """By the listing of its folder."""
        folder, file = _parts(name)
        return self._listings.of(folder).get(file)

    def paths(self, names: Sequence[str]) -> list[Path]:
        """What is not in the cache comes into it, several at a time."""
        stamps = {name: self.stamp(name) for name in names}
        found = {name: self._cached(name, stamp.state) for name, stamp in stamps.items() if stamp}
        lacking = [name for name in stamps if name not in found or not _used(found[name])]
        if lacking:
            with ThreadPoolExecutor(_AT_ONCE) as many:
                known = [stamps[name] for name in lacking]
                fetched = many.map(self._fetched, lacking, known)
                found |= dict(zip(lacking, fetched, strict=True))
            self._tidy()
        return [found[name] for name in names]

    def state_of(self, name: str, path: Path) -> str:
        """Of the copy: the object may have been another since, and be this one again."""
        return path.name.partition(".")[0]

    def put(self, name: str, whole: bytes) -> None:
        """In one request: the storage has all of it, or what was there before."""
        with self._told("put", name):
            answer = self._client.put_object(**self._of(name), Body=whole)
        state = self._noted(name, answer)
        if _parts(name)[0] not in _PASSING:
            self._keep(name, state, whole)
            self._tidy()

    def copy(self, name: str, to: str) -> None:
        """Over there; nothing travels."""
        with self._told("copy", to):
            answer = self._client.copy_object(**self._of(to), CopySource=self._of(name))
        self._noted(to, answer["CopyObjectResult"] | answer)

    def move(self, name: str, to: str) -> None:
        """What was read here, and not what is over there by now."""
        self.put(to, self.paths([name])[0].read_bytes())
        self.drop(name)

    def drop(self, name: str) -> None:
        """No error if there was none."""
        with self._told("delete", name):
            self._client.delete_object(**self._of(name))
        self._listings.noted(*_parts(name), None)
        self.forget_copy(name)

    def forget_copy(self, name: str) -> None:
        """What this machine's disk has of it may be damaged where the object is not."""
        for copy in self._copies(name):
            copy.unlink(missing_ok=True)

    def empty(self, folder: str) -> None:
        """Here and over there; what is half-written is nowhere but in the cache."""
        self._listings.forget(folder)  # others wrote there as well, just now perhaps
        for name in self.listed(folder):
            self.drop(f"{folder}/{name}")
        for path in (self._cache / folder).glob("*"):
            path.unlink(missing_ok=True)

    def probe(self) -> None:
        """Write, read and delete a little, as the bars will be; raises BarsAway."""
        name = f"probe/{token_hex(8)}.parquet"
        self.put(name, name.encode())
        self.forget_copy(name)
        try:
            self.paths([name])
        finally:
            self.drop(name)

    def _list(self, folder: str, begins: str = "") -> dict[str, Stamp]:
        prefix, found, letters = f"{self._prefix}{folder}/", dict[str, Stamp](), 0
        with self._told("list", folder):
            asked = self._lister.get_paginator("list_objects_v2")
            pages = asked.paginate(
                Bucket=self._access.bucket, Prefix=prefix + begins, Delimiter="/"
            )
            for number, page in enumerate(pages, 1):
                refuse_over(number, self._most.pages, "pages", f"the listing of {folder}")
                if "IsTruncated" not in page:
                    # A web page that happens to be well-formed XML parses as a listing of nothing.
                    raise BarsAway(f"{self}: list: not S3's XML", Verdict.VENDOR_FAULT)
                for item in page.get("Contents", []):
                    stamp = Stamp(_state(item["ETag"]), item["LastModified"].timestamp())
                    found[item["Key"].removeprefix(prefix)] = stamp
                    letters += len(item["Key"])
                    refuse_over(letters, self._most.letters, "letters", f"the listing of {folder}")
        # An empty object with the folder's own name is how consoles and s3fs make a folder.
        return {name: stamp for name, stamp in found.items() if name.endswith(".parquet")}

    def _fetched(self, name: str, known: Stamp | None) -> Path:
        """What it is now, in the cache; never all of it in memory. `known`: by the listing."""
        most_bytes, most_rows = self._most.of(name)
        with self._told("get", name):
            answer = self._client.get_object(**self._of(name))
            stamp = self._stamped(name, answer)
            self._listings.met(*_parts(name), stamp, instead_of=known)
            path = self._cached(name, stamp.state)
            with closing(answer["Body"]) as body, written_whole(path) as file:
                length = answer.get("ContentLength", 0)
                refuse_over(length, most_bytes, "bytes", name)
                # What a proxy sends in chunks has no length.
                for chunk in as_it_comes(body._raw_stream, name, length, whole_s=self._whole_s):
                    file.write(chunk)
                    refuse_over(file.tell(), most_bytes, "bytes", name)
            try:
                refuse_over(_rows(path), most_rows, "rows", name)
            except BadBars:
                path.unlink(missing_ok=True)
                raise
        self._only(name, path)
        return path

    def _noted(self, name: str, answer: Mapping[str, Any]) -> str:
        """The listing knows of what was written here; its state."""
        stamp = self._stamped(name, answer)
        self._listings.noted(*_parts(name), stamp)
        return stamp.state

    def _stamped(self, name: str, answer: Mapping[str, Any]) -> Stamp:
        if "ETag" not in answer:
            raise BarsAway(f"{self}: {name}: an answer that is not S3's", Verdict.VENDOR_FAULT)
        told = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        moment = parsedate_to_datetime(told).timestamp() if told else inf
        return Stamp(_state(answer["ETag"]), moment)

    def _keep(self, name: str, state: str, whole: bytes) -> None:
        path = self._cached(name, state)
        with written_whole(path) as file:
            file.write(whole)
        self._only(name, path)

    def _only(self, name: str, path: Path) -> None:
        """Of each name one copy is kept, and those that somebody has been given just now."""
        copies = dict(reversed(_by_use(self._copies(name))))
        new = copies.pop(path, None)
        if new is None:  # dropped by another thread, or process, and the others with it
            return
        for newer, (copy, stat) in enumerate(copies.items()):
            if newer >= _SPARED or new.st_mtime - stat.st_mtime >= _IN_USE_S:
                copy.unlink(missing_ok=True)

    def _cached(self, name: str, state: str) -> Path:
        folder, file = _parts(name)
        return self._cache / folder / f"{state}.{file}"

    def _copies(self, name: str) -> list[Path]:
        folder, file = _parts(name)
        return list((self._cache / folder).glob(f"{'[0-9a-f]' * _STATE_CHARS}.{file}"))

    def _tidy(self) -> None:
        """Forget what was not asked for for the longest time, as far as there is too much."""
        files = _by_use(self._cache.rglob("*.parquet"))
        too_much = sum(stat.st_size for _, stat in files) - self._most_bytes
        newest_s = max((stat.st_mtime for _, stat in files), default=0.0)
        for path, stat in files:
            # Somebody has been given the path, and may open it only now.
            if too_much <= 0 or newest_s - stat.st_mtime < _IN_USE_S:
                return
            path.unlink(missing_ok=True)
            too_much -= stat.st_size

    def _of(self, name: str) -> dict[str, str]:
        return {"Bucket": self._access.bucket, "Key": self._prefix + name}

    @contextmanager
    def _told(self, verb: str, name: str) -> Iterator[None]:
        """Every failure is BarsAway, or FileNotFoundError for what is not there."""
        try:
            yield
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            code = code_of(error)
            if verb == "get" and (code == "NoSuchKey" or (status == 404 and not code)):
                self._forget(name)
                raise FileNotFoundError(f"{self}{name} is not there") from error
            seen = f"{self}: {verb}: HTTP {status} {code}".rstrip()
            raise BarsAway(seen, _verdict(status, code)) from error
        except BadBars as error:
            raise BarsAway(f"{self}: {verb}: {error.seen}", Verdict.VENDOR_FAULT) from error
        except (SourceUnavailable, *_NO_ANSWER) as error:
            # It may have been done all the same.
            self._forget(name)
            told = error if isinstance(error, SourceUnavailable) else translate(error)
            raise BarsAway(f"{self}: {verb}: {told.seen}", told.verdict) from error

    def _forget(self, name: str) -> None:
        self._listings.forget(_parts(name)[0])


def _rows(path: Path) -> int:
    """As the file counts them: one of some letters may have as many as it likes."""
    with suppress(*UNREADABLE):  # whoever reads it finds out, and sets it aside
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    return 0


def _verdict(status: int | None, code: str) -> Verdict:
    by_code = {
        "InvalidAccessKeyId": Verdict.WRONG_ACCESS_KEY,
        "SignatureDoesNotMatch": Verdict.WRONG_SECRET,
        "RequestTimeTooSkewed": Verdict.CLOCK_WRONG,
        "SlowDown": Verdict.RATE_LIMITED,
        "NoSuchBucket": Verdict.NOT_CONFIGURED,
    }
    if code in by_code:
        return by_code[code]
    if status in (401, 403):
        return Verdict.NO_ACCESS
    return Verdict.RATE_LIMITED if status == 429 else Verdict.VENDOR_FAULT


def _by_use(paths: Iterable[Path]) -> list[tuple[Path, os.stat_result]]:
    """Those that are there, the one used last at the end."""
    files = list[tuple[Path, os.stat_result]]()
    for path in paths:
        with suppress(FileNotFoundError):  # dropped by another thread, or process
            files.append((path, path.stat()))
    return sorted(files, key=lambda file: file[1].st_mtime)


def _used(path: Path) -> bool:
    """Is it there? Then it was asked for just now."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _parts(name: str) -> tuple[str, str]:
    folder, _, file = name.rpartition("/")
    return folder, file


def _state(etag: str) -> str:
    """An ETag may be anything; this is fit for a file's name."""
    return sha256(etag.strip('"').encode()).hexdigest()[:_STATE_CHARS]
