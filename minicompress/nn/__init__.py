"""Modules, parameters with projections, optimizers and the training loop, under PyTorch's names."""

from . import functional, optim
from .checkpoint import History
from .fold import fold_batch_norm
from .graph import build, describe, register
from .layers import (
    Add,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Concatenate,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    ImageInput,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)
from .max_norm import MaxNorm
from .metrics import Measures
from .module import Module, evaluating, observe
from .parameter import Parameter
from .projection import Projection, assign, project
from .train import Training, cross_entropy, evaluate, fit, predict

__all__ = [
    "Add", "AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Concatenate", "Conv2d", "Dropout", "Flatten", "History",
    "Identity", "ImageInput", "Linear", "MaxNorm", "MaxPool2d", "Measures", "Module", "Parameter", "Projection", "ReLU",
    "Sequential", "Training", "assign", "build", "cross_entropy", "describe", "evaluate", "evaluating", "fit",
    "fold_batch_norm", "functional", "observe", "optim", "predict", "project", "register",
]
