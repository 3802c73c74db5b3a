"""Products on compressed sparse rows (PR-16): equal to the dense ones, on every pattern of empty rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from minicompress import coding, forms
from minicompress.coding import csr as coder
from minicompress.equations.coding.csr import csr_product
from minicompress.kernels import csr
from minicompress.kernels.csr import CSR
from tests.mutants import mutate

VALUES = st.just(0.0) | st.floats(-1e3, 1e3, width=16)  # half of them zeros


@st.composite
def products(draw):
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rows, columns = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    matrix = draw(hnp.arrays(dtype, (rows, columns), elements=VALUES))
    tail = draw(st.sampled_from([(), (0,), (1,), (3,), (csr.FEW - 1,), (csr.FEW,), (csr.FEW + 5,)]))
    x = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).uniform(-1e3, 1e3, (columns, *tail)).astype(dtype)
    return matrix, np.asfortranarray(x) if draw(st.booleans()) else x


def law_product_is_the_printed_one(kernel, matrix, x):
    """For small integers, which floats add without rounding."""
    arrays = coder.encode(matrix)
    expected = csr_product(*(array.tolist() for array in arrays), x.tolist())
    assert (kernel(*arrays, matrix.shape) @ x).tolist() == expected


def law_product_is_the_dense_one(kernel, matrix, x):
    """To rounding: a row of n products, added in any order, is off by n·eps·Σ|w·x| at most (Higham 2002, eq. 3.5)."""
    found = kernel(*coder.encode(matrix), matrix.shape) @ x
    exact = matrix.astype(np.longdouble) @ x.astype(np.longdouble)
    bound = (matrix.shape[1] + 1) * np.finfo(matrix.dtype).eps * (np.abs(matrix) @ np.abs(x).astype(np.float64))
    assert found.shape == exact.shape and found.dtype == matrix.dtype
    assert (np.abs(found - exact) <= bound).all()


@given(products())
def test_product_is_the_dense_one(case):
    law_product_is_the_dense_one(CSR, *case)


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(-2, 2)))
def test_product_is_the_printed_one(matrix):
    law_product_is_the_printed_one(CSR, matrix, np.arange(1, 1 + matrix.shape[1], dtype=np.float32))


CASES = {
    "empty rows": np.float32([[0, 0, 0], [1, 0, 2], [0, 0, 0], [0, 0, 0], [0, 3, 0], [0, 0, 0]]),
    "all zero": np.zeros((3, 2), np.float32),
    "dense": np.arange(1, 13, dtype=np.float32).reshape(3, 4),
    "one row": np.float32([[0, 4, 5]]),
    "no rows": np.zeros((0, 3), np.float32),
    "no columns": np.zeros((2, 0), np.float32),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("tail", [(), (2,), (csr.FEW,)])
def test_edges(name, tail):
    matrix = CASES[name]
    x = np.arange(1, 1 + np.prod([matrix.shape[1], *tail], dtype=int), dtype=np.float32).reshape(-1, *tail) \
        if matrix.shape[1] else np.zeros((0, *tail), np.float32)
    law_product_is_the_dense_one(CSR, matrix, x)
    assert np.array_equal(CSR(*coder.encode(matrix), matrix.shape) @ x, matrix @ x)  # small integers: no rounding


def test_scipys_arrays_are_the_same():
    matrix = sparse.random_array((20, 30), density=0.2, dtype=np.float32, rng=np.random.default_rng(0)).tocsr()
    x = np.random.default_rng(1).random(30, np.float32)
    np.testing.assert_allclose(CSR(matrix.data, matrix.indices, matrix.indptr, matrix.shape) @ x, matrix @ x, rtol=1e-5)


def test_a_form_in_a_file_multiplies_as_its_dense_array_does():
    rng = np.random.default_rng(2)
    form = forms.Sparse(rng.random((8, 9)) < 0.2, forms.Dense(rng.normal(size=(8, 9)).astype(np.float32)))
    decoded = coding.decode(bytes(coding.encode(form)))
    x = rng.normal(size=(5, 9)).astype(np.float32)
    np.testing.assert_allclose((CSR(*coder.encode(decoded.dense()), (8, 9)) @ x.T).T, x @ form.dense().T, atol=1e-5)


def test_columns_that_no_row_reads_do_not_matter():
    matrix = CSR(*coder.encode(np.float32([[1, 0], [2, 0]])), (2, 2))
    assert (matrix @ np.float32([3, np.nan])).tolist() == [3, 6]


@pytest.mark.parametrize(("arrays", "error", "words"), [
    ((np.float16([1]), [0], [0, 1]), TypeError, "data are float16, expected float32 or float64"),
    ((np.arange(1), [0], [0, 1]), TypeError, "data are int64"),
    ((np.float32([1]), [0.0], [0, 1]), TypeError, r"indices of shape \(1,\) are float64"),
    ((np.float32([1]), [0, 1], [0, 1]), ValueError, "do not fit"),
    ((np.float32([1]), [0], [0, 1, 1]), ValueError, "do not fit"),
    ((np.float32([1]), [2], [0, 1]), ValueError, "indices span 2 to 2, expected 0 to 1"),
    ((np.float32([1]), [-1], [0, 1]), ValueError, "indices span -1"),
    ((np.float32([1]), [0], [0, 2]), ValueError, "climb from 0 to 1"),
    ((np.float32([1]), [0], [1, 1]), ValueError, "climb from 0 to 1"),
])
def test_arrays_that_are_no_matrix_are_refused(arrays, error, words):
    with pytest.raises(error, match=words):
        CSR(*arrays, (1, 2))


@pytest.mark.parametrize(("x", "error", "words"), [
    (np.zeros(3, np.float32), ValueError, r"shape \(3,\), expected \(2,\)"),
    (np.zeros((2, 1, 1), np.float32), ValueError, "shape"),
    (np.zeros(2), TypeError, "float64"), ([1.0, 2.0], TypeError, "list"),
])
def test_what_cannot_be_multiplied_is_refused(x, error, words):
    with pytest.raises(error, match=words):
        CSR(np.float32([1]), [0], [0, 1], (1, 2)) @ x
    with pytest.raises(TypeError):
        np.zeros((2, 1), np.float32) @ CSR(np.float32([1]), [0], [0, 1], (1, 2))


class EveryRowHoldsSomething(CSR):
    """The trap of np.add.reduceat: for an empty row it gives the element where the row would begin."""

    def _times_vector(self, x):
        return np.add.reduceat(self.data * x.take(self.indices), np.minimum(self.indptr[:-1], len(self.data) - 1))


def test_the_trap_of_empty_rows_is_caught():
    law_product_is_the_dense_one(EveryRowHoldsSomething, CASES["dense"], np.ones(4, np.float32))
    with pytest.raises(AssertionError):
        law_product_is_the_dense_one(EveryRowHoldsSomething, CASES["empty rows"], np.ones(3, np.float32))


@pytest.mark.parametrize(("old", "new"), [
    ("x.take(self.indices), self._starts", "x.take(self.indices * 0), self._starts"),
    ("y[self._filled] = sums", "y[:len(sums)] = sums"), ("y[:, j] =", "y[:, -1 - j] ="),
    ("np.dot(self.data[a:b]", "np.dot(np.sign(self.data[a:b])"),
    ("a, b = ends[i], ends[i + 1]", "a, b = 0, ends[i + 1]"),
    ("np.flatnonzero(np.diff(indptr))", "np.flatnonzero(np.diff(indptr) > 1)"),
])
def test_planted_mutants_are_caught(old, new):
    kernel = mutate(csr, old, new).CSR
    x = np.random.default_rng(3).normal(size=(3, csr.FEW)).astype(np.float32)
    with pytest.raises((AssertionError, ValueError, IndexError)):
        for part in (x[:, 0], x[:, :3], x):
            law_product_is_the_dense_one(kernel, CASES["empty rows"], part)
