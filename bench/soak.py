"""Half an hour of commands on both platforms while connections fail, as they do on a bad day.

The real service between local platforms: two commands a second; every minute each platform's
connection is lost in another way, and for five seconds no answer comes through; every other minute
the vendor publishes the newest session anew, with another name in it, so that each channel gets a
digest once and a correction for each revision.

python -m bench soak [MINUTES], or python -m bench.soak [MINUTES]
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from statistics import linear_regression, mean

from bench.chat_cuts import Cut
from bench.chat_load import SUGGESTED, Given, Times, all_answered
from bench.data import Data
from bench.harness import Goal, duration, lined_up
from bench.soak_work import LAST, End, Look, Soak, begun

MINUTES = 30.0
_PATIENCE_S, _END_S, _BACK_S, _ACK_S = 60.0, 10.0, 30.0, 3.0
_MORE_MB, _MORE_SHARE, _MORE_TASKS, _PER_S = 1.0, 0.03, 3, 600.0


def main() -> None:
    """As long as is asked for."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    for goal in asyncio.run(_measured(minutes)):
        print(goal)


def run(_: Data, minutes: float = MINUTES) -> list[Goal]:
    """For half an hour; on the built-in market, for the service goes by today's date."""
    return asyncio.run(_measured(minutes))


async def _measured(minutes: float) -> list[Goal]:
    async with begun() as soak:
        await soak.last(minutes)
        await all_answered(soak.crowd.given, _PATIENCE_S, soak.cuts.is_excused)
        during = list(soak.crowd.given)
        end = await soak.end()
        soak.complaints = soak.running.complaints()
        assert not soak.crowd.failures, soak.crowd.failures
    for said, count in soak.complaints.most_common(20):
        print(f"  logged {count}x {said[:200]}")
    _print_cuts(soak.cuts.made)
    _print_answers(soak, during)
    _print_end(end)
    return [*_answered(soak, during), *_flat(soak.looks), *_told(soak), *_ended(soak, end)]


def _lost(soak: Soak, given: Sequence[Given]) -> list[Given]:
    return [one for one in given if not (one.is_answered or soak.cuts.is_excused(one))]


def _print_cuts(made: Sequence[Cut]) -> None:
    rows = [("connection", "times", "back, worst")]
    for platform, how in dict.fromkeys((cut.platform, cut.how) for cut in made):
        took = [cut.back_s for cut in made if (cut.platform, cut.how) == (platform, how)]
        worst = "never" if None in took else f"{max(s for s in took if s is not None):.1f} s"
        rows.append((f"{platform}: {how}", str(len(took)), worst))
    print(lined_up(rows))


def _print_answers(soak: Soak, given: Sequence[Given]) -> None:
    for platform in ("discord", "slack"):
        here = [one for one in given if one.platform == platform]
        excused = sum(soak.cuts.is_excused(one) and not one.is_answered for one in here)
        acks = [one.ack_s for one in here if one.ack_s is not None and one.kind != SUGGESTED]
        late = sum(seconds > _ACK_S for seconds in acks)
        answers = Times.of([one.answer_s for one in here if one.answer_s is not None])
        print(
            f"  {platform}: {len(here)} commands, {excused} of them while there was nobody to tell;"
            f" {late} acknowledged after more than {_ACK_S:.0f} s, of which people would have been"
            f" told that nobody answers; answers: median {duration(answers.median)},"
            f" p99 {duration(answers.p99)}, worst {duration(answers.worst)}"
        )
    refused = Counter(f"{one.platform} {one.kind}: {r}" for one in given for r in one.refusals)
    for what, count in refused.most_common(10):
        print(f"  refused {count}x {what}")
    for one in _lost(soak, given)[:20]:
        since = (one.thing.dispatched_at or 0.0) - soak.began
        print(f"  LOST at {since:.1f} s: {one.platform} {one.kind}, ack {one.ack_s}, {one.thing!r}")


def _print_end(end: End) -> None:
    acked = [one for one in end.last if one.ack_s is not None]
    answered = sum(one.is_answered for one in acked)
    print(
        f"  SIGTERM after {LAST} more commands: {len(acked)} acknowledged, {answered} of these"
        f" answered; ended with {end.code} in {end.seconds:.1f} s"
    )


def _answered(soak: Soak, given: Sequence[Given]) -> list[Goal]:
    lost, surplus = _lost(soak, given), sum(one.surplus for one in given)
    back = [cut.back_s for cut in soak.cuts.made]
    worst = max((_BACK_S + 1 if seconds is None else seconds for seconds in back), default=0.0)
    return [
        Goal("no answer is lost", not lost, f"{len(lost)} of {len(given)}"),
        Goal("no answer is given twice", not surplus, f"{surplus}"),
        Goal(f"every connection is back within {_BACK_S:.0f} s", worst <= _BACK_S,
             f"{len(back)} cuts, worst {worst:.1f} s"),
    ]  # fmt: skip


def _flat(looks: Sequence[Look]) -> list[Goal]:
    """By the second half; what is done in the first minutes stays in memory for good."""
    half, third = looks[len(looks) // 2 :], max(1, len(looks) // 3)
    slope = 0.0
    if len(half) > 1:
        slope = (
            _PER_S * linear_regression(*zip(*((x.at_s, x.rss_mb) for x in half), strict=True))[0]
        )
    level = mean(look.rss_mb for look in half)
    share = slope / level
    # The fewest: what is there at other times is being answered.
    before = min(looks[:third], key=lambda look: look.tasks)
    after = min(looks[-third:], key=lambda look: look.tasks)
    more = after.names - before.names
    threads = [look.threads for look in looks]
    return [
        Goal("memory is flat: less than 1 MB, or 3 %, in 10 minutes",
             slope < _MORE_MB or share < _MORE_SHARE,
             f"{slope:+.2f} MB ({share:+.1%}) at {level:.0f} MB"),
        Goal("tasks are flat", after.tasks <= before.tasks + _MORE_TASKS,
             f"{before.tasks}, then {after.tasks}{f': more of {dict(more)}' if more else ''};"
             f" threads {min(threads)} to {max(threads)}"),
    ]  # fmt: skip


def _told(soak: Soak) -> list[Goal]:
    """A digest, at most one message with its pictures, and a correction for each revision."""
    told = soak.told()
    corrections = {name: sum("Correction" in text for text in said) for name, said in told.items()}
    others = {name: len(said) - corrections[name] for name, said in told.items()}
    twice = sum(len(said) - len(set(said)) for said in told.values())
    same = len(set(corrections.values())) == 1 and set(others.values()) <= {1, 2}
    return [
        Goal("every channel has one digest, and each correction once", same and not twice,
             f"corrections {sorted(corrections.values())} of {soak.revisions} revisions, other"
             f" messages {sorted(others.values())}, {twice} said twice"),
    ]  # fmt: skip


def _ended(soak: Soak, end: End) -> list[Goal]:
    promised = [one for one in end.last if one.ack_s is not None and not one.is_answered]
    unheard = [one for one in end.last if one.ack_s is None]
    return [
        Goal(f"SIGTERM in the middle of work: 0 within {_END_S:.0f} s",
             end.code == 0 and end.seconds <= _END_S, f"{end.code} in {end.seconds:.1f} s"),
        Goal("whatever was acknowledged by then is answered", not promised,
             f"{len(promised)} of {len(end.last)} are not; {len(unheard)} not acknowledged"),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
