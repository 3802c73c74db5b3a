"""Quantization-aware training in four steps (QU-9), and batch norm folded into the layer before it."""

import math
from fractions import Fraction

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, resolve
from minicompress.checker.properties import hold

from .affine import JACOB_2018, MAI_2022, code_bounds, dequantize, quantize
from .integer import fixed_point_multiplier, integer_output, multiply_by

LOW, HIGH = code_bounds(8)


def folded(w, b, gamma, beta, mean, variance, eps):
    """(w', b') with w'·x + b' = γ·(w·x + b - μ)/√(σ²+ε) + β for one output channel, w a list. Jacob et al., eq. 14.

    >>> folded([2.0], 1.0, 3.0, 0.5, 1.0, 4.0, 0.0)
    ([3.0], 0.5)
    """
    factor = gamma / math.sqrt(variance + eps)
    return [factor * weight for weight in w], factor * (b - mean) + beta


# ---------------------------------------------------------------------------------------------------------------------
# QU-9

def _layer(rng, size):
    """Scales whose quotients M are simple fractions, so that halves abound, and floats are exact."""
    s1, s2 = one_of(rng, 0.125, 0.1875), one_of(rng, 0.125, 2.0**-7)
    s3, z1, z3 = s1 * one_of(rng, 0.25, 0.375, 0.5), one_of(rng, LOW, -1, 0, 5, HIGH), one_of(rng, LOW, -3, 0, 7, HIGH)
    x, w = eighths(rng, size, 2), eighths(rng, size, 1)
    x, w = one_of(rng, x, x, -np.abs(x), 32 * x), one_of(rng, w, w, w, -np.abs(w))
    return x, w, float(eighths(rng, (), 1)), s1, z1, s2, s3, z3, *_multiplier(s1, s2, s3)


def _multiplier(s1, s2, s3):
    return fixed_point_multiplier(Fraction(s1) * Fraction(s2) / Fraction(s3))


def _four_steps(convert):
    """The package's: prepare, choose the ranges, move the weights as training does and predict; then convert."""
    def function(x, w, b, s1, z1, s2, s3, z3, *_):
        nn, tensor = "minicompress.nn.", resolve("minicompress.engine.Tensor")
        linear = resolve(nn + "Linear")(len(w), 1, rng=np.random.default_rng(0))
        linear.weight.set(np.full(linear.weight.shape, HIGH * s2))
        model = resolve(nn + "Sequential")({"layer": linear})
        net = resolve("minicompress.quantization.prepare")(model, per_channel=False)
        net.layer.bits = 8  # the last layer's codes have 16
        for place, s, z in ((net.quantize, s1, z1), (net.layer, s3, z3)):
            place.range[:] = s * (LOW - z), s * (HIGH - z)
        net.layer.layer.weight.set(w[None])
        net.layer.layer.bias.set([b])
        inputs, integer = tensor(x[None].astype(np.float32)), convert(net)
        return net(inputs).item(), integer.layer(integer.quantize(inputs)).numpy()[0, 0]
    return function


# M = ½ and a sum of 1: a half. And M = ⅓/16 with a sum of 24: a half as well, but M₀ is a little less than M.
_TIES = (
    (np.array([0.125]), np.array([0.125]), 0.0, 0.125, 0, 0.125, 2.0**-5, 0, *_multiplier(0.125, 0.125, 2.0**-5)),
    (np.array([3.0]), np.array([2.0**-7]), 0.0, 0.125, 0, 2.0**-7, 0.046875, 0,
     *_multiplier(0.125, 2.0**-7, 0.046875)))


@page("QU-9", cite=(JACOB_2018("section 3"), MAI_2022("section 9.3.1")),
      latex=r"q_1 = \mathrm{clip}(\mathrm{round}(x/S_1 + Z_1)),\; q_2 = \mathrm{clip}(\mathrm{round}(w/S_2)),\; "
            r"a = \mathrm{round}\left(\frac{b}{S_1 S_2}\right) + \sum_j (q_{1j} - Z_1)\, q_{2j},\; "
            r"q = \mathrm{clip}\left(Z_3 + \lfloor M a + \tfrac12 \rfloor\right),\; "
            r"M = 2^{-n} M_0/2^{31} \approx \frac{S_1 S_2}{S_3};\quad "
            r"\text{in training } \hat y = S_3 (q - Z_3), \text{ exported the same } q",
      implementation="minicompress.quantization.convert", adapt=_four_steps, inputs=_layer, cases=_TIES)
def trained_and_exported(x, w, b, s1, z1, s2, s3, z3, m0, n):
    """training for integers, in four steps

    1. scales and zero points are chosen, and rest.
    2. q₁ = clip(round(x/S₁ + Z₁)),  q₂ = clip(round(w/S₂)),  a = round(b/(S₁·S₂)) + Σ_j (q₁_j − Z₁)·q₂_j,
       q = clip(Z₃ + ⌊M·a + ½⌋),  M = 2⁻ⁿ·M₀/2³¹ ≈ S₁·S₂/S₃.
    3. training goes on with ŷ = S₃·(q − Z₃), as fake quantization gives it.
    4. the integer layer that is exported gives the same q.

    x : inputs of a layer, (n,)
    w : weights of one output, (n,)
    b : its bias, a number
    s1 : S₁, scale of the inputs, a number
    z1 : Z₁, zero point of the inputs, an integer
    s2 : S₂, scale of the weights, a number; their zero point is 0
    s3 : S₃, scale of the output, a number
    z3 : Z₃, zero point of the output, an integer
    m0 : M₀, an integer from 2³⁰ to 2³¹ − 1
    n : shift, an integer
    y : ŷ, the output in training, a number
    q : its code once exported, an integer

    q₁, q₂ : codes of inputs and weights
    a : accumulator
    M : multiplier in fixed point (QU-10)
    round : to the nearest whole number, halves to the even one (QU-1), where the floor of M·a + ½ rounds halves up
    clip : to −128 and 127, the bounds of codes of 8 bits

    >>> m0, n = fixed_point_multiplier(0.5)
    >>> trained_and_exported([0.5, -3.0], [1.0, 0.25], 0.5, 0.25, -128, 0.25, 0.125, -3, m0, n)
    (1.0, 5)
    """
    q1 = [quantize(value, s1, z1, LOW, HIGH) for value in x]
    q2 = [quantize(value, s2, 0, LOW, HIGH) for value in w]
    q = integer_output(q1, q2, round(b / (s1 * s2)), z1, 0, z3, m0, n, LOW, HIGH)
    return dequantize(q, s3, z3), q


@trained_and_exported.must("training and export are equal")
def _as_exported(f, x, w, b, s1, z1, s2, s3, z3, *m):
    y, q = map(float, f(x, w, b, s1, z1, s2, s3, z3, *m))
    hold(y == s3 * (q - z3), f"in training the output is {y:g}, once exported it is S₃·(q − Z₃) = {s3 * (q - z3):g}")


@trained_and_exported.must("the export is a code")
def _has_a_code(f, *inputs):
    q = f(*inputs)[1]
    hold((q >= LOW) & (q <= HIGH) & (q == np.rint(q)), f"{float(q):g} is no code from {LOW} to {HIGH}")


@trained_and_exported.must("inputs are cut off at their range")
def _cut_off_before(f, x, w, b, s1, z1, *rest):
    inside = np.clip(x, s1 * (LOW - z1), s1 * (HIGH - z1))
    for a, c in zip(f(x, w, b, s1, z1, *rest), f(inside, w, b, s1, z1, *rest), strict=True):
        hold(a == c, "what lies beyond the range of the inputs counts as its edge")


def _steps(train="codes", *, refit=False, z1_out=1, z3_out=1, bias=1, clip=np.clip, clip_q1=np.clip):
    """Training and export, with what the traps vary."""
    def function(x, w, b, s1, z1, s2, s3, z3, m0, n):
        q1 = clip_q1(np.rint(x / s1 + z1), LOW, HIGH)

        def total(s2, z1):
            return (q1 - z1) @ np.clip(np.rint(w / s2), LOW, HIGH) + bias * np.rint(b / (s1 * s2))

        def code(total):
            return clip(z3_out * z3 + multiply_by(m0, n, int(total)), LOW, HIGH)

        exported = code(total(np.abs(w).max() / HIGH or 1.0 if refit else s2, z1_out * z1))
        real = s1 * s2 * total(s2, z1)
        y = {"codes": s3 * (code(total(s2, z1)) - z3), "real": real, "float": x @ w + b,
             "product": s3 * (np.clip(np.rint(real / s3 + z3), LOW, HIGH) - z3)}
        return y[train], exported
    return function


trained_and_exported.must_agree(0)
trained_and_exported.trap("float product", "training rounds a product of floats, the integer layer one of M: both must "
                          "be by M.", _steps("product"))
trained_and_exported.trap("fitted again", "the weights' scale is fitted again at the export: it was chosen before "
                          "training.", _steps(refit=True))
trained_and_exported.trap("Z₁ forgotten", "the inputs' zero point is forgotten at the export.", _steps(z1_out=0))
trained_and_exported.trap("Z₃ forgotten", "the output's zero point is forgotten at the export.", _steps(z3_out=0))
trained_and_exported.trap("output not rounded", "in training the output is not put on its grid.", _steps("real"))
trained_and_exported.trap("not quantized", "training goes on in floats: it learns nothing of rounding.",
                          _steps("float"))
trained_and_exported.trap("bias forgotten", "the bias is not added.", _steps(bias=0))
trained_and_exported.trap("not clipped", "the output is not clipped to codes of 8 bits.",
                          _steps(clip=lambda q, low, high: q))
trained_and_exported.trap("inputs not clipped", "the inputs are not clipped to codes of 8 bits.",
                          _steps(clip_q1=lambda q, low, high: q))
