"""Local servers that stand in for the market-data vendor: real HTTP on 127.0.0.1, no network."""
