"""A delivery as a letter: the words of its edition, its pictures, the message it belongs to."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from alerts import outbox
from alerts.letters import letter
from alerts.model import (
    ATTACHED,
    TERMINAL,
    ChartOf,
    Delivery,
    Detail,
    Kind,
    Letter,
    Message,
    Picture,
    Receipt,
    State,
)
from alerts.publish import Reports
from core.db import Db
from core.errors import Reason

logger = logging.getLogger(__name__)

_DRAWN_WITHIN_S = 60.0
_WITHOUT_PICTURES_AFTER = 12
"""Attempts, more than an hour of them. Pictures that no platform takes keep back no words."""

_DIGEST_WITHOUT_PICTURE_AFTER = 2
"""The words are what is waited for."""

Draw = Callable[[ChartOf], Awaitable[Picture | None]]


async def no_picture(of: ChartOf) -> Picture | None:
    """Where nothing can be drawn."""
    return None


@dataclass(slots=True)
class Composer:
    """Makes letters; what it read of the editions it keeps for the next channel."""

    db: Db
    draw: Draw
    detail: Detail = Detail.FULL
    _reports: Reports = field(init=False)

    def __post_init__(self) -> None:
        """One reader of reports for all letters."""
        self._reports = Reports(self.db)

    async def letter(self, first: Delivery, *, silent: bool) -> Letter | Reason:
        """As it is sent, or why there is nothing to send."""
        message, anchor = await self._message(first), None
        if first.kind in ATTACHED:
            digest = await outbox.anchor(self.db, first)
            if digest is None or digest.receipt is None:
                return Reason.NO_MESSAGE
            anchor = Receipt(digest.receipt)
        pictures, failed = tuple[Picture, ...](), True
        # In doubt it may be there with them, and is only looked for.
        details = first.kind is Kind.DETAILS
        patience = _WITHOUT_PICTURES_AFTER if details else _DIGEST_WITHOUT_PICTURE_AFTER
        worth = first.attempts < patience or first.state is State.AMBIGUOUS
        # A terminal shows none, and to draw one takes seconds.
        if worth and first.destination != TERMINAL:
            pictures, failed = await drawn(self.draw, message.charts)
        if first.kind is Kind.DETAILS and not pictures and not message.rows:
            return Reason.NOT_DRAWN if failed else Reason.NOTHING_TO_SHOW
        return Letter(first.key, message, silent or first.silent, anchor, pictures)

    async def _message(self, first: Delivery) -> Message:
        if first.body is not None:
            return first.body
        own, before = await self._reports.edition(first), None
        if first.kind is Kind.CORRECTION:
            before = await self._reports.before(first)
        return letter(first, own, before, self.detail)


async def drawn(draw: Draw, charts: Sequence[ChartOf]) -> tuple[tuple[Picture, ...], bool]:
    """Those that can be drawn, and whether one failed: that is no reason to say nothing."""
    found = await asyncio.gather(*(_in_time(draw, of) for of in charts), return_exceptions=True)
    for chart, picture in zip(charts, found, strict=True):
        if isinstance(picture, Exception):
            facts = {"ticker": chart.ticker, "session": str(chart.session)}
            logger.error("a picture cannot be drawn", exc_info=picture, extra=facts)
    made = tuple(picture for picture in found if isinstance(picture, Picture))
    return made, any(isinstance(picture, BaseException) for picture in found)


async def _in_time(draw: Draw, of: ChartOf) -> Picture | None:
    async with asyncio.timeout(_DRAWN_WITHIN_S):
        return await draw(of)
