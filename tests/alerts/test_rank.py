"""Which anomalies are said: order, cap, folding."""

from alerts.rank import MAX_SHIFTS, OTHER_LABELS, report
from core.labels import OFF_EXCHANGE_SHIFT
from tests.records import SESSION, anomaly, judged


def test_at_most_top_lines_are_pushed_and_the_rest_is_counted() -> None:
    labels = ["news-like", "crowd", "volume"] * 4
    made = report(judged(*(anomaly(f"T{n}", label=x) for n, x in enumerate(labels))), top=10)
    assert [a.ticker for a in made.pushed] == [f"T{n}" for n in range(10)]
    assert [a.ticker for a in made.beyond] == ["T10", "T11"]


def test_one_kind_never_fills_the_list() -> None:
    made = report(judged(*(anomaly(f"T{n}", label="news-like") for n in range(9))), top=10)
    assert (len(made.pushed), len(made.beyond)) == (7, 2)
    assert MAX_SHIFTS < 10 - OTHER_LABELS == 7


def test_only_what_was_told_is_folded() -> None:
    found = judged(anomaly("TOLD", continuing=True), anomaly("MUTE", continuing=True))
    made = report(found, top=10, told={"TOLD"})
    assert [a.ticker for a in made.pushed] == ["MUTE"]
    assert [a.ticker for a in made.folded] == ["TOLD"]
    nobody_knows = report(found, top=10)
    assert (nobody_knows.pushed, len(nobody_knows.folded)) == ((), 2)


def test_what_is_still_elevated_stands_among_the_repeats_by_score() -> None:
    found = judged(
        anomaly("AGAIN", continuing=True, score=6.0), anomaly("FRESH"),
        lingering=(anomaly("STILL", alertable=False, score=7.0),),
    )  # fmt: skip
    made = report(found, top=10)
    assert [a.ticker for a in made.folded] == ["STILL", "AGAIN"]
    assert [a.ticker for a in made.pushed] == ["FRESH"]


def test_at_most_three_are_said_for_their_share_alone() -> None:
    shifts = [anomaly(f"S{n}", label=OFF_EXCHANGE_SHIFT, shifted=True) for n in range(5)]
    loud = [anomaly(f"V{n}", label="volume", shifted=True) for n in range(4)]
    made = report(judged(*shifts, *loud), top=10)
    assert [a.ticker for a in made.pushed] == ["S0", "S1", "S2", "V0", "V1", "V2", "V3"]
    assert [a.ticker for a in made.beyond] == ["S3", "S4"]
    assert MAX_SHIFTS == 3


def test_the_list_is_never_filled_up() -> None:
    assert report(judged(), top=10).pushed == ()


def test_repeats_are_folded_and_splits_are_apart() -> None:
    made = report(
        judged(
            anomaly("AGAIN", continuing=True, day_no=2),
            anomaly("SPLIT", label="corporate action", split="2-for-1"),
            anomaly("MAYBE", suspected="2-for-1", suspected_on=SESSION),
            anomaly("ALSO", suspected="2-for-1", suspected_on=SESSION, continuing=True),
            anomaly("FRESH"),
        ),
        top=10,
    )
    assert [a.ticker for a in made.pushed] == ["FRESH"]
    assert [a.ticker for a in made.folded] == ["AGAIN"]
    assert [a.ticker for a in made.suppressed] == ["SPLIT"]
    assert [a.ticker for a in made.suspected] == ["MAYBE", "ALSO"]
    assert made.beyond == ()
