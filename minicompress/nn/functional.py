"""Functions on Tensors, under PyTorch's name for the place: the engine's primitives, and the loss."""

import numpy as np

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
    if not isinstance(logits, Tensor):
        raise TypeError(f"logits are a {type(logits).__name__}, expected a Tensor")
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(f"logits have shape {logits.shape}, expected (N, C)")
    if not isinstance(target, Tensor):
        target = np.asarray(target)
    if target.shape == logits.shape:
        if target.dtype.kind != "f":
            raise TypeError(f"distributions of shape {target.shape} are {target.dtype}, expected floats")
        p = target.data if isinstance(target, Tensor) else target
        if not ((p >= 0).all() and (np.abs(p.sum(axis=1) - 1) < 1e-3).all()):
            raise ValueError(f"target of shape {target.shape} has rows with negative elements, or a sum that is not 1")
        return ops.distribution_cross_entropy(logits, target if isinstance(target, Tensor) else
                                              target.astype(logits.dtype, copy=False))
    if target.shape != logits.shape[:1] or isinstance(target, Tensor):
        raise ValueError(f"target has shape {target.shape}, expected {logits.shape[:1]} labels "
                         f"or {logits.shape} distributions for logits {logits.shape}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"labels of shape {target.shape} are {target.dtype}, expected integers")
    if target.astype(np.uintp, copy=False).max() >= logits.shape[1]:  # a negative one becomes a huge one
        raise ValueError(f"labels of shape {target.shape} span {target.min()} to {target.max()}, expected "
                         f"0 to {logits.shape[1] - 1} for logits {logits.shape}")
    return ops.label_cross_entropy(logits, target.astype(np.intp, copy=False))
