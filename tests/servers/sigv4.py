"""Is a request signed with the right keys, now? AWS Signature Version 4, as a server checks it.

Written from the public description of the signature, not from the client library, so that the two
check each other. The codes are those of S3.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, unquote

MAX_SKEW = timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>(?P<date>\d{8})/[^/]+/s3/aws4_request)"
    r",\s*SignedHeaders=(?P<signed>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Keys:
    """One pair of credentials."""

    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it came over the line."""

    method: str
    path: str  # still percent-encoded
    query: str  # still percent-encoded
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def fault(request: Signed, keys: Keys, now: datetime) -> str:
    """The S3 code of what is wrong with the signature; empty if nothing is."""
    if "authorization" not in request.headers:
        return "AccessDenied"
    claim = _AUTHORIZATION.fullmatch(request.headers["authorization"])
    if claim is None:
        return "AuthorizationHeaderMalformed"
    if claim["key"] != keys.access_key_id:
        return "InvalidAccessKeyId"
    if {"host", "x-amz-date", "x-amz-content-sha256"} - set(claim["signed"].split(";")):
        return "AccessDenied"
    return _time_fault(request, claim["date"], now) or _signature_fault(request, claim, keys)


def _time_fault(request: Signed, scope_date: str, now: datetime) -> str:
    try:
        stamp = datetime.strptime(request.headers["x-amz-date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
    except (KeyError, ValueError):
        return "AccessDenied"
    if abs(stamp - now) > MAX_SKEW:
        return "RequestTimeTooSkewed"
    return "" if f"{stamp:%Y%m%d}" == scope_date else "SignatureDoesNotMatch"


def _signature_fault(request: Signed, claim: re.Match[str], keys: Keys) -> str:
    digest = request.headers.get("x-amz-content-sha256", "")
    if digest not in ("UNSIGNED-PAYLOAD", hashlib.sha256(request.body).hexdigest()):
        return "XAmzContentSHA256Mismatch"
    canonical = _canonical(request, claim["signed"], digest)
    to_sign = "\n".join(
        (
            "AWS4-HMAC-SHA256",
            request.headers["x-amz-date"],
            claim["scope"],
            hashlib.sha256(canonical.encode()).hexdigest(),
        )
    )
    right = _hmac(_signing_key(keys.secret_access_key, claim["scope"]), to_sign).hex()
    return "" if hmac.compare_digest(right, claim["signature"]) else "SignatureDoesNotMatch"


def _canonical(request: Signed, signed: str, digest: str) -> str:
    path = quote(unquote(request.path), safe="/-_.~")
    pairs = (part.partition("=") for part in request.query.split("&") if part)
    query = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    headers = (f"{h}:{' '.join(request.headers.get(h, '').split())}" for h in signed.split(";"))
    joined = "&".join(f"{name}={value}" for name, value in query)
    return "\n".join((request.method, path, joined, *headers, "", signed, digest))


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
