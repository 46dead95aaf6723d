"""What to do about a verdict, in words, with commands to check by hand. Holds no secrets."""

from datetime import date
from enum import StrEnum

from core.errors import Verdict


class Part(StrEnum):
    """What can be had, or refused, on its own."""

    REST = "rest"
    DAY_AGGS = "day_aggs"
    TRADES = "trades"
    FINRA = "finra"
    SHORT_VOLUME = "short_volume"
    BARS = "bars"


_DASHBOARD = "massive.com/dashboard/keys"
_WORDS = {
    Verdict.OK: "nothing to do",
    Verdict.NOT_A_SESSION: "nothing to do: ask for a trading day",
    Verdict.NOT_PUBLISHED_YET: (
        "nothing to do: it is asked for again. Day files usually appear about 00:30 New York, and "
        "REST serves a session after midnight on end-of-day plans"
    ),
    Verdict.RATE_LIMITED: (
        "wait a minute; set POLYGON_CALLS_PER_MINUTE to what the plan allows (Basic: 5)"
    ),
    Verdict.UNREACHABLE: "check this machine's network, its DNS, and the address in the settings",
    Verdict.CERTIFICATE: (
        "correct the address in the settings, and see that nobody stands between; where a proxy or"
        " a server of your own signs for itself, name a PEM file with its authority and all others"
        " in SSL_CERT_FILE, for S3 in AWS_CA_BUNDLE, and start again"
    ),
    Verdict.VENDOR_FAULT: "wait and ask again; if it stays, check the address in the settings",
    Verdict.REFUSAL_UNCLEAR: (
        "ask again in a minute: it was refused (403), and another date, which would tell whether"
        " that is the plan or the date, could not be asked"
    ),
    Verdict.NO_ACCESS: "ask whoever gave you the key what it may do",
    Verdict.CLOCK_WRONG: (
        "set this machine's clock (timedatectl set-ntp true): S3 refuses signatures that are 15 "
        "minutes off"
    ),
}
_API_KEY_ANEW = f"copy the API key anew from {_DASHBOARD} into POLYGON_API_KEY"
_REST_WORDS = {
    Verdict.NOT_CONFIGURED: f"set POLYGON_API_KEY to the key shown at {_DASHBOARD}",
    Verdict.WRONG_ACCESS_KEY: _API_KEY_ANEW,
    Verdict.WRONG_SECRET: _API_KEY_ANEW,
    Verdict.KEY_LOOKS_LIKE_API_KEY: _API_KEY_ANEW,
    Verdict.PLAN_LACKS_DATA_SET: (
        "this plan does not serve it, and every stocks plan, the free one included, should: see "
        f"{_DASHBOARD}"
    ),
    Verdict.DATE_OUTSIDE_PLAN: (
        "ask for a later date, or take a plan with more history (Basic 2 years, Starter 5, "
        "Developer 10)"
    ),
}
_FILES_WORDS = {
    Verdict.NOT_CONFIGURED: (
        "for flat files set FLATFILES_ACCESS_KEY_ID and FLATFILES_SECRET_ACCESS_KEY "
        f"({_DASHBOARD}, 'Accessing flat files (S3)'); without them REST serves"
    ),
    Verdict.WRONG_ACCESS_KEY: (
        f"copy the S3 Access Key ID (its own value, shaped like a UUID) from {_DASHBOARD} into "
        "FLATFILES_ACCESS_KEY_ID"
    ),
    Verdict.WRONG_SECRET: (
        f"copy the S3 Secret Access Key (usually the same 32 characters as the API key) from "
        f"{_DASHBOARD} into FLATFILES_SECRET_ACCESS_KEY"
    ),
    Verdict.KEY_LOOKS_LIKE_API_KEY: (
        "FLATFILES_ACCESS_KEY_ID holds the API key. The access key id is another value, shaped "
        f"like a UUID: {_DASHBOARD}, 'Accessing flat files (S3)'"
    ),
    Verdict.DATE_OUTSIDE_PLAN: (
        "ask for a later date, or take a plan with more history (Starter 5 years, Developer 10)"
    ),
}
_GAP = (
    "no such file for a session this old: a gap at the vendor, or a mirror without it; other"
    " sources and sessions are not affected"
)
_NO_FILE = (
    "FINRA posts a session's file by 18:00 New York and keeps some years of them; a date without"
    " one is answered with 403"
)
_FINRA_WORDS = {
    Verdict.NOT_CONFIGURED: (
        "set FINRA_URL to the folder of the daily files (https://cdn.finra.org/equity/regsho/daily,"
        " or a mirror); if it is right, FINRA or a firewall between refuses this machine's address:"
        " ask from another one, or set FINRA_URL to a mirror. Without it the vendor's short-volume"
        " endpoint serves, if the plan has it"
    ),
    Verdict.NOT_PUBLISHED_YET: _NO_FILE,
}
_BARS_WORDS = {
    Verdict.NOT_CONFIGURED: "make the bucket, or correct DATA_URL",
    Verdict.WRONG_ACCESS_KEY: "copy the storage's access key id anew into DATA_ACCESS_KEY_ID",
    Verdict.WRONG_SECRET: "copy the storage's secret anew into DATA_SECRET_ACCESS_KEY",
    Verdict.RATE_LIMITED: "nothing to do: it is asked again, more slowly",
    Verdict.NO_ACCESS: (
        "allow this key to list the bucket, and to read, write and delete objects under the prefix"
    ),
}
_PLANS = {
    Part.DAY_AGGS: "day aggregates need Starter or higher; until then REST serves the same bars",
    Part.TRADES: (
        "trades files need Developer or higher; until then DARK_POOL_ONLY reads off-exchange volume"
        " from FINRA"
    ),
}
_PATHS = {
    Part.REST: "/v2/aggs/grouped/locale/us/market/stocks/{day}?adjusted=false",
    Part.SHORT_VOLUME: "/stocks/v1/short-volume?date={day}&limit=10",
}


def next_step(
    part: Part,
    verdict: Verdict,
    url: str,
    place: str,
    day: date | None = None,
    *,
    old: bool = False,
) -> str:
    """A sentence or two, then the commands to check by hand, one a line.

    `place` is the s3:// address of a flat file or of bars, empty for others. `day`: but for bars.
    `old`: the session is past the days in which a late file still comes.
    """
    files = _FILES_WORDS if place else _REST_WORDS
    own = {Part.FINRA: _FINRA_WORDS, Part.BARS: _BARS_WORDS}.get(part, files)
    words = own.get(verdict) or _WORDS.get(verdict) or _plan(part)
    if verdict is Verdict.NOT_PUBLISHED_YET and old and part is not Part.FINRA:
        words = _GAP
    # Without a key there is nothing to try by hand; FINRA's files need none.
    keyless = verdict is Verdict.NOT_CONFIGURED and part is not Part.FINRA
    if keyless or verdict in (Verdict.OK, Verdict.NOT_A_SESSION):
        return words
    return "\n".join([f"{words}. To check by hand:", *_by_hand(part, url, place, day)])


def _plan(part: Part) -> str:
    lacking = _PLANS.get(part, "every plan should have it")
    return f"the keys are good and this plan does not include the data set: {lacking}"


def _by_hand(part: Part, url: str, place: str, day: date | None) -> list[str]:
    if part is Part.BARS:
        keys = "AWS_ACCESS_KEY_ID=YOUR_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=YOUR_SECRET_ACCESS_KEY"
        return [f"{keys} aws s3 ls {place} --endpoint-url {url}"]
    if part is Part.FINRA:
        return [f"curl -sS -A Mozilla/5.0 '{url}/CNMSshvol{day:%Y%m%d}.txt' | head -c 300"]
    if not place:
        path = url + _PATHS[part].format(day=day)
        return [f"curl -sS -H 'Authorization: Bearer YOUR_API_KEY' '{path}' | head -c 300"]
    path = place.removeprefix("s3://")
    bucket, _, name = path.partition("/")
    return [
        f"mc alias set tape {url} YOUR_ACCESS_KEY_ID YOUR_SECRET_ACCESS_KEY",
        f"mc ls tape/{path}",
        f"mc cat tape/{path} | head -c 1 | wc -c",
        (
            "or: export AWS_ACCESS_KEY_ID=YOUR_ACCESS_KEY_ID"
            " AWS_SECRET_ACCESS_KEY=YOUR_SECRET_ACCESS_KEY AWS_DEFAULT_REGION=us-east-1"
        ),
        f"aws s3 ls {place} --endpoint-url {url}",
        (
            f"aws s3api get-object --endpoint-url {url} --bucket {bucket} --key {name}"
            " --range bytes=0-0 /dev/null"
        ),
    ]
