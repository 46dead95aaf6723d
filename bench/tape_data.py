"""A day's trades file for bench.tape: 13 columns, 11,000 tickers with a heavy tail.

It holds what the rules are about: blocks by shares and by dollars, largest trades of equal size,
instants that two trades share, corrections of several codes, conditions that count for nothing.
"""

import io
import sys
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
from isal import igzip
from numpy.typing import NDArray

from bench.tape_sides import HOUR, MIDNIGHT

_Ints: TypeAlias = NDArray[np.int32]
_Floats: TypeAlias = NDArray[np.float64]

TICKERS, OFF_EXCHANGE = 11_000, 0.45
_CHUNK = 1_000_000
_LIT = np.array([1, 2, 3, 7, 8, 9, 10, 11, 12, 12, 12, 15, 18, 19, 19, 20, 21])
_CONDITIONS = np.array(
    ["", "37", "14", "14,41", "12,37", "14,37,41", "12", "10,41", "2", "22", "53,52,41", "15",
     "16", "38"]
)  # fmt: skip
_CHANCES = np.array([30, 33, 12, 8, 6, 5, 2, 2, 0.9, 0.4, 0.4, 0.1, 0.1, 0.1]) / 100
_CORRECTIONS = np.array([0, 1, 7, 8, 10, 11, 12])
_CORRECTED, _BLOCK, _SAME_INSTANT = 1e-4, 2e-4, 0.02  # shares of the trades


def write_trades(path: Path, rows: int, seed: int = 1) -> None:
    """A single gzip member of `rows` rows, tickers in the order of their names."""
    rng = np.random.default_rng(seed)
    weights = 1 / (np.arange(TICKERS) + 30.0) ** 1.05
    per_ticker = rng.permutation(rng.multinomial(rows, weights / weights.sum()))
    of_row = np.repeat(np.arange(TICKERS, dtype=np.int32), per_ticker)
    prices = np.exp(rng.normal(3.3, 1.2, TICKERS)).clip(0.02, 5000)
    with igzip.open(path, "wb", compresslevel=3) as packed:  # type: ignore[no-untyped-call]
        for start in range(0, rows, _CHUNK):
            text = io.BytesIO()
            frame = _chunk(of_row[start : start + _CHUNK], prices, start, rng)
            frame.write_csv(text, include_header=start == 0, float_precision=6)
            packed.write(text.getbuffer())


def _ticker(n: int) -> str:
    letters = ""
    for power in (17_576, 676, 26, 1):
        letters += chr(65 + n * 41 // power % 26)
    return letters if n % 3 else letters[1:] + "p" + letters[0]


_NAMES = np.array(sorted({_ticker(n) for n in range(3 * TICKERS)})[:TICKERS])


def _chunk(of_row: _Ints, prices: _Floats, start: int, rng: np.random.Generator) -> pl.DataFrame:
    n = len(of_row)
    ordinal = np.arange(start, start + n)
    sip = MIDNIGHT + 9 * HOUR + np.sort(rng.integers(0, 9 * HOUR, n))
    sip[1:] -= np.diff(sip) * (rng.random(n - 1) < _SAME_INSTANT)
    off = rng.random(n) < OFF_EXCHANGE
    drift = np.exp(np.cumsum(rng.normal(0, 2e-5, n)))
    size = np.where(rng.random(n) < 0.6, rng.integers(1, 99, n), 100 * rng.geometric(0.4, n))
    size *= np.where(rng.random(n) < _BLOCK, 100, 1)
    code = rng.integers(1, len(_CORRECTIONS), n) * (rng.random(n) < _CORRECTED)
    part = np.where(rng.random(n) < 0.08, rng.integers(0, 10**6, n), 0) / 1e6
    delay = rng.integers(20_000, 400_000, n)
    return pl.DataFrame(
        {
            "ticker": _NAMES[of_row],
            "conditions": pl.Series(
                _CONDITIONS[rng.choice(len(_CONDITIONS), n, p=_CHANCES)]
            ).replace("", None),
            "correction": _CORRECTIONS[code],
            "exchange": np.where(off, 4, _LIT[rng.integers(0, len(_LIT), n)]),
            "id": 52_983_525_000_000 + ordinal * 2,
            "participant_timestamp": sip - delay,
            "price": np.round(prices[of_row] * drift, 2),
            # Every other trade comes after the one that it went before.
            "sequence_number": 1000 + (ordinal ^ 1) * 3 % 9_000_000,
            "sip_timestamp": sip,
            "size": size + part,
            "tape": 1 + of_row % 3,
            "trf_id": np.where(off, 201 + ordinal % 3, 0),
            "trf_timestamp": np.where(off, sip - 20_077, 0),
        }
    )


if __name__ == "__main__":
    write_trades(Path(sys.argv[1]), int(sys.argv[2]))
