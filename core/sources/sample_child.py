"""The process that invents sessions of trades and counts them."""

import io

from core.sources.errand_child import Told, run
from core.sources.sample_job import SampleJob, packed
from core.sources.sample_market import SampleMarket
from core.tape import session_of
from core.tape_count import count


def work(line: bytes, told: Told) -> bytes:
    """The sessions of a SampleJob, counted."""
    job = SampleJob.from_line(line)
    market = SampleMarket(job.seed)
    files = ((io.BytesIO(market.trades(day)), session_of(day)) for day in job.days)
    return packed([count(file, session, job.rules).dump() for file, session in files])


if __name__ == "__main__":
    run(work)
