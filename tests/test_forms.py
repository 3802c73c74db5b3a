"""Forms are values: what they stand for, how they compare, and what they refuse."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress.forms import Affine, Codebook, Dense, Sign, Sparse


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
    assert Dense(np.array([3], np.int32)).dense().dtype == np.int32


@pytest.mark.parametrize(("codes", "centroids", "bits", "error", "words"), [
    ([0, 2], [1.0, 2.0], 1, ValueError, "span 0 to 2, expected 0 to 1"),
    ([-1, 0], [1.0, 2.0], 1, ValueError, "span -1 to 0"),
    ([0], [1.0, 2.0, 3.0], 1, ValueError, "expected 1 to 2"),
    ([0], [], 1, ValueError, "expected 1 to 2"),
    ([0], [1.0], 17, ValueError, "bits is 17, expected an integer from 1 to 16"),
    ([0], [1.0], 1.0, ValueError, "bits is 1.0"),
    ([0.5], [1.0, 2.0], 1, TypeError, "float64, expected integers"),
])
def test_a_codebook_that_makes_no_sense_is_refused(codes, centroids, bits, error, words):
    with pytest.raises(error, match=words):
        Codebook(codes, centroids, bits)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        Sparse([True, False, True], Dense([1.0, 2.0]))
    with pytest.raises(TypeError, match="inner is a ndarray, expected a Form"):
        Sparse([True], np.ones(1))


@given(st.integers(1, 16), st.data())
def test_affine_values_are_rounded_once(bits, data):
    integers = st.integers(-2**(bits - 1), 2**(bits - 1) - 1)
    scale = data.draw(hnp.arrays(np.float32, 3, elements=st.floats(2.0**-60, 2.0**60, width=32)))
    codes = data.draw(hnp.arrays(np.int64, (3, 4), elements=integers))
    zero_point = data.draw(hnp.arrays(np.int64, 3, elements=integers))
    dense = Affine(codes, scale, zero_point, bits, axis=0).dense()
    for (i, j), value in np.ndenumerate(dense):
        exact = Fraction(float(scale[i])) * int(codes[i, j] - zero_point[i])
        assert abs(Fraction(float(value)) - exact) <= abs(exact) * Fraction(1, 2**24)


def test_one_scale_for_all_is_that_scale_for_each():
    codes = [[-2, 1], [0, 1]]
    assert Affine(codes, 0.5, 1, 2).dense().tolist() == Affine(codes, [0.5, 0.5], [1, 1], 2, axis=0).dense().tolist()
    bits = [[True, False], [False, False]]
    assert Sign(bits, 0.5).dense().tolist() == Sign(bits, [0.5, 0.5], axis=0).dense().tolist()
    assert Sign(bits, [2.0, 3.0], axis=0).dense().tolist() == [[2, -2], [-3, -3]]


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: Affine([0], 1.0, 0, 17), ValueError, "bits is 17"),
    (lambda: Affine([0], 1.0, 0, True), ValueError, "bits is True"),
    (lambda: Affine([2], 1.0, 0, 2), ValueError, "codes span 2 to 2, expected -2 to 1"),
    (lambda: Affine([0], 1.0, -3, 2), ValueError, "zero_point is -3, expected -2 to 1"),
    (lambda: Affine([0.5], 1.0, 0, 2), TypeError, "codes of shape .* float64, expected integers"),
    (lambda: Affine([0], 0.0, 0, 2), ValueError, "scale spans 0.0 to 0.0, expected positive"),
    (lambda: Affine([0], np.inf, 0, 2), ValueError, "scale spans inf"),
    (lambda: Affine([0], np.nan, 0, 2), ValueError, "scale spans nan"),
    (lambda: Affine([0, 1], [1.0], [0], 2, axis=0), ValueError, r"zero_point has shape \(1,\), expected \(2,\)"),
    (lambda: Affine([0, 1], [1.0, 1.0], [0, 0], 2), ValueError, r"expected \(\)"),
    (lambda: Affine([[0]], [1.0], [0], 2, axis=1), ValueError, "axis is 1"),
    (lambda: Affine(0, 1.0, 0, 2, axis=0), ValueError, "axis is 0"),
    (lambda: Sign([1, 0], 1.0), TypeError, "int64, expected booleans"),
    (lambda: Sign([True], -1.0), ValueError, "alpha spans -1.0"),
    (lambda: Sign([True], [1.0, 2.0], axis=0), ValueError, r"alpha has shape \(2,\), expected \(1,\)"),
])
def test_integers_and_signs_that_make_no_sense_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_sign_of_nothing_has_one_spelling():
    """Or a file of it, loaded and saved again, would have other bytes."""
    for alpha in (0.0, -0.0):
        assert Sign([True, False], alpha) == Sign([True, True], 0.0)
        assert Sign([[False, True], [False, True]], [alpha, 1.0], axis=0) == \
            Sign([[True, True], [False, True]], [0.0, 1.0], axis=0)
    assert not np.signbit(Sign([False], -0.0).dense())


def test_affine_values_beyond_float32_are_infinite_without_a_warning():
    assert Affine([-128, 0, 127], 3.4e38, 0, 8).dense().tolist() == [-np.inf, 0, np.inf]
