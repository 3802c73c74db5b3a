"""Quantization: fewer bits a weight, by clustering or on an even grid, up to networks that compute in integers only."""

from .affine import Grid, choose_params, code_range, dequantize, quantize
from .converted import convert
from .layers import (
    Dequantize,
    Quantize,
    QuantizedAdd,
    QuantizedAvgPool2d,
    QuantizedConv2d,
    QuantizedLinear,
    QuantizedReLU,
)
from .prepared import calibrate, prepare, prepare_qat
from .ranges import MinMax, MovingAverage, Percentile
from .weight_sharing import WeightClustering, compression_rate, share_weights
from .weights import AffineQuantization

__all__ = [
    "AffineQuantization", "Dequantize", "Grid", "MinMax", "MovingAverage", "Percentile", "Quantize", "QuantizedAdd",
    "QuantizedAvgPool2d", "QuantizedConv2d", "QuantizedLinear", "QuantizedReLU", "WeightClustering", "calibrate",
    "choose_params", "code_range", "compression_rate", "convert", "dequantize", "prepare", "prepare_qat", "quantize",
    "share_weights",
]
