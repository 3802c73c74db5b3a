"""Quantization: fewer bits a weight. So far by clustering; linear quantization joins it here."""

from .weight_sharing import WeightClustering

__all__ = ["WeightClustering"]
