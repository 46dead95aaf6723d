"""What is known of a storage and its objects before anybody asks: names and errors, no boto3.

Its library takes as long to load as all the rest of a command that never needs it.
"""

from dataclasses import dataclass, field

from core.errors import SourceError, SourceRefused


@dataclass(frozen=True, slots=True)
class S3Access:
    """Where the objects are, and who asks."""

    endpoint_url: str
    bucket: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    api_key: str | None = field(default=None, repr=False)
    """Only to notice that it was typed in place of the access key."""
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True)
class Listed:
    """One object as the listing shows it."""

    key: str
    etag: str
    size_bytes: int


class Forbidden(SourceRefused):
    """Listed, but may not be read: the plan lacks the data set, or the date."""


class Gone(SourceError):
    """404 for an object."""


class Republished(SourceError):
    """The object is another copy by now than the one that was listed."""
