"""Max-norm: a limit on the length of what feeds one unit, so that a large learning rate can't blow the weights up."""

import numpy as np

from minicompress import expect
from minicompress.forms import Dense, Form

from .projection import Projection


class MaxNorm(Projection):
    """Keep each row of incoming weights within a ball: after a step, w ← w · min(1, limit/‖w‖₂), row by row.

    The effective weights are the latent ones; only `constrain` acts, so this is the one projection that saves no byte.
    A row is all that feeds one output: ``w[i]``, of a convolution the whole filter. Under a mask, put it after that:
    ``project(weight, Mask(m), MaxNorm(3.0))``, so that the limit is for what survives. Raises ValueError unless
    ``limit`` is a finite number above 0. Source: Hinton et al. 2012, "Improving neural networks by preventing
    co-adaptation of feature detectors", section 2.

    >>> from minicompress.nn import Parameter, project
    >>> project(Parameter([[3.0, 4.0], [0.0, 1.0]]), MaxNorm(2.5)).effective().numpy()
    array([[1.5, 2. ],
           [0. , 1. ]], dtype=float32)
    """

    def __init__(self, limit):
        self.limit = expect.number("limit", limit, above=0, kind=ValueError)

    def fit(self, w, where=None):
        return self

    def __call__(self, latent):
        return latent

    def form(self, w):
        return w if isinstance(w, Form) else Dense(w)

    def constrain(self, w):
        rows = w.reshape(len(w), -1)
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        if (norms > self.limit).any():  # most steps write nothing
            w *= (self.limit / np.maximum(norms, self.limit)).astype(w.dtype).reshape(-1, *[1] * (w.ndim - 1))
