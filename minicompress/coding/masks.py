"""The mask of a sparse form as bytes: relative indices with escapes, over the entries that can be true at all.

A pruned matrix has rows and columns without any weight (border pixels that are never lit, neurons that died). Two
bitmaps take these out, if that pays, and the rest is read row by row or column by column, whichever is smaller. With
gaps of one bit the relative index is the plain bitmap. Column numbers as in CSR are no third choice: over matrices of
500 to 400 000 entries and densities of 0.001 to 0.6 they saved 4 bytes at best, with a single weight in every row.
"""

import numpy as np

from minicompress.coding import bits, relative_index, symbols


def _views(mask):
    """Every way to lay ``mask``, (rows, columns), out in one line: ``(flags, line)``."""
    alive = mask[mask.any(axis=1)][:, mask.any(axis=0)]
    return [(0, mask.ravel()), (1, mask.T.ravel()), (2, alive.ravel()), (3, alive.T.ravel())]


def _plan(mask):
    """The flags and the gap bits of least bytes."""
    costs = []
    for flags, line in _views(mask):
        gap, times = np.unique(relative_index.gaps(line), return_counts=True)
        for k in range(1, relative_index.MOST_BITS + 1):
            escapes, rest = np.divmod(gap, 2**k - 1)
            counts = np.bincount(rest + 1, weights=times, minlength=1).astype(np.int64)  # exact: times below 2^53
            counts[0] = escapes @ times
            bitmaps = sum(-(-n // 8) for n in mask.shape) if flags & 2 else 0
            costs.append((symbols.estimate(counts, 2**k) + bitmaps, flags, k))
            if gap.size == 0 or gap[-1] < 2**k - 1:
                break
    return min(costs)[1:]


def write(writer, mask):
    """Write ``mask``, (rows, columns) bool; returns the flat positions of its true entries, in the order written.

    The flags are 1 for column by column, plus 2 for rows and columns without a true entry left out.
    """
    flags, k = _plan(mask)
    line = dict(_views(mask))[flags]
    coded = relative_index.escape(relative_index.gaps(line), k)
    writer.byte(flags << 4 | k - 1)
    if flags & 2:
        for axis in (1, 0):
            writer.put("indices", bits.pack(mask.any(axis=axis), 1))
    writer.number(len(coded))
    symbols.write(writer, coded, 2**k, "indices")
    places = np.arange(mask.size).reshape(mask.shape)
    places = places.T if flags & 1 else places
    return places[mask.T if flags & 1 else mask]


def read(reader, rows, columns):
    """Read what `write` wrote: the flat positions of the true entries of a (rows, columns) mask, in that order."""
    head = reader.byte()
    flags, k = head >> 4, (head & 15) + 1
    if flags > 3:
        raise bits.CorruptDataError(f"mask flags are {flags}, expected 0 to 3")
    reader.claim(64 * (rows + columns) if flags & 2 else 0)
    alive = [_read_alive(reader, n) if flags & 2 else None for n in (rows, columns)]
    height, width = (n if a is None else len(a) for n, a in zip((rows, columns), alive, strict=True))
    count = reader.number(0, height * width, "symbols of a mask")
    coded = symbols.read(reader, count, 2**k, "indices")
    reader.claim(8 * count)
    with reader.working(48 * count):
        at = relative_index.unescape(coded, k, height * width)
        row, column = (at % height, at // height) if flags & 1 and at.size else np.divmod(at, max(width, 1))
        row, column = (i if a is None else a[i] for i, a in zip((row, column), alive, strict=True))
        if flags & 2 and not (len(np.unique(row)) == height and len(np.unique(column)) == width):
            raise bits.CorruptDataError("a row or column of a mask is marked as in use and is empty")
        return row * columns + column


def _read_alive(reader, count):
    return np.flatnonzero(bits.unpack(reader.take("indices", (count + 7) // 8), 1, count, np.uint8))
