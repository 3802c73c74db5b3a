"""Quantization: fewer bits a weight. So far by clustering; linear quantization joins it here."""

from .weight_sharing import WeightClustering, compression_rate

__all__ = ["WeightClustering", "compression_rate"]
