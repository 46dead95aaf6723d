"""The vendor's own strange answers, each seen by its users, as faults to queue.

Bodies are verbatim where they are known. The key of the text is `error` for 401 and 429, but
`message` for 403 and 404.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.servers.faults import Answer, Fault, Status
from tests.servers.vendor_data import Row

BEFORE_END_OF_DAY = (
    "Attempted to request today's data before end of day. "
    "Please upgrade your plan at https://polygon.io/pricing"
)
TIMEFRAME = (
    "Your plan doesn't include this data timeframe. "
    "Please upgrade your plan at https://polygon.io/pricing"
)
NOT_ENTITLED = (
    "You are not entitled to this data. Please upgrade your plan at https://massive.com/pricing"
)
TOO_MANY = (
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription "
    "to continue. https://polygon.io/pricing"
)
REQUEST_ID = "0123456789abcdef0123456789abcdef"


def json_answer(status: int, body: object) -> Answer:
    """An answer in compact JSON."""
    text = json.dumps(body, separators=(",", ":"))
    return Answer(status, text.encode(), {"Content-Type": "application/json"})


def unknown_key() -> Answer:
    """401: no key, or one the vendor does not know."""
    body = {"status": "ERROR", "request_id": REQUEST_ID, "error": "Unknown API Key"}
    return json_answer(401, body)


def not_authorized(text: str, status: int = 403) -> Answer:
    """A refusal of a known key."""
    body = {"status": "NOT_AUTHORIZED", "request_id": REQUEST_ID, "message": text}
    return json_answer(status, body)


def instead(answer: Answer) -> Status:
    """A fault that gives this answer in place of the right one."""
    kind = answer.headers.get("Content-Type", "text/plain")
    return Status(answer.status, answer.body, kind)


def too_many(retry_after: str | None = None, *, empty: bool = False) -> Status:
    """429, with or without Retry-After (the vendor documents none), perhaps without a body."""
    body = {"status": "ERROR", "request_id": REQUEST_ID, "error": TOO_MANY}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    text = b"" if empty else json_answer(429, body).body
    return Status(429, text, "application/json", headers)


def refused(text: str = NOT_ENTITLED, status: int = 403) -> Status:
    """403 with one of the texts above, or another."""
    return instead(not_authorized(text, status))


def refused_200() -> Status:
    """A refusal that calls itself a success."""
    return refused(NOT_ENTITLED, 200)


def unknown_ticker() -> Answer:
    """404, as reference calls have it."""
    body = {"status": "NOT_FOUND", "request_id": REQUEST_ID, "message": "Ticker not found."}
    return json_answer(404, body)


def not_found() -> Status:
    """The same as a fault."""
    return instead(unknown_ticker())


@dataclass(frozen=True, slots=True)
class Edited(Fault):
    """The right JSON, edited: `edit` gets the body and gives what to send instead."""

    edit: Callable[[Row], Any]

    def spoil(self, answer: Answer) -> Answer:
        """An answer that is no success stays as it is."""
        if answer.status != 200:
            return answer
        return replace(answer, body=json_answer(200, self.edit(json.loads(answer.body))).body)


def delayed() -> Edited:
    """`status` DELAYED: the data of a plan with a delay, in order otherwise."""
    return Edited(lambda body: body | {"status": "DELAYED"})


def a_list() -> Edited:
    """The bare results: JSON that is a list."""
    return Edited(lambda body: body.get("results", []))


def results_missing(count: int = 12_000) -> Edited:
    """Says there are results and sends none."""

    def edit(body: Row) -> Row:
        kept = {name: value for name, value in body.items() if name != "results"}
        return kept | {"resultsCount": count, "queryCount": count, "count": count}

    return Edited(edit)


def edited_rows(edit: Callable[[Row], Row], every: int = 1) -> Edited:
    """Edit the first row and every so-manieth after it."""

    def rows(body: Row) -> Row:
        return _with_rows(
            body, [row if i % every else edit(row) for i, row in enumerate(body.get("results", []))]
        )

    return Edited(rows)


def without(*fields: str, every: int = 1) -> Edited:
    """Rows that lack fields: `vw` and `n` are optional."""
    return edited_rows(lambda row: {k: v for k, v in row.items() if k not in fields}, every)


def fractional_volumes(every: int = 1) -> Edited:
    """Volumes with six decimals, as since 2026."""
    return edited_rows(lambda row: row | {"v": row["v"] + 0.153126}, every)


def zero_prices(every: int = 1) -> Edited:
    """Rows in which nothing costs anything."""
    return edited_rows(lambda row: row | {"o": 0, "h": 0, "l": 0, "c": 0}, every)


def duplicates(every: int = 1) -> Edited:
    """Tickers that come twice, the second time with no volume and no trades."""

    def edit(body: Row) -> Row:
        rows = body.get("results", [])
        return _with_rows(body, [*rows, *(row | {"v": 0, "n": 0} for row in rows[::every])])

    return Edited(edit)


def wrong_day(days: int = -1, every: int = 1) -> Edited:
    """Rows whose `t` is of another day."""
    shift_ms = timedelta(days=days) // timedelta(milliseconds=1)
    return edited_rows(lambda row: row | {"t": row["t"] + shift_ms}, every)


def only_rows(count: int) -> Edited:
    """A day that is cut short, with counts that agree."""
    return Edited(lambda body: _with_rows(body, body.get("results", [])[:count]))


def doubled_volumes() -> Edited:
    """Every volume and trade count twice what it was."""
    return edited_rows(lambda row: row | {"v": row["v"] * 2, "n": row.get("n", 0) * 2})


def _with_rows(body: Row, rows: list[Row]) -> Row:
    counts = ("queryCount", "resultsCount", "count")
    return body | {"results": rows} | {name: len(rows) for name in counts if name in body}
