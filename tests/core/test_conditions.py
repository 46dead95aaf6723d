"""Which fields a trade may move, by its conditions."""

from itertools import combinations
from typing import Any

import pytest

from core.conditions import BUNDLED_VERSION, NOTHING, VOLUME_ONLY, Judge, bundled, from_reference
from core.errors import BadBars
from tests.core.slow_tape import KNOWN, NO_HIGH_LOW, NO_OPEN_CLOSE, NO_VOLUME


def expected(marks: set[int]) -> tuple[bool, bool, bool]:
    return not marks & NO_HIGH_LOW, not marks & NO_OPEN_CLOSE, not marks & NO_VOLUME


def entry(ident: int, updates: tuple[bool, bool, bool] | None, **more: Any) -> dict[str, Any]:
    """A condition as the vendor lists it."""
    names = ("updates_high_low", "updates_open_close", "updates_volume")
    plain: dict[str, Any] = {"id": ident, "data_types": ["trade"], "type": "sale_condition"}
    if updates is not None:
        no = dict.fromkeys(names, False)
        own = dict(zip(names, updates, strict=True))
        plain["update_rules"] = {"consolidated": own, "market_center": no}
    return {**plain, **more}


def listing(**changed: tuple[bool, bool, bool]) -> dict[str, Any]:
    """The whole list, the indicators without rules."""
    entries = [entry(n, expected({n}) if n < 57 else None) for n in sorted(KNOWN)]
    for name, updates in changed.items():
        entries.append(entry(int(name[1:]), updates))
    return {"status": "OK", "results": entries}


def test_the_bundled_table_is_the_published_one() -> None:
    rules = bundled()
    assert set(rules.updates) == KNOWN
    for ident in KNOWN:
        assert rules.verdict(str(ident)) == expected({ident})


def test_a_field_moves_only_if_every_condition_allows_it() -> None:
    rules = bundled()
    assert rules.verdict("") == (True, True, True)
    for one, two in combinations(sorted(KNOWN), 2):
        assert rules.verdict(f"{one},{two}") == expected({one, two})
    assert rules.verdict("14,12,37,41") == VOLUME_ONLY
    assert rules.verdict("38,37") == NOTHING


@pytest.mark.parametrize("odd", ["26", "999", "-1", "x", "9999999999", "²"])
def test_an_unknown_condition_counts_volume_and_sets_no_price(odd: str) -> None:
    rules, judge = bundled(), Judge(bundled())
    assert rules.verdict(odd) == VOLUME_ONLY
    assert rules.verdict(f"14,{odd}") == VOLUME_ONLY
    assert rules.verdict(f"15,{odd}") == NOTHING
    assert judge(f"14,{odd}".encode()) == VOLUME_ONLY
    assert judge(f"14,{odd}".encode()) == VOLUME_ONLY
    assert judge(b"37,41") == VOLUME_ONLY
    assert len(judge.unknown) == 1


def test_the_vendors_list_is_read() -> None:
    rules = from_reference(listing())
    assert rules.updates == bundled().updates
    assert rules.version == BUNDLED_VERSION


def test_the_version_tells_rules_apart_that_matter_and_no_others() -> None:
    changed = from_reference(listing(n17=(True, False, True)))
    assert changed.verdict("17") == (True, False, True)
    assert changed.version.startswith("vendor-")
    assert changed.version == from_reference(listing(n17=(True, False, True))).version
    other = from_reference(listing(n17=(False, False, True)))
    assert other.version not in (changed.version, BUNDLED_VERSION)


def test_quote_conditions_share_ids_and_are_left_out_legacy_ones_kept() -> None:
    rules = from_reference(
        {
            "results": [
                entry(35, (True, True, True), legacy=True),
                entry(35, (False, False, False), data_types=["bbo"]),
                entry(37, (False, False, True), data_types=["bbo", "trade"]),
            ]
        }
    )
    assert rules.verdict("35") == (True, True, True)
    assert rules.verdict("37") == VOLUME_ONLY


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"results": None},
        {"results": []},
        {"results": [{"id": 1}]},
        {"results": [{"id": "x", "data_types": ["trade"]}]},
        {"results": [entry(1, (True, True, True), update_rules={"market_center": {}})]},
        {"results": [entry(1, ("yes", True, True))]},  # type: ignore[arg-type]
        {"results": ["text"]},
    ],
)
def test_another_body_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadBars, match="sale condition"):
        from_reference(body)
