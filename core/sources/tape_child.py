"""The process that counts one file of trades, straight from S3."""

from typing import BinaryIO, cast

from core.sources.errand_child import Told, run
from core.sources.s3 import S3Reader
from core.sources.s3_stream import S3Stream
from core.sources.tape_job import TapeJob
from core.tape_count import count


def work(line: bytes, told: Told) -> bytes:
    """A Counted, dumped, for the line of a TapeJob."""
    job = TapeJob.from_line(line)
    # One attempt: the stream has a patience of its own.
    reader = S3Reader(job.access, attempts=1, read_timeout_s=job.patience.silence_s)
    stream = S3Stream(reader, job.listed, job.patience)
    return count(
        cast(BinaryIO, stream),
        job.session,
        job.rules,
        job.limits,
        lambda rows: told(stream.done, rows),
    ).dump()


if __name__ == "__main__":
    run(work)
