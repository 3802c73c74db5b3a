"""What Deep Compression's files hold: the sparsity that was planned, whatever the validation split likes better."""

import importlib

import numpy as np
import pytest

from minicompress import container, data, models
from minicompress.pruning import Mask
from minicompress.recipes import Plan
from tests.mutants import mutate

recipe = importlib.import_module("minicompress.recipes.deep_compression")  # the name in recipes is the function
# So sparse that the weights of the epochs before the last pruning are far better than any behind it.
PLAN = Plan(train_epochs=3, prune_epochs=4, share_epochs=1, sparsity=0.96, clusters=4, bias_clusters=2)


def law_the_planned_share_is_pruned(implementation, folder):
    rng = np.random.default_rng(0)
    dataset = data.load("digits", validation=300, rng=rng)
    implementation.deep_compression(models.mlp([64, 20, 10], rng=rng), dataset, PLAN, folder, progress=False, rng=rng)
    pruned, shared = (masks(container.load(folder / name)) for name in ("pruned.mcz", "compressed.mcz"))
    assert np.array_equal(pruned, shared)
    assert np.count_nonzero(~pruned) == round(0.96 * (64 * 20 + 20 * 10))


def masks(model):
    """All masks of a network in one array."""
    return np.concatenate([projection.mask_.ravel() for _, parameter in model.named_parameters(projections=False)
                           for projection in parameter.projections if isinstance(projection, Mask)])


def test_the_planned_share_is_pruned(tmp_path):
    law_the_planned_share_is_pruned(recipe, tmp_path)


@pytest.mark.parametrize(("old", "new"), [
    (" schedules=[pruning],", ""),
    ("best_from=min(int(end) + 1, plan.prune_epochs - 1)", "best_from=0"),
    ("nn.project(parameter, *masks, W", "nn.project(parameter, W"),
])
def test_mutants_are_caught(old, new, tmp_path):
    with pytest.raises((AssertionError, ValueError)):
        law_the_planned_share_is_pruned(mutate(recipe, old, new), tmp_path)
