"""One adapter per chat platform: connect, acknowledge, send, render. Nothing else."""
