"""What Deep Compression's files hold: the sparsity that was planned, whatever the validation split likes better."""

import importlib

import numpy as np
import pytest

from minicompress import container, models
from minicompress.pruning import Mask
from minicompress.quantization import weight_sharing
from minicompress.recipes import Lab, Plan
from minicompress.training import Training
from tests.mutants import mutate

recipe = importlib.import_module("minicompress.recipes.deep_compression")  # the name in recipes is the function
# So sparse that the weights of the epochs before the last pruning are far better than any behind it.
PLAN = Plan(Training(3, 0.1, 128), Training(4, 0.1, 128), Training(1, 1e-3, 128, adam=True), sparsity=0.96, clusters=4,
            bias_clusters=2)


def law_the_planned_share_is_pruned(implementation, folder):
    lab = Lab(0, folder, progress=False)
    lab.load("digits", 300)
    implementation.deep_compression(lab, models.mlp([64, 20, 10], rng=lab.rng), PLAN)
    pruned, shared = (masks(container.load(folder / name)) for name in ("pruned.mcz", "compressed.mcz"))
    assert np.array_equal(pruned, shared)
    assert np.count_nonzero(~pruned) == round(0.96 * (64 * 20 + 20 * 10))


def masks(model):
    """All masks of a network in one array."""
    return np.concatenate([projection.mask_.ravel() for _, parameter in model.named_latents()
                           for projection in parameter.projections if isinstance(projection, Mask)])


def test_the_planned_share_is_pruned(tmp_path):
    law_the_planned_share_is_pruned(recipe, tmp_path)


@pytest.mark.parametrize(("old", "new"), [
    (" schedule=pruning,", ""),
    ("best_from=min(int(end) + 1, plan.prune.epochs - 1)", "best_from=0"),
])
def test_mutants_are_caught(old, new, tmp_path):
    with pytest.raises((AssertionError, ValueError)):
        law_the_planned_share_is_pruned(mutate(recipe, old, new), tmp_path)


def test_clustering_that_forgets_the_masks_is_caught(tmp_path, monkeypatch):
    mutant = mutate(weight_sharing, "project(parameter, *masks, W", "project(parameter, W")
    monkeypatch.setattr(recipe, "share_weights", mutant.share_weights)
    with pytest.raises((AssertionError, ValueError)):
        law_the_planned_share_is_pruned(recipe, tmp_path)
