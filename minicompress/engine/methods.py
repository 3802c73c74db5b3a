"""Tensor's operators and methods out of the primitives, of which its own file knows nothing."""

import math

from minicompress import expect

from . import ops
from .tensor import Tensor


def _reshape_method(x, *shape):
    """The same elements in another shape, given as sizes or as one tuple; one size may be −1, the one that fits.

    >>> Tensor([1.0, 2.0, 3.0, 4.0]).reshape(2, -1).shape
    (2, 2)
    """
    return ops.reshape(x, shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape)


def _rpow(x, base):
    """baseˣ = exp(x · log base) for a number base > 0."""
    return ops.exp(x * math.log(expect.number("the base of a power", base, above=0)))


def _transpose_method(x, *axes):
    """The axes in another order, given one by one or as one tuple; reversed unless given.

    >>> Tensor([[1.0, 2.0]]).transpose(1, 0).shape
    (2, 1)
    """
    return ops.transpose(x, (axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes) or None)


for _name in ("exp", "log", "sqrt", "abs", "relu", "tanh", "sigmoid", "clip", "pow", "maximum", "minimum", "sum",
              "mean", "max", "var", "take", "flatten", "softmax", "log_softmax", "logsumexp"):
    setattr(Tensor, _name, getattr(ops, _name))
for _name, _op in {
    "__add__": ops.add, "__radd__": ops.add, "__mul__": ops.multiply, "__rmul__": ops.multiply,
    "__sub__": ops.subtract, "__rsub__": lambda b, a: ops.subtract(a, b),
    "__truediv__": ops.divide, "__rtruediv__": lambda b, a: ops.divide(a, b),
    "__matmul__": ops.matmul, "__rmatmul__": lambda b, a: ops.matmul(a, b),
    "__pow__": ops.pow, "__rpow__": _rpow, "__neg__": ops.negative, "__abs__": ops.absolute,
    "__getitem__": ops.getitem, "reshape": _reshape_method, "transpose": _transpose_method,
}.items():
    setattr(Tensor, _name, _op)
Tensor.T = property(lambda x: ops.transpose(x), doc="The axes in reverse order.")
