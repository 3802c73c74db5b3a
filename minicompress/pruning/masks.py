"""Pruning as a constraint on one parameter, and as a schedule over a whole network."""

import numpy as np

from minicompress import expect
from minicompress.claims import Method
from minicompress.engine import where as select
from minicompress.forms import Dense, Form, Sparse
from minicompress.nn import Projection

from .magnitude import global_magnitude_masks, magnitude_mask
from .schedule import gradual_sparsity


class Mask(Projection):
    """Keep the weights where ``mask`` is true; the others are exactly +0.0 (PR-10).

    The effective weight is selected, not multiplied, so nothing leaks from below the mask, and its gradient there is
    0. ``mask=None`` keeps everything until a schedule says otherwise. Raises ValueError for a mask of another shape.
    Source: Han et al. 2015.

    >>> from minicompress.nn import Parameter, project
    >>> project(Parameter([1.0, 2.0]), Mask([True, False])).effective().numpy()
    array([1., 0.], dtype=float32)
    """

    represents = Sparse

    def __init__(self, mask=None):
        self.mask_ = None if mask is None else np.array(mask, bool)

    def fit(self, w, where=None):
        mask = np.ones(w.shape) if self.mask_ is None else self.mask_
        self.set(expect.shaped("the mask", mask, f"that of the weights, {w.shape}", mask.shape == w.shape), w)
        return self

    def __call__(self, latent):
        expect.that(self.mask_ is not None, "this mask is not fitted: put it on a parameter by nn.project")
        return select(self.mask_, latent, 0.0)

    def set(self, mask, w):
        """Take a new mask, kept in the memory order of the weights w, as mixed orders are slow."""
        self.mask_ = np.array(mask, bool, order="F" if np.isfortran(w) else "C")

    def form(self, w):
        return Sparse(self.mask_, w if isinstance(w, Form) else Dense(w))

    def constrain(self, w):
        w[~self.mask_] = 0.0  # else momentum, decay and moments go on moving what nobody sees

    def survivors(self):
        return self.mask_

    @classmethod
    def from_form(cls, form):
        return cls(form.mask), form.inner


class MagnitudePruning(Mask):
    """Prune the share ``sparsity`` of the weights, those of least magnitude (PR-2); under a mask, of its survivors.

    >>> from minicompress.nn import Parameter, project
    >>> project(Parameter([1.0, -3.0, 2.0, 0.5]), MagnitudePruning(0.5)).effective().numpy()
    array([ 0., -3.,  2.,  0.], dtype=float32)
    """

    def __init__(self, sparsity):
        super().__init__()
        self.sparsity = expect.fraction("sparsity", sparsity)

    def fit(self, w, where=None):
        alive = np.ones(w.shape, bool) if where is None else where
        mask = np.zeros(w.shape, bool)
        mask[alive] = magnitude_mask(w[alive], self.sparsity)
        self.set(mask, w)
        return self

    @classmethod
    def from_form(cls, form):
        return Mask.from_form(form)


def mask_weights(model):
    """Put a `Mask` that still keeps everything on each weight array (not the biases, not batch norm) of a model.

    Returns {dotted name: Parameter}. Raises ValueError for a parameter that is already projected.

    >>> from minicompress import models
    >>> list(mask_weights(models.mlp([4, 3, 2], rng=np.random.default_rng(0))))
    ['fc1.weight', 'fc2.weight']
    """
    masked = {name: p for name, p in model.named_latents() if p.ndim > 1}
    already = {name: p.projections for name, p in masked.items() if p.projections}
    expect.that(not already, f"the weights' projections are {already}, expected none: mask first, then project")
    for parameter in masked.values():
        parameter.projections = (Mask().fit(parameter.data),)
    return masked


class GradualPruning:
    """A schedule that prunes masked weights by magnitude ever more, ranked over the whole network (PR-9, PR-2).

    Args:
        weights: {name: Parameter}, from `mask_weights`.
        final: the sparsity at the end, over all of them, a fraction in [0, 1].
        begin, end: in epochs: sparsity 0 up to ``begin``, ``final`` from ``end`` on.
        every: steps between two prunings; retraining goes on between them.
        scale: name -> factor of its magnitudes in the ranking, 1 unless given; more protects that layer.

    Pass it to `fit` as a schedule. Source: Zhu & Gupta 2017, eq. 1.
    """

    def __init__(self, weights, *, final, begin=0.0, end, every=50, scale=None):
        expect.that(0 <= begin < end, f"begin is {begin} and end {end}, expected 0 <= begin < end")
        self.weights, self.begin, self.end = weights, begin, end
        self.final, self.every = expect.fraction("final", final, below=1), expect.integer("every", every, 1)
        self.scale = expect.some_of("scale names", scale or {}, weights)

    def __call__(self, step, steps_per_epoch):
        begin, end = (round(epoch * steps_per_epoch) for epoch in (self.begin, self.end))
        if step >= begin and (step == end or (step < end and (step - begin) % self.every == 0)):
            self.prune(gradual_sparsity(step, final=self.final, begin=begin, end=end))

    def holds(self):
        """The options, by which a checkpoint tells one from another."""
        return {"final": self.final, "begin": self.begin, "end": self.end, "every": self.every, "scale": self.scale}

    def prune(self, sparsity):
        """Set every mask so that the share ``sparsity`` of all weights together is pruned."""
        scores = {name: np.abs(p.data) * np.float32(self.scale.get(name, 1)) for name, p in self.weights.items()}
        for name, mask in global_magnitude_masks(scores, sparsity).items():
            parameter = self.weights[name]
            parameter.projections[0].set(mask, parameter.data)
            parameter.constrain()


def _prune(model, tuning):
    epochs = tuning.settings.training.epochs
    end = 0.6 * epochs
    schedule = GradualPruning(mask_weights(model), final=tuning.settings.sparsity, end=end, every=20)
    tuning.fit(model, schedule=schedule, best_from=min(int(end) + 1, epochs - 1))
    return model


METHODS = (Method("pruned", ("cut",), "which weights are small is asked of real weights, so prune before {first}",
                  _prune, "pruned"),)
