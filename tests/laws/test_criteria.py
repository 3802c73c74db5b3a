"""What must hold of every criterion, whichever there are: larger stays, channels are apart, and none is forgotten."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicompress import nn, pruning
from minicompress.pruning.choose import METHODS
from minicompress.pruning.criteria import Criterion, criteria

every_criterion = pytest.mark.parametrize("criterion", criteria().values(), ids=criteria())


def network(seed):
    """Convolution, batch norm, ReLU, twice, and a Linear of the classes; γ, β and statistics of any size."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential({
        "input": nn.ImageInput(1, 6, 6), "conv1": nn.Conv2d(1, 5, 3, rng=rng), "bn1": nn.BatchNorm2d(5),
        "relu1": nn.ReLU(), "conv2": nn.Conv2d(5, 4, 3, rng=rng), "bn2": nn.BatchNorm2d(4), "relu2": nn.ReLU(),
        "flatten": nn.Flatten(), "fc": nn.Linear(16, 3, rng=rng)})
    for norm in (model.bn1, model.bn2):
        norm.weight.data[:], norm.bias.data[:] = rng.normal(0, 1, (2, norm.weight.size))
    return model.eval(), rng.normal(0, 1, (30, 36)).astype(np.float32)


def permuted(model, order):
    """The same network, the channels of its first convolution in another order."""
    other, _ = network(0)
    state = model.state_dict()
    for name in ("conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"):
        state[name] = state[name][order]
    state["conv2.weight"] = state["conv2.weight"][:, order]
    other.load_state_dict(state)
    return other.eval()


def law_scores(scores, seed, order):
    """One number from 0 on for each channel; another order of channels gives the same scores in that order."""
    model, x = network(seed)
    found, moved = scores(model, x), scores(permuted(model, order), x)
    assert found and found.keys() == moved.keys() and found.keys() <= dict(model.named_modules()).keys()
    for layer, score in found.items():
        assert np.shape(score) == (len(getattr(model, layer).weight),)
        assert np.isfinite(score).all() and np.min(score) >= 0
        expected = np.asarray(score)[order] if layer in ("conv1", "bn1") else score
        np.testing.assert_allclose(moved[layer], expected, rtol=1e-5, atol=1e-6)


@every_criterion
@settings(max_examples=15)
@given(st.integers(0, 2**32), st.permutations(range(5)))
def test_scores_are_numbers_of_channels_and_not_of_places(criterion, seed, order):
    law_scores(criterion.scores, seed, order)


@every_criterion
def test_data_are_used_if_a_criterion_says_so_and_only_then(criterion):
    model, x = network(1)
    if criterion.needs_data:
        with pytest.raises(ValueError, match=f"criterion is '{criterion.name}', expected data for it"):
            pruning.strongest(model, x[:1], 0.5, criterion=criterion.name)
    else:
        assert {layer: np.array(score).tolist() for layer, score in criterion.scores(model, None).items()} == {
            layer: np.array(score).tolist() for layer, score in criterion.scores(model, x).items()}


@every_criterion
def test_what_scores_highest_stays(criterion):
    model, x = network(2)
    scores = pruning.group_scores(model, x[:1], criterion.scores(model, x))
    layer = "conv1" if "conv1" in scores else "bn1"
    kept = pruning.strongest(model, x[:1], {layer: 2}, criterion=criterion.name, data=x)
    rows = {row.tobytes() for row in model.conv1.weight.data[np.argsort(scores[layer], kind="stable")[-2:]]}
    assert {row.tobytes() for row in kept.conv1.weight.data} == rows


def test_each_criterion_is_a_method_of_its_own():
    names = {method.name for method in METHODS}
    assert names == {"cut"} | {f"cut:{name}" for name in criteria() if name != "filter-norm"}
    with pytest.raises(ValueError, match="criterion is 'beauty', expected one of '"):
        pruning.strongest(*network(0), 0.5, criterion="beauty")


def test_a_criterion_that_is_not_declared_is_seen():
    """Every public function of a criterion's file is one of the chapter's names, and every file declares one."""
    for criterion in criteria().values():
        assert isinstance(criterion, Criterion)
    package = inspect.getmodule(criteria)
    files = {path.stem for path in Path(package.__file__).parent.glob("[a-z]*.py")}
    assert len(files) == len(criteria()) and files <= set(vars(pruning)), "a file without CRITERION, or without alias"


@pytest.mark.parametrize("scores", [
    lambda model, x: {"conv1": model.conv1.weight.data.sum(axis=(1, 2, 3))},  # negative ones
    lambda model, x: {"conv1": np.abs(model.conv1.weight.data)[0].ravel()[:5]},  # of the first filter alone
    lambda model, x: {"conv1": np.arange(5.0)}, lambda model, x: {"conv1": np.ones(4)}, lambda model, x: {},
])
def test_what_is_no_criterion_breaks_a_law(scores):
    with pytest.raises(AssertionError):
        for seed in range(5):
            law_scores(scores, seed, [4, 2, 0, 1, 3])
