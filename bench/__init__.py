"""Reproducible measurements, each printing ratios against a named rival: python -m bench."""
