"""Linear quantization of weights as a constraint: every weight is a code on an even grid, its gradient goes through."""

import numpy as np

from minicompress import expect
from minicompress.engine.surrogate import fake_quantize
from minicompress.forms import Affine, Form
from minicompress.nn import Projection

from .affine import _codes, choose_params, code_range, dequantize

NARROW = 2.0**-8


class AffineQuantization(Projection):
    """Each weight is s·(q − z) with an integer q of few bits (QU-1); the gradient passes where no code is clipped.

    That is up to half a step beyond the last codes, q_min − ½ ≤ r/s + z ≤ q_max + ½; farther out it is 0 (QU-8).
    `fit` chooses s and z from the range of the weights, of those at ``where`` only if given; afterwards they rest, and
    the latent weights move between the codes. One scale for each output channel (QU-3), or one for the layer.

    A channel's range is at least 2⁻⁸ of the layer's widest, so that its biases, integers on a grid as fine as its
    weights', fit 32 bits even if it has no weights. The price: in a channel whose weights are all below half a step of
    that range (symmetric, about 2⁻⁹/q_max of the widest), all become 0. Source: Jacob et al. 2018.

    Args:
        bits: 1 to 16.
        per_channel: a scale for each index of the first axis.
        symmetric: z = 0 (QU-2).

    Raises TypeError for weights that are not float32, the type that forms on a grid stand for.

    >>> from minicompress.nn import Parameter, project
    >>> project(Parameter([[0.1, 3.0], [-0.3, 0.2]]), AffineQuantization(3)).effective().numpy()
    array([[ 0. ,  3. ],
           [-0.3,  0.2]], dtype=float32)
    """

    represents = Affine

    def __init__(self, bits=8, *, per_channel=True, symmetric=True):
        self.bits, self.per_channel, self.symmetric = expect.integer("bits", bits, 1, 16), per_channel, symmetric
        self.scale_ = self.zero_point_ = None

    def fit(self, w, where=None):
        expect.shaped("weights", w, "(out, …), as each channel has a scale", w.ndim or not self.per_channel)
        _require_float32(w)
        axes = tuple(range(1, w.ndim)) if self.per_channel else None
        low, high = (f(w, axis=axes, where=True if where is None else where, initial=0).astype(np.float64)
                     for f in (np.min, np.max))
        high = np.maximum(high, low + NARROW * (high - low).max(initial=0))
        self.scale_, self.zero_point_ = choose_params(low, high, self.bits, symmetric=self.symmetric)
        return self

    def __call__(self, latent):
        scale, zero_point = self._along(latent)
        low, high = code_range(self.bits)
        y = dequantize(_codes(latent.data, scale, zero_point, low, high), scale, zero_point)
        return fake_quantize(latent, y, scale * (low - 0.5 - zero_point), scale * (high + 0.5 - zero_point))

    def form(self, w):
        expect.that(not isinstance(w, Form), lambda: f"AffineQuantization quantizes plain weights, got a "
                    f"{type(w).__name__}: put it innermost", TypeError)
        codes = _codes(w, *self._along(w), *code_range(self.bits))
        return Affine(codes, self.scale_, self.zero_point_, self.bits, axis=0 if self.scale_.ndim else None)

    def _along(self, w):
        """Scale and zero point in a shape that broadcasts against the weights."""
        self.require_fit()
        _require_float32(w)
        shape = self.scale_.shape + (1,) * (w.ndim - self.scale_.ndim)
        return self.scale_.reshape(shape), self.zero_point_.reshape(shape)

    @classmethod
    def from_form(cls, form):
        projection = cls(form.bits, per_channel=form.axis == 0, symmetric=not form.zero_point.any())
        projection.scale_, projection.zero_point_ = form.scale, form.zero_point
        return projection, None


def _require_float32(w):
    expect.that(w.dtype == np.float32, lambda: f"the weights are {w.dtype}, expected float32: convert them to float32 "
                "before quantizing them", TypeError)
