"""A table as Discord can show one: a block of letters of one width, for a narrow phone. Pure.

It has nothing that the rows below it have not, so what does not fit is left out; of rows it is said
how many.
"""

import re
from collections.abc import Sequence

from alerts.budget import clipped
from alerts.model import Table
from alerts.words import inert

WIDTH = 28
"""So many letters of a code block stand side by side on a narrow phone."""

_LONGEST, _NAME, _LEAST_COLUMNS = 1_200, 12, 2
_NUMBER = re.compile(r"[+−\-<>~≈$]?\.?\d")
_FENCE = "```"


def block(table: Table) -> str:
    """The table as a code block; empty if there is nothing in it."""
    columns = [[_cell(text) for text in column] for column in _columns(table)]
    if not columns or not table.rows:
        return ""
    while len(columns) > _LEAST_COLUMNS and _width(columns) > WIDTH:
        columns.pop()
    if (over := _width(columns) - WIDTH) > 0:
        widest = max(columns, key=_widest)
        most = max(1, _widest(widest) - over)
        columns[columns.index(widest)] = [clipped(cell, most) for cell in widest]
    made = [_aligned(column) for column in columns]
    lines = [" ".join(cells)[:WIDTH].rstrip() for cells in zip(*made, strict=True)]
    return "\n".join([_FENCE, *_first(lines), _FENCE])


def _first(lines: Sequence[str]) -> list[str]:
    """As many as there is room for; how many more there are is said."""
    kept, room = list[str](), _LONGEST - 2 * len(_FENCE) - 2 - WIDTH
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return [*kept, f"… and {len(lines) - len(kept)} more"]
        kept.append(line)
    return kept


def _columns(table: Table) -> list[Sequence[str]]:
    count = len(table.columns)
    rows = [(*row, *[""] * count)[:count] for row in table.rows]
    return [[head, *(row[n] for row in rows)] for n, head in enumerate(table.columns)]


def _cell(text: str) -> str:
    # The one sign that could end the block.
    clean = " ".join(inert(text).replace("`", "'").split())
    return clean if _NUMBER.match(clean) else clipped(clean, _NAME)


def _widest(column: Sequence[str]) -> int:
    return max(map(len, column))


def _width(columns: Sequence[Sequence[str]]) -> int:
    return sum(map(_widest, columns)) + len(columns) - 1


def _aligned(column: Sequence[str]) -> list[str]:
    """Numbers end at the same place, words begin there; the head goes with them."""
    wide, cells = _widest(column), [cell for cell in column[1:] if cell]
    numbers = sum(bool(_NUMBER.match(cell)) for cell in cells)
    if numbers and 2 * numbers >= len(cells):
        return [cell.rjust(wide) for cell in column]
    return [cell.ljust(wide) for cell in column]
