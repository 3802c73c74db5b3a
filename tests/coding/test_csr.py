"""Compressed sparse rows (PR-16) beside SciPy's and beside the literal loops."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress.coding import CorruptDataError, csr
from minicompress.equations.coding import csr as literal
from tests.mutants import mutate

VALUES = st.sampled_from([0.0, 0.0, 0.0, -0.0, 1.5, -2.0, float("nan"), float("inf"), 1e-45])
MATRICES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9).flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=VALUES))


def law_round_trip(csr, matrix):
    """Bit for bit, but for -0.0, which is a zero like the other and comes back as +0.0."""
    data, indices, indptr = csr.encode(matrix)
    assert len(data) + len(indices) + len(indptr) == 2 * np.count_nonzero(matrix) + len(matrix) + 1
    expected = np.where(matrix == 0, np.float32(0), matrix)
    decoded = csr.decode(data, indices, indptr, matrix.shape)
    assert decoded.dtype == matrix.dtype and decoded.tobytes() == expected.tobytes()


def law_literal(csr, matrix):
    """The same arrays as the loops, and the loops read them back."""
    data, indices, indptr = csr.encode(matrix)
    expected = literal.csr(matrix.tolist())
    assert [np.array(x).tolist() for x in (indices, indptr)] == [*expected[1:]]
    assert np.array_equal(data, np.array(expected[0], matrix.dtype), equal_nan=True)
    dense = literal.csr_dense(data.tolist(), indices.tolist(), indptr.tolist(), matrix.shape[1])
    assert np.array_equal(np.array(dense, matrix.dtype).reshape(matrix.shape), matrix, equal_nan=True)


@given(MATRICES)
def test_laws(matrix):
    law_round_trip(csr, matrix)
    law_literal(csr, matrix)


@given(MATRICES)
def test_the_same_arrays_as_scipy(matrix):
    theirs = scipy.sparse.csr_array(matrix)
    for mine, other in zip(csr.encode(matrix), (theirs.data, theirs.indices, theirs.indptr), strict=True):
        assert mine.dtype == other.dtype and mine.tobytes() == other.tobytes()


def test_empty_rows_all_zero_and_dense():
    for matrix in [np.zeros((3, 4)), np.ones((3, 4)), np.eye(3)[[0, 2]], np.zeros((0, 5)), np.zeros((5, 0))]:
        law_round_trip(csr, matrix.astype(np.float32))


@pytest.mark.parametrize("change", [
    dict(indptr=[0, 1, 1]), dict(indptr=[1, 1, 1, 3]), dict(indptr=[0, 2, 1, 3]), dict(indptr=[0, 1, 1, 2]),
    dict(indptr=[0, 1, 1, 2**62]), dict(indptr=[0, -1, 1, 3]), dict(indices=[1, 0, 3]), dict(indices=[1, 0, -1]),
    dict(indices=[1, 2, 0]), dict(indices=[1, 0, 0]), dict(indices=[1, 0]), dict(data=[[5, 7, 8]]),
])
def test_bad_arrays_are_refused(change):
    good = dict(data=[5, 7, 8], indices=[1, 0, 2], indptr=[0, 1, 1, 3], shape=(3, 3))
    assert csr.decode(**good).sum() == 20
    with pytest.raises(CorruptDataError):
        csr.decode(**good | change)


def test_indices_that_are_no_integers_are_refused():
    for change in (dict(indices=[1.0, 0.0, 2.5]), dict(indptr=[0, 1, 1, 3.0])):
        with pytest.raises(ValueError, match="expected integers"):
            csr.decode(**dict(data=[5, 7, 8], indices=[1, 0, 2], indptr=[0, 1, 1, 3], shape=(3, 3)) | change)


def test_indices_ascend_in_a_row_however_wide():
    """The position in the whole matrix, row·columns + column, would overflow."""
    with pytest.raises(CorruptDataError, match="ascend"):
        csr.decode([1, 2, 3], [2, 1, 0], [0, 0, 2, 3], (3, 2**62))


def test_a_vector_is_refused():
    with pytest.raises(ValueError, match="rows, columns"):
        csr.encode(np.zeros(3))


@pytest.mark.parametrize("old, new", [
    ("np.nonzero(matrix)", "np.nonzero(matrix.T)[::-1]"),
    ("minlength=len(matrix)), out=indptr[1:]", "minlength=len(matrix)), out=indptr[:-1]"),
    ("np.nonzero(matrix)", "np.nonzero(matrix > 0)"),
    ("    matrix[row, indices] = data", "    matrix[row[::-1], indices] = data"),
])
def test_mutants_are_caught(old, new):
    matrix = np.array([[0, -1, 2], [0, 0, 0], [3, 0, 4], [0, 5, 0]], np.float32)
    with pytest.raises((AssertionError, ValueError)):
        law_round_trip(mutate(csr, old, new), matrix)
        law_literal(mutate(csr, old, new), matrix)
