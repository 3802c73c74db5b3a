"""Compressed sparse rows (PR-16): a matrix as its non-zero values, their columns, and where each row begins."""

import numpy as np

from minicompress import expect
from minicompress.coding.bits import CorruptDataError, integers


def encode(matrix):
    """A matrix as ``(data, indices, indptr)``: 2a + n + 1 numbers for a non-zeros in n rows (PR-16).

    matrix : (rows, columns), any numeric dtype

    Row i holds ``data[indptr[i]:indptr[i+1]]`` in the columns ``indices[indptr[i]:indptr[i+1]]``, which ascend. These
    are the arrays of ``scipy.sparse.csr_array(matrix)``, int32 indices included. Both zeros are left out, so -0.0 comes
    back as +0.0; NaN is a value like any other. With as many bits per index as per value this beats the dense matrix
    below a = (n·m - n - 1) / 2 non-zeros, so up to a little under one half.

    Source: Han 2016, section 2.

    >>> data, indices, indptr = encode([[0, 5, 0], [0, 0, 0], [7, 0, 8]])
    >>> data.tolist(), indices.tolist(), indptr.tolist()
    ([5, 7, 8], [1, 0, 2], [0, 1, 1, 3])
    """
    matrix = np.asarray(matrix)
    expect.shaped("matrix", matrix, "(rows, columns)", matrix.ndim == 2)
    rows, columns = np.nonzero(matrix)  # in row-major order
    indptr = np.zeros(len(matrix) + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=len(matrix)), out=indptr[1:])
    wide = np.int64 if max(*matrix.shape, len(rows)) >= 2**31 else np.int32
    return matrix[rows, columns], columns.astype(wide), indptr.astype(wide)


def decode(data, indices, indptr, shape):
    """The matrix of the given shape: the inverse of `encode`, in the dtype of ``data``.

    Raises CorruptDataError unless ``indptr`` climbs from 0 to the number of values in rows + 1 steps, and ``indices``
    ascend strictly within each row and stay below the number of columns; ValueError for indices that are no integers.

    >>> decode([5, 7, 8], [1, 0, 2], [0, 1, 1, 3], (3, 3)).tolist()
    [[0, 5, 0], [0, 0, 0], [7, 0, 8]]
    """
    data, (indices, indptr) = np.asarray(data), integers(indices=indices, indptr=indptr)
    rows, columns = shape
    if indptr.shape != (rows + 1,) or data.shape != indices.shape or data.ndim != 1:
        raise CorruptDataError(f"data {data.shape}, indices {indices.shape}, indptr {indptr.shape} do not fit {shape}")
    if indptr[0] != 0 or indptr[-1] != len(data) or np.any(np.diff(indptr) < 0):
        raise CorruptDataError(f"indptr must climb from 0 to {len(data)}")
    if indices.size and not 0 <= indices.min() <= indices.max() < columns:
        raise CorruptDataError(f"indices span {indices.min()} to {indices.max()}, expected 0 to {columns - 1}")
    row = np.repeat(np.arange(rows), np.diff(indptr))
    if np.any((np.diff(indices) <= 0) & (np.diff(row) == 0)):
        raise CorruptDataError("indices do not ascend within a row")
    matrix = np.zeros(shape, data.dtype)
    matrix[row, indices] = data
    return matrix
