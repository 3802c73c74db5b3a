"""Masks by example; what holds of all inputs stands in tests/laws/test_pruning_laws.py."""

import numpy as np
import pytest

from minicompress.pruning import global_magnitude_masks, magnitude_mask, sparsity, std_mask, threshold_mask

W = np.array([[0.1, -0.4, 0.0], [0.3, -0.2, 0.5]], np.float32)


def test_sparsity_counts_zeros_of_either_sign_and_false():
    assert sparsity(np.array([0.0, -0.0, 1.0, np.nan])) == 0.5
    assert sparsity(np.array([True, False, False, False])) == 0.75
    assert sparsity(np.zeros(0)) == 0.0


def test_the_least_magnitudes_go():
    assert magnitude_mask(W, 0.5).tolist() == [[False, True, False], [True, False, True]]
    assert magnitude_mask(W, 0).all() and not magnitude_mask(W, 1).any()


def test_ties_go_in_index_order_whatever_the_memory_order():
    w = np.ones((2, 3))
    for order in "CF":
        assert magnitude_mask(w.copy(order=order), 0.5).tolist() == [[False] * 3, [True] * 3]


def test_halves_round_to_even():
    w = np.ones(10)
    assert [np.count_nonzero(~magnitude_mask(w, s)) for s in (0.05, 0.15, 0.25, 0.35, 0.45)] == [0, 2, 2, 4, 4]


def test_pruning_again_continues_from_what_is_zero():
    """Gradual pruning ranks weights of which most are zero already: they are the first to go, and count."""
    w = np.random.default_rng(0).standard_normal(1000)
    for s in (0.1, 0.5, 0.5, 0.9):
        mask = magnitude_mask(w, s)
        w[~mask] = 0.0
        assert np.count_nonzero(w) == 1000 - round(1000 * s)


def test_infinite_weights_stay():
    assert magnitude_mask(np.array([1.0, np.inf, -np.inf, 2.0]), 0.5).tolist() == [False, True, True, False]


def test_integers_have_magnitudes_too():
    assert magnitude_mask(np.array([-3, 1, 2]), 1 / 3).tolist() == [True, False, True]


def test_thresholds():
    assert threshold_mask(W, 0.25).tolist() == [[False, True, False], [True, False, True]]
    assert threshold_mask(W, 0.0).tolist() == [[True, True, False], [True, True, True]]
    assert std_mask(np.array([3.0, 5.0]), 4.0).tolist() == [False, True]  # the deviation is 1


def test_one_ranking_over_the_network():
    masks = global_magnitude_masks({"fc1": W, "fc2": W * 10, "conv": np.full((1, 1, 2), 0.05)}, 0.5)
    # Of 14 weights 7 go: two zeros, 0.05 twice, 0.1, 0.2, 0.3.
    assert {name: np.count_nonzero(~mask) for name, mask in masks.items()} == {"fc1": 4, "fc2": 1, "conv": 2}
    assert masks["conv"].shape == (1, 1, 2) and list(masks) == ["fc1", "fc2", "conv"]


@pytest.mark.parametrize("s", [-0.1, 1.1, np.nan, 97])
def test_sparsities_that_are_no_fractions(s):
    for mask in (lambda: magnitude_mask(W, s), lambda: global_magnitude_masks({"a": W}, s)):
        with pytest.raises(ValueError, match=r"expected a fraction in \[0, 1\]"):
            mask()


def test_weights_without_a_rank():
    nan = np.array([1.0, np.nan])
    for mask in (lambda w: magnitude_mask(w, 0.5), lambda w: threshold_mask(w, 0.5), lambda w: std_mask(w, 1.0),
                 lambda w: global_magnitude_masks({"a": w}, 0.5)):
        with pytest.raises(ValueError, match="NaN"):
            mask(nan)
    with pytest.raises(TypeError, match="complex128, expected real"):
        magnitude_mask(nan * 1j, 0.5)
    with pytest.raises(ValueError, match=r"weights is \{\}, expected at least one array to rank"):
        global_magnitude_masks({}, 0.5)


@pytest.mark.parametrize("mask", [threshold_mask, std_mask])
@pytest.mark.parametrize("number", [-1.0, np.nan])
def test_thresholds_below_zero(mask, number):
    with pytest.raises(ValueError, match=f"is {number}, expected at least 0"):
        mask(W, number)


def test_the_least_integer_has_the_largest_magnitude():
    for dtype in (np.int8, np.int16, np.int32, np.int64):
        w = np.array([np.iinfo(dtype).min, 1], dtype)
        assert magnitude_mask(w, 0.5).tolist() == threshold_mask(w, 1).tolist() == [True, False]
