"""What happened in the market; knows nothing of people or chat."""
