"""The running process and the conversation; may import alerts and core."""
