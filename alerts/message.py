"""Every word a reader sees of a session: digest, quiet day, one anomaly's line. Pure.

Numbers come from the stored record only, so a text recomputes from what is in the database.
"""

import math
from collections.abc import Iterator, Sequence

from alerts.model import SAMPLE_STAMP, Detail, Message, Report, Row, Section
from alerts.words import clock, count, day, events, listed, percent, price, share, some, times, usd
from core.anomaly import Anomaly
from core.bars import Family, Scope, Series
from core.baseline import LEVEL_SESSIONS
from core.calendar import trading_day
from core.errors import Refusal
from core.instruments import ETF
from core.judged import Judged
from core.labels import OFF_EXCHANGE_SHIFT

_NOTABLE_MARKET_LN = 0.30
_SHORT_HISTORY_SESSIONS = 45
_LEAD_NAMES = 3
FOLDED_NAMES = 8
DISCLAIMER = "research data, not advice"
_NOT_TOLD = "multiples, ranks and rarities only: the data's licence restricts who may see the rest"
_COUNTED = (
    "off exchange: trades reported to FINRA's facilities (dark pools and wholesalers), each one"
    " counted; prices are of all venues"
)
_OFF_EXCHANGE = {
    Family.TRADES: _COUNTED,
    Family.SAMPLE: _COUNTED,
    Family.FINRA: (
        "off exchange: shares reported to FINRA's facilities (dark pools and wholesalers) in"
        " regular hours; prices are of all venues"
    ),
}


def stamp(series: Series) -> str:
    """What every message about this series must carry; empty for the real market."""
    return SAMPLE_STAMP if series.family is Family.SAMPLE else ""


def where(series: Series) -> str:
    """What a title adds where not all volume is meant; empty if it is."""
    return ", off exchange" if series.scope is Scope.OFF_EXCHANGE else ""


def of_volume(scope: Scope) -> str:
    """What stands before a volume or a trade count that is not of all venues; empty if it is."""
    return "off-exchange " if scope is Scope.OFF_EXCHANGE else ""


def explain(anomaly: Anomaly, detail: Detail = Detail.FULL) -> str:
    """One anomaly in one line."""
    head, details = _parts(anomaly, detail)
    return " · ".join([head, *details])


def digest(report: Report, detail: Detail = Detail.FULL) -> Message:
    """The daily message: ranked, explained, with where it comes from."""
    judged = report.judged
    if not report.pushed:
        return _quiet(report, detail)
    shown = len(report.pushed)
    total = shown + len(report.beyond)
    rows = [(a, _row(n, a, judged, detail)) for n, a in enumerate(in_sections(report.pushed), 1)]
    etfs = tuple(row for a, row in rows if a.kind == ETF)
    counted = some(shown, "line") if total == shown else f"{shown} shown of {total}"
    return Message(
        title=f"{title(judged.series)} · {day(judged.session)} · {counted}",
        lead=_lead(report),
        context=_context(report, detail),
        banners=(*banners(judged), *report.notes),
        rows=tuple(row for a, row in rows if a.kind != ETF),
        sections=tuple(_sections(report, etfs)),
        footer=_footer(report, detail),
        stamp=stamp(judged.series),
    )


def _sections(report: Report, etfs: tuple[Row, ...]) -> Iterator[Section]:
    if etfs:
        yield Section("ETFs", etfs)
    if report.folded:
        again = [f"{a.ticker} {times(a.ratio)} ({_novelty(a)})" for a in report.folded]
        yield Section("Still elevated", (Row(listed(again, FOLDED_NAMES)),))


def title(series: Series) -> str:
    """What a list about this series is called."""
    off = series.scope is Scope.OFF_EXCHANGE
    return "Off-exchange anomalies" if off else "EOD anomalies"


def session(judged: Judged) -> str:
    """The session in words, and which part of its volume is meant if it is not all."""
    return f"{day(judged.session)}{where(judged.series)}"


def _quiet(report: Report, detail: Detail) -> Message:
    judged = report.judged
    closest = judged.closest
    nearest = (
        ""
        if closest is None
        else f"; closest {closest.ticker} at {times(closest.ratio)} its expected {closest.feature}"
    )
    held = report.folded or report.suppressed or report.suspected
    new = "no new anomaly" if held else "no anomaly"
    said = f"{new} in {judged.market.eligible:,} names judged{nearest}"
    if judged.market.eligible == 0 and judged.market.no_baseline < judged.market.names:
        said = f"none of {some(judged.market.names, 'name')} passes the floors"
    elif judged.market.eligible == 0:
        said = (
            f"nothing could be judged: {some(judged.market.no_baseline, 'name')} without a baseline"
            f" yet ({judged.rule.min_sessions} sessions are needed); `backfill` fills it"
        )
    if report.wanted or report.muted:
        muted = f" ({some(len(report.muted), 'line')} muted: /mutes)" if report.muted else ""
        said = f"no line for this channel{muted}; {judged.market.eligible:,} names judged"
    return Message(
        title=f"{title(judged.series)} · {day(judged.session)} · none",
        lead=f"{session(judged)}: {said}.",
        context=_context(report, detail),
        banners=(*banners(judged), *report.notes),
        footer=_footer(report, detail),
        stamp=stamp(judged.series),
    )


def _parts(a: Anomaly, detail: Detail) -> tuple[str, list[str]]:
    """The line's head (name, move, what flagged it) and the reasons after it."""
    flagged, beside = f"{of_volume(a.scope)}{a.feature} {times(a.ratio)} expected", _share(a)
    details = [f"{count(a.value)} {a.unit} vs {count(a.normal)}"] if detail.raw else []
    details += [_other_feature(a, detail)] if a.trades_ratio is not None else []
    if a.label == OFF_EXCHANGE_SHIFT:
        # Its rarity is that of its activity, which is not what is said here.
        flagged, details = beside, [flagged, *details, _move(a, detail)]
    else:
        details += [*([beside] if beside else []), _move(a, detail), _rarity(a)]
    head = f"{a.ticker}  {percent(a.ret_pct)} · {flagged}"
    details += [a.label, *([repeat] if (repeat := _novelty(a)) else [])]
    if a.split:
        details.append(f"split {a.split} today, volumes restated")
    if a.sessions_seen < _SHORT_HISTORY_SESSIONS:
        details.append(f"short history: {a.sessions_seen} sessions")
    return head, details


def _share(a: Anomaly) -> str:
    """Empty where it is not known."""
    return "" if a.share is None else f"off exchange {share(a.share, a.usual_share, a.z_share)}"


def _other_feature(a: Anomaly, detail: Detail) -> str:
    if a.feature == "volume":
        return f"trades {times(a.trades_ratio or 0.0)}"
    shares = f" ({count(a.volume)} sh)" if detail.raw else ""
    return f"volume {times(a.volume_ratio)}{shares}"


def _move(a: Anomaly, detail: Detail) -> str:
    if a.ret_z is None or a.ret_pct is None:
        moved = "usual move unknown"
    elif a.ret_z < 1.5:
        moved = "within its usual range"
    else:
        moved = f"{times(a.ret_z)} its usual move"
    opened = ""
    if a.gap_z is not None and a.gap_z >= 1.5 and a.gap_z > (a.ret_z or 0.0):
        opened = f", opened {percent(a.gap_pct)} ({times(a.gap_z)} usual)"
    return f"price {f'{price(a.close)}, ' if detail.raw else ''}{moved}{opened}"


def _rarity(a: Anomaly) -> str:
    if a.rarity is None:
        return f"{a.tier}, rarity unknown"
    above = "rarer than" if a.rarity_is_floor else "about"
    return f"{a.tier}, {above} 1 in {_round(a.rarity):,}"


def _round(value: float) -> int:
    """Two digits that matter."""
    size = max(0, math.floor(math.log10(max(value, 1))) - 1)
    return int(round(value, -size))


def _novelty(a: Anomaly) -> str:
    if a.day_no == 1 or a.peak_ratio is None or a.peak_session is None:
        return ""
    peak = f"{times(a.peak_ratio)} on {a.peak_session:%a} {a.peak_session.day} {a.peak_session:%b}"
    if a.before_ratio is None or a.day_of is None:
        return f"day {a.day_no}, peak {peak}"
    way = "rising" if a.ratio > a.before_ratio else "falling"
    return f"day {a.day_no} of {a.day_of}, {way}, peak {peak}"


def in_sections(pushed: Sequence[Anomaly]) -> list[Anomaly]:
    """In the order in which they are numbered: ETFs last."""
    return sorted(pushed, key=lambda a: a.kind == ETF)


def _row(number: int, anomaly: Anomaly, judged: Judged, detail: Detail) -> Row:
    head, details = _parts(anomaly, detail)
    return Row(f"{number}. {head}", (" · ".join(details), *_news(anomaly, judged)))


def _news(anomaly: Anomaly, judged: Judged) -> list[str]:
    """The newest headline that names the ticker: beside the numbers, never as their cause."""
    if judged.news is None:
        return []
    found = judged.news.found.get(anomaly.ticker)
    if found is None:
        known = judged.news.knows(anomaly.ticker)
        return ["headline: none since the last close" if known else "headline: unknown"]
    return [f"headline: {found.title} ({found.publisher}, {clock(found.published_at)}) {found.url}"]


def _lead(report: Report) -> str:
    judged = report.judged
    names = [headline(a) for a in report.pushed]
    more = len(names) + len(report.beyond) - _LEAD_NAMES
    named = events(trading_day(judged.session))
    # A locked phone shows the first words only: what happened comes before the date.
    return (
        f"{', '.join(names[:_LEAD_NAMES])}{f'; {more} more' if more > 0 else ''}"
        f" · {session(judged)}.{f' {named}.' if named else ''}"
    )


def headline(a: Anomaly) -> str:
    """NVDA −4.2% on 9.8× volume."""
    moved = f"{a.ticker} {percent(a.ret_pct)}" if a.ret_pct is not None else a.ticker
    shift = a.label == OFF_EXCHANGE_SHIFT and a.share is not None
    return f"{moved}{', ' if shift else ' on '}{flagged(a)}"


def flagged(a: Anomaly) -> str:
    """What stood out, in two words."""
    if a.label == OFF_EXCHANGE_SHIFT and a.share is not None:
        return f"{a.share:.0%} off exchange"
    return f"{times(a.ratio)} {a.feature}"


def _context(report: Report, detail: Detail) -> tuple[str, ...]:
    judged, rule = report.judged, report.judged.rule
    prices = f", prices {judged.beside.source}" if judged.beside else ""
    origin = (
        f"{judged.source}{prices} · read {clock(judged.stored_at)} · {judged.row_count:,} names, "
        f"{judged.market.eligible:,} judged"
    )
    method = (
        f"expected: median of {LEVEL_SESSIONS} sessions, with the market's part today"
        f" · names from {usd(rule.min_adv_usd)} a day · 1 in N: among names as liquid"
    )
    meant = _OFF_EXCHANGE.get(judged.series.family)
    said = [origin, method, stamped(report)]
    if judged.series.scope is Scope.OFF_EXCHANGE and meant:
        said.insert(1, meant)
    if not detail.raw:
        said.append(_NOT_TOLD)
    if report.wanted:
        said.insert(0, f"this channel: {report.wanted}")
    return tuple(said)


def _unread(judged: Judged) -> list[str]:
    # Of invented stocks there is no news that could be missed.
    known = judged.news or judged.series.family is Family.SAMPLE
    return [] if known else ["headlines: unknown, no source answered"]


def stamped(report: Report) -> str:
    """By what the same digest can be made again."""
    judged = report.judged
    return (
        f"detector {judged.detector} · settings {report.settings} · data revision {judged.revision}"
    )


def banners(judged: Judged) -> tuple[str, ...]:
    """What is out of the ordinary about a session and its data."""
    said = [refusal(r, judged.source) for r in judged.refused]
    if judged.beside is not None:
        said += [refusal(r, judged.beside.source) for r in judged.beside.refused]
    named, typical = events(trading_day(judged.session)), judged.market.typical_x
    back = judged.market.held_back
    held = f"; {some(back, 'raw hit')} held back (/anomalies {judged.session} raw)" if back else ""
    multiple = f"typical stock traded {times(typical)} its usual"
    if abs(math.log(typical)) > _NOTABLE_MARKET_LN:
        cause = f"{named}: the" if named else "The"
        said.append(f"{cause} {multiple}; the lines are after removing that{held}")
    elif named:
        said.append(f"{named}; the {multiple}{held}")
    return (*said, *judged.notes)


def _suspected(report: Report) -> list[str]:
    return [
        f"{a.ticker} about {a.suspected} on {a.suspected_on} ({times(a.ratio)} {a.feature})"
        for a in report.suspected
    ]


def refusal(refused: Refusal, instead: str) -> str:
    """Who was asked first and could not serve."""
    return f"{refused.source}: {refused.verdict}, so {instead} served (/source status tells more)"


def _footer(report: Report, detail: Detail) -> tuple[str, ...]:
    lines = []
    if report.folded and not report.pushed:
        folded = [f"{a.ticker} {times(a.ratio)} ({_novelty(a)})" for a in report.folded]
        lines.append(f"still elevated: {listed(folded, FOLDED_NAMES)}")
    if report.suppressed:
        split = [f"{a.ticker} {a.split}" for a in report.suppressed]
        lines.append(f"split today, not ranked: {listed(split, FOLDED_NAMES)}")
    if report.suspected:
        lines.append(
            f"held back, possible unreported split: {listed(_suspected(report), FOLDED_NAMES)}"
        )
    if report.beyond:
        lines.append(
            f"{some(len(report.beyond), 'line')} more: /anomalies {report.judged.session} all"
        )
    if report.judged.new:
        new = [
            f"{n.ticker} ({usd(n.dollar_volume_usd)})" if detail.raw else n.ticker
            for n in report.judged.new
        ]
        lines.append(f"new today, not judged yet: {listed(new, FOLDED_NAMES)}")
    if report.pushed:
        lines += _unread(report.judged)
    # Without a line the lead says it, for a quiet day is shown without its footer.
    if report.muted and report.pushed:
        lines.append(f"{some(len(report.muted), 'line')} muted: /mutes")
    market = report.judged.market
    if market.no_baseline:
        lines.append(f"{some(market.no_baseline, 'name')} without a baseline yet")
    return (*lines, DISCLAIMER)
