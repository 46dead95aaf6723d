"""What to do about a verdict, in words, with commands to check by hand. Holds no secrets."""

from datetime import date

from core.errors import Verdict

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
    Verdict.VENDOR_FAULT: "wait and ask again; if it stays, check the address in the settings",
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
        "this plan does not serve grouped daily bars; every stocks plan, the free one included, "
        f"should: see {_DASHBOARD}"
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
_PLANS = {
    "day_aggs": "day aggregates need Starter or higher; until then REST serves the same bars",
    "trades": "trades files need Developer or higher",
}


def next_step(verdict: Verdict, url: str, place: str, day: date, *, old: bool = False) -> str:
    """A sentence or two, then the commands to check by hand, one a line.

    `place` is the s3:// address of a flat file, empty for REST. `old`: the session is past the days
    in which a late file still comes.
    """
    own = _FILES_WORDS if place else _REST_WORDS
    words = own.get(verdict) or _WORDS.get(verdict) or _plan(place)
    if verdict is Verdict.NOT_PUBLISHED_YET and old:
        words = _GAP
    if verdict in (Verdict.OK, Verdict.NOT_A_SESSION, Verdict.NOT_CONFIGURED):
        return words
    return "\n".join([f"{words}. To check by hand:", *_by_hand(url, place, day)])


def _plan(place: str) -> str:
    lacking = next(words for data_set, words in _PLANS.items() if data_set in place)
    return f"the keys are good and this plan does not include the data set: {lacking}"


def _by_hand(url: str, place: str, day: date) -> list[str]:
    if not place:
        path = f"{url}/v2/aggs/grouped/locale/us/market/stocks/{day}?adjusted=false"
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
