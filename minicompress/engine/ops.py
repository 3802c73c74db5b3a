"""The primitives and, beside each, the table row of its derivatives: g is ∂L/∂y, a row gives ∂L/∂(argument).

Broadcasting needs no rows of its own: `Tensor.backward` sums each derivative back to its argument's shape.
"""

import numpy as np

from minicompress import expect

from .tensor import Tensor, primitive, recording, require_tensors, variadic

# Arithmetic                             y =                ∂L/∂a                            ∂L/∂b
add = primitive(np.add,                  lambda g, y, a, b: g,                lambda g, y, a, b: g)
subtract = primitive(np.subtract,        lambda g, y, a, b: g,                lambda g, y, a, b: -g)
multiply = primitive(np.multiply,        lambda g, y, a, b: g * b,            lambda g, y, a, b: g * a)
divide = primitive(np.divide,            lambda g, y, a, b: g / b,            lambda g, y, a, b: -g * y / b)
negative = primitive(np.negative,        lambda g, y, a: -g)
exp = primitive(np.exp,                  lambda g, y, a: g * y)
log = primitive(np.log,                  lambda g, y, a: g / a)
sqrt = primitive(np.sqrt,                lambda g, y, a: g / (2 * y))
absolute = primitive(np.abs,             lambda g, y, a: g * np.sign(a))
abs = absolute
tanh = primitive(np.tanh,                lambda g, y, a: g * (1 - y * y))
maximum = primitive(np.maximum,          lambda g, y, a, b: _won(g, a, b),     lambda g, y, a, b: _won(g, b, a))
minimum = primitive(np.minimum,          lambda g, y, a, b: _won(g, b, a),     lambda g, y, a, b: _won(g, a, b))
where = primitive(np.where,              None,  # the condition is no real number
                                         lambda g, y, c, a, b: np.where(c, g, 0),
                                         lambda g, y, c, a, b: np.where(c, 0, g))


def _won(g, a, b):
    """g where a is larger, 0 where b is, half each at a tie, where any split is a subgradient."""
    return g * np.greater(a, b) + g / 2 * np.equal(a, b)


def _power(a, n):
    """aⁿ for a number n."""
    return a ** n


def _power_vjp(g, y, a, n):
    return g * n * a ** (n - (n != 0))  # a⁰ has derivative 0, at a = 0 too


def _clip(a, low=None, high=None):
    """a, but low where it is below and high where it is above; None is no bound."""
    return np.clip(a, low, high)


def _relu(a):
    """max(a, 0)."""
    return np.maximum(a, 0)


def _sigmoid(a):
    """1 / (1 + exp(−a))."""
    small = np.exp(-np.abs(a))  # never overflows
    return np.where(a >= 0, 1, small) / (1 + small)


pow = primitive(_power,                  _power_vjp)
clip = primitive(_clip,                  lambda g, y, a, low=None, high=None: g * (y == a))
relu = primitive(_relu,                  lambda g, y, a: g * (y > 0))
sigmoid = primitive(_sigmoid,            lambda g, y, a: g * y * (1 - y))


# Products. A product's result, and its derivative by x, are laid out with the batch innermost, as convolutions are; a
# weight, and its derivative, by input feature: all that one feature feeds lies together.
def _linear(x, weight, bias=None):
    expect.that(x.ndim == weight.ndim == 2 and x.shape[1] == weight.shape[1], "expected x (N, in), weight (out, in)")
    out = weight.shape[:1]
    expect.that(bias is None or bias.shape == out, lambda: f"bias has shape {bias.shape}, expected {out}")
    y = np.asfortranarray(weight) @ x.T  # (out, in) @ (in, N) -> (out, N); one layout, so always the same bits
    if bias is not None:
        y += bias[:, None]
    return y.T


_linear_all = primitive(_linear,         lambda g, y, x, w, b=None: (w.T @ g.T).T,    # (in, out) @ (out, N)
                                         lambda g, y, x, w, b=None: (x.T @ g).T,      # (in, N) @ (N, out)
                                         lambda g, y, x, w, b=None: g.sum(axis=0))
_columns = primitive(lambda w, used: w.T.take(used, axis=0).T,
                     lambda g, y, w, used: _put_columns(g, w, used))


def _put_columns(g, w, used):
    full = np.zeros(w.shape[::-1], w.dtype)
    full[used] = g.T
    return full.T


def linear(x, weight, bias=None):
    """y = x Wᵀ + b for x (N, in), W (out, in), b (out,): the result is (N, out). ValueError for other shapes.

    While a graph is recorded, features that are 0 in the whole batch of inputs (a third of MNIST's pixels) are left out
    of both products where no gradient is asked by x: they contribute 0 to y, and their weights have gradient 0. So
    weights of such a feature that are not finite don't show in y.

    >>> linear(Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]])).item()
    11.0
    """
    require_tensors("linear", x=x, weight=weight)
    if weight.requires_grad and recording() and not x.requires_grad and x.ndim == 2 and x.shape[1] == weight.shape[1]:
        used = np.logical_or.reduce(x.data, axis=0).nonzero()[0]
        if used.size < 0.8 * x.shape[1]:
            x, weight = Tensor(x.data.take(used, axis=1)), _columns(weight, used)
    return _linear_all(x, weight, bias)


matmul = primitive(np.matmul,            lambda g, y, a, b: _matmul_vjp_a(g, a, b),
                                         lambda g, y, a, b: _matmul_vjp_b(g, a, b))


def _matmul_vjp_a(g, a, b):
    if b.ndim == 1:
        return g[..., None] * b
    return g @ _swap(b) if a.ndim > 1 else (g[..., None, :] @ _swap(b))[..., 0, :]


def _matmul_vjp_b(g, a, b):
    if a.ndim == 1:
        return a * g if b.ndim == 1 else a[:, None] * g[..., None, :]
    return _swap(a) @ g if b.ndim > 1 else (_swap(a) @ g[..., None])[..., 0]


def _swap(a):
    return np.swapaxes(a, -1, -2)


# Reductions
def _spread(g, a, axis, keepdims):
    """A reduced gradient, stretched over the axes that were reduced."""
    if axis is not None and not keepdims:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, a.shape)


def _sum(a, axis=None, keepdims=False):
    """The sum along an axis, several, or all."""
    return np.sum(a, axis=axis, keepdims=keepdims)


def _mean(a, axis=None, keepdims=False):
    """The mean along an axis, several, or all."""
    return np.mean(a, axis=axis, keepdims=keepdims)


def _max(a, axis=None, keepdims=False):
    """The maximum along an axis, several, or all; equal maxima share the gradient."""
    return np.max(a, axis=axis, keepdims=keepdims)


def _winners(a, y, axis, keepdims):
    """The share of each maximal element: ties divide it equally."""
    ties = a == _spread(y, a, axis, keepdims)
    return ties / ties.sum(axis=axis, keepdims=True, dtype=a.dtype)


sum = primitive(_sum,
                lambda g, y, a, axis=None, keepdims=False: _spread(g, a, axis, keepdims))
mean = primitive(_mean,
                 lambda g, y, a, axis=None, keepdims=False: _spread(g, a, axis, keepdims) * (y.size / a.size))
max = primitive(_max,
                lambda g, y, a, axis=None, keepdims=False:
                _spread(g, a, axis, keepdims) * _winners(a, y, axis, keepdims))


def var(x, axis=None, keepdims=False, correction=0):
    """The mean squared deviation along ``axis``; ``correction=1`` divides by n−1, as for a sample.

    >>> var(Tensor([1.0, 3.0])).item()
    1.0
    """
    require_tensors("var", x=x)
    expect.that(x.size, lambda: f"var over no elements, shape {x.shape}")
    centred = x - mean(x, axis=axis, keepdims=True)
    total = sum(centred * centred, axis=axis, keepdims=keepdims)
    count = x.size // total.size
    expect.that(count > correction, lambda: f"var over {count} elements with correction={correction}, shape {x.shape}")
    return total / (count - correction)


# Shapes
def _reshape(a, shape):
    """The same elements in another shape; one size may be −1, the one that fits."""
    return a.reshape(shape)


def _transpose(a, axes=None):
    """The axes in another order, reversed unless given."""
    return np.transpose(a, axes)


def _flatten(a):
    """(N, …) -> (N, features)."""
    # images lie in memory with the batch innermost: then this is a view, where a.reshape would copy
    batch_last = a.transpose(*range(1, a.ndim), 0)
    return batch_last.reshape(-1, len(a)).T if batch_last.flags.c_contiguous else a.reshape(len(a), -1)


def _getitem(a, index):
    """``a[index]`` for whatever NumPy takes; where an index repeats, its gradients add up."""
    return a[index]


def _put(g, a, index):
    full = np.zeros_like(a, subok=False)
    np.add.at(full, index, g)  # adds up where an index repeats
    return full


def _take(a, indices, axis=0):
    """The elements at integer ``indices`` along an axis; the derivative of ``take(centroids, codes)`` is QU-12."""
    indices = np.asarray(indices)
    expect.that(indices.dtype.kind in "iu", lambda: f"indices of shape {indices.shape} are {indices.dtype}, expected "
                "integers", TypeError)
    if a.ndim == 1 and axis in (0, -1):
        return a[indices]  # keeps the indices' order in memory
    return np.take(a, indices, axis=axis)


def _put_along(g, a, indices, axis=0):
    indices = np.asarray(indices)
    if not np.can_cast(indices.dtype, np.uint32):  # negative ones count from the end
        indices = indices.astype(np.intp) % a.shape[axis]
    if a.ndim == 1:  # the centroid gradient of weight clustering (QU-12): one pass, in float64
        order = "F" if np.isfortran(indices) else "C"
        return np.bincount(np.ravel(indices, order), np.ravel(g, order), minlength=len(a)).astype(a.dtype)
    return _put(g, a, (slice(None),) * (axis % a.ndim) + (indices,))


def _pad(a, width, value=0.0):
    """A frame of ``value``: ``width`` elements on every side, or one (before, after) for each axis."""
    return np.pad(a, width, constant_values=value)


def _crop(g, width):
    return g[tuple(slice(before, g.shape[axis] - after) for axis, (before, after) in enumerate(width))]


reshape = primitive(_reshape,            lambda g, y, a, shape: g.reshape(a.shape))
transpose = primitive(_transpose,        lambda g, y, a, axes=None:
                                         np.transpose(g, None if axes is None else np.argsort(np.mod(axes, g.ndim))))
flatten = primitive(_flatten,            lambda g, y, a: _unflatten(g, a))
getitem = primitive(_getitem,            lambda g, y, a, index: _put(g, a, index))
take = primitive(_take,                  lambda g, y, a, indices, axis=0: _put_along(g, a, indices, axis))
pad = primitive(_pad,                    lambda g, y, a, width, value=0.0:
                                         _crop(g, np.broadcast_to(width, (a.ndim, 2))))


def _unflatten(g, a):
    if g.T.flags.c_contiguous:
        return np.moveaxis(g.T.reshape(*a.shape[1:], len(a)), -1, 0)
    return g.reshape(a.shape)


def _concatenate(*arrays, axis=0):
    return np.concatenate(arrays, axis=axis)


def _stack(*arrays, axis=0):
    return np.stack(arrays, axis=axis)


def _own_part(position):
    def vjp(g, y, *arrays, axis=0):
        start = np.sum([a.shape[axis] for a in arrays[:position]], dtype=int)
        return np.moveaxis(np.moveaxis(g, axis, 0)[start:start + arrays[position].shape[axis]], 0, axis)
    return vjp


_concatenate_all = primitive(_concatenate, variadic(_own_part))
_stack_all = primitive(_stack, variadic(lambda i: lambda g, y, *arrays, axis=0: np.moveaxis(g, axis, 0)[i]))


def concatenate(tensors, axis=0):
    """The tensors one behind the other along an axis that exists.

    >>> concatenate([Tensor([1.0]), Tensor([2.0, 3.0])]).shape
    (3,)
    """
    expect.that(axis is not None, "axis is None, expected an axis that exists")
    return _concatenate_all(*tensors, axis=axis)


def stack(tensors, axis=0):
    """Tensors of one shape, one behind the other along a new axis.

    >>> stack([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])], axis=1).shape
    (2, 2)
    """
    return _stack_all(*tensors, axis=axis)


# Softmax: the maximum is subtracted first, so that nothing overflows
def _logsumexp(a, axis=-1, keepdims=False):
    """log Σ exp(a) along an axis; −∞ where all are −∞, ∞ where one is ∞."""
    top = a.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)  # ∞ − ∞ is no number
    with np.errstate(divide="ignore", over="ignore"):  # log 0 is −∞, and beside an ∞ all overflow alike
        result = np.log(np.exp(a - top).sum(axis=axis, keepdims=True)) + top
    return result if keepdims else np.squeeze(result, axis=axis)


def _log_softmax(a, axis=-1):
    """a − log Σ exp(a) along an axis."""
    with np.errstate(invalid="ignore"):  # where log Σ exp(a) is not finite some are not numbers
        return a - _logsumexp(a, axis=axis, keepdims=True)


def _softmax(a, axis=-1):
    """exp(a) / Σ exp(a) along an axis."""
    e = np.exp(a - a.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


logsumexp = primitive(_logsumexp, lambda g, y, a, axis=-1, keepdims=False:
                      _spread(g, a, axis, keepdims) * np.exp(a - _spread(y, a, axis, keepdims)))
log_softmax = primitive(_log_softmax, lambda g, y, a, axis=-1: g - np.exp(y) * g.sum(axis=axis, keepdims=True))
softmax = primitive(_softmax, lambda g, y, a, axis=-1: y * (g - (g * y).sum(axis=axis, keepdims=True)))


# The mean cross-entropy of logits z (N, C): with integer labels, or with distributions p (N, C)
def _label_cross_entropy(z, labels):
    """The mean over the rows of logsumexp(z) − z[label]."""
    z = z - z.max(axis=1, keepdims=True)
    return (np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]).sum() / len(z)


def _label_cross_entropy_vjp(g, y, z, labels):
    p = _softmax(z)
    p[np.arange(len(z)), labels] -= 1  # σ(z) − one-hot
    p *= g / len(z)
    return p


def _distribution_cross_entropy(z, p):
    return -(p * _log_softmax(z)).sum() / len(z)


label_cross_entropy = primitive(_label_cross_entropy, _label_cross_entropy_vjp)
distribution_cross_entropy = primitive(
    _distribution_cross_entropy,
    lambda g, y, z, p: (g / len(z)) * (p.sum(axis=1, keepdims=True) * _softmax(z) - p),
    lambda g, y, z, p: (-g / len(z)) * _log_softmax(z))


def dropout(x, p, *, rng):
    """Each element is zero with probability p and divided by 1−p otherwise, so that the mean stays.

    Raises ValueError unless 0 ≤ p < 1. Source: Srivastava et al. 2014, in the form that leaves evaluation alone.

    >>> dropout(Tensor([1.0, 1.0]), 0.0, rng=np.random.default_rng(0)).numpy()
    array([1., 1.], dtype=float32)
    """
    require_tensors("dropout", x=x)
    p, rng = expect.fraction("p", p, below=1), expect.generator(rng)
    keep = rng.random(x.shape, dtype=np.float32) >= p
    return where(keep, x * (1 / (1 - p)), 0.0)


def batch_norm(x, weight, bias, mean_, var_, eps):
    """weight · (x − mean)/√(var + eps) + bias, channel by channel along axis 1 (Ioffe & Szegedy 2015).

    ``weight``, ``bias``, ``mean_`` and ``var_`` have one element a channel; the last two are Tensors of the batch's own
    statistics in training, arrays of the running ones in evaluation. Raises ValueError for other shapes.

    >>> x, one, zero = Tensor([[1.0], [5.0]]), Tensor([1.0]), Tensor([0.0])
    >>> batch_norm(x, one, zero, mean(x, axis=0), var(x, axis=0), eps=0.0).numpy().ravel()
    array([-1.,  1.], dtype=float32)
    """
    require_tensors("batch_norm", x=x)
    shapes = {"weight": weight.shape, "bias": bias.shape, "mean_": mean_.shape, "var_": var_.shape}
    expect.that(x.ndim >= 2 and {x.shape[1:2]}.issuperset(shapes.values()),  # others would broadcast, some of them
                lambda: f"x has shape {x.shape}, the others {shapes}, expected (N, C, …) and (C,) for all others")
    per_channel = (1, -1) + (1,) * (x.ndim - 2)
    scale = weight / sqrt(var_ + eps)
    return x * reshape(scale, per_channel) + reshape(bias - mean_ * scale, per_channel)
