"""Relative indices (PR-17): a sparse array as the gaps between its non-zeros, each gap in a few bits.

A gap too large for its k bits can be bridged in two ways. Han's *filler* is a zero that is stored like a non-zero:
`encode` and `decode` are his scheme to the letter. An *escape* is a symbol that no gap uses and that says "so many
zeros, and no value": `escape` and `unescape`. It takes one symbol from the gaps, but no slot among the values, where a
filler costs another k' bits and needs a code that means zero. So files of this package hold escapes.
"""

import numpy as np

from minicompress import expect
from minicompress.coding.bits import CorruptDataError, integers

MOST_BITS = 16


def gaps(mask):
    """How many false entries of ``mask``, (n,) bool, stand before each true one, since the one before it.

    >>> gaps([False, True, True, False, False, True]).tolist()
    [1, 0, 2]
    """
    return np.diff(np.flatnonzero(mask), prepend=-1) - 1


def best_bits(gaps, value_bits):
    """The k of least Σ slots·(k + value_bits), fillers counted; the smallest such k if there are several (PR-17).

    gaps : (a,) zeros before each non-zero
    value_bits : bits of a stored value

    >>> best_bits([0, 1, 0, 30], value_bits=4)
    5
    >>> best_bits([0, 1] * 20 + [30], value_bits=4)
    1
    """
    different, times = np.unique(np.asarray(gaps, np.int64), return_counts=True)
    costs = [int(((different >> k) + 1) @ times) * (k + value_bits) for k in range(1, MOST_BITS + 1)]
    return 1 + int(np.argmin(costs))


def encode(values, bits=None):
    """An array as ``(gaps, stored)``: the zeros skipped before each stored value, at most 2^bits - 1 of them (PR-17).

    values : (n,) array of any numeric dtype; both zeros count as zero, so -0.0 comes back as +0.0
    bits : k, 1 to 16, or None for `best_bits`

    After 2^k - 1 skipped zeros, if the next entry is zero too, that zero is stored as a filler. Returns ``gaps``,
    (slots,) uint16, and ``stored``, (slots,), fillers included.

    Source: Han 2016, figure 2.

    >>> skipped, stored = encode([0, 3, 0, 0, 0, 0, 0, 0, 7], bits=2)
    >>> skipped.tolist(), stored.tolist()
    ([1, 3, 2], [3, 0, 7])
    """
    values = np.asarray(values)
    expect.shaped("values", values, "one dimension", values.ndim == 1)
    gap = gaps(values != 0)
    bits = best_bits(gap, 8 * values.dtype.itemsize) if bits is None else bits
    expect.integer("bits", bits, 1, MOST_BITS)
    slots = (gap >> bits) + 1  # a filler covers 2^k entries: the zeros that it skips and itself
    at = np.cumsum(slots) - 1
    skipped = np.full(at[-1] + 1 if at.size else 0, 2**bits - 1, np.uint16)
    stored = np.zeros(skipped.shape, values.dtype)
    skipped[at], stored[at] = gap & 2**bits - 1, values[values != 0]
    return skipped, stored


def decode(skipped, stored, size):
    """The array of ``size`` entries: the inverse of `encode`, in the dtype of ``stored``.

    Raises CorruptDataError if the gaps lead beyond ``size``, or if there are not as many gaps as values; ValueError for
    gaps that are no integers.

    >>> decode([1, 3, 2], [3, 0, 7], 9).tolist()
    [0, 3, 0, 0, 0, 0, 0, 0, 7]
    """
    (skipped,), stored = integers(gaps=skipped), np.asarray(stored)
    if skipped.shape != stored.shape or skipped.ndim != 1 or np.any(skipped < 0):
        raise CorruptDataError(f"gaps {skipped.shape} and values {stored.shape} do not match, or a gap is negative")
    if skipped.size and skipped.max() >= size:  # first, since a sum of such gaps may overflow
        raise CorruptDataError(f"a gap is {skipped.max()} in an array of {size}")
    at = np.cumsum(skipped + 1) - 1
    if at.size and at[-1] >= size:
        raise CorruptDataError(f"the gaps lead to entry {at[-1]} of {size}")
    values = np.zeros(size, stored.dtype)
    values[at] = stored
    return values


def escape(gap, bits):
    """Gaps as symbols of ``bits`` bits: 0 for 2^bits - 1 zeros and no value, g + 1 for g zeros and then a value.

    With one bit this is the plain bitmap, up to its last true entry.

    >>> escape([1, 0, 2], 1).tolist(), escape([1, 0, 7], 2).tolist()
    ([0, 1, 1, 0, 0, 1], [2, 1, 0, 0, 2])
    """
    escapes, rest = np.divmod(np.asarray(gap, np.int64), 2**bits - 1)
    at = np.cumsum(escapes + 1) - 1
    symbols = np.zeros(at[-1] + 1 if at.size else 0, np.uint16)
    symbols[at] = rest + 1
    return symbols


def unescape(symbols, bits, size):
    """Positions of the true entries, (a,) int64: the inverse of `escape` on an array of ``size`` entries.

    Raises CorruptDataError if the symbols lead beyond ``size`` or end in an escape.

    >>> unescape([2, 1, 0, 0, 2], 2, 12).tolist()
    [1, 2, 10]
    """
    symbols = np.asarray(symbols)
    end = np.cumsum(np.where(symbols == 0, 2**bits - 1, symbols), dtype=np.int64)
    if end.size and (end[-1] > size or symbols[-1] == 0):
        raise CorruptDataError(f"the gaps lead to entry {end[-1]} of {size}, or end in an escape")
    return end[symbols != 0] - 1
