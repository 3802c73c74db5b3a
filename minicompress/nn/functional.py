"""Functions on Tensors, under PyTorch's name for the place: the engine's primitives, and the loss."""

import numpy as np

from minicompress import expect
from minicompress.engine import (  # noqa: F401 - the same functions under PyTorch's name
    Tensor,
    abs,
    avg_pool2d,
    batch_norm,
    clip,
    concatenate,
    conv2d,
    dropout,
    exp,
    flatten,
    global_avg_pool2d,
    linear,
    log,
    log_softmax,
    logsumexp,
    matmul,
    max,
    max_pool2d,
    maximum,
    mean,
    minimum,
    ops,
    pad,
    pow,
    relu,
    sigmoid,
    softmax,
    sqrt,
    stack,
    sum,
    take,
    tanh,
    var,
    where,
)


def cross_entropy(logits, target):
    """The mean over the batch of −Σ_c p_c log σ(z)_c, for integer labels (p one-hot) or distributions p.

    ``logits`` (N, C); ``target`` integers (N,), each in 0 … C−1, or an array or Tensor (N, C) of rows that sum to 1.
    Raises TypeError and ValueError, with the shapes, for anything else.

    >>> cross_entropy(Tensor([[0.0, 0.0]]), np.array([1])).item()  # log 2
    0.6931471824645996
    """
    expect.a(Tensor, "logits", logits)
    expect.shaped("logits", logits, "(N, C)", logits.ndim == 2 and 0 not in logits.shape)
    if np.shape(target) == logits.shape:
        return ops.distribution_cross_entropy(logits, _distributions(target, logits.dtype))
    fits = np.shape(target) == logits.shape[:1] and not isinstance(target, Tensor)
    expect.shaped("target", target, f"{logits.shape[:1]} labels or {logits.shape} distributions", fits)
    labels = expect.integral("labels", target, 0, logits.shape[1] - 1)
    return ops.label_cross_entropy(logits, labels.astype(np.intp, copy=False))


def _distributions(target, dtype):
    target = target if isinstance(target, Tensor) else np.asarray(target)
    p = target.data if isinstance(target, Tensor) else target
    expect.that(p.dtype.kind == "f", f"distributions of shape {p.shape} are {p.dtype}, expected floats", TypeError)
    expect.that((p >= 0).all() and (np.abs(p.sum(axis=1) - 1) < 1e-3).all(),
                f"target of shape {p.shape} has rows with negative elements, or a sum that is not 1")
    return target if isinstance(target, Tensor) else target.astype(dtype, copy=False)
