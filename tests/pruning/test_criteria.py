"""Scores of channels by example; laws stand in tests/laws/test_channel_laws.py."""

import numpy as np
import pytest

from minicompress import models, nn
from minicompress.pruning import Mask, filter_norm, scale_norm
from tests.pruning.networks import network


@pytest.mark.parametrize(("shape", "order", "words"), [
    ((3,), 1, r"weight has shape \(3,\), expected \(out, in, …\)"),
    ((3, 2), 3, "order is 3, expected one of 1, 2"), ((3, 2), "fro", "order is 'fro', expected one of 1, 2"),
])
def test_norms_of_no_filters_are_refused(shape, order, words):
    with pytest.raises(ValueError, match=words):
        filter_norm(np.ones(shape), order)


def test_scales_are_those_that_the_network_computes_with():
    model = network()
    model.bn.weight.data[:] = [-2, 0, 1, 3]
    nn.project(model.bn.weight, Mask([True, True, True, False]))
    assert {name: score.tolist() for name, score in scale_norm(model).items()} == {"bn": [2, 0, 1, 0]}
    with pytest.raises(ValueError, match="no batch norm"):
        scale_norm(models.mlp([4, 2], rng=np.random.default_rng(0)))
