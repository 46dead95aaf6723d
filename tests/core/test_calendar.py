"""core.calendar against exchange_calendars' answers (tests/golden/xnys.csv) and known dates."""

import csv
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calendar import (
    NEW_YORK,
    TradingDay,
    closed_because,
    event_days,
    holidays_before,
    is_session,
    is_special,
    last_complete,
    on_or_before,
    sessions,
    sessions_after,
    sessions_ending,
    trading_day,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "xnys.csv"
FIRST, LAST = date(2003, 1, 1), date(2027, 12, 31)
EVERY_DATE = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]

ANY_DATE = st.dates(FIRST, LAST)
# Room before it for the counts drawn below.
ANY_SESSION = st.dates(date(2005, 1, 1), LAST).map(on_or_before)
COUNT = st.integers(1, 300)

# The first look at a year builds its holidays, which no deadline should count.
unhurried = settings(deadline=None)


@cache
def golden() -> dict[date, tuple[datetime, bool]]:
    """Session to its close, in UTC, and whether that is early."""
    with GOLDEN.open(newline="", encoding="utf-8") as file:
        return {
            date.fromisoformat(row["session"]): (
                datetime.fromisoformat(row["close_utc"]),
                {"true": True, "false": False}[row["early_close"]],
            )
            for row in csv.DictReader(file)
        }


def golden_on_or_before(day: date) -> date:
    return max(session for session in golden() if day - timedelta(days=10) < session <= day)


def day(iso: str) -> date:
    return date.fromisoformat(iso)


def utc(iso: str) -> datetime:
    return datetime.fromisoformat(iso).replace(tzinfo=UTC)


# The golden file


def test_the_golden_file_covers_all_the_years() -> None:
    assert {session.year for session in golden()} == set(range(2003, 2028))
    assert list(golden()) == sorted(golden())
    assert len(golden()) > 6200
    assert sum(early for _, early in golden().values()) > 40


def test_every_date_is_a_session_exactly_when_the_golden_file_says_so() -> None:
    assert [each for each in EVERY_DATE if is_session(each) != (each in golden())] == []


def test_every_session_closes_when_the_golden_file_says_so() -> None:
    wrong = {
        session: (trading_day(session).close.astimezone(UTC), close)
        for session, (close, _) in golden().items()
        if trading_day(session).close.astimezone(UTC) != close
    }
    assert wrong == {}


def test_every_session_is_a_half_day_exactly_when_the_golden_file_says_so() -> None:
    wrong = [
        session
        for session, (_, early) in golden().items()
        if trading_day(session).early_close != early
    ]
    assert wrong == []


def test_every_date_has_a_reason_to_be_closed_exactly_when_it_is() -> None:
    assert [each for each in EVERY_DATE if bool(closed_because(each)) == (each in golden())] == []


# One day


@pytest.mark.parametrize(
    ("iso", "words"),
    [
        ("2026-03-07", "Saturday"),
        ("2026-03-08", "Sunday"),
        ("2025-11-27", "Thanksgiving"),
        ("2025-01-09", "Carter"),
        ("2012-10-29", "Sandy"),
    ],
)
def test_a_closed_day_says_why_it_is_closed(iso: str, words: str) -> None:
    assert words in closed_because(day(iso))


def test_a_session_has_no_reason_to_be_closed() -> None:
    assert closed_because(day("2025-01-08")) == ""


@pytest.mark.parametrize("iso", ["2026-03-07", "2025-11-27", "2025-01-09", "2012-10-29"])
def test_no_trading_day_is_made_of_a_closed_date_and_the_error_names_it(iso: str) -> None:
    with pytest.raises(ValueError, match=iso):
        trading_day(day(iso))


def test_a_trading_day_reads_as_its_iso_date() -> None:
    assert str(trading_day(day("2025-01-08"))) == "2025-01-08"


@pytest.mark.parametrize(
    ("iso", "close", "tape_end"),
    [
        ("2025-11-26", time(16), time(20)),
        ("2025-11-28", time(13), time(17)),
    ],
)
def test_the_tape_ends_four_hours_after_the_close_in_new_york(
    iso: str, close: time, tape_end: time
) -> None:
    found = trading_day(day(iso))
    assert found.close == datetime.combine(found.date, close, NEW_YORK)
    assert found.tape_end == datetime.combine(found.date, tape_end, NEW_YORK)


def test_every_tape_ends_four_real_hours_after_the_golden_close() -> None:
    wrong = [
        session
        for session, (close, _) in golden().items()
        if trading_day(session).tape_end.astimezone(UTC) != close + timedelta(hours=4)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("iso", "expected"),
    [
        ("2025-01-08", "2025-01-08"),  # a session is its own answer
        ("2025-01-09", "2025-01-08"),  # a day of mourning
        ("2025-01-12", "2025-01-10"),  # a Sunday
        ("2025-01-20", "2025-01-17"),  # a holiday on a Monday
        ("2024-01-01", "2023-12-29"),  # over the year boundary
        ("2012-10-30", "2012-10-26"),  # two days of storm after a weekend
        ("2001-09-16", "2001-09-10"),  # the longest closure of our times
    ],
)
def test_on_or_before_gives_the_date_itself_or_the_last_session_before_it(
    iso: str, expected: str
) -> None:
    assert on_or_before(day(iso)) == trading_day(day(expected))


@unhurried
@given(ANY_DATE.filter(lambda each: each > date(2003, 1, 2)))
def test_on_or_before_agrees_with_the_golden_file(each: date) -> None:
    assert on_or_before(each).date == golden_on_or_before(each)


# Many days


def test_sessions_of_all_the_years_are_those_of_the_golden_file() -> None:
    assert [each.date for each in sessions(FIRST, LAST)] == list(golden())


def test_sessions_include_both_ends() -> None:
    found = sessions(day("2025-01-06"), day("2025-01-10"))
    assert [str(each) for each in found] == ["2025-01-06", "2025-01-07", "2025-01-08", "2025-01-10"]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2025-01-11", "2025-01-12"),  # only a weekend
        ("2025-01-09", "2025-01-09"),  # only a closed day
        ("2025-01-10", "2025-01-08"),  # backwards
    ],
)
def test_a_span_without_a_session_gives_none(first: str, last: str) -> None:
    assert sessions(day(first), day(last)) == []


@pytest.mark.parametrize("year", range(2004, 2028))
def test_sessions_ending_agrees_with_sessions_over_a_year_boundary(year: int) -> None:
    expected = sessions(date(year - 1, 12, 15), date(year, 1, 15))
    assert {each.date.year for each in expected} == {year - 1, year}
    assert sessions_ending(expected[-1], len(expected)) == expected


@pytest.mark.parametrize("year", [2015, 2026])
def test_sessions_after_agrees_with_sessions(year: int) -> None:
    expected = sessions(date(year, 1, 1), date(year + 1, 3, 1))
    assert sessions_after(expected[0], len(expected) - 1) == expected[1:]
    assert sessions_after(expected[0], 0) == []


def test_sessions_ending_crosses_new_year() -> None:
    found = sessions_ending(trading_day(day("2025-01-03")), 4)
    assert [str(each) for each in found] == ["2024-12-30", "2024-12-31", "2025-01-02", "2025-01-03"]


@unhurried
@given(ANY_DATE, st.integers(0, 400))
def test_sessions_are_sorted_unique_and_all_those_of_the_span(first: date, span: int) -> None:
    last = first + timedelta(days=span)
    found = sessions(first, last)
    dates = [each.date for each in found]
    assert found == sorted(set(found))
    assert all(first <= each <= last and is_session(each) for each in dates)
    others = {first + timedelta(days=n) for n in range(span + 1)} - set(dates)
    assert not any(is_session(each) for each in others)


@unhurried
@given(ANY_SESSION, COUNT)
def test_sessions_ending_gives_that_many_sorted_and_unique_up_to_the_last(
    last: TradingDay, count: int
) -> None:
    found = sessions_ending(last, count)
    assert len(found) == count
    assert found[-1] == last
    assert found == sorted(set(found))
    assert all(is_session(each.date) for each in found)


@unhurried
@given(ANY_SESSION, COUNT)
def test_sessions_ending_and_sessions_say_the_same(last: TradingDay, count: int) -> None:
    found = sessions_ending(last, count)
    assert sessions(found[0].date, found[-1].date) == found


# The last complete session


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # A Wednesday in winter: its tape ends at 20:00 New York, 01:00 UTC the next day.
        ("2025-01-15T05:30", "2025-01-14"),  # just after midnight in New York
        ("2025-01-15T21:00", "2025-01-14"),  # the close is not the end
        ("2025-01-16T00:59:59.999999", "2025-01-14"),
        ("2025-01-16T01:00", "2025-01-15"),
        ("2025-01-16T01:00:01", "2025-01-15"),
        ("2025-01-16T04:59", "2025-01-15"),
        # A Wednesday in summer: 00:00 UTC.
        ("2025-07-16T23:59:59.999999", "2025-07-15"),
        ("2025-07-17T00:00", "2025-07-16"),
        # Half days end at 17:00: in winter at 22:00 UTC, in summer at 21:00.
        ("2025-11-28T21:59:59.999999", "2025-11-26"),
        ("2025-11-28T22:00", "2025-11-28"),
        ("2025-07-03T20:59:59.999999", "2025-07-02"),
        ("2025-07-03T21:00", "2025-07-03"),
        # A weekend, and the Monday after it until its tape ends.
        ("2025-01-18T00:59", "2025-01-16"),
        ("2025-01-18T01:00", "2025-01-17"),
        ("2025-01-18T18:00", "2025-01-17"),
        ("2025-01-19T18:00", "2025-01-17"),
        # Monday, the 20th, is a holiday.
        ("2025-01-21T01:00", "2025-01-17"),
        ("2025-01-22T00:59", "2025-01-17"),
        ("2025-01-22T01:00", "2025-01-21"),
        # A holiday in the middle of the week, and one at the turn of the year.
        ("2025-11-27T18:00", "2025-11-26"),
        ("2025-11-28T05:01", "2025-11-26"),
        ("2025-01-01T00:59", "2024-12-30"),
        ("2025-01-01T01:00", "2024-12-31"),
        ("2025-01-02T12:00", "2024-12-31"),
        # The clocks go forward on Sunday 2026-03-08, at 07:00 UTC.
        ("2026-03-07T00:59:59", "2026-03-05"),
        ("2026-03-07T01:00", "2026-03-06"),
        ("2026-03-08T06:59", "2026-03-06"),
        ("2026-03-08T07:00", "2026-03-06"),
        ("2026-03-09T23:59:59", "2026-03-06"),
        ("2026-03-10T00:00", "2026-03-09"),
        # The clocks go back on Sunday 2026-11-01, at 06:00 UTC.
        ("2026-10-30T23:59:59", "2026-10-29"),
        ("2026-10-31T00:00", "2026-10-30"),
        ("2026-11-01T05:30", "2026-10-30"),
        ("2026-11-01T06:30", "2026-10-30"),
        ("2026-11-03T00:00", "2026-10-30"),
        ("2026-11-03T00:59:59", "2026-10-30"),
        ("2026-11-03T01:00", "2026-11-02"),
    ],
)
def test_a_session_is_complete_from_the_moment_its_tape_ends(now: str, expected: str) -> None:
    assert str(last_complete(utc(now))) == expected


@unhurried
@given(ANY_SESSION)
def test_at_tape_end_a_session_is_complete_and_a_microsecond_before_it_is_not(
    session: TradingDay,
) -> None:
    end = session.tape_end.astimezone(UTC)
    assert last_complete(end) == session
    assert last_complete(end - timedelta(microseconds=1)) == sessions_ending(session, 2)[0]


@unhurried
@given(st.datetimes(datetime(2005, 1, 1), datetime(2027, 12, 31)))  # noqa: DTZ001
def test_the_last_complete_session_is_the_newest_whose_tape_has_ended(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    today = now.date()
    near = sessions(today - timedelta(days=10), today + timedelta(days=2))
    assert last_complete(now) == max(each for each in near if each.tape_end <= now)


# Event days


@pytest.mark.parametrize(
    "iso", ["2015-03-20", "2015-06-19", "2015-09-18", "2015-12-18", "2016-03-18"]
)
def test_the_third_friday_of_a_quarters_last_month_is_quad_witching_and_the_s_and_p_rebalance(
    iso: str,
) -> None:
    assert event_days(trading_day(day(iso))) == ("quad-witching", "S&P rebalance")


@pytest.mark.parametrize("iso", ["2015-08-21", "2016-01-15", "2025-10-17"])
def test_the_third_friday_of_any_other_month_is_a_monthly_expiry(iso: str) -> None:
    assert event_days(trading_day(day(iso))) == ("monthly expiry",)


@pytest.mark.parametrize(
    ("closed", "before", "event"),
    [
        ("2014-04-18", "2014-04-17", "monthly expiry"),  # Good Friday
        ("2019-04-19", "2019-04-18", "monthly expiry"),  # Good Friday
        ("2008-03-21", "2008-03-20", "quad-witching"),  # Good Friday
        ("2026-06-19", "2026-06-18", "quad-witching"),  # Juneteenth
    ],
)
def test_an_expiry_on_a_holiday_moves_to_the_day_before(
    closed: str, before: str, event: str
) -> None:
    assert not is_session(day(closed))
    together = ("S&P rebalance",) if event == "quad-witching" else ()
    assert event_days(trading_day(day(before))) == (event, *together)


def test_every_month_has_one_expiry_on_or_just_before_its_third_friday() -> None:
    expected = {}
    for year in range(2003, 2028):
        for month in range(1, 13):
            # The third Friday is the one that falls on the 15th to the 21st.
            third = next(
                each for n in range(15, 22) if (each := date(year, month, n)).weekday() == 4
            )
            event = "quad-witching" if month in {3, 6, 9, 12} else "monthly expiry"
            expected[golden_on_or_before(third)] = event
    found = {
        session: event
        for session in golden()
        for event in event_days(trading_day(session))
        if event in {"quad-witching", "monthly expiry"}
    }
    assert found == expected


def test_the_s_and_p_indexes_are_rebalanced_on_every_quad_witching_and_on_no_other_day() -> None:
    for session in golden():
        events = event_days(trading_day(session))
        assert ("S&P rebalance" in events) == ("quad-witching" in events)


@pytest.mark.parametrize(
    "iso",
    [
        "2015-06-26",
        "2016-06-24",
        "2017-06-23",  # not the last Friday, which is the 30th
        "2018-06-22",
        "2025-06-27",
        "2026-06-26",
        "2026-11-13",  # from 2026 twice a year
        "2027-06-25",
        "2027-11-12",
    ],
)
def test_the_russell_indexes_are_reconstituted_on_their_day(iso: str) -> None:
    assert event_days(trading_day(day(iso))) == ("Russell reconstitution",)


def test_every_june_has_one_russell_reconstitution_and_from_2026_every_november() -> None:
    months = [
        (session.year, session.month)
        for session in golden()
        if "Russell reconstitution" in event_days(trading_day(session))
    ]
    assert [(year, month) for year, month in months if month == 6] == [
        (year, 6) for year in range(2003, 2028)
    ]
    assert [(year, month) for year, month in months if month != 6] == [(2026, 11), (2027, 11)]


@pytest.mark.parametrize("iso", ["2015-12-24", "2024-12-24", "2025-07-03", "2025-12-24"])
def test_a_half_day_is_an_event(iso: str) -> None:
    assert event_days(trading_day(day(iso))) == ("half day",)


def test_exactly_the_early_closes_of_the_golden_file_are_half_days() -> None:
    found = [each for each in golden() if "half day" in event_days(trading_day(each))]
    assert found == [each for each, (_, early) in golden().items() if early]


@pytest.mark.parametrize(
    "iso",
    [
        "2015-09-17",  # the day before quad-witching
        "2015-09-25",  # a fourth Friday
        "2015-09-11",  # a second Friday
        "2025-11-14",  # a second Friday of November, before 2026
        "2016-06-23",  # the day before Russell's
        "2015-08-24",  # a wild day, but the calendar does not know
        "2015-04-07",  # the second session after Good Friday
        "2018-11-12",  # after Veterans Day, on which the exchanges are open
        "2022-01-03",  # New Year's Day was a Saturday, for which no Friday is given
        "2015-10-01",  # the first session of a quarter
        "2015-12-30",
    ],
)
def test_an_ordinary_day_has_no_events(iso: str) -> None:
    assert event_days(trading_day(day(iso))) == ()


# After a holiday


@pytest.mark.parametrize(
    ("iso", "holiday"),
    [
        ("2015-01-02", "New Year's Day"),
        ("2015-01-20", "Martin Luther King Jr. Day"),
        ("2015-02-17", "Washington's Birthday"),
        ("2015-04-06", "Good Friday"),
        ("2016-03-28", "Good Friday"),
        ("2024-04-01", "Good Friday"),
        ("2027-03-29", "Good Friday"),
        ("2015-05-26", "Memorial Day"),
        ("2022-06-21", "Juneteenth National Independence Day"),  # of Sunday, kept on Monday
        ("2026-06-22", "Juneteenth National Independence Day"),
        ("2015-07-06", "Independence Day"),  # of Saturday, kept on Friday
        ("2021-07-06", "Independence Day"),  # of Sunday, kept on Monday
        ("2015-09-08", "Labor Day"),
        ("2015-11-27", "Thanksgiving Day"),
        ("2015-12-28", "Christmas Day"),
        ("2021-12-27", "Christmas Day"),  # of Saturday, kept on Friday
        ("2012-10-31", "Hurricane Sandy"),
        ("2018-12-06", "National Day of Mourning for former President George H. W. Bush"),
        ("2025-01-10", "National Day of Mourning for former President Jimmy Carter"),
    ],
)
def test_the_first_session_after_a_holiday_knows_its_name(iso: str, holiday: str) -> None:
    assert holidays_before(trading_day(day(iso))) == (holiday,)
    assert "after a holiday" in event_days(trading_day(day(iso)))


def test_two_closures_in_a_row_are_both_named() -> None:
    assert holidays_before(trading_day(day("2007-01-03"))) == (
        "New Year's Day",
        "National Day of Mourning for former President Gerald R. Ford",
    )


def test_exactly_the_sessions_behind_a_gap_of_weekdays_come_after_a_holiday() -> None:
    days = list(golden())
    expected = [
        after
        for before, after in pairwise(days)
        if any((before + timedelta(days=n)).weekday() < 5 for n in range(1, (after - before).days))
    ]
    found = [each for each in days[1:] if "after a holiday" in event_days(trading_day(each))]
    assert found == expected


# Month and quarter ends


@pytest.mark.parametrize(
    ("iso", "end"),
    [
        ("2015-03-31", "quarter end"),
        ("2018-03-29", "quarter end"),  # the 30th is Good Friday
        ("2024-03-28", "quarter end"),  # the 29th is Good Friday
        ("2025-06-30", "quarter end"),
        ("2023-09-29", "quarter end"),
        ("2015-12-31", "quarter end"),
        ("2021-12-31", "quarter end"),
        ("2026-06-30", "quarter end"),
        ("2015-01-30", "month end"),
        ("2016-02-29", "month end"),
        ("2021-05-28", "month end"),  # the 31st is Memorial Day
        ("2015-10-30", "month end"),
        ("2027-10-29", "month end"),
    ],
)
def test_the_last_session_of_a_month_or_quarter_is_named_once(iso: str, end: str) -> None:
    assert event_days(trading_day(day(iso))) == (end,)


def test_every_month_has_one_end_and_a_quarters_last_month_a_quarter_end() -> None:
    last = {(session.year, session.month): session for session in golden()}
    expected = {
        session: "quarter end" if month in {3, 6, 9, 12} else "month end"
        for (_, month), session in last.items()
    }
    found = {
        session: event
        for session in golden()
        for event in event_days(trading_day(session))
        if event in {"month end", "quarter end"}
    }
    assert found == expected


def test_what_falls_together_is_said_loudest_first() -> None:
    assert event_days(trading_day(day("2025-11-28"))) == (
        "half day",
        "after a holiday",
        "month end",
    )
    assert event_days(trading_day(day("2012-10-31"))) == ("after a holiday", "month end")
    assert event_days(trading_day(day("2024-06-28"))) == ("Russell reconstitution", "quarter end")


# What the gate allows for


@pytest.mark.parametrize(
    "iso",
    ["2015-03-20", "2015-08-21", "2015-06-26", "2015-11-27", "2015-12-24", "2026-11-13"],
)
def test_expiries_reconstitutions_and_half_days_are_special(iso: str) -> None:
    assert is_special(trading_day(day(iso)))


@pytest.mark.parametrize(
    "iso", ["2015-01-30", "2015-03-31", "2015-04-06", "2012-10-31", "2015-09-17"]
)
def test_month_ends_and_days_after_a_holiday_are_named_but_not_special(iso: str) -> None:
    assert not is_special(trading_day(day(iso)))


def test_less_than_a_tenth_of_all_sessions_is_special() -> None:
    # Twelve expiries, one or two reconstitutions and up to three half days a year.
    for year in range(2003, 2028):
        of_year = [trading_day(session) for session in golden() if session.year == year]
        assert 13 <= sum(map(is_special, of_year)) <= 17
