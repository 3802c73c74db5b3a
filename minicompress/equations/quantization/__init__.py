"""Quantization (QU)."""
