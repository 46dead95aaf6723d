"""What to say, to whom, and whether it was said; may import core."""
