"""S3-compatible storage, read only: list one key, get one object. Blocking; boto3 stays in here.

A 403 has at least five causes and one status. Listing works for any valid credentials and every
data set, so it is asked first: it refuses bad credentials, and shows whether the object exists.
HEAD and download_file are never used: they throw the reason of a refusal away.
"""

import http.client
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import urllib3.exceptions
from botocore.client import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError, XMLParseError
from urllib3.util.ssl_match_hostname import CertificateError

from core.errors import BadBars, SourceError, SourceRefused, SourceUnavailable, Verdict
from core.sources.bounds import LISTING_BYTES, refuse_over
from core.sources.certificate import not_accepted
from core.sources.s3_body import WHOLE_S, as_it_comes
from core.sources.s3_names import Forbidden, Gone, Listed, Republished, S3Access

_S3_DATA = botocore.loaders.create_loader()
"""What botocore knows of S3, megabytes of JSON: read for the first client, kept for the others."""
_SKEW = timedelta(minutes=15)
_CODE = re.compile(r"[A-Za-z]{1,60}")
"""Letters; where there was no XML botocore has the status here once more."""


def client(access: S3Access, *, attempts: int = 3, read_timeout_s: float = 20) -> Any:
    """boto3's, for any endpoint that speaks S3; safe to be used by many threads."""
    # A session of its own: the machine's AWS profile and files have no say. (A variable that
    # names a profile which is not there would otherwise stop us here.)
    own: dict[str, Any] = {
        name: (None, [], os.devnull, None) for name in ("config_file", "credentials_file")
    }
    session = botocore.session.Session({"profile": (None, [], None, None), **own})
    session.register_component("data_loader", _S3_DATA)
    return boto3.session.Session(
        botocore_session=session,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
        region_name=access.region,
    ).client(
        "s3",
        endpoint_url=access.endpoint_url,
        config=Config(
            signature_version="s3v4",
            # What is sent is signed with its checksum, so that half of it is refused over there.
            s3={"addressing_style": "path", "payload_signing_enabled": True},
            connect_timeout=5,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": attempts},
            # The newer checksums travel in a form that not every endpoint understands.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def bound_answers(client: Any, whole_s: float = WHOLE_S) -> None:
    """From now on a call may raise BadBars, and SourceUnavailable: it drips, or leads elsewhere.

    What is no object's content is read here: botocore would hold all that comes.
    """
    session = client._endpoint.http_session

    def send(request: Any, **_: Any) -> Any:
        is_content, request.stream_output = request.stream_output, True
        answer = session.send(request)
        _refuse_redirect(answer)
        if not is_content or answer.status_code >= 300:
            try:
                answer._content = _said(answer.raw, whole_s)
            except urllib3.exceptions.HTTPError as error:
                # As botocore calls it when it reads by itself, and tries again.
                raise ConnectionClosedError(error=error, endpoint_url=request.url) from error
        return answer

    client.meta.events.register("before-send.s3", send)


def _refuse_redirect(answer: Any) -> None:
    """Where no region is named, botocore asks for it, is sent elsewhere, asks for it..."""
    if answer.status_code in range(300, 400) and "x-amz-bucket-region" not in answer.headers:
        answer.raw.close()
        seen = f"HTTP {answer.status_code}, which leads elsewhere: nothing is asked there"
        raise SourceUnavailable(seen, Verdict.VENDOR_FAULT)


def _said(raw: Any, whole_s: float) -> bytes:
    with closing(raw):
        said = bytearray()
        for chunk in as_it_comes(raw, "an answer of S3", whole_s=whole_s):
            said += chunk
            refuse_over(len(said), LISTING_BYTES, "bytes", "an answer of S3")
        return bytes(said)


def _machine_clock() -> datetime:
    # botocore signs by this clock, so this is the one that can be wrong; no other will do.
    return datetime.now(UTC)


class S3Reader:
    """Lists and gets. Every failure leaves it as a SourceError."""

    def __init__(
        self,
        access: S3Access,
        now: Callable[[], datetime] = _machine_clock,
        *,
        attempts: int = 3,
        read_timeout_s: float = 20,
        whole_s: float = WHOLE_S,
    ) -> None:
        self._access, self._now, self._whole_s = access, now, whole_s
        self._client = client(access, attempts=attempts, read_timeout_s=read_timeout_s)
        bound_answers(self._client, whole_s)

    def find(self, key: str) -> Listed | None:
        """The object of exactly this key, or None if the listing does not show it."""
        return next((found for found in self.listed(key, 1) if found.key == key), None)

    def listed(self, prefix: str, most: int = 1000) -> list[Listed]:
        """The first objects whose keys begin so, in one call."""
        with self._translated("list"):
            answer = self._client.list_objects_v2(
                Bucket=self._access.bucket, Prefix=prefix, MaxKeys=most
            )
        if "IsTruncated" not in answer:
            # A web page that happens to be well-formed XML parses as a listing of nothing.
            raise SourceUnavailable("list: the answer is not S3's XML", Verdict.VENDOR_FAULT)
        return [
            Listed(item.get("Key", ""), item.get("ETag", "").strip('"'), int(item.get("Size", 0)))
            for item in answer.get("Contents", [])
        ]

    def get(self, key: str, limit_bytes: int) -> tuple[bytes, str]:
        """An object's bytes and ETag ('' if it has none); BadBars if it is over the limit."""
        payload = bytearray()
        with self._translated("get"):
            answer = self._client.get_object(Bucket=self._access.bucket, Key=key)
            with closing(answer["Body"]) as body:
                # What a proxy sends in chunks has no length: so the bytes are counted as well.
                length = int(answer.get("ContentLength", 0))
                _check_size(key, length, limit_bytes)
                told = (f"get: {key}", length)
                for chunk in as_it_comes(body._raw_stream, *told, whole_s=self._whole_s):
                    payload += chunk
                    _check_size(key, len(payload), limit_bytes)
        return bytes(payload), answer.get("ETag", "").strip('"')

    def open(self, listed: Listed, start: int = 0) -> "Body":
        """The bytes of exactly this copy from `start` on.

        Raises Republished if it is another by now, SourceUnavailable if the answer is not what
        was asked for: a whole object, say, for the rest of it.
        """
        wanted = {"Range": f"bytes={start}-"} if start else {}
        if listed.etag:
            wanted["IfMatch"] = f'"{listed.etag}"'
        with self._translated("get"):
            answer = self._client.get_object(Bucket=self._access.bucket, Key=listed.key, **wanted)
            try:
                _check_part(answer, listed, start)
            except SourceError:
                answer["Body"].close()
                raise
        return Body(answer["Body"], self._translated)

    def touch(self, key: str) -> None:
        """Read the first byte: may this object be read at all?"""
        with self._translated("get"):
            answer = self._client.get_object(Bucket=self._access.bucket, Key=key, Range="bytes=0-0")
            answer["Body"].close()

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._refusal(verb, error) from error
        except (
            BotoCoreError,
            ResponseParserError,
            XMLParseError,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,  # a number in the listing that is none
        ) as error:
            raise translate(error) from error

    def _refusal(self, verb: str, error: ClientError) -> SourceError:
        # Error.Code is '403', 'Forbidden' or 'AccessDenied' for the same thing: go by the status.
        meta: dict[str, Any] = error.response.get("ResponseMetadata", {})
        status = meta.get("HTTPStatusCode")
        code = code_of(error)
        seen = f"{verb}: HTTP {status} {code}".rstrip()
        if verdict := self._credentials_fault(verb, status, code, meta):
            return SourceRefused(seen, verdict)
        if status == 403:
            return Forbidden(seen, Verdict.PLAN_LACKS_DATA_SET)
        if status == 404 and verb == "list":
            return SourceRefused(
                f"{seen}: no bucket {self._access.bucket!r} here", Verdict.VENDOR_FAULT
            )
        if status == 404:
            return Gone(seen, Verdict.NOT_PUBLISHED_YET)
        if status == 412:
            return Republished(seen)
        if status == 429 or code in ("SlowDown", "TooManyRequests", "RequestLimitExceeded"):
            return SourceUnavailable(seen, Verdict.RATE_LIMITED)
        return SourceUnavailable(seen, Verdict.VENDOR_FAULT)

    def _credentials_fault(
        self, verb: str, status: int | None, code: str, meta: dict[str, Any]
    ) -> Verdict | None:
        if status not in (400, 401, 403):
            return None
        if code == "SignatureDoesNotMatch":
            return Verdict.WRONG_SECRET
        if code == "RequestTimeTooSkewed" or (verb == "list" and self._clock_is_off(meta)):
            return Verdict.CLOCK_WRONG
        if code == "InvalidAccessKeyId" or (verb == "list" and status in (401, 403)):
            return self._wrong_key()
        return None

    def _wrong_key(self) -> Verdict:
        if self._access.access_key_id == self._access.api_key or looks_like_api_key(
            self._access.access_key_id
        ):
            return Verdict.KEY_LOOKS_LIKE_API_KEY
        return Verdict.WRONG_ACCESS_KEY

    def _clock_is_off(self, meta: dict[str, Any]) -> bool:
        try:
            theirs = parsedate_to_datetime(meta["HTTPHeaders"]["date"])
        except (KeyError, ValueError):
            return False
        if theirs.tzinfo is None:
            theirs = theirs.replace(tzinfo=UTC)
        return abs(theirs - self._now()) > _SKEW


class Body:
    """What is left of an object, as it comes."""

    def __init__(
        self, stream: Any, translated: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self._stream, self._translated = stream, translated

    def read(self, most_bytes: int) -> bytes:
        """Some bytes, none at the end; raises SourceUnavailable."""
        with self._translated("get"):
            chunk: bytes = self._stream._raw_stream.read1(most_bytes)
        return chunk

    def close(self) -> None:
        """Hang up; what has not been read does not come."""
        self._stream.close()


def code_of(error: ClientError) -> str:
    """The fault's name, as S3 gives it; empty for what looks like none: it may quote a key."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else ""


def _check_part(answer: Mapping[str, Any], listed: Listed, start: int) -> None:
    """Is this the rest of the listed copy, and nothing else?"""
    etag, status = answer.get("ETag", "").strip('"'), answer["ResponseMetadata"]["HTTPStatusCode"]
    if etag and listed.etag and etag != listed.etag:
        raise Republished(f"get: {listed.key} is another copy by now")
    size, left = listed.size_bytes, listed.size_bytes - start
    place = f"bytes {start}-{size - 1}/{size}" if start else None
    told = answer.get("ContentRange")
    # What a proxy sends in chunks has no length.
    if status != (206 if start else 200) or told != place:
        seen = f"HTTP {status}, {told or 'all of it'}, when asked for the bytes from {start:,} on"
    elif int(answer.get("ContentLength", left)) != left:
        seen = f"{int(answer['ContentLength']):,} bytes are announced and {left:,} are left"
    else:
        return
    raise SourceUnavailable(f"get: {listed.key}: {seen}", Verdict.VENDOR_FAULT)


def _check_size(key: str, size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise BadBars(f"{key} has {size:,} bytes or more; {limit_bytes:,} is the most to expect")


def looks_like_api_key(access_key_id: str) -> bool:
    """The vendor's API key is 32 letters and digits; its access key ids are shaped like UUIDs."""
    return len(access_key_id) == 32 and access_key_id.isalnum()


def translate(error: Exception) -> SourceError:
    """Our error for any of botocore's or urllib3's; a test holds this against their whole lists."""
    kind = type(error).__name__
    if fault := not_accepted(error, CertificateError):
        return fault
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return SourceRefused(f"credentials are missing ({kind})", Verdict.NOT_CONFIGURED)
    if isinstance(error, ResponseParserError | XMLParseError | ValueError):
        return SourceUnavailable(f"an answer that is not S3's XML ({kind})", Verdict.VENDOR_FAULT)
    if isinstance(error, ParamValidationError):
        return SourceUnavailable(f"the request was never sent ({kind})", Verdict.VENDOR_FAULT)
    if type(error) is HTTPClientError:  # botocore has no other name for what it cannot follow
        return SourceUnavailable(f"an answer of no use ({kind})", Verdict.VENDOR_FAULT)
    return SourceUnavailable(f"no connection, or one cut off ({kind})", Verdict.UNREACHABLE)
