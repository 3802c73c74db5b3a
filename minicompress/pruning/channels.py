"""Channels really removed: a new, smaller model, in which nothing is left of what was cut."""

import copy
from numbers import Integral, Real

import numpy as np

from minicompress.nn import Parameter
from minicompress.nn.tracing import trace

from .magnitude import global_magnitude_masks
from .projections import Mask


def filter_norm(weight, order=1):
    """s_j = Σ|F_j| for ``order=1``, ‖F_j‖₂ for ``order=2``: the importance of each filter (PR-4).

    weight : (out, in, …) an array, one filter or unit a row

    Returns (out,) float64. Raises ValueError for another order or an array of fewer than two axes. Source: Li et al.
    2017, section 3.1 (order 1); the survey of criteria there compares order 2.

    >>> filter_norm(np.array([[3.0, -4.0], [1.0, 0.0]])), filter_norm(np.array([[3.0, -4.0]]), order=2)
    (array([7., 1.]), array([5.]))
    """
    weight = np.asarray(weight, np.float64)
    if weight.ndim < 2 or order not in (1, 2):
        raise ValueError(f"weights of shape {weight.shape}, order {order!r}: expected (out, in, …), and order 1 or 2")
    return np.linalg.norm(weight.reshape(len(weight), -1), order, axis=1)


def choose_channels(scores, *, sparsity=None, counts=None):
    """The indices of the channels of largest score, {layer: ascending integers}: what `cut_channels` keeps.

    Args:
        scores: {layer: (C,)}, one number a channel, such as `filter_norm` or `scale_norm` gives.
        sparsity: a fraction in [0, 1]: rank all layers together and drop exactly round(sparsity · channels), but leave
            each layer its best channel (PR-6). Or {layer: fraction}, ranked layer by layer.
        counts: {layer: how many to keep}, ranked layer by layer; layers that are not named stay whole.

    Of equal scores the earlier channel goes first. Raises ValueError unless one of sparsity and counts is given, for
    NaN, and for more to drop or to keep than there are channels; TypeError for what is no dict where one belongs.

    >>> scores = {"a": np.array([1.0, 4.0]), "b": np.array([2.0, 3.0, 9.0])}
    >>> {layer: kept.tolist() for layer, kept in choose_channels(scores, sparsity=0.4).items()}
    {'a': [1], 'b': [1, 2]}
    >>> choose_channels(scores, counts={"b": 1})["b"].tolist()
    [2]
    """
    if (sparsity is None) == (counts is None):
        raise ValueError(f"sparsity is {sparsity!r} and counts {counts!r}, expected one of them")
    _require_dict(scores=scores, counts={} if counts is None else counts)
    if not isinstance(sparsity, Real | dict | None) or isinstance(sparsity, bool):
        raise TypeError(f"sparsity is {sparsity!r}, expected a fraction in [0, 1] or a dict of such by layer")
    scores = {layer: np.array(score, np.float64) for layer, score in scores.items()}
    for layer, score in scores.items():
        if score.ndim != 1 or not score.size or np.isnan(score).any() or (score < 0).any():
            raise ValueError(f"scores of {layer!r} of shape {score.shape}: expected (C,) numbers from 0 on, no NaN")
    if isinstance(sparsity, dict):
        counts = {layer: len(score) - round(sparsity[layer] * len(score)) for layer, score in scores.items()
                  if layer in sparsity} | dict.fromkeys(sparsity.keys() - scores.keys())
    if counts is None:
        for score in scores.values():
            score[len(score) - 1 - np.argmax(score[::-1])] = np.inf  # the last of the best is what ranking keeps
        masks = global_magnitude_masks(scores, sparsity)
        if empty := [layer for layer, mask in masks.items() if not mask.any()]:
            raise ValueError(f"sparsity is {sparsity}, which leaves {empty} no channel")
        return {layer: np.flatnonzero(mask) for layer, mask in masks.items()}
    for layer, count in counts.items():
        if layer not in scores or not isinstance(count, Integral) or not 1 <= count <= len(scores[layer]):
            raise ValueError(f"{layer!r} should keep {count!r} channels, expected from 1 to the number that there are, "
                             f"of {({layer: len(score) for layer, score in scores.items()})}")
    return {layer: np.sort(np.argsort(scores[layer], kind="stable")[-count:]) for layer, count in counts.items()}


def group_scores(model, example, scores):
    """Scores of channels that can only be cut together, summed: one layer speaks for all that share them (PR-8).

    A residual add unites the channels of its branches, and a depthwise layer passes on those that it reads; ranked by
    layer, each would lose others. So `choose_channels` and `cut_channels` get one layer of each such group, the one of
    most channels. Left out are layers whose channels must stay, such as the classes, and those that hand one channel on
    as several.

    Args:
        model, example: as for `cut_channels`.
        scores: {layer: (C,)}, one number a channel, such as `filter_norm` or `scale_norm` gives.

    Returns {layer: (C,) float64} for some of those layers, no two of which share a channel. Raises what
    `nn.trace.trace` does, ValueError for unknown layers and other shapes. Source: Fang et al. 2023, section 3.

    >>> from minicompress import models
    >>> model = models.mlp([4, 3, 2], rng=np.random.default_rng(0))
    >>> group_scores(model, np.zeros((1, 4), np.float32), {"fc1": [1, 5, 2], "fc2": [7, 7]})
    {'fc1': array([1., 5., 2.])}
    """
    _require_dict(scores=scores)
    traced = trace(model, example)
    totals, taken, groups = {}, set(traced.fixed), {}
    for layer, score in scores.items():
        if layer not in traced.writes or np.shape(score) != traced.writes[layer].shape:
            raise ValueError(f"scores of {layer!r} of shape {np.shape(score)}: expected some of "
                             f"{({name: made.shape for name, made in traced.writes.items()})}")
        for name, value in zip(traced.writes[layer].tolist(), score, strict=True):
            totals[name] = totals.get(name, 0.0) + value
    for layer in sorted(scores, key=lambda layer: -len(scores[layer])):  # of equally many the first
        names = traced.writes[layer].tolist()
        if taken.isdisjoint(names) and len(set(names)) == len(names):
            taken.update(names)
            groups[layer] = np.array([totals[name] for name in names], np.float64)
    return {layer: groups[layer] for layer in scores if layer in groups}


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
    _require_dict(keep=keep)
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


def _require_dict(**options):
    for name, option in options.items():
        if not isinstance(option, dict):
            raise TypeError(f"{name} is {option!r}, expected a dict by the layers' dotted names")


def _gone(traced, keep):
    """The names of the channels to cut, after checking what was asked for."""
    kept, gone = {}, {}
    for layer, indices in keep.items():
        if layer not in traced.writes:
            raise ValueError(f"no layer {layer!r} makes channels, expected some of {sorted(traced.writes)}")
        names = traced.writes[layer]
        try:
            indices = np.asarray(indices)
        except ValueError:
            raise ValueError(f"keep[{layer!r}] is {indices!r}, expected a list of at least one index") from None
        if indices.dtype.kind not in "iu" and indices.size:
            raise TypeError(f"keep[{layer!r}] holds {indices.dtype}, expected integers, the indices of channels")
        if indices.ndim != 1 or not indices.size:
            raise ValueError(f"keep[{layer!r}] is {indices.tolist()}, expected a list of at least one index")
        if not 0 <= indices.min() <= indices.max() < len(names) or len(set(indices.tolist())) < len(indices):
            raise ValueError(f"keep[{layer!r}] is {indices.tolist()}, expected different indices from 0 to "
                             f"{len(names) - 1}")
        mask = np.isin(np.arange(len(names)), indices)
        kept |= dict.fromkeys(names[mask].tolist(), layer)
        gone |= dict.fromkeys(names[~mask].tolist(), layer)
        if together := sorted(kept.keys() & gone.keys()):
            raise ValueError(f"{gone[together[0]]!r} should lose a channel that {kept[together[0]]!r} keeps: they are "
                             "one, or are added to each other, and can only be cut together")
    for name, layer in gone.items():
        if name in traced.fixed:
            raise ValueError(f"keep[{layer!r}] cuts channels that are part of {traced.fixed[name]}, which must stay")
    return np.array(list(gone), int)


def _absorb(name, layer, constants, rows):
    """Add to the bias what the lost channels contribute for good: Σ W · constant over their columns and pixels."""
    groups, padding = getattr(layer, "groups", 1), getattr(layer, "padding", 0)
    weight = layer.weight.effective().numpy().astype(np.float64)
    by_group = weight.reshape(groups, len(weight) // groups, len(constants) // groups, -1).sum(axis=3)
    constants = constants.reshape(groups, -1)
    felt = rows.reshape(groups, -1).any(axis=1)[:, None] & (constants != 0)
    if np.isnan(constants[felt]).any():
        raise ValueError(f"{name} would lose channels that are no constants: only a batch norm, whose γ is taken as 0, "
                         "or a filter of zeros makes one that a bias can absorb")
    if padding and felt.any():
        raise ValueError(f"{name} pads with zeros, so no bias of it can absorb a constant channel: only dense layers "
                         "and unpadded convolutions can")
    if layer.bias is None:
        layer.bias = Parameter(np.zeros(len(weight), layer.weight.dtype))
    if layer.bias.projections:
        raise ValueError(f"{name}.bias is under {layer.bias.projections}: absorb first, then project")
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
    alive = np.flatnonzero(rows.any(axis=1) | columns.any(axis=1))
    sizes = {(made.sum(), read.sum()) for made, read in zip(rows[alive], columns[alive], strict=True)}
    if len(sizes) != 1 or 0 in min(sizes):
        raise ValueError(f"{name} would read {columns.sum(axis=1).tolist()} channels and make "
                         f"{rows.sum(axis=1).tolist()}, by group: expected equally many in each group, or none, "
                         "and at least one in all")

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
    for projection in parameter.projections:
        if projection.state() and not isinstance(projection, Mask):
            raise ValueError(f"{name} is under {projection!r}, which was fitted to all channels: cut first, then "
                             "project")
    parameter.set(cut(parameter.data))
    parameter.projections = tuple(Mask(cut(projection.mask_)).fit(parameter.data) if isinstance(projection, Mask)
                                  else projection for projection in parameter.projections)
