"""FINRA's daily file of the built-in market: what of a bar's volume was reported off exchange.

Drawn from the bars alone, without their tapes, so it is cheap; a tape's own sum is another number.
"""

from collections.abc import Iterable
from datetime import date
from random import Random

from core.sources.sample_trades import MICRO, SampleBar, size_text

HEADER = "Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market"

_FACILITIES = ("Q", "Q,N", "B,Q,N")


def off_exchange_file(bars: Iterable[SampleBar], day: date, seed: int, decimals: bool) -> bytes:
    """Header, a line for each ticker with a share traded off exchange, and their number."""
    lines = []
    for bar in bars:
        usual = 0.33 + 0.12 * Random(f"{seed}:finra:{bar.ticker}").random()
        if bar.off is not None:
            usual = 0.04 + 0.9 * bar.off
        u = Random(f"{seed}:finra:{bar.ticker}:{day}").random
        # A block is one print, and off exchange.
        total = bar.block + int((bar.volume - bar.block) * usual * (0.92 + 0.16 * u()))
        if total < MICRO:
            continue
        short = size_text(int(total * (0.3 + 0.4 * u())), decimals)
        symbol, facilities = bar.ticker.replace(".", "/"), _FACILITIES[int(u() * 3)]
        lines.append(f"{day:%Y%m%d}|{symbol}|{short}|0|{size_text(total, decimals)}|{facilities}")
    return "\r\n".join((HEADER, *sorted(lines), str(len(lines)), "")).encode("ascii")
