"""What strangers, vendors and people can send, thrown at whatever reads it first."""
