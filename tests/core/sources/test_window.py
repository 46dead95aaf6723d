"""How far back a plan reaches: when older sessions are not asked for any more."""

from itertools import permutations

import pytest

from core.calendar import TradingDay, sessions_ending
from core.sources.window import OUTSIDE_AFTER, Window
from tests.market import NEWEST

DAYS = sessions_ending(NEWEST, 8)


def beyond(window: Window) -> list[TradingDay]:
    """The sessions that are not asked for any more."""
    return [day for day in DAYS if window.beyond(day)]


def test_some_in_a_row_speak_for_all_that_are_older() -> None:
    window = Window()
    window.served(DAYS[6])
    for day in DAYS[5:2:-1]:
        assert beyond(window) == []
        window.refused(day)
    assert beyond(window) == DAYS[:6]
    assert window.beyond(DAYS[0]) == DAYS[5]


def test_of_the_oldest_first_nothing_is_known_of_those_after_them() -> None:
    window = Window()
    for day in DAYS[:OUTSIDE_AFTER]:
        window.refused(day)
    assert beyond(window) == DAYS[:OUTSIDE_AFTER]


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_an_older_one_that_is_served_tells_that_the_refusals_had_another_cause(
    order: tuple[int, ...],
) -> None:
    window = Window()
    for n in order:
        if n == 0:
            window.served(DAYS[1])
        else:
            window.refused(DAYS[3 + n])
    assert beyond(window) == []
    window.refused(DAYS[0])
    assert beyond(window) == []
