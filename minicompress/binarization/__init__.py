"""Binary networks: weights, and activations, of one bit."""

from .binarized import SignActivation, binarize
from .packed import BinaryConv2d, BinaryLinear, Threshold, ToFloat, pack
from .weights import BinaryConnect, ScaledSign, StochasticBinaryConnect

__all__ = [
    "BinaryConnect", "BinaryConv2d", "BinaryLinear", "ScaledSign", "SignActivation",
    "StochasticBinaryConnect", "Threshold", "ToFloat", "binarize", "pack",
]
