"""Measures (ME)."""
