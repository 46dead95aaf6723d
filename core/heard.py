"""What each source answered last, out of the ledger's tables."""

from collections.abc import Mapping

from core.db import Db
from core.errors import Verdict

_LAST = """
WITH told AS (
    SELECT source, verdict, at FROM attempts
    WHERE id IN (SELECT max(id) FROM attempts GROUP BY source)
    UNION ALL
    SELECT source, ?, max(stored_at) FROM sessions WHERE source IS NOT NULL GROUP BY source
)
SELECT source, verdict, max(at) FROM told GROUP BY source ORDER BY source
"""


async def last_verdicts(db: Db) -> Mapping[str, Verdict]:
    """By source: `ok` if it served later than it refused."""
    rows = await db.rows(_LAST, (Verdict.OK,))
    return {row["source"]: Verdict(row["verdict"]) for row in rows}
