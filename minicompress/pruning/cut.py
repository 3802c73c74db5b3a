"""Channels really removed: a new, smaller model, in which nothing is left of what was cut."""

import copy

import numpy as np

from minicompress import expect
from minicompress.nn import Parameter
from minicompress.nn.tracing import trace

from .masks import Mask

BY_LAYER = "a dict by the layers' dotted names"


def cut_channels(model, example, keep, *, absorb_bias=False):
    """A new model without the channels that ``keep`` leaves out: what makes them and what reads them is removed (PR-8).

    In evaluation it computes what the old model would if whatever reads those channels read zeros, to rounding; the
    old model stays as it is. Channels are followed by their names (`nn.trace`): what goes through batch norm, a
    depthwise layer, a residual add or a flatten is cut there too, and naming one of these layers is enough.

    Args:
        model: made of the library's layers: Linear, Conv2d of any groups, batch norm, ReLU, Dropout, pooling,
            Flatten, ImageInput, Identity, and Sequential, Add, Concatenate of such.
        example: a Tensor, or data as `predict` takes them; the first example says how large the maps are.
        keep: {layer's dotted name: the indices of its channels to keep}, at least one each, in any order.
        absorb_bias: a removed channel that emits a constant goes on being felt: the bias of what reads it takes the
            constant over. That is act(β) after a batch norm, whose γ is taken as 0 (PR-6), or act(b) of a filter of
            zeros. Exact for dense layers and unpadded convolutions, others are refused.

    Masks are cut like their weights, projections without a learned state stay. Build the optimizer afterwards.

    Raises TypeError for a module that can't be traced, a ``keep`` that is no dict, and indices that are no integers;
    ValueError, with the reason, for unknown layers, indices out of range or twice, no index at all, channels of the
    input or output, cuts that contradict each other or leave groups of different sizes, weights under other
    projections, and constants that can't be absorbed. Source: Li et al. 2017, section 3; Liu et al. 2017, section 3.

    >>> from minicompress import models
    >>> model = models.mlp([4, 3, 2], rng=np.random.default_rng(0))
    >>> cut_channels(model, np.zeros((1, 4), np.float32), {"fc1": [0, 2]}).fc1.weight.shape
    (2, 4)
    """
    expect.a(dict, "keep", keep, BY_LAYER)
    traced = trace(model, example)
    gone, smaller = _gone(traced, keep), copy.deepcopy(model)
    layers, done = dict(smaller.named_modules()), set()
    for name, reads in traced.reads.items():
        layer = layers[name]
        if id(layer) not in done:
            done.add(id(layer))
            columns, rows = ~np.isin(reads, gone), ~np.isin(traced.writes[name], gone)
            if absorb_bias and layer.weight.ndim > 1 and not columns.all():
                _absorb(name, layer, np.where(columns, 0, traced.constants[name]), rows)
            if not (columns.all() and rows.all()):
                _shrink(name, layer, rows, columns)
    return smaller


def _gone(traced, keep):
    """The names of the channels to cut, after checking what was asked for."""
    expect.some_of("keep names layers that make no channels:", keep, traced.writes)
    kept, gone = {}, {}
    for layer, indices in keep.items():
        names = traced.writes[layer]
        indices = _indices(f"keep[{layer!r}]", indices, len(names))
        mask = np.isin(np.arange(len(names)), indices)
        kept |= dict.fromkeys(names[mask].tolist(), layer)
        gone |= dict.fromkeys(names[~mask].tolist(), layer)
    both, fixed = sorted(kept.keys() & gone.keys()), [name for name in gone if name in traced.fixed]
    expect.that(not both, lambda: f"{gone[both[0]]!r} should lose a channel that {kept[both[0]]!r} keeps: they are "
                "one, or are added to each other, and can only be cut together")
    expect.that(not fixed, lambda: f"keep[{gone[fixed[0]]!r}] cuts channels that are part of "
                f"{traced.fixed[fixed[0]]}, which must stay")
    return np.array(list(gone), int)


def _indices(name, values, channels):
    values = np.asarray(values, object)  # whose elements are what was given: no number becomes another's type
    expect.that(values.ndim == 1 and values.size, f"{name} is {values.tolist()}, expected a list of at least one index")
    indices = [expect.integer(f"an index in {name}", value, 0, channels - 1, TypeError) for value in values]
    expect.that(len(set(indices)) == len(indices), lambda: f"{name} is {indices}, expected different indices")
    return indices


def _absorb(name, layer, constants, rows):
    """Add to the bias what the lost channels contribute for good: Σ W · constant over their columns and pixels."""
    groups, padding = getattr(layer, "groups", 1), getattr(layer, "padding", 0)
    weight = layer.weight.effective().numpy().astype(np.float64)
    by_group = weight.reshape(groups, len(weight) // groups, len(constants) // groups, -1).sum(axis=3)
    constants = constants.reshape(groups, -1)
    felt = rows.reshape(groups, -1).any(axis=1)[:, None] & (constants != 0)
    expect.that(not np.isnan(constants[felt]).any(), f"{name} would lose channels that are no constants: only a batch "
                "norm, whose γ is taken as 0, or a filter of zeros makes one that a bias can absorb")
    expect.that(not (padding and felt.any()), f"{name} pads with zeros, so no bias of it can absorb a constant "
                "channel: only dense layers and unpadded convolutions can")
    if layer.bias is None:
        layer.bias = Parameter(np.zeros(len(weight), layer.weight.dtype))
    projections = layer.bias.projections
    expect.that(not projections, lambda: f"{name}.bias is under {projections}: absorb first, then project")
    lost = (by_group @ np.where(felt, constants, 0)[:, :, None]).ravel()  # (G, F/G, C/G) @ (G, C/G, 1) -> (F,)
    layer.bias.set(layer.bias.data + lost)


def _shrink(name, layer, rows, columns):
    """Cut one layer's arrays to the rows that it still makes and the columns that it still reads, both boolean."""
    _cut(f"{name}.bias", layer.bias, lambda array: array[rows])
    if layer.weight.ndim == 1:
        _cut(f"{name}.weight", layer.weight, lambda array: array[rows])
        for buffer in layer.buffers:
            setattr(layer, buffer, getattr(layer, buffer)[rows].copy())
        return
    groups = getattr(layer, "groups", 1)
    rows, columns = rows.reshape(groups, -1), columns.reshape(groups, -1)
    made, read = rows.sum(axis=1).tolist(), columns.sum(axis=1).tolist()
    alive = [g for g in range(groups) if made[g] or read[g]]
    sizes = {(made[g], read[g]) for g in alive}
    expect.that(len(sizes) == 1 and 0 not in min(sizes), f"{name} would read {read} channels and make {made}, by "
                "group: expected equally many in each group, or none, and at least one in all")

    def by_group(array):
        array = array.reshape(groups, -1, *array.shape[1:])
        return np.concatenate([array[g][rows[g]][:, columns[g]] for g in alive])

    _cut(f"{name}.weight", layer.weight, by_group)
    if groups > 1:
        layer.groups = len(alive)


def _cut(name, parameter, cut):
    """Replace a parameter's array by ``cut`` of it, and what its projections know of it likewise."""
    if parameter is None:
        return
    fitted = [p for p in parameter.projections if p.state() and not isinstance(p, Mask)]
    expect.that(not fitted, lambda: f"{name} is under {fitted[0]!r}, which was fitted to all channels: cut first, then "
                "project")
    parameter.set(cut(parameter.data))
    parameter.projections = tuple(Mask(cut(projection.mask_)).fit(parameter.data) if isinstance(projection, Mask)
                                  else projection for projection in parameter.projections)
