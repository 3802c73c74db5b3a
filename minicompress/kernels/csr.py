"""Products with a matrix in compressed sparse rows (PR-16): only what was kept is multiplied."""

import numpy as np

FEW = 32  # columns: below, one product after the other is faster than a BLAS call for each row of the matrix


class CSR:
    """A matrix that multiplies as it lies packed: ``CSR(data, indices, indptr, shape) @ x``.

    The arrays, those of `minicompress.coding.csr.encode` and of ``scipy.sparse.csr_array``, are checked and brought to
    the width that NumPy indexes with once, here. Row i holds ``data[indptr[i]:indptr[i+1]]`` in the columns
    ``indices[indptr[i]:indptr[i+1]]``.

    Args:
        data: (a,) float32 or float64.
        indices: (a,) integers below ``shape[1]``.
        indptr: (rows + 1,) integers that climb from 0 to a.
        shape: (rows, columns).

    Raises ValueError for arrays that don't fit each other, TypeError for other dtypes.

    >>> matrix = CSR(np.float32([5, 7, 8]), [1, 0, 2], [0, 1, 1, 3], (3, 3))
    >>> matrix @ np.float32([1, 10, 100])
    array([ 50.,   0., 807.], dtype=float32)
    """

    __array_ufunc__ = None  # so that ndarray @ CSR is an error, not an array of objects

    def __init__(self, data, indices, indptr, shape):
        data, indices, indptr, (rows, columns) = np.asarray(data), np.asarray(indices), np.asarray(indptr), shape
        if data.dtype not in (np.float32, np.float64):
            raise TypeError(f"data are {data.dtype}, expected float32 or float64")
        for name, array in (("indices", indices), ("indptr", indptr)):
            if array.size and array.dtype.kind not in "iu":
                raise TypeError(f"{name} are {array.dtype}, expected integers")
        if data.ndim != 1 or indices.shape != data.shape or indptr.shape != (rows + 1,):
            raise ValueError(f"data {data.shape}, indices {indices.shape}, indptr {indptr.shape} do not fit {shape}: "
                             f"expected (a,), (a,), ({rows + 1},)")
        indices, indptr = indices.astype(np.intp), indptr.astype(np.intp)
        if indptr[0] != 0 or indptr[-1] != len(data) or (np.diff(indptr) < 0).any():
            raise ValueError(f"indptr must climb from 0 to {len(data)}, the number of values")
        if len(indices) and not 0 <= indices.min() <= indices.max() < columns:
            raise ValueError(f"indices span {indices.min()} to {indices.max()}, expected 0 to {columns - 1}")
        self.data, self.indices, self.indptr, self.shape = data, indices, indptr, (rows, columns)
        self._filled = np.flatnonzero(np.diff(indptr))  # reduceat takes an empty row for one of a single element
        self._starts = indptr[self._filled]

    def __matmul__(self, x):
        """y_i = Σ data_k · x[indices_k], k from indptr_i to indptr_{i+1}: x (columns,) or (columns, N), y likewise.

        x has data's dtype and is finite; what it holds in columns that no row reads doesn't matter. For a batch of
        inputs (N, columns) give its transpose. Raises ValueError for another shape, TypeError for another dtype.
        """
        if not isinstance(x, np.ndarray) or x.dtype != self.data.dtype:
            raise TypeError(f"x is {getattr(x, 'dtype', type(x).__name__)}, expected an array of {self.data.dtype}")
        if x.ndim not in (1, 2) or len(x) != self.shape[1]:
            raise ValueError(f"x has shape {x.shape}, expected ({self.shape[1]},) or ({self.shape[1]}, N)")
        if x.ndim == 1:
            return self._times_vector(x)
        y = np.empty((self.shape[0], x.shape[1]), x.dtype)
        if x.shape[1] < FEW:
            for j, column in enumerate(np.ascontiguousarray(x.T)):
                y[:, j] = self._times_vector(column)
            return y
        x, ends = np.ascontiguousarray(x), self.indptr.tolist()
        for i, out in enumerate(y):
            a, b = ends[i], ends[i + 1]
            np.dot(self.data[a:b], x.take(self.indices[a:b], axis=0), out=out)  # (row's a,) @ (row's a, N) -> (N,)
        return y

    def _times_vector(self, x):
        if not len(self._starts):
            return np.zeros(self.shape[0], x.dtype)
        sums = np.add.reduceat(self.data * x.take(self.indices), self._starts)
        if len(sums) == self.shape[0]:
            return sums
        y = np.zeros(self.shape[0], x.dtype)
        y[self._filled] = sums
        return y
