"""What a compressed array *is*: immutable values, each of which can say the dense array that it stands for.

Forms nest: Deep Compression is ``Sparse(mask, Codebook(codes, centroids, bits))``. How many bytes a form takes is not
its own knowledge but the coder's, `minicompress.coding.encode`.
"""

from dataclasses import dataclass

import numpy as np


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


@dataclass(frozen=True, eq=False)
class Dense(Form):
    """The values themselves.

    >>> Dense([1.0, 2.0]).dense()
    array([1., 2.], dtype=float32)
    """

    values: np.ndarray

    def __post_init__(self):
        values = np.asarray(self.values)
        object.__setattr__(self, "values", _frozen(values, values.dtype if values.dtype == np.float64 and
                                                   isinstance(self.values, np.ndarray) else np.float32))

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
        object.__setattr__(self, "mask", _frozen(self.mask, bool))
        if self.mask.shape != self.inner.shape:
            raise ValueError(f"mask has shape {self.mask.shape}, but the inner form has {self.inner.shape}")

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
        codes, centroids = np.asarray(self.codes), np.asarray(self.centroids)
        if codes.size and codes.dtype.kind not in "iu":
            raise TypeError(f"codes of shape {codes.shape} are {codes.dtype}, expected integers")
        if not 1 <= self.bits <= 16:
            raise ValueError(f"bits is {self.bits}, expected 1 to 16")
        if centroids.ndim != 1 or not 1 <= len(centroids) <= 2**self.bits:
            raise ValueError(f"centroids have shape {centroids.shape}, expected 1 to {2**self.bits} in one dimension")
        if codes.size and not 0 <= codes.min() <= codes.max() < len(centroids):
            raise ValueError(f"codes span {codes.min()} to {codes.max()}, expected 0 to {len(centroids) - 1}")
        object.__setattr__(self, "codes", _frozen(codes, np.uint8 if self.bits <= 8 else np.uint16))
        dtype = centroids.dtype if centroids.dtype == np.float64 and isinstance(self.centroids, np.ndarray) \
            else np.float32
        object.__setattr__(self, "centroids", _frozen(centroids, dtype))

    @property
    def shape(self):
        return self.codes.shape

    def dense(self):
        return self.centroids[self.codes]
