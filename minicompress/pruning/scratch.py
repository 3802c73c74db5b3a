"""Training the pruned shape from scratch, the control of all that cuts channels (Liu et al. 2019)."""

import inspect

from minicompress import expect, nn


def scratch_epochs(epochs, large_macs, small_macs):
    """Epochs for training a cut network's shape from scratch, {"E": Scratch-E, "B": Scratch-B} (PR-18).

    Scratch-E: as many as the large network had. Scratch-B: the whole number that comes nearest to as many MACs,
    epochs · large_macs / small_macs, the MACs for one example (ME-3). Raises ValueError for numbers below 1 and for a
    small network that has more MACs than the large one. Source: Liu et al. 2019, section 3.

    >>> scratch_epochs(10, 600, 200)
    {'E': 10, 'B': 30}
    """
    expect.number("epochs", epochs, 1)
    expect.that(1 <= small_macs <= large_macs, f"large_macs is {large_macs} and small_macs {small_macs}, expected "
                "small_macs from 1 to large_macs")
    return {"E": epochs, "B": round(epochs * large_macs / small_macs)}


def untrained(model, rng):
    """The same layers as a Sequential has, with new random weights (PR-18).

    >>> import numpy as np
    >>> from minicompress import models
    >>> model = models.mlp([4, 3, 2], rng=np.random.default_rng(0))
    >>> bool((untrained(model, np.random.default_rng(1)).fc1.weight.data == model.fc1.weight.data).any())
    False
    """
    def again(layer):
        options = {"rng": rng} if "rng" in inspect.signature(type(layer).__init__).parameters else {}
        return type(layer)(*layer.config(), **options)
    return nn.Sequential({name: again(layer) for name, layer in model.children()})
