"""Which fields a trade may move, by its conditions."""

from itertools import combinations
from typing import Any

import pytest

from core.conditions import (
    BUNDLED_VERSION,
    NOTHING,
    VOLUME_ONLY,
    Judge,
    bundled,
    completed,
    dump,
    from_reference,
    load,
)
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


def test_a_condition_more_that_moves_no_price_is_the_same_rules() -> None:
    more = from_reference(listing(n999=(False, False, True)))
    assert more.version == BUNDLED_VERSION
    assert more.unknown("999") == []


def test_rules_that_a_list_leaves_out_are_filled_up() -> None:
    entries = listing()["results"]
    some = [e for e in entries if e["id"] not in (5, 14, 15, 38)]
    rules = completed(from_reference({"results": some}))
    assert rules.updates == bundled().updates
    assert rules.version == BUNDLED_VERSION
    changed = completed(from_reference({"results": [*some, entry(5, (True, True, True))]}))
    assert changed.verdict("5") == (True, True, True)
    assert changed.verdict("15") == NOTHING
    assert changed.version.startswith("vendor-")


@pytest.mark.parametrize("count", [1, 10, len(KNOWN) // 2 - 1])
def test_a_list_cut_short_is_refused(count: int) -> None:
    cut = from_reference({"results": listing()["results"][:count]})
    with pytest.raises(BadBars, match=f"{count} of the {len(KNOWN)}"):
        completed(cut)
    others = from_reference({"results": [entry(n, (True, True, True)) for n in range(900, 999)]})
    with pytest.raises(BadBars, match="0 of the"):
        completed(others)


def test_rules_come_back_from_json_as_they_were() -> None:
    changed = from_reference(listing(n17=(True, False, True)))
    for rules in (bundled(), changed):
        assert load(dump(rules)) == rules
        assert load(dump(rules)).verdict("17,37") == rules.verdict("17,37")


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "5", "{}", "null", '{"version":"x"}', '{"version":"x","updates":[]}'),
        '{"version":"x","updates":{"a":[true,true,true]}}',
        '{"version":"x","updates":{"1":[true,true]}}',
    ],
)
def test_other_json_is_no_rules(text: str) -> None:
    with pytest.raises(BadBars, match="cannot be read"):
        load(text)
