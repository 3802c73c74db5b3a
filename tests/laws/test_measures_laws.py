"""What must hold of classification measures (ME-1), compression ratios (ME-2) and counted operations (ME-3)."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress import models, nn
from minicompress.equations import measures as literal
from minicompress.nn import metrics, summary
from tests.mutants import mutate

CLASSES = 5
EXAMPLES = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=40)

# ---------------------------------------------------------------------------------------------------------------------
# ME-1: a module or the like with `measures`


def law_confusion_counts_true_by_predicted(metrics, predictions, labels):
    found = metrics.measures(predictions, labels, CLASSES).confusion
    assert found.tolist() == literal.confusion(predictions.tolist(), labels.tolist(), CLASSES)
    assert found.sum() == len(labels)


def law_accuracy_and_error_make_one(metrics, predictions, labels):
    found = metrics.measures(predictions, labels, CLASSES)
    assert found.accuracy == literal.accuracy(predictions.tolist(), labels.tolist())
    assert 0 <= found.error <= 1 and found.accuracy + found.error == pytest.approx(1, rel=1e-15)


def law_classes_are_measured_as_printed(metrics, predictions, labels):
    """F1 is the harmonic mean of precision and recall; 0/0 is 0."""
    found = metrics.measures(predictions, labels, CLASSES)
    for c in range(CLASSES):
        expected = literal.precision_recall_f1(predictions.tolist(), labels.tolist(), c)
        assert (found.precision[c], found.recall[c], found.f1[c]) == pytest.approx(expected, rel=1e-15, abs=0)


def law_macros_are_means_over_the_classes(metrics, predictions, labels):
    found, p, l = metrics.measures(predictions, labels, CLASSES), predictions.tolist(), labels.tolist()
    per_class = [literal.precision_recall_f1(p, l, c) for c in range(CLASSES)]
    assert found.macro_precision == pytest.approx(sum(c[0] for c in per_class) / CLASSES, rel=1e-14)
    assert found.macro_recall == pytest.approx(sum(c[1] for c in per_class) / CLASSES, rel=1e-14)
    assert found.macro_f1 == pytest.approx(literal.macro_f1(p, l, CLASSES), rel=1e-14)


def law_names_of_classes_do_not_matter(metrics, predictions, labels, order):
    found = metrics.measures(predictions, labels, CLASSES)
    renamed = metrics.measures(order[predictions], order[labels], CLASSES)
    assert np.array_equal(renamed.f1[order], found.f1) and renamed.accuracy == found.accuracy


LAWS = [law_confusion_counts_true_by_predicted, law_accuracy_and_error_make_one, law_classes_are_measured_as_printed,
        law_macros_are_means_over_the_classes]


@given(EXAMPLES, st.permutations(range(CLASSES)))
def test_laws_of_measures(examples, order):
    predictions, labels = np.array(examples).T
    for law in LAWS:
        law(metrics, predictions, labels)
    law_names_of_classes_do_not_matter(metrics, predictions, labels, np.array(order))


PREDICTIONS, LABELS = np.array([0, 1, 1, 2, 2, 2]), np.array([0, 0, 1, 1, 1, 2])  # classes 3 and 4 are never seen


class HarmonicMacro(metrics.Measures):
    """The trap: macro-F1 as the harmonic mean of macro precision and macro recall."""

    @property
    def macro_f1(self):
        return 2 * self.macro_precision * self.macro_recall / (self.macro_precision + self.macro_recall)


def test_the_harmonic_mean_of_the_macros_is_caught():
    trap = SimpleNamespace(measures=lambda *a: HarmonicMacro(metrics.measures(*a).confusion))
    law_macros_are_means_over_the_classes(metrics, PREDICTIONS, LABELS)
    with pytest.raises(AssertionError):
        law_macros_are_means_over_the_classes(trap, PREDICTIONS, LABELS)


@pytest.mark.parametrize(("law", "old", "new"), [
    (LAWS[0], "labels.astype(np.int64) * num_classes + predictions",
     "predictions.astype(np.int64) * num_classes + labels"),
    (LAWS[1], "float((self.confusion.sum() - np.trace", "float((1 - np.trace"),
    (LAWS[1], "float(np.trace(self.confusion) / self.confusion.sum())", "float(np.mean(np.diag(self.confusion)))"),
    (LAWS[2], "whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) != 0", "np.maximum(whole, 2)"),
    (LAWS[2], "out=np.zeros(np.shape(part)), where=np.asarray(whole) != 0", ""),
    (LAWS[2], "np.diag(self.confusion), self.confusion.sum(axis=0))",
     "np.diag(self.confusion), self.confusion.sum(axis=1))"),
    (LAWS[2], "_ratio(2 * np.diag", "_ratio(np.diag"),
    (LAWS[3], "float(self.f1.mean())", "float(self.f1[self.f1 > 0].mean())"),
    (LAWS[3], "float(self.recall.mean())", "self.accuracy"),
])
def test_planted_mutants_of_measures_are_caught(law, old, new):
    law(metrics, PREDICTIONS, LABELS)
    with pytest.raises((AssertionError, RuntimeWarning)):
        law(mutate(metrics, old, new), PREDICTIONS, LABELS)


# ---------------------------------------------------------------------------------------------------------------------
# ME-2


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 100))
def test_ratio_compares_sizes(dense, compressed, times):
    assert literal.compression_ratio(dense, dense) == 1
    assert literal.compression_ratio(dense * times, compressed * times) == pytest.approx(
        literal.compression_ratio(dense, compressed), rel=1e-15)


# ---------------------------------------------------------------------------------------------------------------------
# ME-3: `summarize` is the function of a model (and its input's shape)


def law_operations_and_parameters_are_counted(summarize, model, rows, shape=None):
    """``rows``: for each layer with weights its MACs by the literal loops, and its parameters."""
    found = summarize(model, shape)
    counted = [(row.macs, row.parameters) for row in found.rows if row.parameters]
    assert counted == rows
    assert found.macs == sum(macs for macs, _ in rows) and found.parameters == sum(p for _, p in rows)


def convolution(out_channels, in_channels, kernel, size, **options):
    groups = options.get("groups", 1)
    return (literal.conv2d_macs(out_channels, in_channels, kernel, size, **options),
            literal.parameters([(out_channels, in_channels // groups * kernel**2)])[1])


def linear(out_features, in_features):
    return literal.linear_macs(out_features, in_features), literal.parameters([(out_features, in_features)])[1]


def strided():
    rng = np.random.default_rng(0)
    return nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, rng=rng), nn.ReLU(), nn.Flatten(),
                         nn.Linear(6 * 4 * 4, 3, rng=rng))


STRIDED = [convolution(6, 4, 3, 7, stride=2, padding=1, groups=2), linear(3, 96)]


def test_lenets_are_counted():
    rng = np.random.default_rng(0)
    fully_connected, convolutional = models.lenet_300_100(rng=rng), models.lenet_5(rng=rng)
    law_operations_and_parameters_are_counted(summary.summarize, fully_connected,
                                              [linear(300, 784), linear(100, 300), linear(10, 100)])
    law_operations_and_parameters_are_counted(summary.summarize, convolutional, [
        convolution(20, 1, 5, 28), convolution(50, 20, 5, 12), linear(500, 800), linear(10, 500)])
    assert fully_connected.summary().parameters == 266_610 and convolutional.summary().parameters == 431_080
    for model, weights in ((fully_connected, 266_200), (convolutional, 430_500)):
        assert sum(p.size for _, p in model.named_parameters() if p.ndim > 1) == weights


def test_strides_padding_and_groups_are_counted():
    law_operations_and_parameters_are_counted(summary.summarize, strided(), STRIDED, (4, 7, 7))


@pytest.mark.parametrize(("old", "new"), [
    ("sum(row.macs for row in self.rows)", "sum(row.macs for row in self.rows[:-1])"),
    ("module.macs(y.shape[1:])", "module.macs(x.shape[1:])"),
    ("sum(size for key, size in own.items() if key not in counted)", "0"),
])
def test_planted_mutants_of_the_summary_are_caught(old, new):
    with pytest.raises(AssertionError):
        law_operations_and_parameters_are_counted(mutate(summary, old, new).summarize, strided(), STRIDED, (4, 7, 7))
