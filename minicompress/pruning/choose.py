"""Which channels to keep by a criterion's scores, and networks without the others."""

import bisect
from numbers import Real

import numpy as np

from minicompress import expect
from minicompress.claims import Method
from minicompress.nn.tracing import trace

from .criteria import criteria
from .criteria.scale_norm import scale_norm
from .cut import BY_LAYER, cut_channels
from .magnitude import global_magnitude_masks


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
    one_given = (sparsity is None) != (counts is None)
    expect.that(one_given, lambda: f"sparsity is {sparsity!r} and counts {counts!r}, expected one of them")
    expect.a(Real | dict | None, "sparsity", sparsity, "a fraction in [0, 1] or a dict of such by layer")
    expect.a(dict | None, "counts", counts, BY_LAYER)
    expect.a(dict, "scores", scores, BY_LAYER)
    scores = {layer: _checked_scores(layer, score) for layer, score in scores.items()}
    if isinstance(sparsity, Real):
        for score in scores.values():
            score[len(score) - 1 - np.argmax(score[::-1])] = np.inf  # the last of the best is what ranking keeps
        masks = global_magnitude_masks(scores, sparsity)
        empty = [layer for layer, mask in masks.items() if not mask.any()]
        expect.that(not empty, f"sparsity is {sparsity}, which leaves {empty} no channel")
        return {layer: np.flatnonzero(mask) for layer, mask in masks.items()}
    expect.some_of("sparsity or counts names", counts if sparsity is None else sparsity, scores)
    if sparsity is not None:
        counts = {layer: len(score) - round(sparsity[layer] * len(score)) for layer, score in scores.items()
                  if layer in sparsity}
    counts = {layer: expect.integer(f"the number of channels that {layer!r} keeps", count, 1, len(scores[layer]))
              for layer, count in counts.items()}
    return {layer: np.sort(np.argsort(scores[layer], kind="stable")[-count:]) for layer, count in counts.items()}


def _checked_scores(layer, scores):
    scores = np.array(scores, np.float64)
    fits = scores.ndim == 1 and scores.size and (scores >= 0).all()
    return expect.shaped(f"scores[{layer!r}]", scores, "(C,) numbers from 0 on, no NaN", fits)


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
    expect.a(dict, "scores", scores, BY_LAYER)
    traced = trace(model, example)
    totals, taken, groups = {}, set(traced.fixed), {}
    expect.some_of("scores names layers that make no channels:", scores, traced.writes)
    for layer, score in scores.items():
        expected = traced.writes[layer].shape
        expect.shaped(f"scores[{layer!r}]", score, f"{expected}, one number a channel", np.shape(score) == expected)
        for name, value in zip(traced.writes[layer].tolist(), score, strict=True):
            totals[name] = totals.get(name, 0.0) + value
    for layer in sorted(scores, key=lambda layer: -len(scores[layer])):  # of equally many the first
        names = traced.writes[layer].tolist()
        if taken.isdisjoint(names) and len(set(names)) == len(names):
            taken.update(names)
            groups[layer] = np.array([totals[name] for name in names], np.float64)
    return {layer: groups[layer] for layer in scores if layer in groups}


def slim(model, example, share):
    """A model without its channels of least |γ|, so few of them as leave at most a ``share`` of its parameters (PR-6).

    What they still emit, act(β), the biases behind them absorb. ``example`` as for `cut_channels`. Raises ValueError
    where even one channel a layer has more parameters.

    >>> from minicompress import models
    >>> model = models.mlp([4, 50, 2], batch_norm=True, rng=np.random.default_rng(0))
    >>> slim(model, np.zeros((1, 4), np.float32), 0.5).fc1.weight.shape
    (24, 4)
    """
    scores = group_scores(model, example, scale_norm(model))
    total, most = sum(map(len, scores.values())), share * model.summary().parameters

    def without(count):
        return cut_channels(model, example, choose_channels(scores, sparsity=count / total), absorb_bias=True)

    counts = range(total - len(scores) + 1)
    count = bisect.bisect_left(counts, True, key=lambda count: without(count).summary().parameters <= most)
    expect.that(count < len(counts), f"share is {share}, less than what is left of one channel a layer")
    return without(count)


def strongest(model, example, kept, *, criterion="filter-norm", data=None):
    """A model with the channels that a criterion scores highest: {layer's name: how many}, or a fraction of each layer.

    Of channels that can only be cut together the scores add up (`group_scores`); of each layer one at least stays.
    ``criterion``: the name of one of `criteria`, by default the L1 norm of filters (PR-4); ``data``:
    the examples that it looks at, if it does, as `predict` takes them. Raises ValueError for another name, and what the
    criterion raises.

    >>> from minicompress import models
    >>> model = models.mlp([4, 8, 2], rng=np.random.default_rng(0))
    >>> strongest(model, np.zeros((1, 4), np.float32), {"fc1": 3}).fc2.weight.shape
    (2, 3)
    """
    found = criteria()[expect.one_of("criterion", criterion, criteria())]
    expect.that(data is not None or not found.needs_data, f"criterion is {criterion!r}, expected data for it")
    scores = group_scores(model, example, found.scores(model, data))
    if not isinstance(kept, dict):
        kept = {layer: max(1, round(kept * len(score))) for layer, score in scores.items()}
    return cut_channels(model, example, choose_channels(scores, counts=kept))


def _cutting(criterion):
    def cut(model, tuning):
        data, kept = tuning.dataset, tuning.settings.channels_kept
        model = strongest(model, data.train.images[:1], kept, criterion=criterion, data=data.validation)
        tuning.fit(model)
        return model
    return cut


BECAUSE = "channels are cut from a network whose weights are still free, so cut before {first}"
METHODS = (Method("cut", (), BECAUSE, _cutting("filter-norm"), "channels cut"), *(
    Method(f"cut:{name}", (), BECAUSE, _cutting(name), f"cut by {name}") for name in criteria()
    if name != "filter-norm"))
