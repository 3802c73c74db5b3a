"""Binary networks: weights, and activations, of one bit."""

from .packed import BinaryConv2d, BinaryLinear, Threshold, ToFloat, pack
from .projections import BinaryConnect, ScaledSign, StochasticBinaryConnect
from .rewrite import SignActivation, binarize

__all__ = [
    "BinaryConnect", "BinaryConv2d", "BinaryLinear", "ScaledSign", "SignActivation",
    "StochasticBinaryConnect", "Threshold", "ToFloat", "binarize", "pack",
]
