"""Entries of binary networks as they train: signs and their surrogates, clipped weights, scales (BI-1 to 5, 7)."""

import numpy as np

from .. import binarization as literal
from ..ledger import Equation, Trap, resolve
from ..suite import agrees, close, hold
from .draw import eighths, listed, one_of, tensor

BNN, CONNECT, XNOR = "Courbariaux et al. 2016, ", "Courbariaux et al. 2015, ", "Rastegari et al. 2016, "


def numbers(rng, size):
    """Eighths from −2 to 2."""
    return eighths(rng, size, 2)


def each(reference):
    """A literal function of single numbers, over arrays."""
    return listed(lambda first, *rest: [reference(x, *rest) for x in first])


# ---------------------------------------------------------------------------------------------------------------------
# BI-1 to BI-4


def plus_or_minus_one(f, *inputs):
    found = f(*inputs)
    hold(np.isin(found, (-1, 1)), f"signs are +1 or −1, never anything else: {found.tolist()}")


def _zeros_are_plus(f, x):
    hold(f(np.array([0.0, -0.0])) == 1, "0 and −0.0 have the sign +1")


def _odd_but_for_zero(f, x):
    x = x[x != 0]
    if x.size:
        hold(f(-x) == -f(x), "the sign of −x is the opposite of that of x, unless x is 0")


SIGN = Equation(
    id="BI-1", title="binarization", source=BNN + "eq. 1",
    latex=r"x^b = +1 \text{ if } x \ge 0,\; -1 \text{ otherwise}", formula="+1 if x ≥ 0, else −1 (so −0.0 gives +1)",
    arguments={"x": "(n,)"}, results={"x_b": "signs, (n,)"},
    implementation="minicompress.engine.surrogate.sign", adapt=lambda sign: lambda x: sign(tensor(x)).numpy(),
    reference=each(literal.sign), inputs=lambda rng, size: (numbers(rng, size) * one_of(rng, 1, -1),),
    cases=((np.array([0.0]),), (np.array([-0.0, -0.5]),)),
    properties={"is +1 or −1": plus_or_minus_one, "0 gives +1": _zeros_are_plus, "−x gives the opposite":
                _odd_but_for_zero, "is what the formula gives": agrees(each(literal.sign), 0)},
    traps=(Trap("np.sign", "np.sign(0) is 0: a binary number is never 0.", lambda x: np.sign(x)),
           Trap("above 0", "0 gets −1: it counts as positive.", lambda x: np.where(x > 0, 1.0, -1.0)),
           Trap("bits", "these are bits, 1 and 0: asked for are +1 and −1.", lambda x: (x >= 0).astype(float)),
           Trap("sign bit", "this reads the sign bit: −0.0 is ≥ 0 all the same.", lambda x: np.copysign(1.0, x)),
           Trap("turned", "the signs are turned round.", lambda x: np.where(x >= 0, -1.0, 1.0)),
           Trap("always +1", "this is +1 everywhere.", lambda x: np.ones_like(x))))


def _share(f, x, rng):
    """Within 5 deviations: the draws are seeded, so this holds or not once for all."""
    n, draws = 1000, f(np.repeat(x, 1000), rng).reshape(x.size, -1)
    p = _hard_sigmoid(x)
    found = (draws > 0).mean(axis=1)
    hold(np.abs(found - p) <= 5 * np.sqrt(p * (1 - p) / n), f"of {n} draws a share {found.tolist()} is +1, expected "
                                                             f"about {p.tolist()}")


def _draws_from_rng(f, x, rng):
    zeros = np.zeros(64)  # of which two draws in 2⁶⁴ are alike
    hold(f(zeros, rng) == f(zeros, rng), "the same rng in the same state must give the same draw")
    hold(np.any(f(zeros, rng) != f(zeros, np.random.default_rng(0))), "another rng must give another draw")


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


def _stochastic(projection):
    def function(x, rng):
        return projection(rng=rng)(tensor(x, requires_grad=True)).numpy()
    return function


STOCHASTIC = Equation(
    id="BI-2", title="stochastic binarization", source=CONNECT + "eq. 2 and 3",
    latex=r"P(x^b = +1) = \mathrm{clip}\left(\tfrac{x + 1}{2}, 0, 1\right)",
    formula="P(+1) = clip((x + 1)/2, 0, 1), else −1",
    arguments={"x": "(n,)", "rng": "a NumPy Generator, whose random() gives numbers in [0, 1)"},
    results={"x_b": "drawn signs, (n,)"}, implementation="minicompress.binarization.StochasticBinaryConnect",
    adapt=_stochastic, reference=lambda x, rng: [1 if rng.random() < literal.probability_of_plus(v) else -1 for v in x],
    inputs=lambda rng, size: (numbers(rng, size), np.random.default_rng(int(rng.integers(2**31)))),
    properties={"is +1 or −1": plus_or_minus_one, "+1 has its probability": _share,
                "draws with the rng it is given": _draws_from_rng, "each weight by itself": _each_by_itself},
    traps=(Trap("not clipped below 0", "this draws +1 with probability (x + 1)/2 of |x|.",
                _drawn(lambda x: (np.abs(x) + 1) / 2)),
           Trap("a coin", "this is a fair coin: the probability depends on x.", _drawn(lambda x: 0.5)),
           Trap("sigmoid", "this is the soft sigmoid: the hard one, (x + 1)/2 clipped, is asked for.",
                _drawn(lambda x: 1 / (1 + np.exp(-x)))),
           Trap("own rng", "this draws with a generator of its own: it is given one, so that a seed fixes the draw.",
                lambda x, rng: _drawn(_hard_sigmoid)(x, np.random.default_rng(7))),
           Trap("in pairs", "two weights share a draw: each has its own.",
                _drawn(_hard_sigmoid, lambda rng, shape: np.repeat(rng.random(shape), 2)[:shape[0]])),
           Trap("deterministic", "this is the plain sign: it draws nothing.",
                lambda x, rng: np.where(x >= 0, 1.0, -1.0)),
           Trap("probabilities", "these are the probabilities: draw with them.",
                lambda x, rng: _hard_sigmoid(x))))


def _zero_outside(f, r, g):
    hold(f(r, g)[np.abs(r) > 1] == 0, "where |r| > 1 nothing passes")


def _whole_inside(f, r, g):
    inside = np.abs(r) <= 1
    hold(f(r, g)[inside] == g[inside], "where |r| ≤ 1 the gradient passes unchanged, at ±1 too")


def _passed(r, g):
    return [literal.straight_through(a, b) for a, b in zip(r, g, strict=True)]


def _through(sign):
    def function(r, g):
        x = tensor(r, requires_grad=True)
        sign(x).backward(g)
        return x.grad
    return function


SURROGATE = Equation(
    id="BI-3", title="straight-through gradient of the sign", source=BNN + "eq. 4",
    latex=r"g_r = g_q \cdot \mathbf{1}[|r| \le 1]", formula="g_r = g_q · 1[|r| ≤ 1]",
    arguments={"r": "what the sign was taken of, (n,)", "g": "gradient from above, (n,)"}, results={"g_r": "(n,)"},
    implementation="minicompress.engine.surrogate.sign", adapt=_through, reference=listed(_passed),
    inputs=lambda rng, size: (numbers(rng, size), rng.integers(-4, 5, size).astype(np.float64)),
    cases=((np.array([-1.0, 1.0, 1.125]), np.ones(3)),),
    properties={"nothing passes outside ±1": _zero_outside, "everything passes inside": _whole_inside,
                "is what the formula gives": agrees(listed(_passed), 0)},
    traps=(Trap("always", "this passes everything: beyond ±1 the sign is saturated.", lambda r, g: g),
           Trap("true derivative", "this is the sign's true derivative, 0: nothing would ever learn.",
                lambda r, g: 0 * g),
           Trap("open ends", "at exactly ±1 the gradient passes too: |r| ≤ 1.", lambda r, g: g * (np.abs(r) < 1)),
           Trap("missing abs", "abs is missing: very negative numbers pass too.", lambda r, g: g * (r <= 1)),
           Trap("|g| ≤ 1", "this looks at the gradient's size: it is r that decides.",
                lambda r, g: g * (np.abs(g) <= 1))))


def _stays_within(f, w, g, lr):
    hold(np.abs(f(w, g, lr)) <= 1, "after a step every latent weight lies within ±1")


def _clipped_steps(w, g, lr):
    return [literal.clipped_step(a, b, lr) for a, b in zip(w, g, strict=True)]


def _connected(projection):
    def function(w, g, lr):
        parameter = resolve("minicompress.nn.Parameter")(w.astype(np.float32))
        resolve("minicompress.nn.project")(parameter, projection()).effective().backward(g.astype(np.float32))
        resolve("minicompress.nn.optim.SGD")([parameter], lr=lr).step()
        return parameter.data
    return function


CLIPPED = Equation(
    id="BI-4", title="a step of clipped latent weights", source=CONNECT + "algorithm 1",
    latex=r"w \leftarrow \mathrm{clip}(w - \eta g, -1, 1)", formula="w ← clip(w − η·g, −1, 1)",
    arguments={"w": "latent weights within ±1, (n,)", "g": "gradient by the binary weights, (n,)", "lr": "η"},
    results={"w_new": "(n,)"}, implementation="minicompress.binarization.BinaryConnect", adapt=_connected, single=True,
    reference=listed(_clipped_steps),
    inputs=lambda rng, size: (eighths(rng, size, 1), eighths(rng, size, 4), one_of(rng, 0.125, 0.5)),
    properties={"stays within ±1": _stays_within, "is what the formula gives": agrees(listed(_clipped_steps), 4)},
    traps=(Trap("not clipped", "the weights are not clipped: they grow, and never change sign again.",
                lambda w, g, lr: w - lr * g),
           Trap("uphill", "this goes uphill: the gradient is taken off.", lambda w, g, lr: np.clip(w + lr * g, -1, 1)),
           Trap("clipped gradient", "the gradient is clipped, not the weight.",
                lambda w, g, lr: w - lr * np.clip(g, -1, 1)),
           Trap("signs", "these are signs: the latent weight keeps its real value.",
                lambda w, g, lr: np.where(w - lr * g >= 0, 1.0, -1.0))))

# ---------------------------------------------------------------------------------------------------------------------
# BI-5, BI-7


def _no_better(f, w):
    alpha, signs = f(w)
    error, best = np.sum((w - alpha * signs) ** 2), literal.least_error(w.tolist())
    hold(error <= best + 64 * f.eps * np.sum(w * w), f"‖W − αB‖² is {error:g}, but {best:g} can be reached")


def _signs_alone(f, w):
    hold(np.isin(f(w)[1], (-1, 1)), "B holds +1 and −1 alone")


def _scales_with_w(f, w):
    close(f, f(4 * w)[0], 4 * f(w)[0], "four times the weights must have four times the scale", 8)


def _scaled(projection):
    def function(w):
        w = w.astype(np.float32)
        scaled = projection(axis=None).fit(w)
        return np.abs(scaled(tensor(w)).numpy())[0], np.where(scaled.form(w).bits, 1, -1)
    return function


SCALING = Equation(
    id="BI-5", title="the best scaled signs", source=XNOR + "eq. 6",
    latex=r"\alpha^* = \frac{\lVert W \rVert_1}{n},\; B^* = \mathrm{sign}(W) \;"
          r"\text{ minimise }\; \lVert W - \alpha B\rVert^2",
    formula="α* = ‖W‖₁/n, B* = sign(W) minimise ‖W − α·B‖²", arguments={"w": "weights, (n,)"},
    results={"alpha": "a number", "signs": "(n,)"},
    implementation="minicompress.binarization.ScaledSign", adapt=_scaled, single=True,
    reference=listed(literal.scaling), inputs=lambda rng, size: (numbers(rng, min(size, 8)),),
    properties={"B is made of signs": _signs_alone, "no other scaled signs are nearer": _no_better,
                "α grows with the weights": _scales_with_w,
                "is what the formula gives": agrees(listed(literal.scaling), 16)},
    traps=(Trap("mean", "abs is missing: this is the mean of the weights.",
                lambda w: (w.mean(), np.where(w >= 0, 1, -1))),
           Trap("norm", "this is the Euclidean norm's share: the scale is the mean magnitude.",
                lambda w: (np.sqrt(np.mean(w * w)), np.where(w >= 0, 1, -1))),
           Trap("np.sign", "np.sign(0) is 0: a binary weight is never 0.", lambda w: (np.abs(w).mean(), np.sign(w))),
           Trap("largest", "this is the largest magnitude: the error is least with the mean.",
                lambda w: (np.abs(w).max(), np.where(w >= 0, 1, -1))),
           Trap("no scale", "the scale is left at 1.", lambda w: (1.0, np.where(w >= 0, 1, -1)))))


def _difference_quotients(f, w, g):
    """Where |w| > 1 the sign passes nothing, so what is left is α's own derivative, which can be measured."""
    w = np.where(np.abs(w) <= 1, np.where(w >= 0, 1.5, -1.5), w)
    step = 2.0**-12

    def loss(v):
        return np.sum(g * np.abs(v).mean() * np.where(v >= 0, 1, -1))

    slopes = [(loss(w + step * e) - loss(w - step * e)) / (2 * step) for e in np.eye(w.size)]
    hold(np.abs(f(w, g) - slopes) <= (1e-6 + 64 * f.eps) * (1 + np.abs(g).sum()),
         "where all |W| > 1 it must be the derivative of Σ g·α·sign(W) through α alone")


def _full_gradient(projection):
    def function(w, g):
        x = tensor(w.astype(np.float32), requires_grad=True)
        projection(axis=None).fit(x.data)(x).backward(g.astype(np.float32))
        return x.grad
    return function


def _terms(alpha=1.0, cross=1.0, window=lambda w: np.abs(w) <= 1):
    def function(w, g):
        signs = np.where(w >= 0, 1, -1)
        return alpha * g * np.abs(w).mean() * window(w) + cross * signs / w.size * (g @ signs)
    return function


SCALED_GRADIENT = Equation(
    id="BI-7", title="gradient of scaled signs", source=XNOR + "section 3.1, in full",
    latex=r"\frac{\partial C}{\partial W_i} = g_i\, \alpha\, \mathbf{1}[|W_i| \le 1] + \frac{\mathrm{sign}(W_i)}{n}"
          r"\sum_j g_j\, \mathrm{sign}(W_j)",
    formula="∂C/∂W_i = g_i·α·1[|W_i| ≤ 1] + sign(W_i)/n · Σ_j g_j·sign(W_j),   α = ‖W‖₁/n",
    arguments={"w": "W, (n,)", "g": "∂C by each α·sign(W_i), (n,)"}, results={"gradient": "(n,)"},
    implementation="minicompress.binarization.ScaledSign", adapt=_full_gradient, single=True,
    reference=listed(literal.scaling_gradient),
    inputs=lambda rng, size: (numbers(rng, size + 1), rng.integers(-4, 5, size + 1).astype(np.float64)),
    properties={"beyond ±1 only α's derivative is left": _difference_quotients,
                "is what the formula gives": agrees(
                    listed(literal.scaling_gradient), 64, lambda w, g: 1 + np.abs(g).sum())},
    traps=(Trap("as printed", "this is the form that the paper prints, g·(1/n + α·sign'): it drops the cross terms.",
                lambda w, g: g * (1 / w.size + np.abs(w).mean() * (np.abs(w) <= 1))),
           Trap("α constant", "α is held constant: it depends on every weight.", _terms(cross=0.0)),
           Trap("not clipped", "where |W| > 1 the sign passes nothing.", _terms(window=np.ones_like)),
           Trap("sign constant", "the sign passes nothing here: within ±1 it passes the gradient.", _terms(alpha=0.0))))


ENTRIES = (SIGN, STOCHASTIC, SURROGATE, CLIPPED, SCALING, SCALED_GRADIENT)
