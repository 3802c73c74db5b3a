"""Products of ±1 matrices on packed bits: 64 multiplications and additions are one XOR and one count (BI-8).

A bit is 1 for +1 and 0 for −1. Two bits that differ contribute −1 to a dot product, two that agree +1, so that of n
pairs a·b = n − 2·popcount(a xor b). Source: Courbariaux et al. 2016; Rastegari et al. 2016.
"""

import itertools
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minicompress import expect

WORD = 64
BLOCK, WIDE = 1 << 18, 4096  # words that are worked on at a time, and most words of one row of them
BUFFER = 1024  # elements of a ufunc's buffer while words are counted: less than most rows, by default it is 8192


def pack(x):
    """The signs (BI-1) of x along axis 1, 64 in a word: (N, n, …) -> uint64 (N, ⌈n/64⌉, …).

    x : numbers, of which x ≥ 0 counts as +1 and so does −0.0, or booleans, true for +1; images (N, C, H, W) are packed
        along their channels, filters (F, C, k, k) too

    Bit i of word w is sign 64·w + i; the bits behind the last sign are 0 in every array, so they never differ. In
    memory the words lie with the batch innermost, as `matmul` and `conv2d` want them. Raises ValueError unless x has
    two axes or more, and one sign or more; TypeError for what has no signs, such as complex numbers.

    >>> pack(np.array([[1.0, -1.0, -0.0, 2.0]]))
    array([[13]], dtype=uint64)
    """
    x = np.asarray(x)
    expect.shaped("x", x, "(N, n, …) with n of at least 1", x.ndim >= 2 and x.shape[1])
    expect.that(x.dtype.kind in "biuf", f"x is an array of {x.dtype}, expected real numbers or booleans", TypeError)
    bits = np.ascontiguousarray(np.moveaxis(x if x.dtype == bool else x >= 0, 1, -1))
    octets = np.packbits(bits, axis=-1, bitorder="little")
    words = np.zeros((*bits.shape[:-1], -(-x.shape[1] // WORD)), "<u8")
    words.view(np.uint8)[..., :octets.shape[-1]] = octets
    innermost = np.ascontiguousarray(np.moveaxis(words, (0, -1), (-1, 0)), np.uint64)  # (W, …, N)
    return np.moveaxis(innermost, (0, -1), (1, 0))


def matmul(a_words, b_words, n):
    """a·bᵀ of ±1 matrices: a·b = n − 2·popcount(a xor b) for every row of a with every row of b (BI-8).

    a_words : uint64 (M, W) and b_words : uint64 (N, W), from `pack`; n : the ±1 numbers in a row, 64·(W−1) < n ≤ 64·W

    Returns int32 (M, N). Raises ValueError for shapes or an n that don't fit, and for bits set behind the n-th, which
    would be counted; TypeError for anything but uint64 and an integer n.

    >>> a, b = np.array([[1, -1, 1]]), np.array([[1, 1, 1], [-1, 1, -1]])
    >>> matmul(pack(a), pack(b), 3), a @ b.T
    (array([[ 1, -3]], dtype=int32), array([[ 1, -3]]))
    """
    n = _count(n, 2, a_words=a_words, b_words=b_words)
    return n - 2 * _differing(a_words, b_words)


def conv2d(x_words, weight_words, n, *, stride=1, padding=0):
    """Cross-correlation of ±1 images with ±1 filters, all channels in one group (BI-8).

    x_words : uint64 (N, W, H, H′) and weight_words : uint64 (F, W, k, k), from `pack`; n : the channels in them

    The padding is exactly zero, as in `engine.conv2d`: ±1 has no 0, so the frame is computed as if it were −1 and what
    it contributed, a sum of the filter's own signs, is taken off again, in integers. Returns int32 (N, F, out, out′).
    Raises ValueError for shapes, an n or bits behind it that don't fit, TypeError for anything but uint64 and an
    integer n.

    >>> x, w = np.ones((1, 3, 2, 2)), np.ones((1, 3, 3, 3))
    >>> conv2d(pack(x), pack(w), 3, padding=1)
    array([[[[12, 12],
             [12, 12]]]], dtype=int32)
    """
    n = _count(n, 4, x_words=x_words, weight_words=weight_words)
    images, (filters, words, k, _) = x_words.transpose(1, 2, 3, 0), weight_words.shape  # (W, H, H′, N)
    (_, height, width, batch), p = images.shape, padding
    expect.that(k == weight_words.shape[3] and min(height, width) + 2 * p >= k and stride >= 1 and p >= 0,
                lambda: f"images {x_words.shape}, filters {weight_words.shape}, stride {stride}, padding {p}: "
                "expected square filters no larger than the padded images, stride >= 1, padding >= 0")
    frame = np.zeros((words, height + 2 * p, width + 2 * p, batch), np.uint64)
    frame[:, p:p + height, p:p + width] = images
    columns = _windows(frame, k, stride, axes=(1, 2)).transpose(0, 4, 5, 1, 2, 3)  # (W, k, k, H_out, W_out, N)
    size = columns.shape[3:]
    differ = _differing(columns.reshape(words * k * k, math.prod(size)).T, weight_words.reshape(filters, -1))
    y = n * k * k - 2 * differ.T.reshape(filters, *size)
    if p:
        outside = np.ones((height + 2 * p, width + 2 * p), np.int32)
        outside[p:p + height, p:p + width] = 0
        signs = n - 2 * np.bitwise_count(weight_words).sum(axis=1, dtype=np.int32)  # −1 · each tap's signs: (F, k, k)
        # (F, k, k) · (H_out, W_out, k, k) -> (F, H_out, W_out)
        y -= np.tensordot(signs, _windows(outside, k, stride, axes=(0, 1)), ((1, 2), (2, 3)))[..., None]
    return y.transpose(3, 0, 1, 2)


def _windows(array, k, stride, axes):
    """All k×k windows along two axes, every stride-th; the places in a window are the last two axes."""
    windows = sliding_window_view(array, (k, k), axis=axes)
    return windows[tuple(slice(None, None, stride) if axis in axes else slice(None) for axis in range(array.ndim))]


def _differing(a, b):
    """popcount(a xor b) of each row of a (M, W) with each of b (N, W): int32 (M, N).

    The longer of the two runs in the innermost loop, in blocks that stay in the cache: one XOR; one count a word, a
    byte of at most 64; the sum of a row's bytes in 16 bits.
    """
    if len(a) < len(b):
        return _differing(b, a).T
    a, (length, words) = np.ascontiguousarray(a.T), a.shape  # (W, M): no copy for what `pack` gives
    total = np.empty((len(b), length), np.int32)
    wide = max(1, min(length, WIDE, BLOCK // words))
    rows = max(1, BLOCK // (wide * words))
    differ, counts = np.empty((rows, words, wide), np.uint64), np.empty((rows, words, wide), np.uint8)
    sums = np.uint16 if WORD * words < 1 << 16 else np.uint32
    with np.errstate():  # gives back the size of the buffer: of a longer one NumPy fills two rows by copying the block
        np.setbufsize(BUFFER)
        for left, top in itertools.product(range(0, length, wide), range(0, len(b), rows)):
            columns, block = a[:, left:left + wide], b[top:top + rows, :, None]
            x, c = (space[:len(block), :, :columns.shape[1]] for space in (differ, counts))
            np.bitwise_xor(block, columns, out=x)  # (rows, W, 1) xor (W, wide) -> (rows, W, wide)
            np.bitwise_count(x, out=c)
            total[top:top + rows, left:left + wide] = np.add.reduce(c, axis=1, dtype=sums)
    return total.T


def _count(n, ndim, **arrays):
    """n as a Python integer, which leaves int32 as it is, after a look at it and at both arrays of words."""
    for name, words in arrays.items():
        found = getattr(words, "dtype", type(words).__name__)
        expect.that(found == np.uint64, f"{name} is {found}, expected uint64 from pack", TypeError)
        expect.shaped(name, words, f"{ndim} axes and a word a row", words.ndim == ndim and 0 not in words.shape[1:])
    a, b = (words.shape[1] for words in arrays.values())
    expect.that(a == b, f"{' and '.join(arrays)} have {a} and {b} words a row, expected as many")
    n = expect.integer(f"n for {a} words of {WORD} bits", n, WORD * (a - 1) + 1, WORD * a, TypeError)
    for name, words in arrays.items():
        behind = n % WORD and (words[:, -1] >= np.uint64(1 << n % WORD)).any()
        expect.that(not behind, f"{name} has bits set behind the {n}-th of a row, expected none there, as from pack")
    return n
