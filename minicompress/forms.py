"""What a compressed array *is*: immutable values, each of which can say the dense array that it stands for.

Forms nest: Deep Compression is ``Sparse(mask, Codebook(codes, centroids, bits))``. How many bytes a form takes is not
its own knowledge but the coder's, `minicompress.coding.encode`.
"""

from dataclasses import dataclass

import numpy as np

from minicompress import expect

MOST_BITS = 16


class Form:
    """A compressed array as a value: ``shape``, and ``dense()`` for the array that it stands for."""

    @property
    def shape(self):
        raise NotImplementedError

    def dense(self):
        """The array that the form stands for, bit for bit what the network computes with."""
        raise NotImplementedError

    def __eq__(self, other):
        """Same kind of form and the same bits in every part (so NaN equals NaN, and -0.0 differs from 0.0)."""
        return type(self) is type(other) and all(
            _same(vars(self)[name], vars(other)[name]) for name in self.__dataclass_fields__
        )

    __hash__ = None


def _same(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    return a == b


def _frozen(array, dtype=None):
    """A read-only copy: a form is a value, and a value does not change under its holder's feet."""
    array = np.array(array, dtype=dtype, order="C")
    array.flags.writeable = False
    return array


def _own_dtype(given, *kinds):
    """float32, unless an array was given whose dtype is among ``kinds``."""
    return given.dtype if isinstance(given, np.ndarray) and given.dtype in kinds else np.float32


@dataclass(frozen=True, eq=False)
class Dense(Form):
    """The values themselves: float32, or an array of float64 or int32.

    >>> Dense([1.0, 2.0]).dense()
    array([1., 2.], dtype=float32)
    """

    values: np.ndarray

    def __post_init__(self):
        dtype = _own_dtype(self.values, np.float64, np.int32)
        object.__setattr__(self, "values", _frozen(self.values, dtype))

    @property
    def shape(self):
        return self.values.shape

    def dense(self):
        return self.values


@dataclass(frozen=True, eq=False)
class Sparse(Form):
    """``inner`` where ``mask`` is true and +0.0 elsewhere; both have the full shape.

    What ``inner`` holds under the false part of the mask means nothing and is not stored.

    >>> Sparse([True, False], Dense([1.0, 2.0])).dense()
    array([1., 0.], dtype=float32)
    """

    mask: np.ndarray
    inner: Form

    def __post_init__(self):
        shape = expect.a(Form, "inner", self.inner).shape
        mask = _frozen(self.mask, bool)
        object.__setattr__(self, "mask", expect.shaped("mask", mask, f"the inner form's {shape}", mask.shape == shape))

    @property
    def shape(self):
        return self.mask.shape

    def dense(self):
        inner = self.inner.dense()
        return np.where(self.mask, inner, inner.dtype.type(0))


@dataclass(frozen=True, eq=False)
class Codebook(Form):
    """``centroids[codes]``: every value is one of at most 2^bits shared ones (QU-11).

    >>> Codebook([0, 1, 1], [-1.0, 3.0], bits=1).dense()
    array([-1.,  3.,  3.], dtype=float32)
    """

    codes: np.ndarray
    centroids: np.ndarray
    bits: int

    def __post_init__(self):
        centroids, most = np.asarray(self.centroids), 2 ** expect.integer("bits", self.bits, 1, MOST_BITS)
        expect.shaped("centroids", centroids, f"1 to {most} in one dimension",
                      centroids.ndim == 1 and 1 <= len(centroids) <= most)
        codes = expect.integral("codes", self.codes, 0, len(centroids) - 1)
        object.__setattr__(self, "codes", _frozen(codes, np.uint8 if self.bits <= 8 else np.uint16))
        object.__setattr__(self, "centroids", _frozen(centroids, _own_dtype(self.centroids, np.float64)))

    @property
    def shape(self):
        return self.codes.shape

    def dense(self):
        return self.centroids[self.codes]


@dataclass(frozen=True, eq=False)
class Affine(Form):
    """``scale · (codes − zero_point)`` in float32: signed integers of few bits on an even grid (QU-1).

    codes : integers in [−2^(bits−1), 2^(bits−1) − 1], bits 1 to 16
    scale, zero_point : one for all (``axis=None``), or one for each index of the first axis (``axis=0``, a weight's
        output channels); scales are positive and finite, zero points integers in the range of the codes

    >>> Affine([[-2, 1], [0, 1]], [0.5, 2.0], [0, 0], bits=2, axis=0).dense()
    array([[-1. ,  0.5],
           [ 0. ,  2. ]], dtype=float32)
    """

    codes: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    bits: int
    axis: int | None = None

    def __post_init__(self):
        half = 1 << expect.integer("bits", self.bits, 1, MOST_BITS) - 1
        codes = expect.integral("codes", self.codes, -half, half - 1)
        zero_point = expect.integral("zero_point", self.zero_point, -half, half - 1)
        object.__setattr__(self, "codes", _frozen(codes, np.int8 if self.bits <= 8 else np.int16))
        object.__setattr__(self, "zero_point", _frozen(zero_point, np.int32))
        shape = _channels(codes, self.axis)
        expect.shaped("zero_point", self.zero_point, shape, self.zero_point.shape == shape)
        scale = _factors("scale", self.scale, shape, np.greater, "positive finite numbers")
        object.__setattr__(self, "scale", scale)

    @property
    def shape(self):
        return self.codes.shape

    def dense(self):
        scale, zero_point = (_along_first(array, self.codes.ndim) for array in (self.scale, self.zero_point))
        with np.errstate(over="ignore"):  # of the float32: beyond its range is infinite
            return ((self.codes - zero_point) * scale.astype(np.float64)).astype(np.float32)  # the product is exact


@dataclass(frozen=True, eq=False)
class Sign(Form):
    """``+alpha`` where ``bits`` is true and ``−alpha`` elsewhere: one bit a weight (BI-1, BI-5).

    alpha : one number, at least 0, for all (``axis=None``), or one for each index of the first axis (``axis=0``);
        where it is 0 all bits become true, as there is only one zero, +0.0

    >>> Sign([True, False], 1.0).dense()
    array([ 1., -1.], dtype=float32)
    """

    bits: np.ndarray
    alpha: np.ndarray
    axis: int | None = None

    def __post_init__(self):
        bits = np.asarray(self.bits)
        expect.that(bits.dtype == bool or not bits.size,
                    lambda: f"bits of shape {bits.shape} are {bits.dtype}, expected booleans", TypeError)
        alpha = np.add(self.alpha, 0.0, dtype=np.float32)  # −0.0 + 0.0 is 0.0
        alpha = _factors("alpha", alpha, _channels(bits, self.axis), np.greater_equal, "finite numbers from 0 on")
        object.__setattr__(self, "alpha", alpha)
        object.__setattr__(self, "bits", _frozen(bits.astype(bool) | (_along_first(self.alpha, bits.ndim) == 0)))

    @property
    def shape(self):
        return self.bits.shape

    def dense(self):
        alpha = _along_first(self.alpha, self.bits.ndim)
        return np.where(self.bits, alpha, -alpha)


def _channels(array, axis):
    """The shape of what there is one of for all, or one for each index of the first axis."""
    expect.that(axis is None or (axis == 0 and not isinstance(axis, bool) and array.ndim),
                lambda: f"axis is {axis!r} for an array of shape {array.shape}, expected None, or 0 if that exists")
    return () if axis is None else array.shape[:1]


def _factors(name, values, shape, fits, wanted):
    """What a channel's numbers are multiplied with: float32, finite, and fitting beside 0."""
    factors = _frozen(values, np.float32)
    expect.shaped(name, factors, shape, factors.shape == shape)
    expect.that((np.isfinite(factors) & fits(factors, 0)).all(),
                lambda: f"{name} spans {factors.min()} to {factors.max()}, expected {wanted}")
    return factors


def _along_first(array, ndim):
    return array.reshape(array.shape + (1,) * (ndim - array.ndim))
