"""Networks of the literature, ready to train."""

from .lenet import lenet_5, lenet_300_100, mlp

__all__ = ["lenet_5", "lenet_300_100", "mlp"]
