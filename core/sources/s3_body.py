"""The bytes of one answer as they come, and no longer than that is worth waiting for. Blocking."""

import time
from collections.abc import Iterator
from typing import Any

from core.errors import SourceUnavailable

WHOLE_S = 120.0
_CHUNK_BYTES = 1 << 16
_LEAST_BYTES_A_S = 32 << 10


def as_it_comes(
    raw: Any, what: str, length: int = 0, *, whole_s: float = WHOLE_S
) -> Iterator[bytes]:
    """What urllib3 has of `what`, chunk by chunk; SourceUnavailable if it does not come whole.

    It may take `whole_s`, and a second more for each 32 KB that came. `length`: if it was told.
    """
    # botocore's own read() returns only when a whole chunk is there: a drip of bytes, each
    # within the read timeout, would hold the thread for hours.
    began, came = time.monotonic(), 0
    while chunk := raw.read1(_CHUNK_BYTES):
        came += len(chunk)
        yield chunk
        if time.monotonic() - began > whole_s + came / _LEAST_BYTES_A_S:
            raise SourceUnavailable(f"{what} was not whole after {whole_s:g} s")
    if came < length:
        raise SourceUnavailable(f"{what} was cut off after {came:,} bytes")
