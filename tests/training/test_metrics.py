"""(ME-1) Measures against their literal references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress import models, training
from minicompress.equations.measures import metrics as literal
from minicompress.training.metrics import Measures, measures


@given(st.integers(1, 5).flatmap(lambda classes: st.tuples(st.just(classes), st.lists(
    st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=30))))
def test_measures_are_what_the_loops_count(drawn):
    classes, pairs = drawn
    predictions, labels = (list(column) for column in zip(*pairs, strict=True))
    m = measures(predictions, labels, classes)
    assert m.confusion.tolist() == literal.confusion(predictions, labels, classes)
    assert m.accuracy == literal.accuracy(predictions, labels)
    assert abs(m.accuracy + m.error - 1) < 1e-15
    expected = [literal.precision_recall_f1(predictions, labels, c) for c in range(classes)]
    np.testing.assert_allclose(np.transpose([m.precision, m.recall, m.f1]), expected, rtol=1e-14)
    assert abs(m.macro_f1 - literal.macro_f1(predictions, labels, classes)) < 1e-14
    np.testing.assert_allclose([m.macro_precision, m.macro_recall], np.mean(expected, axis=0)[:2], rtol=1e-14)


def test_macro_f1_is_not_the_harmonic_mean_of_the_macros():
    m = measures([0, 1, 1, 1, 1], [0, 0, 0, 0, 1], 2)
    harmonic = 2 * m.macro_precision * m.macro_recall / (m.macro_precision + m.macro_recall)
    assert abs(m.macro_f1 - harmonic) > 0.05


def test_a_class_never_seen_and_never_predicted_has_zeros():
    m = measures([0, 0], [0, 0], 3)
    assert m.precision.tolist() == m.recall.tolist() == m.f1.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(("predictions", "labels", "error", "message"), [
    ([0, 1], [0], ValueError, r"predictions \(2,\) and labels \(1,\)"), ([], [], ValueError, "N > 0"),
    ([[0]], [[0]], ValueError, r"\(1, 1\)"), ([0, 3], [0, 1], ValueError, "predictions span 0 to 3, expected 0 to 2"),
    ([0, 1], [-1, 1], ValueError, "labels span -1 to 1"), ([0.0], [0], TypeError, r"shape \(1,\) are float64"),
])
def test_what_is_no_classification_is_refused(predictions, labels, error, message):
    with pytest.raises(error, match=message):
        measures(np.array(predictions), np.array(labels), 3)


def test_evaluate_measures_a_model():
    model, rng = models.mlp([4, 3], rng=np.random.default_rng(0)), np.random.default_rng(1)
    x, y = rng.standard_normal((700, 4)).astype(np.float32), rng.integers(0, 3, 700)
    m = training.evaluate(model, (x, y))
    assert isinstance(m, Measures)
    predictions = (x @ model.fc1.weight.data.T + model.fc1.bias.data).argmax(axis=1)
    assert m.confusion.tolist() == literal.confusion(predictions.tolist(), y.tolist(), 3)
    soft = np.eye(3, dtype=np.float32)[y]
    assert training.evaluate(model, (x, soft)).confusion.tolist() == m.confusion.tolist()


def test_evaluate_reads_the_test_split_of_a_dataset_and_leaves_the_model_as_it_was():
    from minicompress import data
    digits = data.load("digits")
    model = models.mlp([64, 10], rng=np.random.default_rng(0))
    assert training.evaluate(model, digits).confusion.sum() == len(digits.test.images)
    assert model.training and all(p.grad is None for p in model.parameters())


def test_evaluate_needs_labels_and_images_that_fit():
    model = models.mlp([4, 3], rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="no labels"):
        training.evaluate(model, np.zeros((5, 4), np.float32))
    with pytest.raises(ValueError, match=r"\(5, 6\)"):
        training.evaluate(model, (np.zeros((5, 6), np.float32), np.zeros(5, int)))
    with pytest.raises(ValueError, match="labels span 0 to 7"):
        training.evaluate(model, (np.zeros((2, 4), np.float32), np.array([0, 7])))
