"""Which channels belong together: a model run once on channel names in place of numbers.

Every channel that a layer makes gets a name, an integer, and the name travels with it: a concatenation concatenates
names, a flatten repeats them, a residual add unites them. Whatever carries the same name can only be cut together.
"""

from dataclasses import dataclass

import numpy as np

from minicompress import engine, expect
from minicompress.data import batches
from minicompress.engine import Tensor

from . import layers
from .module import Module
from .observing import evaluating
from .rules import Moves, Rules, inside


@dataclass(frozen=True)
class Flow:
    """What passes between two layers: one example, and what is known of each of its channels.

    x : (1, C, H, W) or (1, C), the numbers, of which the shape counts
    names : (C,) integers
    constants : (C,) what each channel is everywhere once the γ of the batch norm that made it is 0; NaN if it then
        still varies (PR-6)
    """

    x: Tensor
    names: np.ndarray
    constants: np.ndarray


class Trace:
    """What every layer of a model reads and makes; `trace` gives it.

    reads, writes : {layer's dotted name: (C,) names}, of the layers that hold weights
    constants : {layer's dotted name: (C,)}, of the channels that it reads, as in `Flow`
    carries : {dotted name: (C,) names}, of what every module gives, in the order in which they run
    fixed : {name: what it belongs to}, the names that no cut may touch
    """

    def __init__(self):
        self.reads, self.writes, self.constants, self.carries, self.fixed = {}, {}, {}, {}, {}
        self._parents, self._first = [], {}

    def fresh(self, count):
        """So many names that nothing carries yet."""
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        return np.arange(start, start + count)

    def unite(self, a, b):
        """From now on each name of ``a`` means the same as that of ``b`` in its place."""
        for x, y in zip(a.tolist(), b.tolist(), strict=True):
            self._parents[self._root(x)] = self._root(y)

    def fix(self, names, what):
        """Let no cut touch these names."""
        self.fixed |= dict.fromkeys(names.tolist(), what)

    def note(self, path, layer, flow, made):
        """Remember what a layer that holds weights reads and makes; one that runs twice does so under one name."""
        first = self._first.setdefault(id(layer), path)
        self.reads[path], self.writes[path], constants = flow.names, made, flow.constants
        if first != path:
            self.unite(self.reads[first], flow.names)
            self.unite(self.writes[first], made)  # and one bias can't make up for two constants:
            constants = np.where(self.constants[first] == constants, constants, np.nan)
        self.constants[path] = self.constants[first] = constants

    def run(self, path, module, flow):
        """The `Flow` that a module makes of a Flow, by the rule of its class."""
        made = RULES(module, path, self, flow)
        self.carries[path] = made.names
        return made

    def settle(self):
        """Replace every name by the one that stands for all that it was united with; returns self."""
        roots = np.array([self._root(name) for name in range(len(self._parents))], int)
        self.reads, self.writes, self.carries = ({layer: roots[names] for layer, names in known.items()}
                                                 for known in (self.reads, self.writes, self.carries))
        self.fixed = {int(roots[name]): what for name, what in self.fixed.items()}
        return self

    def _root(self, name):
        while self._parents[name] != name:
            self._parents[name] = self._parents[self._parents[name]]
            name = self._parents[name]
        return name


def trace(model, example):
    """Run a model on channel names; returns its `Trace`, in which channels that can only be cut together share a name.

    ``example`` is a Tensor, or whatever `predict` takes as data; its first example says how large the maps are. Names
    that the model's input or output carries are fixed. Raises TypeError for a module of a class that `RULES` doesn't
    know, such as a user's own, and ValueError for an example that the model doesn't take.

    >>> model = layers.Sequential({"a": layers.Linear(2, 3, rng=None), "b": layers.Linear(3, 2, rng=None)})
    >>> traced = trace(model, np.zeros((1, 2), np.float32))
    >>> bool((traced.writes["a"] == traced.reads["b"]).all()), sorted(set(traced.fixed.values()))
    (True, ["the model's input", "the model's output"])
    """
    expect.a(Module, "model", model)
    x, traced = next(iter(batches(example.data if isinstance(example, Tensor) else example, 1))).x, Trace()
    x = Tensor(x.astype(next((parameter.dtype for parameter in model.parameters()), x.dtype)))
    with evaluating(model):
        if model in RULES:
            model(x)  # refuses, in the layers' own words, what doesn't fit
        names = traced.fresh(x.shape[1])
        traced.fix(names, "the model's input")
        flow = traced.run("", model, Flow(x, names, np.full(len(names), np.nan)))
    traced.fix(flow.names, "the model's output")
    return traced.settle()


def _values(parameter):
    """What the layer computes with, in float64."""
    return parameter.effective().numpy().astype(np.float64)


# ---------------------------------------------------------------------------------------------------------------------
# One rule for each class of layer: (layer, path, trace, flow) -> flow

def _sequential(module, path, trace, flow):
    for name, child in module.children():
        flow = trace.run(inside(path, name), child, flow)
    return flow


def _branches(module, path, trace, flow):
    return [trace.run(inside(path, name), child, flow) for name, child in module.children()]


def _add(module, path, trace, flow):
    first, *others = branches = _branches(module, path, trace, flow)
    for other in others:
        trace.unite(first.names, other.names)
    return Flow(first.x, first.names, sum(branch.constants for branch in branches))


def _concatenate(module, path, trace, flow):
    branches = _branches(module, path, trace, flow)
    return Flow(engine.concatenate([branch.x for branch in branches], axis=1),
                np.concatenate([branch.names for branch in branches]),
                np.concatenate([branch.constants for branch in branches]))


def _weighted(layer, path, trace, flow):
    """Linear and Conv2d make channels of their own; a depthwise convolution passes on those that it reads."""
    weight, groups, out = _values(layer.weight), getattr(layer, "groups", 1), layer.weight.shape[0]
    depthwise, rows = 1 < groups == len(flow.names), weight.reshape(out, -1)
    made = np.repeat(flow.names, out // groups) if depthwise else trace.fresh(out)
    came = np.repeat(flow.constants, out // groups) if depthwise else np.full(out, np.nan)
    if depthwise and layer.padding:
        came[came != 0] = np.nan  # at the border it reads zeros instead
    bias = np.zeros(out) if layer.bias is None else _values(layer.bias)
    trace.note(path, layer, flow, made)
    return Flow(layer(flow.x), made, np.where(rows.any(axis=1), came * rows.sum(axis=1), 0) + bias)


def _batch_norm(layer, path, trace, flow):
    trace.note(path, layer, flow, flow.names)
    return Flow(layer(flow.x), flow.names, _values(layer.bias))  # 0·x̂ + β


def _relu(layer, path, trace, flow):
    return Flow(layer(flow.x), flow.names, np.maximum(flow.constants, 0))


def _pass(layer, path, trace, flow):
    """Pooling windows lie inside the map, so a constant stays what it is."""
    return Flow(layer(flow.x), flow.names, flow.constants)


def _moves(layer, path, trace, flow):
    """Where its channels come from, the layer itself says, shown each channel's number in place of what it holds."""
    for tied in layer.ties(len(flow.names)):
        trace.unite(flow.names[tied[1:]], flow.names[tied[:-1]])
    numbers = np.arange(len(flow.names), dtype=np.float32).reshape(1, -1, *(1,) * (flow.x.ndim - 2))
    came = layer(Tensor(np.broadcast_to(numbers, flow.x.shape).copy())).data
    came = came.reshape(came.shape[1], -1)[:, 0].astype(int)
    return Flow(layer(flow.x), flow.names[came], flow.constants[came])


def _image_input(layer, path, trace, flow):
    trace.fix(flow.names, f"what {path or 'ImageInput'} takes")
    x = layer(flow.x)
    if x.shape == flow.x.shape:
        return Flow(x, flow.names, flow.constants)
    names = trace.fresh(x.shape[1])
    trace.fix(names, f"what {path or 'ImageInput'} takes")
    return Flow(x, names, np.full(len(names), np.nan))


RULES = Rules("can't be traced", {
    layers.Sequential: _sequential, layers.Add: _add, layers.Concatenate: _concatenate,
    layers.Linear: _weighted, layers.Conv2d: _weighted,
    layers.BatchNorm1d: _batch_norm, layers.BatchNorm2d: _batch_norm,
    layers.ReLU: _relu, layers.Dropout: _pass, layers.AvgPool2d: _pass,
    layers.ImageInput: _image_input, Moves: _moves,
})
