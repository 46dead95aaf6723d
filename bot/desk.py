"""Which part answers which command: built once, over the ladder and the outbox."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from alerts.deliver import Courier
from alerts.message import stamp
from alerts.model import Destination
from bot.audit import audited
from bot.backfilling import Backfilling
from bot.channels import Channels
from bot.commands import Commands
from bot.config_desk import ConfigDesk
from bot.digests import Digests
from bot.hindsight import Hindsight
from bot.links import Link
from bot.muting import Muting
from bot.names import Names
from bot.opinions import Opinions
from bot.outbox_desk import OutboxDesk
from bot.requests import Handler
from bot.reviews import Reviews
from bot.settings import Settings
from bot.watching import Watching
from core.bars import Scope
from core.ladder import Ladder
from core.progress import Board
from core.sources.access import Doctor


def commands(
    ladder: Ladder,
    doctor: Doctor,
    board: Board,
    courier: Courier,
    always: Collection[Destination],
    next_try: Callable[[], str],
    settings: Settings,
    backfilling: Backfilling,
    links: Sequence[Link],
) -> Commands:
    """All commands."""
    sessions, top, detail = backfilling.sessions, settings.alert_top, settings.alert_detail
    digests = Digests(ladder, sessions, top, detail=detail)
    reviews = Reviews(ladder, sessions, top, detail)
    names = Names(ladder, sessions, digests)
    watching = Watching(ladder, sessions, digests)
    digests = replace(digests, mine=watching.mine)
    muting = Muting(ladder, sessions, Hindsight(ladder, top))
    now, said = ladder.top.now, stamp(ladder.top.series)
    channels = Channels(courier, always, now, said, _knows_shares(ladder), links)
    parts: dict[str, Handler] = {
        "anomalies": digests.answer,
        "ticker": names.ticker,
        "why": names.why,
        "preview": reviews.preview,
        "scorecard": reviews.scorecard,
        "watch": watching.watch,
        "mute": muting.mute,
        "mutes": muting.mutes,
        "feedback": Opinions(ladder, sessions, digests, reviews).feedback,
        "subscribe": channels.subscribe,
        "unsubscribe": channels.unsubscribe,
        "channels": channels.channels,
        "outbox": OutboxDesk(courier, now, said).answer,
        "backfill": backfilling.answer,
        "config": ConfigDesk(settings, said).answer,
    }
    audit = audited(courier.db, now)
    return Commands(ladder, doctor, board, next_try, digests, parts, audit)


def _knows_shares(ladder: Ladder) -> bool:
    """Is off-exchange volume read at all?"""
    top = ladder.top
    return top.series.scope is Scope.OFF_EXCHANGE or top.other is not None
