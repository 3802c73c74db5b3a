"""Weight sharing on a parameter: exact where it should be, refused where it can't be."""

import numpy as np
import pytest

from minicompress.nn import Parameter, project
from minicompress.pruning import Mask
from minicompress.quantization import WeightClustering


def test_an_unfitted_clustering_says_what_to_do():
    for use in (lambda p: p(Parameter([1.0])), lambda p: p.form(np.ones(1, np.float32))):
        with pytest.raises(ValueError, match=r"not fitted: put it on a parameter by nn\.project"):
            use(WeightClustering(2))


@pytest.mark.parametrize(("arguments", "error", "words"), [
    ([0], ValueError, "k is 0, expected an integer from 1"), ([True], ValueError, "k is True"),
    ([2.0], ValueError, "k is 2.0"), ([65_537], ValueError, "k is 65537"), ([4, "best"], ValueError, "init is 'best'"),
    ([4, "forgy"], TypeError, "rng is None"),
])
def test_options_that_make_no_sense_are_refused_at_once(arguments, error, words):
    with pytest.raises(error, match=words):
        WeightClustering(*arguments)


def test_enough_centroids_lose_nothing():
    weights = np.array([[0.5, -1.0], [0.5, 3.0]], np.float32)
    np.testing.assert_array_equal(project(Parameter(weights), WeightClustering(3)).effective().numpy(), weights)


def test_pruned_weights_pull_no_centroid():
    parameter = project(Parameter([100.0, 1.0, 3.0]), Mask([False, True, True]), WeightClustering(1))
    assert parameter.effective().numpy().tolist() == [0.0, 2.0, 2.0]


def test_an_array_without_survivors_is_all_zero():
    parameter = project(Parameter([1.0, 2.0]), Mask([False, False]), WeightClustering(4))
    assert parameter.effective().numpy().tolist() == [0.0, 0.0] and parameter.form().dense().tolist() == [0.0, 0.0]
