"""Measures by example; what holds of all inputs stands in tests/laws/test_measures_laws.py."""

import dataclasses

import numpy as np
import pytest

from minicompress.nn.metrics import measures

# Of four cats (0) one was called a dog (1); of two dogs one was called a cat, and the other a bird (2), never seen.
LABELS, PREDICTIONS = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 0, 2])


def test_a_case_by_hand():
    found = measures(PREDICTIONS, LABELS, 3)
    assert found.confusion.tolist() == [[3, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert found.accuracy == 0.5 and found.error == 0.5
    assert found.precision.tolist() == [0.75, 0.0, 0.0]
    assert found.recall.tolist() == [0.75, 0.0, 0.0]  # no bird was there to recall: 0/0 is 0
    assert found.f1.tolist() == [0.75, 0.0, 0.0]
    assert found.macro_precision == found.macro_recall == found.macro_f1 == 0.25


def test_macro_f1_is_not_the_harmonic_mean_of_the_macros():
    found = measures(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), 2)
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found.macro_f1 < 2 * found.macro_precision * found.macro_recall / (
        found.macro_precision + found.macro_recall) - 0.05


def test_all_right_and_all_wrong():
    right, wrong = measures(LABELS, LABELS, 2), measures(1 - LABELS, LABELS, 2)
    assert (right.accuracy, right.error, right.macro_f1) == (1.0, 0.0, 1.0)
    assert (wrong.accuracy, wrong.error, wrong.macro_f1) == (0.0, 1.0, 0.0)


def test_any_integers_will_do_and_lists():
    assert measures(PREDICTIONS.astype(np.int64), LABELS.astype(np.uint8), 3).accuracy == 0.5
    assert measures([0, 1], [0, 0], 2).accuracy == 0.5


def test_measures_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        measures(PREDICTIONS, LABELS, 3).confusion = np.eye(3)


@pytest.mark.parametrize(("predictions", "labels", "message"), [
    ([0, 1], [0], r"\(2,\) and labels \(1,\)"), ([], [], "N > 0"), ([[0, 1]], [[0, 1]], r"\(1, 2\)"),
    ([0, 3], [0, 1], "predictions span 0 to 3, expected 0 to 2"), ([0, 1], [-1, 1], "labels span -1 to 1"),
    ([0.0, 1.0], [0, 1], "predictions are float64, expected integers"),
    ([True, False], [0, 1], "predictions are bool, expected integers"),
])
def test_bad_input(predictions, labels, message):
    with pytest.raises((ValueError, TypeError), match=message):
        measures(predictions, labels, 3)
