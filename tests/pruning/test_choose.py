"""Choosing channels by example: ties, shares, and what is refused; laws stand in tests/laws/test_channel_laws.py."""

import numpy as np
import pytest

from minicompress.pruning import choose_channels, group_scores
from tests.pruning.networks import IMAGES, network


def test_of_equal_scores_the_earlier_goes_first():
    scores = {"a": np.ones(3), "b": np.ones(3)}
    kept = choose_channels(scores, sparsity=0.5)
    assert {layer: indices.tolist() for layer, indices in kept.items()} == {"a": [2], "b": [1, 2]}
    assert choose_channels(scores, counts={"a": 1})["a"].tolist() == [2]


def test_each_layer_may_have_its_own_share():
    scores = {"a": np.arange(10.0), "b": np.arange(4.0), "c": np.arange(2.0)}
    kept = choose_channels(scores, sparsity={"a": 0.29, "b": 0.5})  # 2.9 channels are three
    assert {layer: indices.tolist() for layer, indices in kept.items()} == {"a": [3, 4, 5, 6, 7, 8, 9], "b": [2, 3]}


@pytest.mark.parametrize(("scores", "options", "words"), [
    ({"a": [1.0, 2.0]}, {}, "expected one of them"),
    ({"a": [1.0, 2.0]}, {"sparsity": 0.5, "counts": {"a": 1}}, "expected one of them"),
    ({"a": [1.0, np.nan]}, {"sparsity": 0.5},
     r"scores\['a'\] has shape \(2,\), expected \(C,\) numbers from 0 on, no NaN"),
    ({"a": [[1.0]]}, {"sparsity": 0.5}, r"scores\['a'\] has shape \(1, 1\), expected \(C,\)"),
    ({"a": [-1.0]}, {"sparsity": 0.0}, "numbers from 0 on"),
    ({"a": [1.0, 2.0], "b": [3.0]}, {"sparsity": 0.9}, r"leaves \['a', 'b'\] no channel"),
    ({"a": [1.0, 2.0]}, {"sparsity": 1.5}, "sparsity is 1.5"),
    ({"a": [1.0, 2.0]}, {"counts": {"a": 3}},
     "the number of channels that 'a' keeps is 3, expected an integer from 1 to 2"),
    ({"a": [1.0, 2.0]}, {"counts": {"a": 0}}, "channels that 'a' keeps is 0, expected an integer from 1 to 2"),
    ({"a": [1.0, 2.0]}, {"counts": {"b": 1}}, r"counts names \['b'\], expected some of \['a'\]"),
    ({"a": [1.0, 2.0]}, {"sparsity": {"a": 1.0}}, "channels that 'a' keeps is 0, expected an integer from 1 to 2"),
    ({"a": [1.0, 2.0]}, {"sparsity": {"a": -1.0}}, "channels that 'a' keeps is 4, expected an integer from 1 to 2"),
    ({"a": [1.0, 2.0]}, {"sparsity": {"b": 0.5}}, r"sparsity or counts names \['b'\], expected some of \['a'\]"),
])
def test_choices_that_make_no_sense_are_refused(scores, options, words):
    with pytest.raises(ValueError, match=words):
        choose_channels({layer: np.array(score) for layer, score in scores.items()}, **options)


@pytest.mark.parametrize(("sparsity", "error", "words"), [
    ("0.5", TypeError, r"sparsity is a str, expected a fraction in \[0, 1\] or a dict"),
    ([0.5], TypeError, r"sparsity is a list, expected a fraction in \[0, 1\] or a dict"),
    (True, ValueError, r"sparsity is True, expected a fraction in \[0, 1\]"),
])
def test_a_sparsity_that_is_no_number_is_refused(sparsity, error, words):
    with pytest.raises(error, match=words):
        choose_channels({"a": np.ones(3)}, sparsity=sparsity)


@pytest.mark.parametrize(("scores", "error", "words"), [
    ([1.0], TypeError, "scores is .*, expected a dict"), ({"conv3": np.ones(4)}, ValueError,
     r"scores names layers that make no channels: \['conv3'\], expected some of \['bn', 'conv', 'fc', 'out'\]"),
    ({"conv": np.ones(3)}, ValueError, r"scores\['conv'\] has shape \(3,\), expected \(4,\)"),
])
def test_scores_of_other_channels_are_refused(scores, error, words):
    with pytest.raises(error, match=words):
        group_scores(network(), IMAGES, scores)
