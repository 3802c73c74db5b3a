"""A rewrite as a table: the rule of the very class, or of a trait, and a refusal with path and reason."""

import numpy as np
import pytest

from minicompress import nn
from minicompress.engine import Tensor
from minicompress.nn.rules import inside, rebuilt

WIDTHS = nn.Rules("has no width", {nn.Flatten: lambda layer, path, more=0: 3 + more, nn.Moves: lambda *_: "moves"},
                  {nn.Dropout: "it draws"})


class Mine(nn.Flatten):
    """It may compute anything."""


class Turned(nn.Module, nn.Moves):
    def forward(self, x):
        return x[::-1]


def test_the_class_itself_decides_and_then_its_own_traits():
    assert WIDTHS(nn.Flatten(), "a") == 3 and WIDTHS(nn.Flatten(), "a", 4) == 7
    assert WIDTHS(nn.MaxPool2d(2), "a") == WIDTHS(Turned(), "a") == "moves"
    assert nn.Flatten() in WIDTHS and Turned() in WIDTHS and Mine() not in WIDTHS and nn.ReLU() not in WIDTHS


@pytest.mark.parametrize(("layer", "path", "words"), [
    (Mine(), "net.flat", "net.flat, a Mine, has no width: a subclass of Flatten may compute anything"),
    (type("My", (nn.MaxPool2d,), {})(2), "pool", "pool, a My, has no width: a subclass of MaxPool2d may compute"),
    (nn.Dropout(rng=None), "", "the model, a Dropout, has no width: it draws"),
    (nn.ReLU(), "act", "act, a ReLU, has no width: expected one of Flatten, or a layer that Moves"),
    (nn.Add(nn.Identity()), "sum", "sum, an Add, has no width"),
])
def test_what_has_no_rule_is_refused(layer, path, words):
    with pytest.raises(TypeError, match=f"^{words}"):
        WIDTHS(layer, path)


def test_otherwise_is_the_rule_of_all_others():
    rules = nn.Rules("can't fail", {nn.ReLU: lambda layer, path: path}, otherwise=lambda layer, path: layer)
    flat = Mine()
    assert rules(nn.ReLU(), "a") == "a" and rules(flat, "b") is flat


def test_a_container_is_rebuilt_with_its_mode_and_names():
    model = nn.Sequential({"a": nn.ReLU(), "b": nn.Add({"c": nn.ReLU(), "d": nn.Flatten()})}).eval()
    seen = []

    def rule(layer, path):
        seen.append(path)
        return rebuilt(layer, path, rule) if isinstance(layer, nn.Add) else nn.Identity()

    made = rebuilt(model, inside("", "net"), rule)
    assert seen == ["net.a", "net.b", "net.b.c", "net.b.d"] and not made.training
    assert [type(layer).__name__ for _, layer in made.named_modules()] == ["Sequential", "Identity", "Add", "Identity",
                                                                           "Identity"]
    assert type(model.a) is nn.ReLU, "the old one stays as it is"


@pytest.mark.parametrize("layer", [nn.MaxPool2d(2), nn.Flatten(), nn.Identity(), nn.ChannelShuffle(2),
                                   nn.ImageInput(4, 4, 4)])
def test_what_moves_gives_elements_of_what_it_reads(layer):
    """The promise of the trait, on which every rewrite relies; and a channel's numbers stay one channel's."""
    x = np.random.default_rng(0).permutation(64).reshape(1, 4, 4, 4).astype(np.float32)
    assert nn.Moves in type(layer).__bases__
    assert set(layer(Tensor(x)).data.ravel()) <= set(x.ravel())
    numbers = np.broadcast_to(np.arange(4, dtype=np.float32)[:, None, None], x.shape)
    y = layer(Tensor(numbers.copy())).data
    assert (y.reshape(1, y.shape[1], -1) == y.reshape(1, y.shape[1], -1)[:, :, :1]).all()


def test_every_layer_that_moves_is_held_to_it():
    moving = {layer for layer in nn.graph.LAYERS.values() if nn.Moves in layer.__bases__}
    held = {nn.MaxPool2d, nn.Flatten, nn.Identity, nn.ChannelShuffle, nn.ImageInput}
    assert moving == held
