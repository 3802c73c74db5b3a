"""The objective of network slimming by example; its value and sub-gradient stand in tests/laws/test_channel_laws.py."""

import math

import numpy as np
import pytest

from minicompress import data, models, nn, pruning, training


def test_it_drives_scales_to_zero_and_composes_with_fit():
    rng, found = np.random.default_rng(0), []
    x = rng.normal(size=(200, 6)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    for strength in (0.0, 0.05):
        model = models.mlp([6, 12, 2], batch_norm=True, rng=np.random.default_rng(1))
        training.fit(model, (x, y), epochs=20, objective=pruning.slimming(strength), progress=False, rng=rng)
        found.append(np.median(pruning.scale_norm(model)["bn1"]))
    assert found[1] < 0.1 * found[0]


def test_it_adds_to_any_objective():
    model = models.mlp([4, 3, 2], batch_norm=True, rng=np.random.default_rng(0))
    batch, = data.batches(np.zeros((5, 4), np.float32), 5)

    def other(model, batch):  # one that needs no labels
        return model(nn.functional.Tensor(batch.x)).sum() * 0

    assert pruning.slimming(2.0, other)(model, batch).item() == 6.0


@pytest.mark.parametrize("strength", [-1, math.inf, math.nan])
def test_strengths_that_make_no_sense_are_refused(strength):
    with pytest.raises(ValueError, match="expected a finite number of at least 0"):
        pruning.slimming(strength)


def test_what_has_no_scales_is_refused():
    model = models.mlp([4, 2], rng=np.random.default_rng(0))
    batch, = data.batches((np.zeros((5, 4), np.float32), np.zeros(5, int)), 5)
    with pytest.raises(ValueError, match="no batch norm"):
        pruning.slimming(1.0)(model, batch)
    with pytest.raises(TypeError, match="objective is 3, expected a callable"):
        pruning.slimming(1.0, 3)
