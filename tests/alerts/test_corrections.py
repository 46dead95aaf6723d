"""alerts.corrections: only a name that enters or leaves is worth a word."""

from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.corrections import changes, correction
from alerts.model import Report
from bot.platforms.console import render
from tests.records import SESSION, anomaly, said

names = st.lists(st.sampled_from([f"T{n}" for n in range(12)]), unique=True, max_size=9)


def of(tickers: list[str], revision: int = 1) -> Report:
    labels = ("news-like", "crowd", "volume")
    return said(
        *(anomaly(t, label=labels[n % 3]) for n, t in enumerate(tickers)), revision=revision
    )


@given(names, names)
def test_who_enters_and_who_leaves_is_the_difference_of_the_lists(
    was: list[str], now: list[str]
) -> None:
    found = changes(of(was), of(now))
    assert {a.ticker for a in found.entered} == set(now) - set(was)
    assert {a.ticker for a in found.left} == set(was) - set(now)
    assert bool(found) == (set(was) != set(now))


def test_other_numbers_or_another_order_are_no_change() -> None:
    before, after = said(anomaly("A"), anomaly("B")), said(anomaly("B", ratio=9.0), anomaly("A"))
    assert not changes(before, after)


def test_a_correction_reads_as_reviewed(snapshot: SnapshotAssertion) -> None:
    before = said(
        anomaly("STAY"), anomaly("GONE"), anomaly("FOLD"), anomaly("SPLT"), anomaly("MAYB")
    )
    after = said(
        anomaly("CAME", ratio=8.3),
        anomaly("STAY"),
        anomaly("FOLD", ratio=5.0, continuing=True, day_no=2),
        anomaly("SPLT", label="corporate action", split="2-for-1"),
        anomaly("MAYB", suspected="2-for-1", suspected_on=SESSION),
        revision=2,
    )
    message = correction(before, after)
    assert f"{message.lead}\n\n{render(message, 100)}" == snapshot
