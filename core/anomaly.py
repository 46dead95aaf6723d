"""What the judge finds: the rule's numbers, an anomaly with its evidence, the market. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from hashlib import sha256
from typing import Any

from core.bars import Scope
from core.calendar import sessions

VERSION = "2"
"""Goes up when the same bars would be judged differently."""

TIERS = {"extreme": 6.0, "rare": 5.0, "notable": 4.0}


@dataclass(frozen=True, slots=True)
class Rule:
    """The floors and the cut; money in USD."""

    min_z: float = 4.0
    min_sessions: int = 20
    min_adv_usd: float = 1e6
    min_close_usd: float = 1.0
    min_dollar_volume_usd: float = 2e6
    min_transactions: int = 100
    min_usual_transactions: float = 50.0
    still_z: float = 1.0
    """What was over min_z in the sessions before is still elevated from here, if its score, with
    the price move in it, is over min_z."""
    # The alert on the off-exchange share asks for all of these at once.
    min_share_z: float = 4.0
    min_off_volume_z: float = 3.0
    min_off_dollar_volume_usd: float = 5e6
    min_off_transactions: int = 200
    min_share_sessions: int = 40

    def stamp(self, *more: object) -> str:
        """Six letters that change with any of these numbers, or with `more`."""
        numbers = [getattr(self, f.name) for f in fields(self)]
        return sha256(repr([*numbers, *more]).encode()).hexdigest()[:6]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One ticker that traded unlike itself in one session, with every number the text is made of.

    `value` and `normal` are of the louder `feature`, in `unit`; `normal` already holds what the
    market did (`market_x`), and ratio = value / normal. `rarity` is K of "1 in K" ticker-days of
    its liquidity bucket, a lower bound if `rarity_is_floor`: of `pool` such ticker-days in the
    lookback, `exceeding` were at least as far out.
    """

    session: date
    rank: int
    ticker: str
    scope: Scope
    feature: str
    unit: str
    value: float
    normal: float
    ratio: float
    z: float
    score: float
    rarity: float | None
    rarity_is_floor: bool
    tier: str
    label: str
    alertable: bool
    continuing: bool
    day_no: int
    peak_ratio: float | None
    peak_session: date | None
    """The loudest of the repeats before this session."""
    bucket: str
    adv_usd: float
    market_x: float
    sessions_seen: int
    close: float
    ret_pct: float | None
    ret_z: float | None
    volume: float
    volume_ratio: float
    z_volume: float
    transactions: int | None
    trades_ratio: float | None
    z_trades: float | None
    dollar_volume_usd: float
    split: str | None
    pool: int | None = None
    exceeding: int | None = None
    kind: str = "common"
    """core.instruments.PUSHABLE."""
    day_of: int | None = None
    """Sessions since the first of the repeats, both included: day_no of day_of were loud."""
    before_ratio: float | None = None
    """The ratio in the newest of the repeats."""
    suspected: str | None = None
    """The split, such as "2-for-1", that a step of the last six sessions looks like."""
    suspected_on: date | None = None
    share: float | None = None
    """Off-exchange volume over that of all venues, where both are known."""
    usual_share: float | None = None
    gap_pct: float | None = None
    """The open against the close before, and its distance from the market in usual gaps."""
    gap_z: float | None = None
    z_share: float | None = None
    n_share: int | None = None
    """Sessions in the baseline of the share, at most 60."""
    off_volume: float | None = None
    off_transactions: int | None = None
    z_off_volume: float | None = None
    """Of the off-exchange volume alone, against its own baseline."""
    shifted: bool = False
    """Every condition of the alert on the off-exchange share is met."""


@dataclass(frozen=True, slots=True)
class Market:
    """The session as a whole: how many names, how busy, how many lines were held back."""

    names: int
    eligible: int
    no_baseline: int
    typical_x: float
    """How many times its usual volume the typical eligible name traded."""
    held_back: int = 0
    """Names that would be over the cut had the market's part and its spread not been removed."""


def tier(z: float) -> str:
    """notable, rare or extreme; "usual" below the lowest of them."""
    return next((name for name, least in TIERS.items() if z >= least), "usual")


def from_row(rank: int, row: Mapping[str, Any], scope: Scope) -> Anomaly:
    """The anomaly in one row of core.detect.score over bars of `scope`."""
    is_trades = row["feature"] == "trades"
    value = float(row["transactions"] if is_trades else row["volume"])
    ratio, ret, gap = math.exp(row["dev"]), row["ret"], row["gap"]
    peak, trades = row["peak_dev"], row["dev_trades"]
    same = {field.name: row[field.name] for field in fields(Anomaly) if field.name in row}
    named = {
        "rank": rank,
        "scope": scope,
        "unit": "trades" if is_trades else "shares",
        "value": value,
        "normal": value / ratio,
        "ratio": ratio,
        "rarity_is_floor": bool(row["rarity_is_floor"]),
        "tier": tier(row["z"] if row["loud"] or not row["shifted"] else row["z_share"]),
        "day_no": 1 + (row["repeats"] or 0),
        "peak_ratio": None if peak is None else math.exp(peak),
        "day_of": None if peak is None else len(sessions(row["first_session"], row["session"])),
        "before_ratio": None if peak is None else math.exp(row["before_dev"]),
        "adv_usd": row["adv"],
        "market_x": math.exp(row["m"]),
        "sessions_seen": int(row["sessions_seen"]),
        "ret_pct": None if ret is None else 100 * ret,
        "gap_pct": None if gap is None else 100 * gap,
        "volume_ratio": math.exp(row["dev_volume"]),
        "trades_ratio": None if trades is None else math.exp(trades),
        "dollar_volume_usd": row["dollar_volume"],
        "n_share": None if row["n_share"] is None else int(row["n_share"]),
    }
    return Anomaly(**(same | named))
