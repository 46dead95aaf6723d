"""What can be done about a message with one click, and its lines at a glance. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from alerts.message import headline, in_sections
from alerts.model import Action, Menu, Message, Report, Table
from alerts.words import percent, times
from core.anomaly import Anomaly

CHOICES = 25
"""Discord takes no longer menu."""

MENUS = 2
"""For 50 names, which is as many lines as a digest may have; Discord has room for five rows."""

GLANCE = 20
"""So many lines are in the table; the others are among the rows only."""


def clickable(message: Message, report: Report) -> Message:
    """A digest with its lines at a glance, and everything that can be done about it."""
    return replace(
        message,
        table=digest_table(report),
        menus=digest_menus(report),
        actions=digest_actions(report),
    )


def digest_table(report: Report) -> Table | None:
    """The lines in five narrow columns, numbered as they are below; None without lines."""
    if not report.pushed:
        return None
    numbered = list(enumerate(in_sections(report.pushed), 1))[:GLANCE]
    shares = any(a.share is not None for _, a in numbered)
    trades = any(a.trades_ratio is not None for _, a in numbered)
    heads = ("#", "name", *(["trd"] if trades else []), "vol", "move", *(["off"] if shares else []))
    rows = (_glance(n, a, with_trades=trades, with_share=shares) for n, a in numbered)
    return Table(heads, tuple(rows))


def digest_menus(report: Report) -> tuple[Menu, ...]:
    """One line each: its card has everything that can be done about a line."""
    lines, on = in_sections(report.pushed), report.judged.session
    options = [
        Action(f"{n}. {a.ticker}", card(a.ticker, on), headline(a).removeprefix(a.ticker).strip())
        for n, a in enumerate(lines, 1)
    ]
    return names_menu("Open a line…", options)


def digest_actions(report: Report) -> tuple[Action, ...]:
    """What is asked for about the whole session."""
    on = report.judged.session
    everything = [Action("All", f"anomalies {on} all")] if report.beyond else []
    return (
        *everything,
        Action("My watchlist", f"anomalies {on} mine"),
        Action("Show raw", f"anomalies {on} raw"),
        Action("CSV", f"anomalies {on} csv"),
    )


def line_actions(
    ticker: str, on: date, *, is_line: bool, without: Sequence[str] = ()
) -> tuple[Action, ...]:
    """About one name in one session; only a line of the digest can be useful or noise."""
    marks = ("useful", "noise") if is_line else ()
    made = (
        Action("Chart", f"ticker {ticker} {on} chart"),
        Action("Why", f"why {ticker} {on}"),
        Action("Mute for me", f"mute {ticker} mine"),
        Action("Watch", f"watch add {ticker}"),
        *(Action(mark.capitalize(), f"feedback {mark} {ticker} {on}") for mark in marks),
    )
    return tuple(action for action in made if action.label not in without)


def card(ticker: str, on: date) -> str:
    """The command for what one name did in one session, in words."""
    return f"ticker {ticker} {on} text"


def names_menu(placeholder: str, options: Sequence[Action]) -> tuple[Menu, ...]:
    """As many menus as it takes, up to MENUS; none at all if there is nothing to choose."""
    parts = [tuple(options[n : n + CHOICES]) for n in range(0, len(options), CHOICES)][:MENUS]
    if len(parts) < 2:
        return tuple(Menu(placeholder, part) for part in parts)
    firsts = range(1, len(options), CHOICES)
    return tuple(
        Menu(f"{placeholder} ({first}-{first + len(part) - 1})", part)
        for first, part in zip(firsts, parts, strict=False)
    )


def _glance(number: int, a: Anomaly, *, with_trades: bool, with_share: bool) -> tuple[str, ...]:
    trades = ["?" if a.trades_ratio is None else times(a.trades_ratio)] if with_trades else []
    off = ["?" if a.share is None else f"{a.share:.0%}"] if with_share else []
    return (str(number), a.ticker, *trades, times(a.volume_ratio), percent(a.ret_pct), *off)
