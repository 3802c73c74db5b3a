"""Pruning (PR)."""
