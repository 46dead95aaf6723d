"""Sale conditions: which fields of a daily bar a trade may move. Pure; knows no files, no network.

Only the *consolidated* rules count. A field moves only if every condition of the trade allows it;
no condition allows everything. An id that the table does not know lets a trade count for volume
and set no price.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from core.errors import BadBars


class Updates(NamedTuple):
    """May a trade move the high and low, the open and close, the volume?"""

    high_low: bool
    open_close: bool
    volume: bool


ALL = Updates(True, True, True)
VOLUME_ONLY = Updates(False, False, True)
NOTHING = Updates(False, False, False)
_HIGH_LOW = Updates(True, False, True)
_PRICE_ONLY = Updates(True, True, False)

BUNDLED_VERSION = "bundled-2026-11"
_BUNDLED_GROUPS = {
    ALL: (
        *(1, 3, 4, 6, 8, 9, 11, 14, 17, 18, 19, 23, 24, 25, 27, 28, 30, 31, 34, 35, 36, 41, 55),
        *(57, 58, 59, 60),  # short-sale restriction: says nothing of the trade
        *(62, 63, 64, 65, 66, 67, 68, 69, 70, 71),  # financial status: likewise
    ),
    VOLUME_ONLY: (2, 7, 12, 13, 20, 21, 29, 37, 52, 53),
    _HIGH_LOW: (5, 10, 22, 32, 33),
    NOTHING: (15, 16),
    _PRICE_ONLY: (38,),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What each condition id allows; `version` differs when a rule that matters differs."""

    updates: Mapping[int, Updates]
    version: str

    def plain(self) -> dict[str, Any]:
        """As values that JSON has, for another process."""
        return {"version": self.version, "updates": {str(n): u for n, u in self.updates.items()}}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The other way round."""
        updates = {int(n): Updates(*one) for n, one in plain["updates"].items()}
        return cls(updates, plain["version"])

    def verdict(self, conditions: str) -> Updates:
        """What a trade with these conditions (ids with commas between, or empty) may move."""
        high_low, open_close, volume = ALL
        for part in _parts(conditions):
            one = self.updates.get(int(part), VOLUME_ONLY) if _is_id(part) else VOLUME_ONLY
            high_low &= one.high_low
            open_close &= one.open_close
            volume &= one.volume
        return Updates(high_low, open_close, volume)

    def unknown(self, conditions: str) -> list[str]:
        """The ids among these that the table does not know, as they are written."""
        return [
            part for part in _parts(conditions) if not _is_id(part) or int(part) not in self.updates
        ]


@dataclass(slots=True)
class Judge:
    """Verdicts, one for each distinct string however often it is asked, and what was unknown."""

    rules: Rules
    unknown: set[str] = field(default_factory=set)
    _verdicts: dict[bytes, Updates] = field(default_factory=dict)

    def __call__(self, conditions: bytes) -> Updates:
        """The verdict on the field's bytes, without quotes."""
        known = self._verdicts.get(conditions)
        if known is not None:
            return known
        text = conditions.decode("ascii", "replace")
        self.unknown.update(self.rules.unknown(text))
        return self._verdicts.setdefault(conditions, self.rules.verdict(text))


def bundled() -> Rules:
    """The table as published in 2026, for when there is no key to ask with."""
    updates = {ident: one for one, idents in _BUNDLED_GROUPS.items() for ident in idents}
    return Rules(updates, BUNDLED_VERSION)


def from_reference(body: Mapping[str, Any]) -> Rules:
    """Rules from the vendor's /v3/reference/conditions; BadBars if that is not what it is.

    Quote conditions share ids with trade conditions and are left out; legacy ones still occur and
    are kept. The same rules as the bundled ones have the bundled version, whatever their names.
    """
    results = body.get("results")
    if not isinstance(results, list):
        raise BadBars("the list of sale conditions has no results")
    updates: dict[int, Updates] = {}
    for entry in results:
        try:
            if "trade" not in entry["data_types"]:
                continue
            ident, one = int(entry["id"]), _updates(entry)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadBars(f"a sale condition is not readable: {str(entry)[:120]}") from error
        # The same id twice (two listings of it): the stricter of both.
        both = zip(updates.get(ident, ALL), one, strict=True)
        updates[ident] = Updates(*(a and b for a, b in both))
    if not updates:
        raise BadBars("the list of sale conditions has no condition of trades")
    return Rules(updates, _version(updates))


def completed(told: Rules) -> Rules:
    """The vendor's rules, and the bundled ones for ids that its list leaves out.

    An id that is not known sets no price, so a list cut short would change verdicts without a word.
    What it lacks here and there is filled up: a condition no longer listed still is in old trades.
    One with fewer than half of the bundled ids is BadBars: who knows what the rest would say.
    """
    own = bundled().updates
    known = len(own.keys() & told.updates.keys())
    if known < len(own) / 2:
        raise BadBars(f"the list of sale conditions has {known} of the {len(own)} known ones")
    updates = {**own, **told.updates}
    return Rules(updates, _version(updates))


def dump(rules: Rules) -> str:
    """The rules as JSON, for a database or another process."""
    return json.dumps(rules.plain(), separators=(",", ":"))


def load(text: str) -> Rules:
    """The rules that dump() wrote; BadBars if it did not write this."""
    try:
        return Rules.from_plain(json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadBars(f"stored rules of sale conditions cannot be read: {text[:80]!r}") from error


def _updates(entry: Mapping[str, Any]) -> Updates:
    if not entry.get("update_rules"):
        return ALL  # indicators, and 41 in old lists: they say nothing of the price
    rules = entry["update_rules"]["consolidated"]
    names = ("updates_high_low", "updates_open_close", "updates_volume")
    values = [rules[name] for name in names]
    if not all(isinstance(value, bool) for value in values):
        raise ValueError(values)
    return Updates(*values)


def _version(updates: Mapping[int, Updates]) -> str:
    """A name for the rules; what an unknown id does anyway makes no difference."""
    if _that_matter(updates) == _that_matter(bundled().updates):
        return BUNDLED_VERSION
    told = [(n, *map(int, one)) for n, one in _that_matter(updates)]
    return f"vendor-{hashlib.sha256(repr(told).encode()).hexdigest()[:12]}"


def _that_matter(updates: Mapping[int, Updates]) -> list[tuple[int, Updates]]:
    return sorted((n, one) for n, one in updates.items() if one != VOLUME_ONLY)


def _parts(conditions: str) -> list[str]:
    return [part for part in (p.strip() for p in conditions.split(",")) if part]


def _is_id(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) <= 9
