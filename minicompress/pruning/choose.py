"""Networks without their least important channels: by a criterion's scores, so many or so few as asked for."""

import bisect

from minicompress import nn
from minicompress.claims import Method

from .channels import choose_channels, cut_channels, filter_norm, group_scores
from .slimming import scale_norm


def slim(model, example, share):
    """A model without its channels of least |γ|, so few of them as leave at most a ``share`` of its parameters (PR-6).

    What they still emit, act(β), the biases behind them absorb. ``example`` as for `cut_channels`. Raises ValueError
    where even one channel a layer has more parameters.

    >>> import numpy as np
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
    if count == len(counts):
        raise ValueError(f"share is {share}, less than what is left of one channel a layer")
    return without(count)


def strongest(model, example, kept):
    """A model with the filters or units of largest L1 norm (PR-4): {layer's name: number}, or a fraction of each.

    Of channels that can only be cut together the norms add up (`group_scores`).

    >>> import numpy as np
    >>> from minicompress import models
    >>> model = models.mlp([4, 8, 2], rng=np.random.default_rng(0))
    >>> strongest(model, np.zeros((1, 4), np.float32), {"fc1": 3}).fc2.weight.shape
    (2, 3)
    """
    scores = group_scores(model, example, {
        name: filter_norm(layer.weight.effective().numpy()) for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)})
    if not isinstance(kept, dict):
        kept = {layer: max(1, round(kept * len(score))) for layer, score in scores.items()}
    return cut_channels(model, example, choose_channels(scores, counts=kept))


def _cut(model, tuning):
    model = strongest(model, tuning.dataset.train.images[:1], tuning.settings.channels_kept)
    tuning.fit(model)
    return model


METHODS = (Method("cut", (), "channels are cut from a network whose weights are still free, so cut before {first}",
                  _cut, "channels cut"),)
