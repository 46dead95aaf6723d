"""alerts.raw: what only the market put over the cut."""

import pytest

from alerts.raw import LINES, raw_list
from tests.records import anomaly, judged

HITS = [anomaly(f"N{n}") for n in range(LINES + 5)]


@pytest.mark.parametrize(("most", "shown", "footer"), [(LINES, LINES, True), (None, 45, False)])
def test_all_are_listed_when_all_are_asked_for(most: int | None, shown: int, footer: bool) -> None:
    message = raw_list(judged(), HITS, most)

    assert message.title.endswith(" · 45")
    assert len(message.rows) == shown
    assert ("5 more: all raw lists them" in message.footer) == footer
