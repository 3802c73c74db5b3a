"""Modules, parameters with projections, optimizers and the training loop, under PyTorch's names."""

from . import functional, optim
from .checkpoint import History
from .graph import build, describe
from .layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    ImageInput,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)
from .metrics import Measures
from .module import Module, evaluating, observe
from .parameter import Parameter
from .projection import Projection, assign, project
from .train import cross_entropy, evaluate, fit, predict

__all__ = [
    "AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Conv2d", "Dropout", "Flatten", "History", "ImageInput", "Linear",
    "MaxPool2d", "Measures", "Module", "Parameter", "Projection", "ReLU", "Sequential", "assign", "build",
    "cross_entropy", "describe", "evaluate", "evaluating", "fit", "functional", "observe", "optim", "predict",
    "project",
]
