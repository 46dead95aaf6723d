"""A real process that publishes and delivers, killed at every step, against local servers."""
