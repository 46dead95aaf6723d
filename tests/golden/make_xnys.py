"""Write xnys.csv, the golden answers that core.calendar is checked against.

Run by hand, from the project's folder: `python tests/golden/make_xnys.py`. The range is pinned, so
that a run differs from the last one only where exchange_calendars has changed its mind.
"""

import csv
from pathlib import Path

import exchange_calendars

START, END = "2003-01-01", "2027-12-31"
TARGET = Path(__file__).with_name("xnys.csv")


def main() -> None:
    xnys = exchange_calendars.get_calendar("XNYS", start=START, end=END)
    early = set(xnys.early_closes)
    with TARGET.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["session", "close_utc", "early_close"])
        for session in xnys.sessions:
            close = xnys.session_close(session).tz_convert("UTC")
            out.writerow(
                [
                    session.date().isoformat(),
                    close.isoformat(),
                    "true" if session in early else "false",
                ]
            )


if __name__ == "__main__":
    main()
