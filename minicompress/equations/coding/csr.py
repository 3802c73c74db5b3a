"""Compressed sparse rows (PR-16)."""

from itertools import pairwise

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Convention
from minicompress.checker.properties import close, hold

from ..quantization.clustering import HAN_2016


def sparse(rng, shape):
    """Eighths, most of them zero; now and then nearly all, or all others negative."""
    values = eighths(rng, shape, 1)
    values = one_of(rng, values, values, values, -np.abs(values))
    return np.where(rng.random(shape) < one_of(rng, 0.4, 0.4, 0.1), values, 0.0)


# ---------------------------------------------------------------------------------------------------------------------
# PR-16

@page("PR-16", cite=(HAN_2016("section 2"), Convention("a zero of either sign is left out")),
      latex=r"M[i, \text{indices}[k]] = \text{data}[k],\quad k = \text{indptr}[i], \dots, \text{indptr}[i + 1] - 1,"
            r"\quad \text{0 elsewhere}:\; 2a + n + 1 \text{ numbers}",
      implementation="minicompress.coding.csr.encode", fixed_shape=False,
      inputs=lambda rng, size: (sparse(rng, (1 + int(rng.integers(size)), size)),),
      cases=((np.zeros((2, 3)),), (np.ones((2, 2)),), (np.array([[0.0, 5.0], [0.0, 0.0], [7.0, 8.0]]),),
             (np.array([[0.0, -0.0, -3.0]]),)))
def csr(matrix):
    """compressed sparse rows

    M[i, indices[k]] = data[k],   k = indptr[i], …, indptr[i + 1] − 1,   0 elsewhere:   2a + n + 1 numbers

    matrix : M, (n, m), mostly zeros
    data : the a non-zeros, row by row, each row from left to right, (a,)
    indices : their columns, integers from 0, (a,)
    indptr : where each row begins in these two, and the end, integers from 0, (n + 1,)

    i : row, an integer from 0 to n − 1
    k : place in data and in indices, an integer from 0
    n : number of rows

    >>> csr([[0, 5], [0, 0], [7, 8]])
    ([5, 7, 8], [1, 0, 1], [0, 1, 1, 3])
    """
    data, indices, indptr = [], [], [0]
    for row in matrix:
        for column, value in enumerate(row):
            if value != 0:
                data.append(value)
                indices.append(column)
        indptr.append(len(data))
    return data, indices, indptr


def csr_dense(data, indices, indptr, columns):
    """The rows of the matrix that `csr` took apart, as lists.

    >>> csr_dense([5, 7, 8], [1, 0, 1], [0, 1, 1, 3], 2)
    [[0, 5], [0, 0], [7, 8]]
    """
    rows = []
    for i in range(len(indptr) - 1):
        row = [0] * columns
        for k in range(indptr[i], indptr[i + 1]):
            row[indices[k]] = data[k]
        rows.append(row)
    return rows


@csr.must("indptr counts the rows' non-zeros")
def _rows_add_up(f, matrix):
    data, indices, indptr = f(matrix)
    hold(indptr.shape == (len(matrix) + 1,), f"indptr has {indptr.size} numbers, expected one more than rows")
    hold(indptr[0] == 0 and indptr[-1] == data.size == indices.size, "indptr goes from 0 to the number of values")
    hold(np.diff(indptr) == np.count_nonzero(matrix, axis=1), "indptr grows by the number of non-zeros of each row")


@csr.must("the matrix comes back")
def _matrix_comes_back(f, matrix):
    data, indices, indptr = f(matrix)
    found = csr_dense(data.tolist(), indices.astype(int).tolist(), indptr.astype(int).tolist(), matrix.shape[1])
    close(f, np.reshape(found, matrix.shape), matrix, "the three arrays do not give the matrix back", 0)


def _arrays(matrix):
    return tuple(map(np.array, csr(matrix.tolist())))


def _counts(matrix):
    """The row pointer without its cumulative sum."""
    data, indices, _ = _arrays(matrix)
    return data, indices, np.append(0, np.count_nonzero(matrix, axis=1))


def _coordinates(matrix):
    rows, columns = np.nonzero(matrix)
    return matrix[rows, columns], columns, rows


def _from_one(matrix):
    data, indices, indptr = _arrays(matrix)
    return data, indices + 1, indptr


csr.must_agree(0)
csr.trap("counts", "indptr holds each row's count: its cumulative sum says where rows begin.", _counts)
csr.trap("columns", "this goes down the columns: that is CSC, the format of compressed columns.",
         lambda matrix: _arrays(matrix.T))
csr.trap("coordinates", "the last array holds each value's row: that is the coordinate format.", _coordinates)
csr.trap("positive only", "negative numbers are no zeros.", lambda matrix: _arrays(np.maximum(matrix, 0)))
csr.trap("from 1", "columns are counted from 1: they are counted from 0.", _from_one)
csr.trap("right to left", "the values of a row stand from right to left: they go from left to right.",
         lambda matrix: (np.concatenate([row[row != 0][::-1] for row in matrix]),
                         np.concatenate([np.flatnonzero(row)[::-1] for row in matrix]), _arrays(matrix)[2]))

# ---------------------------------------------------------------------------------------------------------------------
# PR-16:product


def _csr_inputs(rng, size):
    """Eightieths, so that the order of a sum matters, in rows of very different size, so that sums across rows do."""
    matrix = sparse(rng, (1 + int(rng.integers(size)), size)) / 10
    matrix *= rng.choice([1.0, 1.0, 1e8, 1e16], (len(matrix), 1))
    data, indices, indptr = csr(matrix.tolist())
    return (np.array(data, np.float64), np.array(indices, int), np.array(indptr, int), rng.integers(-30, 31, size) / 10)


def _times(kernels):
    def function(data, indices, indptr, x):
        return kernels.CSR(data, indices, indptr, (len(indptr) - 1, len(x))) @ x
    return function


@page("PR-16:product", cite=HAN_2016("section 2"),
      latex=r"y_i = \sum_k \text{data}[k] \cdot x[\text{indices}[k]],\quad "
            r"k = \text{indptr}[i], \dots, \text{indptr}[i + 1] - 1",
      implementation="minicompress.kernels.csr", adapt=_times, inputs=_csr_inputs,
      cases=((np.array([1e17, 3.0]), np.array([0, 0]), np.array([0, 1, 2]), np.array([1.0])),))
def csr_product(data, indices, indptr, x):
    """a sparse matrix times a vector

    y_i = Σ_k data[k]·x[indices[k]],   k = indptr[i], …, indptr[i + 1] − 1

    data : the a non-zeros of the matrix, row by row, (a,)
    indices : their columns, integers from 0, (a,)
    indptr : where each row begins in these two, and the end, integers from 0, (n + 1,)
    x : the vector, (m,)
    y : the product, a number for each row, 0 for a row without values, (n,)

    i : row, an integer from 0 to n − 1
    k : place in data and in indices, an integer from 0

    >>> csr_product([5, 7, 8], [1, 0, 2], [0, 1, 1, 3], [1, 10, 100])
    [50, 0, 807]
    """
    y = []
    for i in range(len(indptr) - 1):
        total = 0
        for k in range(indptr[i], indptr[i + 1]):
            total += data[k] * x[indices[k]]
        y.append(total)
    return y


@csr_product.must("rows without values give 0")
def _empty_rows_are_zero(f, data, indices, indptr, x):
    hold(f(data, indices, indptr, x)[np.diff(indptr) == 0] == 0, "a row without values gives 0")


def _row_by_row(f, y, expected, inputs, message):
    """`hold` that each row's sum is right but for rounding, in whatever order it is summed.

    A row of k products adds k − 1 times, so each product is rounded k times with its own rounding, here and in the
    reference, and twice more in float32, which rounds both factors: by eps/2 of its size each time.
    """
    data, indices, indptr, x = inputs
    sizes = np.array([np.abs(data[a:b] * x[indices[a:b]]).sum() for a, b in pairwise(indptr)])
    hold(np.abs(y - expected) <= (np.diff(indptr) + 2) * f.eps * sizes, message)


@csr_product.must("is linear in x")
def _linear_in_x(f, *inputs):
    *matrix, x = inputs
    _row_by_row(f, f(*matrix, 2 * x), 2 * f(*inputs), [*matrix, 2 * x], "twice x must give twice y")


@csr_product.must("each row is what the formula gives")
def _printed_product(f, *inputs):
    _row_by_row(f, f(*inputs), np.array(csr_product.reference(*inputs)), inputs, "y is not what the formula gives")


def _reduceat(data, indices, indptr, x):
    return np.add.reduceat(np.append(data * x[indices], 0.0), indptr[:-1])


def _running_sums(data, indices, indptr, x):
    return np.diff(np.append(0.0, np.cumsum(data * x[indices]))[indptr])


def _by_rows(row):
    """The product of ``row(data, indices, x, a, b)``, a row's values being those from a on, before b."""
    return lambda data, indices, indptr, x: np.array([row(data, indices, x, a, b) for a, b in pairwise(indptr)])


csr_product.trap("running sums", "a difference of running sums has no digits left for a small row behind a large one: "
                 "add up each row apart.", _running_sums)
csr_product.trap("reduceat", "np.add.reduceat gives an empty row its neighbour's first product: leave empty rows out.",
                 _reduceat)
csr_product.trap("x in order", "x is read from its beginning: `indices` says which of its numbers belong to the "
                 "values.", _by_rows(lambda data, indices, x, a, b: data[a:b] @ np.resize(x, b - a)))
csr_product.trap("squared", "x is used twice.", _by_rows(lambda data, indices, x, a, b: data[a:b] @ x[indices[a:b]]**2))
csr_product.trap("one too many", "indptr[i + 1] is taken in, too: there the next row begins.",
                 _by_rows(lambda data, indices, x, a, b: data[a:b + 1] @ x[indices[a:b + 1]]))
csr_product.trap("pattern", "the values are not used, only where they are.",
                 _by_rows(lambda data, indices, x, a, b: x[indices[a:b]].sum()))
