"""Convolution and pooling on images of shape (N, C, H, W) that lie in memory as (C, H, W, N), the batch innermost.

Then every copy that a convolution needs moves long contiguous runs, one matrix product gives the result in the same
order, and pooling is a few elementwise operations on slices. NumPy keeps the order through elementwise operations, so
a transposed view is all that the usual shape costs.
"""

import functools
import operator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import ops
from .tensor import primitive


def _output_size(size, kernel, stride, padding):
    result = (size + 2 * padding - kernel) // stride + 1
    if result < 1:
        raise ValueError(f"a kernel of {kernel} with padding {padding} does not fit an image of {size}")
    return result


def _batch_last(images):
    """(N, C, H, W) -> contiguous (C, H, W, N): free where the memory already is in that order."""
    return np.ascontiguousarray(images.transpose(1, 2, 3, 0))


def _unfold(x, kernel, stride=1, padding=0):
    n, c, h, w = x.shape
    out_h, out_w = (_output_size(size, kernel, stride, padding) for size in (h, w))
    x = _batch_last(x)
    if padding:
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    sc, sh, sw, sn = x.strides
    windows = as_strided(x, (c, kernel, kernel, out_h, out_w, n), (sc, sh, sw, stride * sh, stride * sw, sn),
                         writeable=False)
    return windows.reshape(c, kernel * kernel, out_h * out_w * n)  # the one copy: runs of out_w·N at stride 1


def _fold(columns, x, kernel, stride=1, padding=0):
    """The transpose of `_unfold`: each column's elements are added back to where they were read."""
    n, c, h, w = x.shape
    out_h, out_w = (_output_size(size, kernel, stride, padding) for size in (h, w))
    columns = columns.reshape(c, kernel, kernel, out_h, out_w, n)
    padded = np.zeros((c, h + 2 * padding, w + 2 * padding, n), columns.dtype)
    for i in range(kernel):
        for j in range(kernel):
            padded[:, i:i + stride * out_h:stride, j:j + stride * out_w:stride] += columns[:, i, j]
    return padded[:, padding:padding + h, padding:padding + w].transpose(3, 0, 1, 2)


unfold = primitive(_unfold, lambda g, y, x, kernel, stride=1, padding=0: _fold(g, x, kernel, stride, padding))


def conv2d(x, weight, bias=None, *, stride=1, padding=0, groups=1):
    """Cross-correlation of images (N, C, H, W) with filters (F, C/groups, k, k), as one matrix product a group.

    y[n, f, i, j] = bias[f] + Σ_{c,p,q} weight[f, c, p, q] · x[n, c, stride·i + p − padding, stride·j + q − padding],
    and zero outside the image; c runs over the channels of f's group. groups = C is depthwise. Raises ValueError for
    shapes that don't fit together.

    >>> from minicompress import Tensor
    >>> conv2d(Tensor(np.ones((1, 1, 3, 3))), Tensor(np.ones((1, 1, 2, 2)))).numpy().ravel()
    array([4., 4., 4., 4.])
    """
    shapes = f"images {x.shape}, filters {weight.shape}, groups={groups}"
    if x.ndim != 4 or weight.ndim != 4 or weight.shape[2] != weight.shape[3]:
        raise ValueError(f"conv2d needs images (N, C, H, W) and square filters (F, C/groups, k, k), got {shapes}")
    (n, c, h, w), (f, c_group, k, _) = x.shape, weight.shape
    if groups < 1 or c % groups or f % groups or c != c_group * groups:
        raise ValueError(f"conv2d: channels don't fit, got {shapes}")
    if bias is not None and bias.shape != (f,):
        raise ValueError(f"conv2d: bias has shape {bias.shape}, expected ({f},)")
    if stride < 1 or padding < 0:
        raise ValueError(f"conv2d: stride {stride} and padding {padding}, expected at least 1 and 0")
    out_h, out_w = (_output_size(size, k, stride, padding) for size in (h, w))
    columns = ops.reshape(unfold(x, kernel=k, stride=stride, padding=padding), (groups, c_group * k * k, -1))
    filters = ops.reshape(weight, (groups, f // groups, c_group * k * k))
    y = ops.reshape(ops.matmul(filters, columns), (f, -1))  # (G, F/G, C/G·k·k) @ (G, C/G·k·k, P·N) -> (F, P·N)
    if bias is not None:
        y = y + ops.reshape(bias, (f, 1))
    return ops.transpose(ops.reshape(y, (f, out_h, out_w, n)), (3, 0, 1, 2))


def _windows(x, kernel, stride):
    """The kernel² slices of (N, C, H, W) images that hold the first, second, … element of every window."""
    out_h, out_w = (_output_size(size, kernel, stride, 0) for size in x.shape[2:])
    return [(slice(None), slice(None), slice(i, i + stride * (out_h - 1) + 1, stride),
             slice(j, j + stride * (out_w - 1) + 1, stride)) for i in range(kernel) for j in range(kernel)]


def _max_pool2d(x, kernel, stride):
    return functools.reduce(np.maximum, [x[window] for window in _windows(x, kernel, stride)])


def _max_pool2d_vjp(g, y, x, kernel, stride):
    result, free = np.zeros_like(x), np.ones_like(y, dtype=bool)
    for window in _windows(x, kernel, stride):
        winner = (x[window] == y) & free  # the first of equal maxima takes all, as in PyTorch
        result[window] += g * winner
        free &= ~winner
    return result


def _avg_pool2d(x, kernel, stride):
    return functools.reduce(operator.add, [x[window] for window in _windows(x, kernel, stride)]) / kernel**2


def _avg_pool2d_vjp(g, y, x, kernel, stride):
    result, share = np.zeros_like(x), g / kernel**2
    for window in _windows(x, kernel, stride):
        result[window] += share
    return result


_max_pool, _avg_pool = primitive(_max_pool2d, _max_pool2d_vjp), primitive(_avg_pool2d, _avg_pool2d_vjp)


def max_pool2d(x, kernel, stride=None):
    """The largest element of each window; the stride is the kernel unless given, rows left over are dropped.

    >>> from minicompress import Tensor
    >>> max_pool2d(Tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2).item()
    4.0
    """
    return _max_pool(_images(x), kernel=kernel, stride=stride or kernel)


def avg_pool2d(x, kernel, stride=None):
    """The mean of each window; the stride is the kernel unless given, rows left over are dropped.

    >>> from minicompress import Tensor
    >>> avg_pool2d(Tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2).item()
    2.5
    """
    return _avg_pool(_images(x), kernel=kernel, stride=stride or kernel)


def global_avg_pool2d(x):
    """The mean of each channel: (N, C, H, W) -> (N, C).

    >>> from minicompress import Tensor
    >>> global_avg_pool2d(Tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).shape
    (1, 1)
    """
    return ops.mean(_images(x), axis=(2, 3))


def _images(x):
    if x.ndim != 4:
        raise ValueError(f"pooling needs images (N, C, H, W), got shape {x.shape}")
    return x
