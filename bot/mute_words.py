"""What people type after /mute, in any order after the first: what, for how long, for whom, why."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from alerts.budget import clipped
from alerts.kinds import LABELS, RULES
from bot.arguments import dated, is_short_number, parse_date
from core.errors import CommandError

USAGE = "TICKER|label:news-like|rule:trades [5] [until:double|DATE] [mine] [because WORDS]"
DEFAULT_SESSIONS, MOST_SESSIONS = 5, 250
_MOST_WHY_CHARS = 200
_NAMES = {"label": LABELS, "rule": RULES}
_MOST_NAME_WORDS = 3
_DOUBLE = {"double", "doubles", "doubled", "2x"}
_QUOTES = "\"'“”‘’„"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants muted, as far as the words alone tell."""

    kind: str
    value: str
    """A label or a rule as it is called; a ticker as typed."""
    sessions: int | None = None
    until: date | None = None
    double: bool = False
    mine: bool = False
    why: str = ""


def parse(words: Sequence[str]) -> Wish:
    """Raises CommandError with the one sentence that fits."""
    if not words:
        raise CommandError(f"What should be muted? /mute {USAGE}")
    kind, value, rest = _subject(words)
    rest, why = _reason(rest)
    sessions, untils = list[int](), list[str]()
    for word in _joined(rest):
        if word.isascii() and word.isdigit():
            sessions.append(_sessions(word))
        elif word.startswith("until:"):
            untils.append(word.removeprefix("until:"))
        elif word not in ("mine", "session", "sessions"):
            raise CommandError(f"{clipped(word, 40)!r} is not understood. /mute {USAGE}")
    dates = [parse_date(text) for text in untils if text not in _DOUBLE]
    for found in (sessions, dates):
        if len(found) > 1:
            raise CommandError(f"{found[0]} and {found[1]} do not go together: name one")
    double = len(dates) < len(untils)
    if kind != "ticker" and double:
        raise CommandError(f"until:double is for a ticker; a {kind} has no score of its own")
    many = DEFAULT_SESSIONS if not untils else None
    return Wish(
        kind=kind,
        value=value,
        sessions=next(iter(sessions), many),
        until=next(iter(dates), None),
        double=double,
        mine="mine" in rest,
        why=why,
    )


def _subject(words: Sequence[str]) -> tuple[str, str, Sequence[str]]:
    kind, colon, value = words[0].partition(":")
    kind = kind.lower()
    if not colon:
        return "ticker", words[0], words[1:]
    if kind not in _NAMES:
        near = difflib.get_close_matches(kind, _NAMES, 1, 0.5)
        such = f"did you mean {near[0]}:{clipped(value, 40)}?" if near else ""
        hint = such or "first comes what is to be muted."
        raise CommandError(f"{clipped(words[0], 40)!r}: {hint} /mute {USAGE}")
    rest = [word for word in (value, *words[1:]) if word]
    named = {_plain(name): name for name in _NAMES[kind]}
    # The longest first: "volume" is a label too.
    for many in range(_MOST_NAME_WORDS, 0, -1):
        if found := named.get(_plain(" ".join(rest[:many]))):
            return kind, found, rest[many:]
    near = difflib.get_close_matches(_plain(" ".join(rest[:2])), named, 1, 0.6)
    hint = f"did you mean {kind}:{named[near[0]].replace(' ', '-')}?" if near else (
        f"there are {', '.join(_NAMES[kind])}"
    )  # fmt: skip
    raise CommandError(f"{clipped(' '.join(rest[:1]), 40)!r} is no {kind}: {hint}")


def _plain(text: str) -> str:
    """`"Quiet-Volume"` and `quiet volume` are the same."""
    return re.sub(r"[\s_-]+", " ", text.translate(dict.fromkeys(map(ord, _QUOTES)))).strip().lower()


def _reason(words: Sequence[str]) -> tuple[list[str], str]:
    """The words before `because` in small letters, and the text after it."""
    small = [word.lower() for word in words]
    if "because" not in small:
        return small, ""
    at = small.index("because")
    why = " ".join(words[at + 1 :])
    if len(why) > _MOST_WHY_CHARS:
        raise CommandError(f"The reason has {len(why)} characters; {_MOST_WHY_CHARS} fit")
    return small[:at], why


def _joined(words: Sequence[str]) -> list[str]:
    """`until 2026-12-31` as `until:2026-12-31`."""
    text = re.sub(r"\buntil(: | )", "until:", " ".join(words))
    return list(dated(text.split()))


def _sessions(text: str) -> int:
    if not is_short_number(text, MOST_SESSIONS) or not 1 <= int(text) <= MOST_SESSIONS:
        raise CommandError(
            f"{clipped(text, 40)!r} should be a number of sessions from 1 to {MOST_SESSIONS}"
        )
    return int(text)
