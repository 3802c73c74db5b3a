"""The tiny autograd engine: Tensor, its primitives with their derivatives, and a check of those derivatives."""

from . import methods  # noqa: F401 - gives Tensor its operators
from .conv import avg_pool2d, conv2d, global_avg_pool2d, max_pool2d
from .gradcheck import GradientError, gradcheck
from .ops import (
    abs,
    absolute,
    add,
    batch_norm,
    clip,
    concatenate,
    divide,
    dropout,
    exp,
    flatten,
    getitem,
    linear,
    log,
    log_softmax,
    logsumexp,
    matmul,
    max,
    maximum,
    mean,
    minimum,
    multiply,
    negative,
    pad,
    pow,
    relu,
    reshape,
    sigmoid,
    softmax,
    sqrt,
    stack,
    subtract,
    sum,
    take,
    tanh,
    transpose,
    var,
    where,
)
from .tensor import Codes, Tensor, no_grad

__all__ = [
    "Codes", "GradientError", "Tensor", "abs", "absolute", "add", "avg_pool2d", "batch_norm", "clip", "concatenate",
    "conv2d", "divide", "dropout", "exp", "flatten", "getitem", "global_avg_pool2d", "gradcheck", "linear", "log",
    "log_softmax", "logsumexp", "matmul", "max", "max_pool2d", "maximum", "mean", "minimum", "multiply", "negative",
    "no_grad", "pad", "pow", "relu", "reshape", "sigmoid", "softmax", "sqrt", "stack", "subtract", "sum", "take",
    "tanh", "transpose", "var", "where",
]
