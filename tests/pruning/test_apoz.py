"""The share of zeros by example; its laws stand on its page and in tests/laws/test_criteria.py."""

import numpy as np
import pytest

from minicompress import models, nn, pruning
from tests.equations.planted import is_caught

RNG = np.random.default_rng(0)


def two_branches():
    """A residual block: its ReLU inside is conv2's neighbour, the one behind the sum is the block's own."""
    body = nn.Sequential({"conv2": nn.Conv2d(3, 4, 1, rng=RNG), "relu2": nn.ReLU(),
                          "conv3": nn.Conv2d(4, 3, 1, rng=RNG)})
    return nn.Sequential({
        "conv1": nn.Conv2d(1, 3, 3, rng=RNG), "pool1": nn.MaxPool2d(2), "relu1": nn.ReLU(),
        "block": nn.Add({"body": body, "shortcut": nn.Identity()}), "relu3": nn.ReLU(), "pool": nn.MaxPool2d(2),
        "flatten": nn.Flatten(), "fc": nn.Linear(12, 2, rng=RNG)})


def test_activity_is_what_the_first_relu_behind_a_layer_lets_pass():
    model, x = two_branches(), RNG.normal(0, 1, (70, 1, 10, 10)).astype(np.float32)
    outputs = {}
    with nn.evaluating(model), nn.observe(lambda module, x, y: outputs.setdefault(id(module), y.data)):
        model(nn.module.Tensor(x))
    relus = {"conv1": model.relu1, "block.body.conv2": model.block.body.relu2, "block.body.conv3": model.relu3}
    found = pruning.activity(model, x, batch_size=32)
    assert found.keys() == relus.keys()
    for layer, relu in relus.items():
        np.testing.assert_allclose(found[layer], (outputs[id(relu)] > 0).mean(axis=(0, 2, 3)), rtol=1e-12)


def test_a_layer_without_a_relu_is_refused_by_its_name():
    model = models.lenet_5(rng=RNG)  # whose convolutions have none, as in Caffe's
    with pytest.raises(ValueError, match=r"conv1's channels pass no ReLU, .* by another criterion"):
        pruning.activity(model, np.zeros((2, 784), np.float32))


def test_a_relu_of_two_places_is_refused():
    relu = nn.ReLU()
    model = nn.Sequential({"a": nn.Linear(4, 5, rng=RNG), "r": relu, "b": nn.Linear(5, 5, rng=RNG), "r2": relu,
                           "c": nn.Linear(5, 2, rng=RNG)})
    with pytest.raises(ValueError, match="the ReLU behind a runs 2 times: give each place one of its own"):
        pruning.activity(model, np.zeros((2, 4), np.float32))


@pytest.mark.parametrize(("batches", "words"), [
    ([], "batches is empty"), ([np.zeros(3)], r"activations have shape \(3,\), expected \(n, C, …\)"),
    ([np.zeros((2, 3)), np.zeros((0, 3))], r"activations have shape \(0, 3\)"),
])
def test_what_holds_no_activations_is_refused(batches, words):
    with pytest.raises(ValueError, match=words):
        pruning.apoz(batches)


@pytest.mark.parametrize(("old", "new"), [
    ("np.sum(a == 0, axis", "np.sum(a != 0, axis"), ("zeros = zeros + np.sum", "zeros = np.sum"),
    ("elements += a.size", "elements = a.size"), ("*range(2, a.ndim)))\n", "))\n        zeros = zeros[:, 0]\n"),
    ("return zeros / elements", "return 100 * zeros / elements"),
])
def test_a_planted_mutant_is_caught(old, new):
    assert is_caught("PR-7", old, new)
