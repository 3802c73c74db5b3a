"""Binary networks as they train: signs (BI-1), drawn ones (BI-2), their gradient (BI-3), clipped weights (BI-4)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, resolve, tensor
from minicompress.checker.paper import Paper
from minicompress.checker.properties import hold

from ..quantization.affine import any_shape

COURBARIAUX_2015 = Paper("courbariaux2015binaryconnect", (
    "Courbariaux, Matthieu", "Bengio, Yoshua", "David, Jean-Pierre"),
    "BinaryConnect: Training Deep Neural Networks with binary weights during propagations", 2015, "NIPS",
    arxiv="1511.00363")
COURBARIAUX_2016 = Paper("courbariaux2016binarized", (
    "Courbariaux, Matthieu", "Hubara, Itay", "Soudry, Daniel", "El-Yaniv, Ran", "Bengio, Yoshua"),
    "Binarized Neural Networks: Training Deep Neural Networks with Weights and Activations Constrained to +1 or -1",
    2016, "arXiv preprint", arxiv="1602.02830")


def any_numbers(rng, shape):
    """Eighths from −2 to 2, ±1 among them; also negative ones alone, or one number many times."""
    x = eighths(rng, shape, 2)
    return one_of(rng, x, x, x, -np.abs(x), np.full(shape, x.flat[0]))


# ---------------------------------------------------------------------------------------------------------------------
# BI-1


@page("BI-1", cite=COURBARIAUX_2016("eq. 1"), latex=r"x_b = +1 \text{ if } x \ge 0,\; -1 \text{ otherwise}",
      implementation="minicompress.engine.surrogate.sign", adapt=lambda sign: lambda x: sign(tensor(x)).numpy(),
      inputs=lambda rng, size: (any_numbers(rng, any_shape(rng, size)) * one_of(rng, 1, -1, 2.0**-100),),
      cases=((np.array([0.0]),), (np.array([-0.0, -0.5]),)))
def sign(x):
    """binarization

    x_b = +1 if x ≥ 0, −1 otherwise

    x : real numbers of any shape, (n,) or (…); −0.0 ≥ 0
    x_b : signs, of x's shape, (n,) or (…)

    >>> sign([-2.5, -0.0, 0.0, 0.5]), sign([[0.5], [-0.5]]), sign(-3)
    ([-1, 1, 1, 1], [[1], [-1]], -1)
    """
    if isinstance(x, list):
        return [sign(number) for number in x]
    return 1 if x >= 0 else -1


@sign.must("is +1 or −1")
def plus_or_minus_one(f, *inputs):
    found = f(*inputs)
    hold(np.isin(found, (-1, 1)), f"signs are +1 or −1, never anything else: {found.tolist()}")


@sign.must("0 gives +1")
def _zeros_are_plus(f, x):
    hold(f(np.array([0.0, -0.0])) == 1, "0 and −0.0 have the sign +1")


@sign.must("−x gives the opposite")
def _odd_but_for_zero(f, x):
    x = x[x != 0]
    if x.size:
        hold(f(-x) == -f(x), "the sign of −x is the opposite of that of x, unless x is 0")


sign.must_agree(0)
sign.trap("np.sign", "np.sign(0) is 0: a binary number is never 0.", lambda x: np.sign(x), seen=True)
sign.trap("above 0", "0 gets −1: it counts as positive.", lambda x: np.where(x > 0, 1.0, -1.0))
sign.trap("bits", "these are bits, 1 and 0: asked for are +1 and −1.", lambda x: (x >= 0).astype(float))
sign.trap("sign bit", "this reads the sign bit: −0.0 is ≥ 0 all the same.", lambda x: np.copysign(1.0, x))
sign.trap("turned", "the signs are turned round.", lambda x: np.where(x >= 0, -1.0, 1.0))
sign.trap("always +1", "this is +1 everywhere.", lambda x: np.ones_like(x))
sign.trap("above the mean", "this compares with the mean: the sign is that of x itself.",
          lambda x: np.where(x >= x.mean(), 1.0, -1.0))
sign.trap("nearly 0", "a number next to 0 counts as 0: its sign is its own.",
          lambda x: np.where(x >= -1e-8, 1.0, -1.0))

# ---------------------------------------------------------------------------------------------------------------------
# BI-2


def _stochastic(projection):
    def function(x, rng):
        return projection(rng=rng)(tensor(x, requires_grad=True)).numpy()
    return function


def probability_of_plus(x):
    """(BI-2) P(x_b = +1) = clip((x + 1)/2, 0, 1), the hard sigmoid. Courbariaux et al. 2015, eq. 2 and 3.

    >>> [probability_of_plus(x) for x in (-2, 0, 0.5, 3)]
    [0, 0.5, 0.75, 1]
    """
    return max(0, min(1, (x + 1) / 2))


@page("BI-2", cite=COURBARIAUX_2015("eq. 2 and 3"),
      latex=r"P(x_b = +1) = \mathrm{clip}\left(\tfrac{x + 1}{2}, 0, 1\right), \text{ else } x_b = -1",
      implementation="minicompress.binarization.StochasticBinaryConnect", adapt=_stochastic,
      inputs=lambda rng, size: (any_numbers(rng, size), np.random.default_rng(int(rng.integers(2**31)))))
def stochastic_sign(x, rng):
    """stochastic binarization

    P(x_b = +1) = clip((x + 1)/2, 0, 1), else x_b = −1

    x : real numbers, (n,)
    rng : a NumPy Generator, whose random() gives numbers in [0, 1)
    x_b : drawn signs, (n,)

    P : probability; each number is drawn by itself

    >>> import random
    >>> stochastic_sign([-2.0, 1.0], random.Random(0))
    [-1, 1]
    """
    return [1 if rng.random() < probability_of_plus(number) else -1 for number in x]


stochastic_sign.must("is +1 or −1", plus_or_minus_one)


@stochastic_sign.must("+1 has its probability")
def _share(f, x, rng):
    """Within 5 deviations: the draws are seeded, so this holds or not once for all."""
    n, draws = 1000, f(np.repeat(x, 1000), rng).reshape(x.size, -1)
    p = _hard_sigmoid(x)
    found = (draws > 0).mean(axis=1)
    hold(np.abs(found - p) <= 5 * np.sqrt(p * (1 - p) / n), f"of {n} draws a share {found.tolist()} is +1, expected "
                                                             f"about {p.tolist()}")


@stochastic_sign.must("draws with the rng it is given")
def _draws_from_rng(f, x, rng):
    zeros = np.zeros(64)  # of which two draws in 2⁶⁴ are alike
    hold(f(zeros, rng) == f(zeros, rng), "the same rng in the same state must give the same draw")
    hold(np.any(f(zeros, rng) != f(zeros, np.random.default_rng(0))), "another rng must give another draw")


@stochastic_sign.must("each weight by itself")
def _each_by_itself(f, x, rng):
    """Within 5 deviations, as in `_share`."""
    n, draws = 1000, f(np.zeros(1000), rng).astype(np.float64)
    for apart in (1, 2, n // 2):
        alike = np.mean(draws * np.roll(draws, apart))
        hold(abs(alike) <= 5 / np.sqrt(n), f"weights that are {apart} apart are not drawn by themselves: the mean "
                                           f"product of {n} pairs is {alike}, expected about 0")


def _drawn(probability, draw=lambda rng, shape: rng.random(shape)):
    return lambda x, rng: np.where(draw(rng, x.shape) < probability(x), 1.0, -1.0)


def _hard_sigmoid(x):
    return np.clip((x + 1) / 2, 0, 1)


stochastic_sign.trap("not clipped below 0", "this draws +1 with probability (x + 1)/2 of |x|.",
                     _drawn(lambda x: (np.abs(x) + 1) / 2))
stochastic_sign.trap("a coin", "this is a fair coin: the probability depends on x.", _drawn(lambda x: 0.5))
stochastic_sign.trap("sigmoid", "this is the soft sigmoid: the hard one, (x + 1)/2 clipped, is asked for.",
                     _drawn(lambda x: 1 / (1 + np.exp(-x))))
stochastic_sign.trap("own rng", "this draws with a generator of its own: it is given one, so that a seed "
                     "fixes the draw.", lambda x, rng: _drawn(_hard_sigmoid)(x, np.random.default_rng(7)))
stochastic_sign.trap("in pairs", "two weights share a draw: each has its own.",
                     _drawn(_hard_sigmoid, lambda rng, shape: np.repeat(rng.random(shape), 2)[:shape[0]]))
stochastic_sign.trap("one draw", "all weights share one draw: each has its own.",
                     _drawn(_hard_sigmoid, lambda rng, shape: rng.random()))
stochastic_sign.trap("deterministic", "this is the plain sign: it draws nothing.",
                     lambda x, rng: np.where(x >= 0, 1.0, -1.0))
stochastic_sign.trap("probabilities", "these are the probabilities: draw with them.", lambda x, rng: _hard_sigmoid(x))
stochastic_sign.trap("turned", "this is the probability of −1.", _drawn(lambda x: 1 - _hard_sigmoid(x)))

# ---------------------------------------------------------------------------------------------------------------------
# BI-3


def _saturated_or_not(rng, size):
    """Some of ±1, and of what is a little beyond."""
    return (any_numbers(rng, size) * rng.choice([1.0, 1.0, 1 + 2.0**-20, 64.0], size),
            rng.integers(-4, 5, size).astype(np.float64))


def _through(sign):
    def function(r, g):
        x = tensor(r, requires_grad=True)
        sign(x).backward(g)
        return x.grad
    return function


@page("BI-3", cite=COURBARIAUX_2016("eq. 4"), latex=r"g_r = g_q \cdot \mathbf{1}[|r| \le 1]",
      implementation="minicompress.engine.surrogate.sign", adapt=_through, inputs=_saturated_or_not,
      cases=((np.array([-1.0, 1.0, 1.125]), np.ones(3)),))
def straight_through(r, g):
    """straight-through gradient of the sign

    g_r = g_q · 1[|r| ≤ 1]

    r : what the sign q was taken of, (n,)
    g : g_q, gradient by the sign, from above, (n,)
    g_r : gradient by r, (n,)

    >>> straight_through([-1.5, -1.0, 0.25, 1.0, 1.25], [5.0] * 5), straight_through(0.5, 2.0)
    ([0.0, 5.0, 5.0, 5.0, 0.0], 2.0)
    """
    if isinstance(r, list):
        return [straight_through(a, b) for a, b in zip(r, g, strict=True)]
    return g if abs(r) <= 1 else 0.0


@straight_through.must("nothing passes outside ±1")
def _zero_outside(f, r, g):
    hold(f(r, g)[np.abs(r) > 1] == 0, "where |r| > 1 nothing passes")


@straight_through.must("everything passes inside")
def _whole_inside(f, r, g):
    inside = np.abs(r) <= 1
    hold(f(r, g)[inside] == g[inside], "where |r| ≤ 1 the gradient passes unchanged, at ±1 too")


straight_through.must_agree(0)
straight_through.trap("always", "this passes everything: beyond ±1 the sign is saturated.", lambda r, g: g, seen=True)
straight_through.trap("true derivative", "this is the sign's true derivative, 0: nothing would ever learn.",
                      lambda r, g: 0 * g)
straight_through.trap("open ends", "at exactly ±1 the gradient passes too: |r| ≤ 1.",
                      lambda r, g: g * (np.abs(r) < 1), seen=True)
straight_through.trap("missing abs", "abs is missing: very negative numbers pass too.", lambda r, g: g * (r <= 1))
straight_through.trap("|g| ≤ 1", "this looks at the gradient's size: it is r that decides.",
                      lambda r, g: g * (np.abs(g) <= 1))
straight_through.trap("clipped r", "this multiplies by r cut off at ±1: its derivative is 1 or 0.",
                      lambda r, g: g * np.clip(r, -1, 1))
straight_through.trap("tanh", "this is the derivative of tanh: here it is 1 up to |r| = 1.",
                      lambda r, g: g * (1 - np.tanh(r) ** 2), seen=True)

# ---------------------------------------------------------------------------------------------------------------------
# BI-4


def _latent_step(rng, size):
    """Steps within ±1 and beyond; some weights lie at ±1."""
    shape = any_shape(rng, size)
    w = np.clip(eighths(rng, shape, one_of(rng, 1, 2)), -1, 1)
    return one_of(rng, w, w, -np.abs(w)), eighths(rng, shape, 4), one_of(rng, 0.125, 0.5, 2.0)


def _connected(projection):
    def function(w, g, lr):
        parameter = resolve("minicompress.nn.Parameter")(w.astype(np.float32))
        resolve("minicompress.nn.project")(parameter, projection()).effective().backward(g.astype(np.float32))
        resolve("minicompress.training.optim.SGD")([parameter], lr=lr).step()
        return parameter.data
    return function


@page("BI-4", cite=COURBARIAUX_2015("algorithm 1"), latex=r"w \leftarrow \mathrm{clip}(w - \eta g, -1, 1)",
      implementation="minicompress.binarization.BinaryConnect", adapt=_connected, single=True, inputs=_latent_step)
def clipped_step(w, g, lr):
    """a step of clipped latent weights

    w ← clip(w − η·g, −1, 1)

    w : latent weights within ±1, of any shape, (n,) or (…)
    g : gradient by the binary weights, of w's shape, (n,) or (…)
    lr : η, learning rate, a number
    w_new : of w's shape, (n,) or (…)

    >>> clipped_step([0.5, 0.5], [-2.0, -8.0], 0.125), clipped_step(0.0, 1.0, 0.125)
    ([0.75, 1], -0.125)
    """
    if isinstance(w, list):
        return [clipped_step(a, b, lr) for a, b in zip(w, g, strict=True)]
    return max(-1, min(1, w - lr * g))


@clipped_step.must("stays within ±1")
def _stays_within(f, w, g, lr):
    hold(np.abs(f(w, g, lr)) <= 1, "after a step every latent weight lies within ±1")


@clipped_step.must("without a gradient nothing moves")
def _rests(f, w, g, lr):
    hold(f(w, np.zeros_like(g), lr) == w, "a weight whose gradient is 0 stays as it is")


clipped_step.must_agree(4)
clipped_step.trap("not clipped", "the weights are not clipped: they grow, and never change sign again.",
                  lambda w, g, lr: w - lr * g, seen=True)
clipped_step.trap("uphill", "this goes uphill: the gradient is taken off.",
                  lambda w, g, lr: np.clip(w + lr * g, -1, 1))
clipped_step.trap("clipped gradient", "the gradient is clipped, not the weight.",
                  lambda w, g, lr: w - lr * np.clip(g, -1, 1))
clipped_step.trap("one end", "this clips at +1 alone: −1 is an end, too.", lambda w, g, lr: np.minimum(w - lr * g, 1))
clipped_step.trap("signs", "these are signs: the latent weight keeps its real value.",
                  lambda w, g, lr: np.where(w - lr * g >= 0, 1.0, -1.0))
