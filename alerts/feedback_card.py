"""What a reader sees of feedback: one mark, and all of them with what they propose. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from alerts.feedback import Mark, Proposal, Tally
from alerts.message import DISCLAIMER, explain
from alerts.model import Detail, Message
from alerts.preview_card import Tried
from alerts.words import day, some

_SUCH = "/feedback useful|noise TICKER marks a line of a digest"
_UNDER = {
    "price": "closed under {}",
    "floor": "usually trade less than {} a day",
    "min": "stood out by a z under {}",
}
UNCHANGED = "feedback changes nothing by itself"


@dataclass(frozen=True, slots=True)
class Offer:
    """A proposal, the setting that would make it so, and what it would do beyond the marks."""

    proposal: Proposal
    tried: Tried
    effect: Message
    """/preview of it."""


def marked(
    mark: Mark,
    before: bool | None,
    notes: Sequence[str],
    stamp: str,
    detail: Detail = Detail.FULL,
) -> Message:
    """The confirmation of one mark; `before`: what the same reader had said."""
    a, said = mark.anomaly, _word(useful=mark.useful)
    lead = f"{a.ticker} on {day(mark.session)} is marked as {said}."
    if before is mark.useful:
        lead = f"{a.ticker} on {day(mark.session)} was marked as {said} by you already."
    elif before is not None:
        lead = f"{lead[:-1]}; before, you had called it {_word(useful=before)}."
    return Message(
        title=f"Feedback · {a.ticker} · {day(mark.session)}",
        lead=lead,
        banners=tuple(notes),
        facts=(("the line", explain(a, detail)),),
        footer=(f"{UNCHANGED}; /feedback shows what it adds up to",),
        stamp=stamp,
    )


def feedback_card(
    found: Tally, offer: Offer | None, why_none: str, gone: int, stamp: str
) -> Message:
    """Counts, and the proposal or why there is none.

    `gone`: marks of lines that the present settings leave out already.
    """
    facts = [
        ("useful", some(found.useful, "mark")),
        ("noise", f"{some(found.noise, 'mark')}{_labels(found)}"),
        ("by", f"{some(found.readers, 'reader')} over {some(found.sessions, 'session')}"),
    ]
    if gone:
        facts.append(("left out already", f"{some(gone, 'mark')}, by the present settings"))
    if offer is None:
        said = why_none if found.useful + found.noise else f"Nobody has marked a line yet: {_SUCH}."
        return Message(
            title="Feedback",
            lead=said,
            facts=tuple(facts) if found.useful + found.noise else (),
            footer=(f"{UNCHANGED}; {_SUCH}", DISCLAIMER),
            stamp=stamp,
        )
    effect = offer.effect
    return Message(
        title="Feedback · a proposal",
        lead=_proposal(offer),
        banners=effect.banners,
        rows=effect.rows,
        facts=(*facts, ("the last sessions", effect.lead), *effect.facts),
        footer=(*_footer(offer), *effect.footer),
        stamp=stamp,
    )


def no_setting(found: Tally) -> str:
    """Why there is no proposal although there is evidence."""
    return (
        f"No single setting would have left out a third of {some(found.noise, 'noise mark')} and"
        " kept the useful ones; a mute of a label or a ticker may: /mute"
    )


def _proposal(offer: Offer) -> str:
    p, of = offer.proposal, offer.tried
    under = _UNDER[p.word].format(of.then)
    return (
        f"{p.removed} of {some(p.noise, 'noise mark')} {under}; {of.line} would have left those"
        f" out and lost {p.lost} of {some(p.useful, 'useful one')}."
    )


def _footer(offer: Offer) -> tuple[str, ...]:
    few = "it is the best that loses at most one in ten of the useful ones; none loses fewer"
    return (few,) if offer.proposal.lost else ()


def _labels(found: Tally) -> str:
    return f": {found.noise_labels}" if found.noise_labels else ""


def _word(*, useful: bool) -> str:
    return "useful" if useful else "noise"
