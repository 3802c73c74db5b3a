"""Products with a matrix in compressed sparse rows (PR-16): only what was kept is multiplied."""

import numpy as np

from minicompress import expect

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
        data, (rows, columns) = np.asarray(data), shape
        expect.that(data.dtype in (np.float32, np.float64), f"data are {data.dtype}, expected float32 or float64",
                    TypeError)
        indices = expect.integral("indices", indices, 0, columns - 1).astype(np.intp)
        indptr = expect.integral("indptr", indptr).astype(np.intp)
        expect.that(data.ndim == 1 and indices.shape == data.shape and indptr.shape == (rows + 1,),
                    lambda: f"data {data.shape}, indices {indices.shape}, indptr {indptr.shape} do not fit {shape}: "
                    f"expected (a,), (a,), ({rows + 1},)")
        climbs = indptr[0] == 0 and indptr[-1] == len(data) and (np.diff(indptr) >= 0).all()
        expect.that(climbs, f"indptr must climb from 0 to {len(data)}, the number of values")
        self.data, self.indices, self.indptr, self.shape = data, indices, indptr, (rows, columns)
        self._filled = np.flatnonzero(np.diff(indptr))  # reduceat takes an empty row for one of a single element
        self._starts = indptr[self._filled]

    def __matmul__(self, x):
        """y_i = Σ data_k · x[indices_k], k from indptr_i to indptr_{i+1}: x (columns,) or (columns, N), y likewise.

        x has data's dtype and is finite; what it holds in columns that no row reads doesn't matter. For a batch of
        inputs (N, columns) give its transpose. Raises ValueError for another shape, TypeError for another dtype.
        """
        expect.that(isinstance(x, np.ndarray) and x.dtype == self.data.dtype, lambda: "x is "
                    f"{getattr(x, 'dtype', type(x).__name__)}, expected an array of {self.data.dtype}", TypeError)
        columns = self.shape[1]
        expect.shaped("x", x, f"({columns},) or ({columns}, N)", x.ndim in (1, 2) and len(x) == columns)
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
