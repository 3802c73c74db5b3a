"""What must hold of classification measures (ME-1) and of counted operations (ME-3), beside the ledger's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress import models, nn
from minicompress.equations.measures import summary as literal
from minicompress.nn import summary
from minicompress.training import metrics
from tests.laws.holding import hold
from tests.mutants import mutate

CLASSES = 5
EXAMPLES = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=40)

# ---------------------------------------------------------------------------------------------------------------------
# ME-1: the properties in the ledger


def law_names_of_classes_do_not_matter(metrics, predictions, labels, order):
    found = metrics.measures(predictions, labels, CLASSES)
    renamed = metrics.measures(order[predictions], order[labels], CLASSES)
    assert np.array_equal(renamed.f1[order], found.f1) and renamed.accuracy == found.accuracy


def law_error_and_macros_follow_from_the_rest(metrics, predictions, labels):
    found = metrics.measures(predictions, labels, CLASSES)
    assert 0 <= found.error <= 1 and found.accuracy + found.error == pytest.approx(1, rel=1e-15)
    assert found.macro_precision == pytest.approx(np.mean(found.precision), rel=1e-14)
    assert found.macro_recall == pytest.approx(np.mean(found.recall), rel=1e-14)


@given(EXAMPLES, st.permutations(range(CLASSES)))
def test_laws_of_measures(examples, order):
    predictions, labels = np.array(examples).T
    law_names_of_classes_do_not_matter(metrics, predictions, labels, np.array(order))
    law_error_and_macros_follow_from_the_rest(metrics, predictions, labels)
    for id in ("ME-1", "ME-1:confusion", "ME-1:macro-f1"):
        hold(id, predictions, labels, CLASSES)


PREDICTIONS, LABELS = np.array([0, 1, 1, 2, 2, 2]), np.array([0, 0, 1, 1, 1, 2])  # classes 3 and 4 are never seen


@pytest.mark.parametrize(("old", "new"), [
    ("float((self.confusion.sum() - np.trace", "float((1 - np.trace"), ("float(self.recall.mean())", "self.accuracy"),
])
def test_planted_mutants_of_measures_are_caught(old, new):
    law_error_and_macros_follow_from_the_rest(metrics, PREDICTIONS, LABELS)
    with pytest.raises(AssertionError):
        law_error_and_macros_follow_from_the_rest(mutate(metrics, old, new), PREDICTIONS, LABELS)


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
