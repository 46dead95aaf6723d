"""A server that cannot prove who it is: told as that, and not as a network that is down. Pure."""

import ssl

from core.errors import SourceUnavailable, Verdict


def not_accepted(error: BaseException, *also: type[Exception]) -> SourceUnavailable | None:
    """Our error, if this one of a library comes of a certificate; `also`: what the library calls
    that itself. None if it does not."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (ssl.SSLCertVerificationError, *also)):
            why = getattr(cause, "verify_message", "") or str(cause)
            return SourceUnavailable(f"not who it should be: {why}", Verdict.CERTIFICATE)
        cause = cause.__cause__ or cause.__context__
    return None
