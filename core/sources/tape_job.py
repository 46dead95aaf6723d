"""The errand of counting one file of trades. Both processes import this: no polars, no numba."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

from core.conditions import Rules
from core.errors import BadBars, SourceError, SourceRefused, SourceUnavailable
from core.sources.s3_names import Forbidden, Gone, Listed, Republished, S3Access
from core.sources.s3_stream import PATIENCE, Patience
from core.tape_sums import LIMITS, Limits, Session


@dataclass(frozen=True, slots=True)
class TapeJob:
    """An Errand: one file to be read and counted; its result is a Counted, dumped."""

    access: S3Access
    listed: Listed
    session: Session
    rules: Rules = field(repr=False)
    patience: Patience = PATIENCE
    limits: Limits = LIMITS

    program: ClassVar[str] = "core.sources.tape_child"
    errors: ClassVar[Mapping[str, type[SourceError]]] = {
        kind.__name__: kind
        for kind in (BadBars, SourceUnavailable, SourceRefused, Forbidden, Gone, Republished)
    }

    @property
    def name(self) -> str:
        """The object's key."""
        return self.listed.key

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys."""
        access = self.access
        kept = (access.secret_access_key, access.access_key_id, access.api_key)
        return tuple(filter(None, kept))

    def line(self) -> bytes:
        """As JSON."""
        told = {
            "access": asdict(self.access),
            "listed": asdict(self.listed),
            "session": asdict(self.session),
            "rules": self.rules.plain(),
            "patience": asdict(self.patience),
            "limits": asdict(self.limits),
        }
        return json.dumps(told).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """The other way round."""
        told: dict[str, Any] = json.loads(line)
        return cls(
            S3Access(**told["access"]),
            Listed(**told["listed"]),
            Session(**told["session"]),
            Rules.from_plain(told["rules"]),
            Patience(**told["patience"]),
            Limits(**told["limits"]),
        )
