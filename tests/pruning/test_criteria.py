"""Scores of channels by example; laws stand in tests/laws/test_channel_laws.py."""

import numpy as np
import pytest

from minicompress import models, nn
from minicompress.pruning import Mask, filter_norm, scale_norm
from tests.pruning.networks import network


@pytest.mark.parametrize(("shape", "order"), [((3,), 1), ((3, 2), 3), ((3, 2), "fro")])
def test_norms_of_no_filters_are_refused(shape, order):
    with pytest.raises(ValueError, match=r"expected \(out, in, …\), and order 1 or 2"):
        filter_norm(np.ones(shape), order)


def test_scales_are_those_that_the_network_computes_with():
    model = network()
    model.bn.weight.data[:] = [-2, 0, 1, 3]
    nn.project(model.bn.weight, Mask([True, True, True, False]))
    assert {name: score.tolist() for name, score in scale_norm(model).items()} == {"bn": [2, 0, 1, 0]}
    with pytest.raises(ValueError, match="no batch norm"):
        scale_norm(models.mlp([4, 2], rng=np.random.default_rng(0)))
