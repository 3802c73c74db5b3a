"""Convolution and pooling on images of shape (N, C, H, W) that lie in memory as (C, H, W, N), the batch innermost.

Then every copy that a convolution needs moves long contiguous runs, one matrix product gives the result in the same
order, and pooling is a few elementwise operations on slices. NumPy keeps the order through elementwise operations, so
a transposed view is all that the usual shape costs.
"""

import functools
import operator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minicompress import expect

from . import ops
from .tensor import primitive, require_tensors


def _output_size(size, kernel, stride, padding):
    result = (size + 2 * padding - kernel) // stride + 1
    expect.that(result >= 1, lambda: f"a kernel of {kernel} with padding {padding} does not fit an image of {size}")
    return result


def _batch_last(images):
    """(N, C, H, W) -> contiguous (C, H, W, N): free where the memory already is in that order."""
    return np.ascontiguousarray(images.transpose(1, 2, 3, 0))


def _window_view(x, kernel, stride, padding):
    """Every window of images (C, H, W, N), as a view (C, k, k, H_out, W_out, N) that copies nothing but padding."""
    out_h, out_w = (_output_size(size, kernel, stride, padding) for size in x.shape[1:3])
    if padding:
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    sc, sh, sw, sn = x.strides
    return as_strided(x, (len(x), kernel, kernel, out_h, out_w, x.shape[3]), (sc, sh, sw, stride * sh, stride * sw, sn))


def _row_blocks(out_h, floats_per_row):
    """Slices over the output's rows whose columns fit a processor's second cache: 2¹⁸ floats, 1 MB."""
    rows = max(1, 2**18 // floats_per_row)
    return [slice(start, start + rows) for start in range(0, out_h, rows)]


def _conv2d(x, weight, bias=None, stride=1, padding=0, groups=1):
    (n, c, _, _), (f, _, k, _) = x.shape, weight.shape
    windows = _window_view(_batch_last(x), k, stride, padding)
    out_h, out_w = windows.shape[3:5]
    filters = weight.reshape(groups, f // groups, -1)
    y = np.empty((groups, f // groups, out_h, out_w * n), x.dtype)
    for rows in _row_blocks(out_h, c * k * k * out_w * n):
        columns = windows[:, :, :, rows].reshape(groups, c // groups * k * k, -1)  # the one copy: runs of out_w·N
        # (G, F/G, C/G·k·k) @ (G, C/G·k·k, rows·out_w·N)
        y[:, :, rows] = (filters @ columns).reshape(groups, f // groups, -1, out_w * n)
    y = y.reshape(f, out_h, out_w, n)
    if bias is not None:
        y += bias[:, None, None, None]
    return y.transpose(3, 0, 1, 2)


def _conv2d_vjp_x(g, y, x, weight, bias=None, stride=1, padding=0, groups=1):
    """Each output's gradient goes back to the window that it read: columns are made, and added where they belong."""
    (n, c, h, w), (f, _, k, _), (_, _, out_h, out_w) = x.shape, weight.shape, g.shape
    filters = weight.reshape(groups, f // groups, -1).swapaxes(1, 2)
    g = _batch_last(g).reshape(groups, f // groups, out_h, out_w * n)
    padded = np.zeros((c, h + 2 * padding, w + 2 * padding, n), g.dtype)
    windows = _window_view(padded, k, stride, 0)
    for rows in _row_blocks(out_h, c * k * k * out_w * n):
        # (G, C/G·k·k, F/G) @ (G, F/G, rows·out_w·N)
        columns = filters @ g[:, :, rows].reshape(groups, f // groups, -1)
        columns = columns.reshape(c, k, k, -1, out_w, n)
        for i, j in np.ndindex(k, k):  # windows overlap, but those of one place in the filter do not
            windows[:, i, j, rows] += columns[:, i, j]
    return padded[:, padding:padding + h, padding:padding + w].transpose(3, 0, 1, 2)


def _conv2d_vjp_weight(g, y, x, weight, bias=None, stride=1, padding=0, groups=1):
    (n, c, _, _), (f, _, k, _), (_, _, out_h, out_w) = x.shape, weight.shape, g.shape
    windows = _window_view(_batch_last(x), k, stride, padding)
    g = _batch_last(g).reshape(groups, f // groups, out_h, out_w * n)
    result = np.zeros((groups, f // groups, c // groups * k * k), g.dtype)
    for rows in _row_blocks(out_h, c * k * k * out_w * n):
        columns = windows[:, :, :, rows].reshape(groups, c // groups * k * k, -1)
        # (G, F/G, rows·out_w·N) @ (G, rows·out_w·N, C/G·k·k)
        result += g[:, :, rows].reshape(groups, f // groups, -1) @ columns.swapaxes(1, 2)
    return result.reshape(weight.shape)


_conv2d_all = primitive(_conv2d, _conv2d_vjp_x, _conv2d_vjp_weight,
                        lambda g, y, x, weight, bias=None, **options: g.sum(axis=(0, 2, 3)))


def conv2d(x, weight, bias=None, *, stride=1, padding=0, groups=1):
    """Cross-correlation of images (N, C, H, W) with filters (F, C/groups, k, k), as matrix products.

    y[n, f, i, j] = bias[f] + Σ_{c,p,q} weight[f, c, p, q] · x[n, c, stride·i + p − padding, stride·j + q − padding],
    and zero outside the image; c runs over the channels of f's group. groups = C is depthwise. Raises ValueError for
    shapes that don't fit together and for a stride, padding or groups that is no integer.

    >>> from minicompress import Tensor
    >>> conv2d(Tensor(np.ones((1, 1, 3, 3), np.float32)), Tensor(np.ones((1, 1, 2, 2), np.float32))).numpy().ravel()
    array([4., 4., 4., 4.], dtype=float32)
    """
    require_tensors("conv2d", x=x, weight=weight)
    stride, groups = expect.integers(1, stride=stride, groups=groups)
    padding = expect.integer("padding", padding, 0)
    expect.that(_fit(x, weight, groups), lambda: f"images {x.shape}, filters {weight.shape}, groups={groups}; "
                "expected (N, C, H, W), square filters (F, C/groups, k, k), groups dividing F, nothing empty")
    out = weight.shape[:1]
    expect.that(bias is None or bias.shape == out, lambda: f"bias has shape {bias.shape}, expected {out}")
    return _conv2d_all(x, weight, bias, stride=stride, padding=padding, groups=groups)


def _fit(x, weight, groups):
    return (x.ndim == weight.ndim == 4 and weight.shape[2] == weight.shape[3] and len(weight) % groups == 0
            and x.shape[1] == groups * weight.shape[1] and 0 not in x.shape + weight.shape)


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
    return _pooled(_max_pool, x, kernel, stride)


def avg_pool2d(x, kernel, stride=None):
    """The mean of each window; the stride is the kernel unless given, rows left over are dropped.

    >>> from minicompress import Tensor
    >>> avg_pool2d(Tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 2).item()
    2.5
    """
    return _pooled(_avg_pool, x, kernel, stride)


def global_avg_pool2d(x):
    """The mean of each channel: (N, C, H, W) -> (N, C).

    >>> from minicompress import Tensor
    >>> global_avg_pool2d(Tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).shape
    (1, 1)
    """
    return ops.mean(_images(x), axis=(2, 3))


def _pooled(pool, x, kernel, stride):
    kernel, stride = expect.integers(1, kernel=kernel, stride=kernel if stride is None else stride)
    return pool(_images(x), kernel=kernel, stride=stride)


def _images(x):
    require_tensors("pooling", x=x)
    return expect.shaped("images", x, "(N, C, H, W)", x.ndim == 4)
