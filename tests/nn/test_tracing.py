"""Tracing by channel names, by example; what holds of all networks stands in tests/laws/test_channel_laws.py."""

import numpy as np
import pytest

from minicompress import nn
from minicompress.engine import Tensor
from minicompress.nn import graph, layers
from minicompress.nn.tracing import RULES, trace

RNG = np.random.default_rng(0)


def conv(inputs, outputs, kernel=1, **options):
    return nn.Conv2d(inputs, outputs, kernel, rng=RNG, **options)


def images(*shape):
    return np.zeros((1, *shape), np.float32)


def test_a_flatten_repeats_each_channel_for_its_pixels():
    traced = trace(nn.Sequential({"conv": conv(1, 2), "flatten": nn.Flatten(), "fc": nn.Linear(8, 3, rng=RNG)}),
                   images(1, 2, 2))
    a, b = traced.writes["conv"]
    assert traced.reads["fc"].tolist() == [a, a, a, a, b, b, b, b]
    assert set(traced.writes["fc"].tolist()) <= traced.fixed.keys() and a not in traced.fixed


def test_a_concatenation_keeps_the_order_of_its_branches():
    traced = trace(nn.Sequential({"cat": nn.Concatenate({"a": conv(1, 2), "b": nn.Identity(), "c": conv(1, 1)}),
                                  "last": conv(4, 1)}), images(1, 3, 3))
    assert traced.reads["last"].tolist() == [*traced.writes["cat.a"], *traced.reads["cat.a"], *traced.writes["cat.c"]]


def test_a_residual_add_unites_names_backwards_too():
    traced = trace(nn.Sequential({"first": conv(1, 3), "add": nn.Add({"body": conv(3, 3), "shortcut": nn.Identity()}),
                                  "last": conv(3, 2)}), images(1, 3, 3))
    assert traced.writes["first"].tolist() == traced.writes["add.body"].tolist() == traced.reads["last"].tolist()


def test_a_depthwise_convolution_passes_names_on_and_a_grouped_one_makes_its_own():
    layers = {"first": conv(1, 4), "dw": conv(4, 8, groups=4), "grouped": conv(8, 4, groups=2), "last": conv(4, 1)}
    traced = trace(nn.Sequential(layers), images(1, 3, 3))
    assert traced.writes["dw"].tolist() == np.repeat(traced.writes["first"], 2).tolist()
    assert not set(traced.writes["grouped"].tolist()) & set(traced.writes["dw"].tolist())


def test_a_layer_that_runs_twice_has_one_set_of_channels():
    shared = conv(2, 2)
    traced = trace(nn.Sequential({"first": conv(1, 2), "a": shared, "b": shared, "last": conv(2, 1)}), images(1, 3, 3))
    assert traced.writes["first"].tolist() == traced.writes["a"].tolist() == traced.writes["b"].tolist()


@pytest.mark.parametrize("example", [images(2, 3, 3), images(18), Tensor(images(2, 3, 3)),
                                     (images(18), np.zeros(1, int))])
def test_what_an_image_input_takes_is_fixed(example):
    traced = trace(nn.Sequential({"input": nn.ImageInput(2, 3, 3), "conv": conv(2, 4), "last": conv(4, 1)}), example)
    assert set(traced.reads["conv"].tolist()) <= traced.fixed.keys()
    assert not set(traced.writes["conv"].tolist()) & traced.fixed.keys()


def test_the_constants_are_what_is_left_of_a_channel():
    bn, first = nn.BatchNorm2d(2), conv(1, 2)
    bn.bias.data[:] = [-1, 2]
    first.weight.data[1], first.bias.data[1] = 0, 5
    traced = trace(nn.Sequential({"first": first, "second": conv(2, 2), "bn": bn, "relu": nn.ReLU(),
                                  "pool": nn.AvgPool2d(2), "flatten": nn.Flatten(), "fc": nn.Linear(2, 1, rng=RNG)}),
                   images(1, 2, 2))
    np.testing.assert_array_equal(traced.constants["second"], [np.nan, 5])  # a filter that varies, and one of zeros
    assert traced.constants["fc"].tolist() == [0, 2]


def test_what_every_module_passes_on_is_known():
    body = nn.Sequential({"conv": conv(3, 3), "relu": nn.ReLU()})
    model = nn.Sequential({"first": conv(1, 3), "block": nn.Add({"body": body, "short": nn.Identity()}),
                           "relu": nn.ReLU(), "flat": nn.Flatten(), "fc": nn.Linear(12, 2, rng=RNG)})
    traced = trace(model, np.ones((1, 1, 2, 2), np.float32))
    carries, made = traced.carries, traced.writes["first"].tolist()
    assert list(carries)[:3] == ["first", "block.body.conv", "block.body.relu"] and list(carries)[-1] == ""
    assert carries["block.body.relu"].tolist() == carries["block"].tolist() == carries["relu"].tolist() == made
    assert carries["flat"].tolist() == np.repeat(made, 4).tolist()


def test_tracing_leaves_the_model_as_it_was():
    model = nn.Sequential({"conv": conv(1, 2), "bn": nn.BatchNorm2d(2), "drop": nn.Dropout(0.5, rng=RNG)}).train()
    before, state = model.state_dict(), RNG.bit_generator.state
    trace(model, np.ones((3, 1, 2, 2), np.float32))
    assert model.training and model.bn.training and RNG.bit_generator.state == state
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_every_layer_of_nn_has_a_rule():
    own = {cls for cls in graph.LAYERS.values() if cls.__module__.startswith(layers.__name__ + ".")}
    assert all(cls in RULES.rules or nn.Moves in cls.__bases__ for cls in own)
    assert RULES.rules.keys() <= own | {nn.Moves}


class Doubled(nn.Module):
    def forward(self, x):
        return x * 2


class Backwards(nn.Sequential):
    def forward(self, x):
        return self[0](self[1](x))


@pytest.mark.parametrize(("model", "words"), [
    (nn.Sequential({"a": nn.Sequential({"own": Doubled()})}), "a.own, a Doubled, can't be traced"),
    (Backwards(nn.ReLU(), nn.ReLU()), "the model, a Backwards, can't be traced: a subclass of Sequential"),
])
def test_a_users_own_module_is_refused(model, words):
    with pytest.raises(TypeError, match=words):
        trace(model, images(1, 2, 2))


def test_what_is_no_model_and_what_does_not_fit_is_refused():
    with pytest.raises(TypeError, match="expected a Module"):
        trace("lenet-5", images(1, 2, 2))
    with pytest.raises(ValueError, match="needs branches of one shape"):
        trace(nn.Add(conv(1, 2), conv(1, 3)), images(1, 2, 2))
