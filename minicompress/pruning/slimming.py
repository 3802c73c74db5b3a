"""Network slimming: an L1 penalty on the scales of batch norm makes whole channels dispensable."""

import math

from minicompress import engine, training
from minicompress.training import named

from .criteria import batch_norms


def slimming(strength, objective=training.supervised):
    """The objective L + λ·Σ|γ| over every batch norm's scales γ, for `fit` (PR-6); sub-gradient λ·sign(γ), 0 at 0.

    strength : λ, a finite number from 0 on
    objective : ``(model, batch) -> loss``, the L: by default the cross-entropy, or one such as distillation's

    Raises ValueError for another λ and, when called, for a model without batch norm. Source: Liu et al. 2017, eq. 1.

    >>> import numpy as np
    >>> from minicompress import data, models
    >>> model = models.mlp([4, 8, 3], batch_norm=True, rng=np.random.default_rng(0))
    >>> batch, = data.batches((np.zeros((3, 4), np.float32), np.arange(3)), 3)
    >>> round((slimming(0.5)(model, batch) - training.supervised(model, batch)).item(), 4)  # eight γ, each 1 at first
    4.0
    """
    if not 0 <= strength < math.inf:
        raise ValueError(f"strength is {strength}, expected a finite number of at least 0")
    if not callable(objective):
        raise TypeError(f"objective is {objective!r}, expected a callable (model, batch) -> loss")

    def penalised(model, batch):
        loss = objective(model, batch)
        scales = [engine.sum(engine.abs(layer.weight.effective())) for layer in batch_norms(model).values()]
        if not scales:
            raise ValueError("the model has no batch norm, so there is no γ to penalise")
        return loss + strength * sum(scales[1:], scales[0])

    return named(penalised, strength=strength, objective=objective)
