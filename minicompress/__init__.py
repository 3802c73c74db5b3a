"""Neural-network compression from scratch in NumPy: read it to understand it."""

from . import binarization, clustering, coding, data, distillation, models, nn, pruning, quantization
from .checker import check
from .container import ContainerError, inspect, load, save
from .engine import Tensor, no_grad
from .nn import evaluate, fit, optim, predict

__version__ = "0.1.0"

__all__ = [
    "ContainerError", "Tensor", "__version__", "binarization", "check", "clustering", "coding", "data", "distillation",
    "evaluate", "fit", "inspect", "load", "models", "nn", "no_grad", "optim", "predict", "pruning", "quantization",
    "save",
]
