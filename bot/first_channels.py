"""At the start: do the channels that the environment names have what alerts need? Said if not."""

import logging
from collections.abc import Sequence

from alerts import outbox
from alerts.deliver import Courier
from alerts.letters import lacking
from alerts.model import Check, Destination, Kind
from alerts.selftest import failed
from alerts.subscriptions import ENVIRONMENT, routes
from core.bars import Series
from core.calendar import TradingDay

logger = logging.getLogger(__name__)


async def examine_first_channels(courier: Courier, series: Series, newest: TradingDay) -> None:
    """Look only; what is missing goes to the log, and to the operators once a session."""
    named = [
        route.destination
        for route in await routes(courier.db.rows)
        if route.active and route.origin == ENVIRONMENT
    ]
    if courier.operator is not None:
        named.append(courier.operator)
    for destination in dict.fromkeys(named):
        sender = courier.senders.get(destination.platform)
        if sender is not None:
            faults = failed(await sender.examine(destination))
            await _tell(courier, series, newest, destination, faults)


async def _tell(
    courier: Courier,
    series: Series,
    newest: TradingDay,
    destination: Destination,
    faults: Sequence[Check],
) -> None:
    for fault in faults:
        facts = {"destination": str(destination), "lacks": fault.name, "seen": fault.seen}
        logger.warning("a channel lacks what alerts need", extra=facts)
    operator = courier.operator
    if not faults or operator is None or operator == destination:
        return
    async with courier.db.transaction() as writer:
        await outbox.add(
            writer,
            destination=operator,
            series=series.key,
            session=newest.date,
            kind=Kind.NOTICE,
            now=courier.now(),
            more=f"channel {destination}",
            body=lacking(destination, faults),
            silent=True,
        )
    courier.ring()
