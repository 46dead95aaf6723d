"""The kinds of lines there are, as people name them. Data only."""

from core.labels import OFF_EXCHANGE_SHIFT

RULES = ("volume", "trades", "off-exchange")
"""What can flag a line: its volume, its trade count, its off-exchange share."""

LABELS = (
    *("news-like", "block-like", "crowd", "quiet volume", "volume", "spike-and-fade"),
    OFF_EXCHANGE_SHIFT,
)
"""What core.labels calls a line; a corporate action is none."""
