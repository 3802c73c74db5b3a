"""Binary weights as constraints: BinaryConnect's signs, drawn or not, and XNOR-Net's signs with a scale."""

import numpy as np

from minicompress import expect
from minicompress.engine import surrogate
from minicompress.engine.tensor import primitive, recording
from minicompress.forms import Dense, Form, Sign
from minicompress.nn import Projection


class BinaryConnect(Projection):
    """Each weight is the sign of a latent one (BI-1), which learns by the sign's gradient (BI-3), within ±1 (BI-4).

    The deterministic variant, the same in training and evaluation. TypeError for weights that are not float32.
    Source: Courbariaux et al. 2015, algorithm 1.

    >>> from minicompress.nn import Parameter, project
    >>> w = project(Parameter([0.25, -3.0, -0.0]), BinaryConnect())
    >>> w.effective().numpy(), w.data
    (array([ 1., -1.,  1.], dtype=float32), array([ 0.25, -1.  , -0.  ], dtype=float32))
    """

    represents = Sign

    def fit(self, w, where=None):
        _array(w)
        return self

    def __call__(self, latent):
        return surrogate.sign(latent)

    def form(self, w):
        return Sign(_array(w) >= 0, 1.0)

    def constrain(self, w):
        np.clip(w, -1, 1, out=w)  # beyond, a latent weight would only grow and never change its sign again

    @classmethod
    def from_form(cls, form):
        """BinaryConnect for an alpha of 1, `ScaledSign` for any other."""
        return (BinaryConnect() if form.axis is None and form.alpha == 1 else ScaledSign(form.axis)), None


class StochasticBinaryConnect(BinaryConnect):
    """As `BinaryConnect`, but in training +1 with probability clip((w + 1)/2, 0, 1) (BI-2), drawn at each use.

    "In training" is while a graph is recorded; elsewhere, as inside `nn.evaluating`, the weights are what
    ``evaluation`` says: "real" the latent weights, as the paper does it, whose file is then as large as a dense one, or
    "sign" their signs. Source: Courbariaux et al. 2015, eq. 2, and section 2.6 on evaluation. Raises ValueError for
    another ``evaluation``, TypeError without a generator, and for weights that are not float32.

    >>> from minicompress.nn import Parameter, project
    >>> w = project(Parameter([0.5] * 1000), StochasticBinaryConnect(rng=np.random.default_rng(0)))
    >>> round(w.effective().mean().item(), 1), w.form().bits.all()
    (0.5, np.True_)
    """

    def __init__(self, evaluation="sign", *, rng):
        self.evaluation = expect.one_of("evaluation", evaluation, ("real", "sign"))
        self.rng = expect.generator(rng)

    def __call__(self, latent):
        if not recording():
            return latent if self.evaluation == "real" else super().__call__(latent)
        w, one = latent.data, latent.dtype.type(1)
        plus = self.rng.random(w.shape, dtype=np.float32) < (w + 1) / 2  # a draw in [0, 1) clips the probability
        return surrogate.straight_through(latent, np.where(plus, one, -one), np.abs(w) <= 1)

    def form(self, w):
        return super().form(w) if self.evaluation == "sign" else w if isinstance(w, Form) else Dense(_array(w))


class ScaledSign(Projection):
    """α·sign(W) with α = ‖W‖₁/n, the best of all scaled signs (BI-5), for each output channel: XNOR-Net's weights.

    Its gradient is the full one, through α too (BI-7), with the sign's by BI-3; the latent weights are not clipped.
    Under a mask only the n survivors count. TypeError for weights that are not float32.

    axis : 0 for one α per output channel, None for one in all

    Source: Rastegari et al. 2016, section 3.1.

    >>> from minicompress.nn import Parameter, project
    >>> project(Parameter([[3.0, -1.0], [0.0, 4.0]]), ScaledSign()).effective().numpy()
    array([[ 2., -2.],
           [ 2.,  2.]], dtype=float32)
    """

    def __init__(self, axis=0):
        self.axis, self.where_ = None if axis is None else expect.integer("axis", axis, 0, 0), None

    def fit(self, w, where=None):
        _array(w)
        self.where_ = np.array(True) if where is None else np.array(where)
        return self

    def _counts(self):
        """Which of the latent weights count, as booleans that broadcast against them."""
        return np.array(True) if self.where_ is None else self.where_

    def __call__(self, latent):
        return surrogate.sign(latent) * _mean_magnitude(latent, self._counts(), self.axis)

    def form(self, w):
        w = _array(w)
        alpha = _alpha(w, self._counts(), self.axis)
        return Sign(w >= 0, alpha.reshape(alpha.shape[:1] if self.axis == 0 else ()), self.axis)


def _array(w):
    w = w.dense() if isinstance(w, Form) else w
    expect.that(w.dtype == np.float32, lambda: f"weights are {w.dtype}, expected float32: convert to float32 first, as "
                "a form of signs has no other values", TypeError)
    return w


def _alpha(w, counts, axis):
    """‖W‖₁/n of each channel (C, 1, …), or of all (1, …), in float64: so the mean of n equal numbers is that number.

    Thus a network that was stored, of which only ±α are known, has the same α again, to the bit. It is 0 for weights
    that all are 0, and for no others.
    """
    axes = tuple(range(axis is not None, w.ndim))
    total = np.where(counts, np.abs(w), 0).sum(axis=axes, dtype=np.float64, keepdims=True)
    mean = (total / _number(w, counts, axes)).astype(w.dtype)
    return np.where(total > 0, np.maximum(mean, np.finfo(w.dtype).smallest_subnormal), mean)


def _alpha_vjp(g, y, w, counts, axis):
    """∂α/∂W_i = sign(W_i)/n of what counts, 0 elsewhere."""
    number = _number(w, counts, tuple(range(axis is not None, w.ndim)))
    return np.where(counts, np.where(w >= 0, g, -g) / number.astype(w.dtype), 0)


def _number(w, counts, axes):
    return np.maximum(np.broadcast_to(counts, w.shape).sum(axis=axes, keepdims=True), 1)


_mean_magnitude = primitive(_alpha, _alpha_vjp)
