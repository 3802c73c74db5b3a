"""Forms are values: what they stand for, how they compare, and what they refuse."""

import numpy as np
import pytest

from minicompress.forms import Codebook, Dense, Sparse


def test_deep_compression_is_a_mask_over_a_codebook():
    form = Sparse([[True, False], [False, True]], Codebook([[0, 1], [1, 2]], [-1.0, 5.0, 2.5], bits=2))
    assert form.dense().tolist() == [[-1.0, 0.0], [0.0, 2.5]] and form.shape == (2, 2)
    assert not np.signbit(form.dense()[0, 1])  # what is pruned is +0.0


def test_what_lies_under_the_mask_does_not_leak():
    assert Sparse([False, True], Dense([np.nan, 1.0])).dense().tolist() == [0.0, 1.0]


def test_a_form_does_not_change_with_the_array_that_it_was_made_of():
    values, codes, mask = np.ones(2, np.float32), np.array([0, 1]), np.array([True, False])
    forms = [Dense(values), Codebook(codes, [1.0, 2.0], bits=1), Sparse(mask, Dense(values))]
    before = [form.dense().copy() for form in forms]
    values[:], codes[:], mask[:] = 7, 0, True
    for form, dense in zip(forms, before, strict=True):
        np.testing.assert_array_equal(form.dense(), dense)
    with pytest.raises(ValueError, match="read-only"):
        forms[0].values[0] = 3


@pytest.mark.parametrize("other", [Dense([0.0, np.nan]), Dense([-0.0, 1.0]), Dense(np.array([0.0, 1.0])),
                                   Dense([[0.0, 1.0]]), Sparse([True, True], Dense([0.0, 1.0]))])
def test_forms_are_equal_by_kind_and_by_every_bit(other):
    form = Dense([0.0, 1.0])
    assert form != other and form == Dense([0.0, 1.0]) and other == other
    assert Dense([np.nan]) == Dense([np.nan])


def test_double_precision_stays_where_it_is_asked_for():
    assert Dense(np.array([0.1])).dense().dtype == np.float64 and Dense([0.1]).dense().dtype == np.float32


@pytest.mark.parametrize(("codes", "centroids", "bits", "error", "words"), [
    ([0, 2], [1.0, 2.0], 1, ValueError, "span 0 to 2, expected 0 to 1"),
    ([-1, 0], [1.0, 2.0], 1, ValueError, "span -1 to 0"),
    ([0], [1.0, 2.0, 3.0], 1, ValueError, "expected 1 to 2"),
    ([0], [], 1, ValueError, "expected 1 to 2"),
    ([0], [1.0], 17, ValueError, "bits is 17, expected 1 to 16"),
    ([0.5], [1.0, 2.0], 1, TypeError, "float64, expected integers"),
])
def test_a_codebook_that_makes_no_sense_is_refused(codes, centroids, bits, error, words):
    with pytest.raises(error, match=words):
        Codebook(codes, centroids, bits)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        Sparse([True, False, True], Dense([1.0, 2.0]))
