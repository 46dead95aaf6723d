"""What a reader sees of a backfill before anything is read. Pure."""

from alerts.backfill_card import by_cause
from alerts.model import Action, Message
from alerts.words import size, some, wait
from core.jobs import Policy
from core.plan import Plan, passes


def plan_card(plan: Plan, stamp: str) -> Message:
    """What a span needs; nothing is read yet."""
    facts = [
        ("stored", f"{plan.complete:,}{_stale(plan)}"),
        ("missing", f"{plan.missing:,}"),
        ("failed before", _failed_before(plan)),
        ("asked in turn", ", ".join(plan.sources)),
        *(("served by", said) for said in plan.served_by),
    ]
    if plan.to_read:
        facts += [("requests", f"{plan.requests:,}{_limit(plan)}"), ("download", _bytes(plan))]
        facts.append(("time", _time(plan)))
    if plan.beyond:
        facts.append(("not to be had", _beyond(plan)))
    facts.append(("the plan serves", plan.serves))
    many = len(plan.to_read)
    reads = f"{some(many, 'session')} to read" if many else "nothing to read"
    begin = Action("Read them", f"backfill run {plan.first} {plan.last} {plan.words}".strip())
    return Message(
        title="Backfill · plan",
        lead=f"{some(plan.total, 'session')} from {plan.first} to {plan.last}: {reads}"
        f" ({plan.policy}).",
        banners=plan.notes,
        facts=tuple(facts),
        footer=("nothing is announced of the past",),
        stamp=stamp,
        actions=(begin,) if many else (),
    )


def _stale(plan: Plan) -> str:
    return f", {plan.stale:,} of them stale ({Policy.ALL} reads those)" if plan.stale else ""


def _failed_before(plan: Plan) -> str:
    """40 failed (38 date outside the plan, 2 unreachable); 2 are read again, 38 by ... alone."""
    if not plan.failed:
        return "0"
    said, again = by_cause(plan.failed), sum(map(passes, plan.failed))
    if plan.policy is not Policy.MISSING:
        return said
    last = len(plan.failed) - again
    reads = [f"{again:,} read again, as that may be over"] if again else []
    reads += [f"{last:,} read by {Policy.MISSING_FAILED} alone"] if last else []
    return f"{said}; {', '.join(reads)}"


def _limit(plan: Plan) -> str:
    if plan.calls_per_minute is None:
        return ""
    return f", at most {plan.calls_per_minute} a minute"


def _beyond(plan: Plan) -> str:
    which = f"{some(plan.beyond, 'session')} that no source serves, the oldest"
    if plan.beyond == len(plan.to_read):
        which = f"none of them is served ({plan.why_beyond})"
    if not plan.asked_beyond:
        return which
    return f"{which}: some {some(plan.asked_beyond, 'more request')} until the backfill sees that"


def _bytes(plan: Plan) -> str:
    return "unknown" if plan.bytes is None else f"about {size(plan.bytes)}"


def _time(plan: Plan) -> str:
    if plan.seconds is None:
        return "not known before the first sessions were read on this machine"
    return f"about {wait(plan.seconds)}, and then what measuring the newest of them takes"
