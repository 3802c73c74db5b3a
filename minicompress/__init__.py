"""Neural-network compression from scratch in NumPy: read it to understand it."""

from .engine import Tensor, no_grad

__all__ = ["Tensor", "no_grad"]
