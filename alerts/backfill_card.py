"""What a reader sees of a backfill: the card that is edited as it goes on, how it ended. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alerts.model import TERMINAL, Action, Destination, Message, Row
from alerts.words import clock, day, listed, some, wait
from core.afterwards import Comparison, Differs
from core.jobs import BAD, GOOD, Failure, Job, JobState, Policy, Stage, Unit

_BAR = 10
_SHOWN = 15
_CAUSES = 3
_NAMES = 8
WAY_OUT = "when that is mended, /backfill resume goes on with it; /backfill cancel ends it"
"""Of a job that is paused for a reason."""
UNPOSTED = "announce: a terminal has no channel to post the summary to; /backfill says how it ended"
_NAMED_BAD: Mapping[Unit, str] = {
    Unit.HELD: "held by the gate",
    Unit.ABSENT: "not published",
    Unit.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a job is."""

    job: Job
    counts: Mapping[Unit, int]
    failures: Sequence[Failure]
    """Newest session first."""
    seconds_each: float | None
    """For a session, from its beginning to its end; None while none has come in."""
    at_once: int
    """How many are worked on at the same time."""
    lets_end: bool = True
    """Does what is under way end, when the job is paused or cancelled?"""
    last_error: Failure | None = None
    """The newest one of a session that has not come in since."""
    compared: Comparison | None = None
    """Of a job that is over and read everything again: what that has changed."""
    given_up: frozenset[Stage] = frozenset()
    """What was left to do after it, and met a fault of ours."""
    unattended: str = ""
    """What to do, of a job that is under way, or has past alerts to be counted, and nobody at
    work."""

    @property
    def total(self) -> int:
        """Sessions of the job."""
        return sum(self.counts.values())

    @property
    def through(self) -> int:
        """Those that came in, or surely did not."""
        return sum(self.counts.get(unit, 0) for unit in (*GOOD, *BAD))

    @property
    def left_s(self) -> float | None:
        """Seconds to go, at the pace so far."""
        if self.seconds_each is None:
            return None
        return (self.total - self.through) * self.seconds_each / self.at_once


def bar(through: int, total: int) -> str:
    """▰▰▰▱▱▱▱▱▱▱; full only when everything is through."""
    full = _BAR * through // total if total else 0
    return "▰" * full + "▱" * (_BAR - full)


def numbers(standing: Standing) -> str:
    """214 of 252 sessions, 2 failed, 1 not published; 12 a minute, about 3 min left."""
    said = [f"{standing.through:,} of {some(standing.total, 'session')}"]
    said += [
        f"{count:,} {name}" for unit, name in _NAMED_BAD.items()
        if (count := standing.counts.get(unit, 0))
    ]  # fmt: skip
    text = ", ".join(said)
    goes_on = standing.job.state is JobState.RUNNING and not standing.unattended
    left = standing.left_s
    if left and goes_on and standing.seconds_each:
        pace = 60 * standing.at_once / standing.seconds_each
        text += f"; {pace:,.0f} a minute" if pace >= 10 else f"; {pace:.1f} a minute"
        text += f", about {wait(left)} left"
    return text


def instead(job: Job) -> str:
    """Asked for one series, read another: why; empty if it read what it was begun with."""
    if job.series == job.asked:
        return job.moved
    why = f": {job.moved}" if job.moved else ""
    return f"asked for {job.asked}, read {job.series}{why}"


def last_error(standing: Standing) -> str:
    """2026-11-20: REST grouped daily: unreachable (asked again); empty if all came in since."""
    if (last := standing.last_error) is None:
        return ""
    again = "" if last.unit in BAD or standing.job.is_over else " (asked again)"
    return f"{last.session}: {last.seen}{again}"


def backfill_card(standing: Standing, stamp: str) -> Message:
    """The card of a job; edited in place."""
    job = standing.job
    facts = [("series", job.series), ("order", _order(job)), ("begun", _begun(job))]
    if standing.failures:
        facts.append(("by cause", by_cause(standing.failures)))
    if error := last_error(standing):
        facts.append(("last error", error))
    return Message(
        title=f"Backfill · {job.first} to {job.last}",
        lead=f"{bar(standing.through, standing.total)} {numbers(standing)}: {_state(standing)}.",
        banners=_banners(standing),
        facts=tuple(facts),
        footer=("nothing is announced of the past", *_more(standing)),
        stamp=stamp,
        actions=_actions(standing),
    )


def _banners(standing: Standing) -> tuple[str, ...]:
    job = standing.job
    reason = "" if job.stage is Stage.NOTHING else job.reason
    # Why it rested nobody knows any more where nobody works.
    return tuple(filter(None, (instead(job), standing.unattended or reason)))


def _more(standing: Standing) -> Iterator[str]:
    job = standing.job
    if job.state is JobState.PAUSED and job.reason:
        yield WAY_OUT
    if job.announce and Destination.parse(job.place) == TERMINAL:
        yield UNPOSTED
    if Stage.ALERTS in standing.given_up:
        yield "which past alerts would differ could not be counted: the log has the details"
    if Stage.NUMBERS in standing.given_up:
        yield "the newest sessions could not be measured: the log has the details"


def summary_card(standing: Standing, stamp: str) -> Message:
    """The one message that was asked for with `announce`."""
    job, changed = standing.job, _changed(standing)
    return Message(
        title=f"Backfill · {job.first} to {job.last}",
        lead=f"Backfilled: {numbers(standing)}{f'; {changed}' if changed else ''}.",
        banners=tuple(filter(None, (instead(job),))),
        facts=(("series", job.series), ("by cause", by_cause(standing.failures))),
        stamp=stamp,
    )


def _changed(standing: Standing) -> str:
    return difference(standing.compared, is_attended=not standing.unattended)


def difference(found: Comparison | None, *, is_attended: bool = True) -> str:
    """12 sessions changed, 4 past alerts would differ; empty if nothing was compared.

    `is_attended`: somebody counts what is not counted.
    """
    if found is None:
        return ""
    said = f"{some(found.changed, 'session')} changed" if found.changed else "no session changed"
    said += f", {found.new:,} new" if found.new else ""
    if not found.changed and not found.new:
        return said
    if found.is_given_up:
        return f"{said}, which past alerts would differ could not be counted"
    if not found.is_counted and not is_attended:
        return f"{said}, nobody counts which past alerts would differ"
    if not found.is_counted:
        return f"{said}, counting which past alerts would differ"
    if not found.told:
        return f"{said}, no past alerts among them"
    if not found.alerts:
        return f"{said}, no past alert would differ"
    return f"{said}, {some(found.alerts, 'past alert')} would differ"


def differences_card(standing: Standing, stamp: str) -> Message:
    """Which past alerts would differ: a few lines."""
    found = standing.compared
    differing = found.differing if found else ()
    lead = _changed(standing) or "nothing that was there was read again"
    more = len(differing) - _SHOWN
    return Message(
        title=f"Backfill · {standing.job.first} to {standing.job.last} · past alerts",
        lead=f"{lead[0].upper()}{lead[1:]}.",
        banners=tuple(filter(None, (standing.unattended,))),
        rows=tuple(Row(day(one.session), _names(one)) for one in differing[:_SHOWN]),
        footer=(
            *((f"and {some(more, 'session')} more",) if more > 0 else ()),
            "by the settings of then; what was said in the channels stands",
            "/anomalies DATE as:sent, and as:now, show the lists",
        ),
        stamp=stamp,
    )


def _names(one: Differs) -> tuple[str, ...]:
    said = (("would come", one.came), ("would go", one.went))
    return tuple(f"{what}: {listed([*names], _NAMES)}" for what, names in said if names)


def failures_card(standing: Standing, stamp: str) -> Message:
    """Every session that did not come in, and why."""
    found, job = standing.failures, standing.job
    rows = [Row(f"{f.session}: {_NAMED_BAD[f.unit]}", (f.seen,)) for f in found[:_SHOWN]]
    more = len(found) - len(rows)
    again = (Action("Retry failed", f"backfill retry {job.id}"),) if found and job.is_over else ()
    return Message(
        title=f"Backfill · {job.first} to {job.last} · not stored",
        lead=f"{some(len(found), 'session')}: {by_cause(found)}." if found else _none(standing),
        rows=tuple(rows),
        footer=(f"and {more:,} more",) if more > 0 else (),
        stamp=stamp,
        actions=again,
    )


def _none(standing: Standing) -> str:
    left = standing.total - standing.through
    if not left:
        return "All came in."
    return f"None so far; {some(left, 'session')} not read yet."


def by_cause(failures: Sequence[Failure]) -> str:
    """3 failed (2 vendor fault, 1 unreachable), 1 held by the gate."""
    found = Counter((_NAMED_BAD[f.unit], f.cause) for f in failures)
    by = dict[str, list[str]]()
    for (name, cause), count in found.most_common():
        causes = by.setdefault(name, [])
        causes += [f"{count:,} {cause}"] if cause else []
    totals = Counter(_NAMED_BAD[f.unit] for f in failures)
    said = [
        f"{totals[name]:,} {name}" + (f" ({listed(causes, _CAUSES)})" if causes else "")
        for name, causes in by.items()
    ]
    return ", ".join(said) or "none"


def _order(job: Job) -> str:
    policy = {
        Policy.MISSING: "what is missing",
        Policy.MISSING_FAILED: "what is missing or failed",
        Policy.ALL: "all of it, again",
    }[job.policy]
    return f"{policy}, {'newest' if job.newest_first else 'oldest'} first"


def _begun(job: Job) -> str:
    return f"{clock(job.created_at)} by {job.who}"


def _state(standing: Standing) -> str:
    job, running = standing.job, standing.counts.get(Unit.RUNNING, 0)
    waits = running and standing.lets_end
    ends = "ends" if running == 1 else "end"
    finishing = f"; {some(running, 'session')} under way {ends} first" if waits else ""
    changed = _changed(standing)
    after = f"; {changed}" if changed else ""
    match job.state:
        case JobState.RUNNING:
            return "nobody works at it" if standing.unattended else "under way"
        case JobState.PAUSED:
            return f"paused{finishing}"
        case JobState.CANCELLED:
            return f"cancelled{finishing}{after}"
    return f"done{after}"


def _actions(standing: Standing) -> tuple[Action, ...]:
    job, state = standing.job, standing.job.state
    made = list[Action]()
    if not job.is_over:
        name = "Pause" if state is JobState.RUNNING else "Resume"
        made += [
            Action(name, f"backfill {name.lower()} {job.id}"),
            Action("Cancel", f"backfill cancel {job.id}"),
        ]
    elif standing.failures:
        made.append(Action("Retry failed", f"backfill retry {job.id}"))
    if standing.failures:
        made.append(Action("Show failed", f"backfill failed {job.id}"))
    if standing.compared is not None and standing.compared.alerts:
        made.append(Action("Which alerts?", f"backfill changes {job.id}"))
    if not job.is_over:
        made.append(Action("How far now?", f"backfill status {job.id}"))
    return tuple(made)
