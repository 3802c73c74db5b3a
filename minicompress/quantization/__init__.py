"""Quantization: fewer bits a weight, by clustering or on an even grid, up to networks that compute in integers only."""

from .affine import Grid, choose_params, code_range, dequantize, quantize
from .observers import MinMax, MovingAverage, Percentile
from .projections import AffineQuantization
from .weight_sharing import WeightClustering, compression_rate

__all__ = ["AffineQuantization", "Grid", "MinMax", "MovingAverage", "Percentile", "WeightClustering", "choose_params",
           "code_range", "compression_rate", "dequantize", "quantize"]
