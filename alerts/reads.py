"""How the modules here read the database: from outside a transaction, or from within one."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from core.db import Row, Value

Rows = Callable[[str, Sequence[Value]], Awaitable[Iterable[Row]]]
"""core.db.Db.rows, or execute_fetchall of a transaction's connection."""
