"""How important a channel is: a criterion a file, each declared there as ``CRITERION`` and found from there.

Whatever a criterion measures, of two channels the one of larger score stays; what chooses and cuts knows no more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from minicompress import nn
from minicompress.claims import declared


@dataclass(frozen=True)
class Criterion:
    """A criterion by its name: ``scores``, a function of (model, data), gives {layer: (C,)} numbers from 0 on.

    name : such as "filter-norm"; "cut:filter-norm" is the method that cuts by it
    needs_data : whether it looks at examples; otherwise it takes None for them
    """

    name: str
    scores: Callable
    needs_data: bool = False


def of_weights(score):
    """The scores of each Linear and Conv2d layer by a function of its weights, (out, in, …) -> (out,).

    >>> from minicompress import models
    >>> import numpy as np
    >>> of_weights(lambda weight: weight.shape[:1])(models.mlp([4, 3, 2], rng=np.random.default_rng(0)), None)
    {'fc1': (3,), 'fc2': (2,)}
    """
    def scores(model, data):
        return {name: score(layer.weight.effective().numpy()) for name, layer in model.named_modules()
                if isinstance(layer, nn.Linear | nn.Conv2d)}
    return scores


@cache
def criteria():
    """{name: `Criterion`} of all that are declared.

    >>> "filter-norm" in criteria()
    True
    """
    return {criterion.name: criterion for _, criterion in declared("CRITERION", __name__)}
