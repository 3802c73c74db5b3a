"""Network slimming: an L1 penalty on the scales of batch norm makes whole channels dispensable."""

from minicompress import engine, expect, training
from minicompress.training import named

from .criteria.scale_norm import batch_norms


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
    expect.number("strength", strength, 0)
    expect.function("objective", objective, "a callable (model, batch) -> loss")

    def penalised(model, batch):
        loss = objective(model, batch)
        scales = [engine.sum(engine.abs(layer.weight.effective())) for layer in batch_norms(model).values()]
        return loss + strength * sum(scales[1:], scales[0])

    return named(penalised, strength=strength, objective=objective)
