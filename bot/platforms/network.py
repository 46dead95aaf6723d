"""What a failed request means: surely not there, or perhaps there. The same for every platform."""

import socket

import aiohttp

from core.errors import DeliveryAmbiguous, DeliveryDeferred, DeliveryError, Reason

FOREIGN = (aiohttp.ClientError, OSError)
"""What a request fails with before there is an answer; a time-out is an OSError too."""

ODD = (KeyError, TypeError, ValueError, AttributeError)
"""What the platforms' libraries fail with on an answer that is none of the platform's."""

_A_DAY_S = 86_400.0
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    ConnectionRefusedError,
    socket.gaierror,
)


def translated(error: BaseException) -> DeliveryError:
    """The error to raise instead. Only the kind is told: texts may name addresses."""
    kind = type(error).__name__
    if isinstance(error, _NOT_SENT) and not isinstance(error, aiohttp.RedirectClientError):
        return DeliveryDeferred(Reason.UNREACHABLE, kind)
    if isinstance(error, TimeoutError):
        return DeliveryAmbiguous(Reason.NO_ANSWER, kind)
    if isinstance(error, (aiohttp.ClientResponseError, aiohttp.RedirectClientError, *ODD)):
        return DeliveryAmbiguous(Reason.SERVER_ERROR, f"an answer that is none: {kind}")
    return DeliveryAmbiguous(Reason.CONNECTION_LOST, kind)


def nothing_sent(error: DeliveryError) -> DeliveryError:
    """The same for a request that could not have made a message, such as a question."""
    if isinstance(error, DeliveryAmbiguous):
        return DeliveryDeferred(error.reason, error.seen)
    return error


def seconds(text: str | None) -> float | None:
    """What a Retry-After asks for; None if it is no number."""
    try:
        wait = float(text or "")
    except ValueError:
        return None
    return wait if 0 <= wait < _A_DAY_S else None


async def beginning(answer: aiohttp.ClientResponse, most_bytes: int = 16_384) -> str:
    """As much of an answer as it takes to know what it says; what comes behind is not read."""
    said = bytearray()
    async for chunk in answer.content.iter_chunked(most_bytes):
        said += chunk
        if len(said) >= most_bytes:
            break
    return said[:most_bytes].decode(errors="replace")
