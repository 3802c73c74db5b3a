"""Layers, shapes, parameters and multiply-accumulates, counted on one example (ME-3)."""

from dataclasses import dataclass

import numpy as np

from minicompress.columns import table
from minicompress.engine import Tensor

from .layers import ImageInput, Linear
from .module import Module
from .observing import evaluating, observe


@dataclass(frozen=True)
class Row:
    """One layer: dotted name, class, output shape without the batch axis, parameters, MACs for one example."""

    name: str
    layer: str
    output_shape: tuple
    parameters: int
    macs: int


@dataclass(frozen=True)
class Summary:
    """The layers of a model, and their sums ``parameters`` and ``macs``; printing it gives a table.

    >>> summary = Linear(4, 3, rng=np.random.default_rng(0)).summary()
    >>> summary.parameters, summary.macs
    (15, 12)
    """

    rows: tuple

    @property
    def parameters(self):
        """The number of parameters, those of a shared layer once."""
        return sum(row.parameters for row in self.rows)

    @property
    def macs(self):
        """Multiply-accumulates for one example (ME-3)."""
        return sum(row.macs for row in self.rows)

    def __str__(self):
        rows = [[r.name, r.layer, "×".join(map(str, r.output_shape)), f"{r.parameters:,}", f"{r.macs:,}"]
                for r in self.rows]
        total = ["total", "", "", f"{self.parameters:,}", f"{self.macs:,}"]
        return table(["layer", "kind", "output shape", "parameters", "MACs"], [*rows, total], left=3)

    __repr__ = __str__


def _own_input_shape(model):
    for _, module in model.named_modules():
        if isinstance(module, ImageInput):
            return module.shape
        if isinstance(module, Linear):
            return (module.weight.shape[1],)
        if getattr(module, "weight", None) is not None:
            break
    raise ValueError("this model does not say what images it takes: give input_shape=(channels, height, width)")


def summarize(model, input_shape=None):
    """A `Summary`: per layer its output shape, parameters and MACs (ME-3) for one example; ``model.summary()`` too.

    ``input_shape`` is that of one example, without the batch axis; models that begin with an ImageInput or a Linear
    layer know their own. Raises ValueError for a model that does not say what it takes.
    """
    names, rows, counted = {id(module): name for name, module in model.named_modules()}, [], set()

    def note(module, x, y):
        own = {id(value): value.size for value in vars(module).values() if isinstance(value, Tensor)}
        if own or not module.children():
            macs = module.macs(y.shape[1:]) if hasattr(type(module), "macs") else 0
            rows.append(Row(names.get(id(module), "?"), type(module).__name__, y.shape[1:],
                            sum(size for key, size in own.items() if key not in counted), macs))
            counted.update(own)  # a layer that runs twice has its parameters once, its MACs twice

    shape = _own_input_shape(model) if input_shape is None else tuple(input_shape)
    with evaluating(model), observe(note):
        model(Tensor(np.zeros((1, *shape), np.float32)))
    return Summary(tuple(rows))


Module.summary = summarize  # a method that stands above the layers which it knows
