"""Reverse-mode automatic differentiation: a `Tensor` remembers how it was made, and `backward` walks that in reverse.

The derivatives themselves stand as a table beside the primitives, in `ops.py` and `conv.py`.
"""

import contextlib
import difflib
import itertools
import math

import numpy as np

from minicompress import expect

_recording = True


@contextlib.contextmanager
def no_grad():
    """Record no graph inside this block: results have ``requires_grad=False``.

    >>> x = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     (x * 2).requires_grad
    False
    """
    global _recording
    before, _recording = _recording, False
    try:
        yield
    finally:
        _recording = before


def recording():
    """Whether a graph is being recorded: not inside `no_grad`."""
    return _recording


class Tensor:
    """An array of float32 or float64 that can say how a scalar computed from it changes with it.

    ``data`` is an array, a number, or a (nested) list of numbers; lists and numbers become float32. An array of
    integers or booleans is refused with TypeError: convert it, and say to which precision. ``==`` asks if it is the
    very same Tensor, as sets and dicts of Tensors need it; values are compared by ``.numpy()``.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.], dtype=float32)
    """

    __slots__ = ("__weakref__", "_origin", "data", "grad", "requires_grad")
    __array_ufunc__ = None  # so that ndarray * Tensor asks Tensor, not every element of the array

    def __init__(self, data, requires_grad=False):
        if type(data) is not np.ndarray:
            data = _array(data)
        if data.dtype.char not in "fd":
            raise TypeError(f"a Tensor holds float32 or float64, got {data.dtype} of shape {data.shape}")
        self.data = data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))
        self.grad = None
        self.requires_grad = requires_grad
        self._origin = None

    @property
    def shape(self):
        """The sizes of the axes."""
        return self.data.shape

    @property
    def ndim(self):
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self):
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self):
        """float32 or float64."""
        return self.data.dtype

    def numpy(self):
        """The data as an array, not copied."""
        return self.data

    def item(self):
        """The one element as a Python float; ValueError if there are more."""
        expect.that(self.data.size == 1, lambda: f"item() needs a single element, got shape {self.shape}")
        return self.data.item()

    def detach(self):
        """The same data without its history."""
        return Tensor(self.data)

    def __len__(self):
        return len(self.data)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("a Tensor is no array, and as one it would lose its history: use .numpy()")

    def __bool__(self):
        raise TypeError("a Tensor is neither true nor false: compare .item() or .numpy()")

    def __float__(self):
        return self.item()

    def __repr__(self):
        body = np.array2string(self.data, separator=", ", prefix="Tensor(")
        return f"Tensor({body}, dtype={self.dtype}{', requires_grad=True' if self.requires_grad else ''})"

    def __getattr__(self, name):
        # `copy` asks for names with two underscores, nobody else does, and to look for close ones takes long.
        close = difflib.get_close_matches(name, [] if name.startswith("__") else dir(type(self)), 1)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}"
                             + (f"; did you mean {close[0]!r}?" if close else ""))

    def backward(self, gradient=None):
        """Add to ``.grad`` of every leaf that requires it the derivative of this tensor, and free the graph.

        ``gradient`` has this tensor's shape and may be left out for a single element. Raises RuntimeError where there
        is no graph (never recorded, or freed by an earlier backward), ValueError for a gradient of the wrong shape.

        >>> x = Tensor([3.0], requires_grad=True)
        >>> (x * x).backward()
        >>> x.grad
        array([6.], dtype=float32)
        """
        expect.that(self.requires_grad, "backward() on a tensor that no gradient is required of", RuntimeError)
        gradient = _seed(self.data, gradient)
        if self._origin is None:
            self._accumulate(gradient)
            return
        gradients = {id(self): gradient}
        for tensor in _latest_first(self):
            gradient, origin, tensor._origin = gradients.pop(id(tensor)), tensor._origin, _FREED
            for vjp, parent in origin.parents:
                contribution = vjp(gradient, tensor.data, *origin.arrays, **origin.kwargs)
                if contribution.shape != parent.data.shape:
                    contribution = _unbroadcast(contribution, parent.data.shape)
                if parent._origin is None:
                    # a + b hands one array to both, and a sum's is a view that repeats: a leaf's .grad is its own
                    own = contribution.flags.writeable and not np.may_share_memory(contribution, gradient)
                    parent._accumulate(contribution if own else contribution.copy())
                else:
                    known = gradients.get(id(parent))  # a diamond: contributions add up, and never in place
                    gradients[id(parent)] = contribution if known is None else known + contribution

    def _accumulate(self, gradient):
        self.grad = np.asarray(gradient if self.grad is None else self.grad + gradient)


class Codes(Tensor):
    """Integers on their way through an integer-only network: moved and compared by the primitives, without a gradient.

    >>> Codes(np.array([1, -2], np.int8)).reshape(2, 1).numpy()
    array([[ 1],
           [-2]], dtype=int8)
    """

    __slots__ = ()

    def __init__(self, data):
        expect.that(isinstance(data, np.ndarray) and data.dtype.kind == "i", lambda: f"codes are "
                    f"{getattr(data, 'dtype', type(data).__name__)}, expected an array of signed integers", TypeError)
        self.data, self.grad, self.requires_grad, self._origin = data, None, False, None


def _array(data):
    expect.that(not isinstance(data, Tensor), "data is a Tensor already: use .detach() for one that shares its data "
                "without its history", TypeError)
    if isinstance(data, (np.ndarray, np.generic)):
        return np.asarray(data)
    missing = any(value is None for value in np.asarray(data, dtype=object).flat)  # which NumPy takes for NaN
    expect.that(not missing, "data is or holds None, expected numbers", TypeError)
    return np.asarray(data, dtype=np.float32)


class Origin:
    """How a tensor was made: its parents, each with its row of the table, and all that the rows may need."""

    __slots__ = ("arrays", "kwargs", "parents", "serial")
    _serials = itertools.count()

    def __init__(self, parents, arrays, kwargs):
        self.parents, self.arrays, self.kwargs, self.serial = parents, arrays, kwargs, next(Origin._serials)


_FREED = object()


def _seed(data, gradient):
    """What `backward` begins with: the gradient given, or 1 for a single element."""
    if gradient is None:
        expect.that(data.size == 1, lambda: f"gradient is None, which needs a single element, got shape {data.shape}")
        return np.ones_like(data)
    gradient = np.array(gradient.data if isinstance(gradient, Tensor) else gradient, dtype=data.dtype)
    return expect.shaped("gradient", gradient, data.shape, gradient.shape == data.shape)


def _latest_first(root):
    """Every tensor with an origin that the root depends on, the latest made first: so each after all made of it."""
    found, seen = [root], {id(root)}
    for tensor in found:  # a list that grows while it is walked, not recursion: graphs are deeper than Python's stack
        expect.that(tensor._origin is not _FREED, "backward() through a graph that an earlier one freed", RuntimeError)
        for _, parent in tensor._origin.parents:
            if parent._origin is not None and id(parent) not in seen:
                seen.add(id(parent))
                found.append(parent)
    return sorted(found, key=lambda tensor: tensor._origin.serial, reverse=True)


def _unbroadcast(gradient, shape):
    """Broadcasting repeats an operand, so its derivative is the sum over the repeats."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[axis] != 1)
    return gradient.sum(axis=stretched, keepdims=True)


def primitive(forward, *vjps):
    """A function on Tensors out of one on arrays and the table row of its derivatives.

    ``vjps[i](g, y, *arguments)`` is the vector-Jacobian product with respect to argument i: the gradient of a scalar L
    with respect to that argument, given g = ∂L/∂y. A single function marked by ``variadic`` serves any number of
    arguments. Results are float32 or float64 like the operands, which must agree; Python numbers adapt. A Tensor that
    requires a gradient where the table has none, or that comes by keyword, is refused with TypeError.
    """
    rows = vjps[0].of if vjps and isinstance(vjps[0], variadic) else vjps
    constant = () if callable(rows) else [i for i, row in enumerate(rows) if row is None]
    known = math.inf if callable(rows) else len(rows)

    def op(*args, **kwargs):
        arrays, parents, dtype = [], [], None
        for position, arg in enumerate(args):
            if isinstance(arg, Tensor):
                if dtype is None:
                    dtype = arg.data.dtype
                elif arg.data.dtype != dtype:
                    raise TypeError(f"{_call(op, args)}: {dtype} and {arg.data.dtype}; convert one")
                if arg.requires_grad and _recording:
                    if position >= known or position in constant:
                        raise TypeError(f"{op.__name__} has no derivative by argument {position}: detach() it")
                    parents.append((rows(position) if callable(rows) else rows[position], arg))
                arg = arg.data
            elif isinstance(arg, np.generic) or (isinstance(arg, np.ndarray) and arg.ndim == 0):
                arg = arg.item()  # NumPy's scalars would promote float32 to float64; Python's adapt
            arrays.append(arg)
        for name, value in kwargs.items():
            if isinstance(value, Tensor):
                raise TypeError(f"{op.__name__}: {name} is a Tensor, pass it by position")
        try:
            result = (Tensor if dtype is None or dtype.kind == "f" else Codes)(forward(*arrays, **kwargs))
        except (ValueError, IndexError) as error:
            raise type(error)(f"{_call(op, args)}: {error}") from None
        if dtype is not None and result.data.dtype != dtype:
            raise TypeError(f"{_call(op, args)}: {dtype} and another precision give {result.data.dtype}; "
                            f"convert one, as by np.asarray(…, np.{dtype})")
        if parents:
            result.requires_grad = True
            result._origin = Origin(parents, arrays, kwargs)
        return result

    op.__name__ = getattr(forward, "__name__", "op").strip("_")
    numpys = getattr(np, op.__name__, None) is forward
    op.__doc__ = f"`numpy.{op.__name__}` on Tensors." if numpys else forward.__doc__
    return op


def require_tensors(op, **arguments):
    """TypeError, with the name, for an argument that is no Tensor."""
    for name, value in arguments.items():
        expect.a(Tensor, f"{op}: {name}", value)


class variadic:
    """Marks a derivative for any number of arguments: ``of(position)`` gives the vjp of the one at that position."""

    def __init__(self, of):
        self.of = of


def _call(op, args):
    return f"{op.__name__} on shapes {', '.join(str(a.shape) for a in args if hasattr(a, 'shape'))}"
