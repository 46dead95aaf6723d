"""alerts.counted: how long the newest session took to its channels."""

from pathlib import Path

import pytest

from alerts.counted import Lag, lags
from core.db import Db, Value, insert
from tests.states import new_state

AT = "2026-11-27T20:{:02}:00+00:00"
KEY: dict[str, Value] = {"series": "all-daily-raw", "session": "2026-11-27", "revision": 1}
STORED: dict[str, Value] = {
    **KEY, "status": "finished", "refused": "[]", "announced": 1, "tried_at": AT.format(0),
    "stored_at": AT.format(0),
}  # fmt: skip
Line = tuple[str, int, int]
"""A state, and the minutes of its creation and of its last change."""
FIRST: Line = ("sent", 1, 3)


@pytest.mark.parametrize(
    ("other", "delivered_s"),
    [
        (("sent", 1, 6), 300),
        (("pending", 1, 9), None),
        (("ambiguous", 1, 9), None),
        (("refused", 1, 9), None),
        (("expired", 1, 9), None),
        (("sent", 50, 51), 120),  # sent again by an operator, who set its age anew
    ],
)
async def test_it_lasts_until_the_last_channel_has_it_and_what_never_arrives_is_no_arrival(
    tmp_path: Path, other: Line, delivered_s: int | None
) -> None:
    async with Db.open(await new_state(tmp_path)) as db:
        async with db.transaction() as writer:
            await insert(writer, "sessions", STORED)
            for n, (state, created, changed) in enumerate((FIRST, other)):
                row: dict[str, Value] = {
                    **KEY, "key": str(n), "destination": f"slack:C{n}", "kind": "digest",
                    "state": state, "created_at": AT.format(created),
                    "changed_at": AT.format(changed),
                }  # fmt: skip
                await insert(writer, "deliveries", row)
        assert await lags(db) == [Lag("slack", 60, delivered_s)]
