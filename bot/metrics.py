"""The service in Prometheus' words. Labels come from closed lists: no channel, no ticker, no text.

What is on record is counted there when it is asked for, so that it survives a restart; what passes
(waiting, the loop's lag) is kept in histograms since the start.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from alerts import counted
from alerts.outbox import What
from bot.app import App
from bot.health import Health, Standing, freshness
from bot.links import LinkState
from bot.memory import resident_bytes
from bot.timings import Timings
from core.db import StorageError
from core.errors import REFUSALS
from core.heard import last_verdicts
from core.jobs import Unit

logger = logging.getLogger(__name__)

_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_WAITING = (
    ("tapewatch_acknowledgement_seconds",
     "From a command's arrival until its ack is handed over (Slack) or accepted (Discord).",
     (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)),
    ("tapewatch_answer_seconds", "From a command's arrival until its answer is shown.",
     (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)),
)  # fmt: skip
_LOOK_S = 0.1


@dataclass(eq=False)
class _Snapshot(Collector):
    """What was read for one page; describing it would need a database."""

    families: Sequence[Metric] = ()

    def collect(self) -> Iterable[Metric]:
        """What was read."""
        return self.families

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before it is read."""
        return ()


class Metrics:
    """One page for a scraper."""

    def __init__(self, health: Health, timings: Timings) -> None:
        self._health, self._snapshot = health, _Snapshot()
        self._registry, self._unread = CollectorRegistry(), set[str]()
        self.lag = Histogram(
            "tapewatch_loop_lag_seconds",
            "How late the event loop wakes a sleeper.",
            buckets=_LAG_BUCKETS,
            registry=self._registry,
        )
        self._acks, self._answers = (
            Histogram(name, said, ["platform"], buckets=buckets, registry=self._registry)
            for name, said, buckets in _WAITING
        )
        self._errors = Counter(
            "tapewatch_scrape_errors",
            "Parts of this page that could not be read, and were left out.",
            ["part"],
            registry=self._registry,
        )
        for part in _PARTS:
            self._errors.labels(part)
        timings.acknowledged, timings.answered = self._acknowledged, self._answered
        ProcessCollector(registry=self._registry)
        self._registry.register(self._snapshot)

    def _acknowledged(self, platform: str, seconds: float) -> None:
        self._acks.labels(platform).observe(seconds)

    def _answered(self, platform: str, seconds: float) -> None:
        self._answers.labels(platform).observe(seconds)

    async def _read(self, part: str, reading: Awaitable[list[Metric]]) -> list[Metric]:
        try:
            found = await reading
        except (StorageError, ValueError) as error:  # a damaged page, or what is read of one
            self._errors.labels(part).inc()
            if part not in self._unread:
                logger.warning("not on /metrics", extra={"part": part, "seen": str(error)})
            self._unread.add(part)
            return []
        self._unread.discard(part)
        return found

    async def watch_loop(self) -> None:
        """Look how late it is, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + _LOOK_S
            await asyncio.sleep(_LOOK_S)
            self.lag.observe(max(0.0, clock() - due))

    async def page(self) -> tuple[bytes, str]:
        """The text and its content type."""
        families = [_standing(self._health.standing)]
        if self._health.app is not None:
            for ear in self._health.app.ears:
                for waiting in (self._acks, self._answers):
                    waiting.labels(ear.link.platform)  # there from the first page on, at 0
            for part, read in _PARTS.items():
                families += await self._read(part, read(self._health.app))
        # /proc is read here, and that is a file system.
        self._snapshot.families = [*families, await asyncio.to_thread(_memory)]
        text = await asyncio.to_thread(generate_latest, self._registry)
        return text, CONTENT_TYPE_PLAIN_0_0_4


def _standing(standing: Standing) -> Metric:
    family = GaugeMetricFamily("tapewatch_standing", "What this copy is at.", labels=["standing"])
    for one in Standing:
        family.add_metric([one], one is standing)
    return family


def _memory() -> Metric:
    family = _gauge(
        "tapewatch_resident_memory_bytes", "Of this process and of those that it has started."
    )
    if (seen := resident_bytes()) is not None:
        family.add_metric([], seen)
    return family


async def _freshness(app: App) -> list[Metric]:
    found, now = await freshness(app), app.now()
    behind = _gauge("tapewatch_sessions_behind", "Sessions past their deadline, not finished.")
    behind.add_metric([], found.behind)
    lag = _gauge("tapewatch_data_lag_seconds", "Since the end of the newest finished session.")
    if found.newest is not None:
        lag.add_metric([], (now - found.newest.tape_end).total_seconds())
    return [behind, lag]


async def _lags(app: App) -> list[Metric]:
    published = _gauge(
        "tapewatch_publish_lag_seconds", "From bars on disk to the outbox; newest session.",
        "platform",
    )  # fmt: skip
    delivered = _gauge(
        "tapewatch_delivery_lag_seconds", "From the outbox to the last channel; newest session.",
        "platform",
    )  # fmt: skip
    for one in await counted.lags(app.db):
        published.add_metric([one.platform], one.published_s)
        if one.delivered_s is not None:
            delivered.add_metric([one.platform], one.delivered_s)
    return [published, delivered]


async def _outbox(app: App) -> list[Metric]:
    now = app.now()
    depth = _gauge("tapewatch_outbox_messages", "Messages by what became of them.", "state")
    age = _gauge("tapewatch_outbox_oldest_seconds", "Age of the oldest message.", "state")
    for one in await counted.depths(app.db, now):
        depth.add_metric([one.state], one.count)
        age.add_metric([one.state], (now - one.oldest).total_seconds())
    return [depth, age]


async def _attempts(app: App) -> list[Metric]:
    attempts = CounterMetricFamily(
        "tapewatch_delivery_attempts",
        "Attempts to deliver or to look, by what came of them.",
        labels=["platform", "what", "reason"],
    )
    # Nobody sees the first one come, if there was nothing before it.
    labels = product(app.senders, (What.SEND, What.LOOK), REFUSALS)
    counts = {tuple(map(str, names)): 0 for names in labels}
    for tally in await counted.tallies(app.db):
        counts[tally.platform, tally.what, tally.reason] = tally.count
    for names, count in counts.items():
        attempts.add_metric(names, count)
    return [attempts]


async def _sources(app: App) -> list[Metric]:
    sources = _gauge(
        "tapewatch_source_verdict", "1: what the source answered last.", "source", "verdict"
    )
    # What other settings asked once refuses for ever.
    pipelines = [p for rung in app.ladder.rungs for p in (rung, rung.beside) if p is not None]
    asked = {source.name for p in pipelines for source in p.chain.sources}
    for source, verdict in (await last_verdicts(app.db)).items():
        if source in asked:
            sources.add_metric([source, verdict], 1)
    return [sources]


async def _links(app: App) -> list[Metric]:
    links = _gauge("tapewatch_link_up", "1: commands arrive from the platform.", "platform")
    for ear in app.ears:
        links.add_metric([ear.link.platform], ear.link.state is LinkState.UP)
    return [links]


async def _backfill(app: App) -> list[Metric]:
    units = _gauge("tapewatch_backfill_sessions", "Sessions of the newest backfill.", "state")
    jobs = app.backfilling.runner.jobs
    if (job := await jobs.newest()) is not None:
        counts = await jobs.counts(job)
        for unit in Unit:
            units.add_metric([unit], counts.get(unit, 0))
    return [units]


_PARTS = {
    "freshness": _freshness,
    "lags": _lags,
    "outbox": _outbox,
    "attempts": _attempts,
    "sources": _sources,
    "links": _links,
    "backfill": _backfill,
}
"""What is read on its own: one that cannot be read takes no other with it."""


def _gauge(name: str, said: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, said, labels=labels)
