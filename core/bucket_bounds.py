"""How much of a bucket is believed, whoever answers for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Most:
    """What may come of a bucket. Real ones: 0.3 MB and 11,000 rows a session, 15 MB a quarter."""

    session_bytes: int = 16 << 20
    session_rows: int = 200_000
    """As the file counts them, before they are read."""
    quarter_bytes: int = 64 << 20
    quarter_rows: int = 8_000_000
    letters: int = 2 << 20
    """Of the names of one folder: ten years of sessions have 50,000."""
    pages: int = 200
    """Of one listing; each has LISTING_BYTES at most."""

    def of(self, name: str) -> tuple[int, int]:
        """Bytes and rows of a file."""
        if name.startswith("quarters/"):
            return self.quarter_bytes, self.quarter_rows
        return self.session_bytes, self.session_rows


USUAL = Most()
