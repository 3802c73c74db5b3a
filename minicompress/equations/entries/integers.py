"""Entries of quantized layers: the gradient that fake quantization declares (QU-8), and integer arithmetic (QU-10)."""

import math
from fractions import Fraction

import numpy as np

from .. import affine as literal
from ..ledger import Equation, Trap, resolve
from ..suite import agrees, hold
from .draw import eighths, listed, one_of
from .linear import JACOB, grid


def _passed_back(g, r, s, z, q_min, q_max):
    return [literal.straight_through_gradient(a, b, s, z, q_min, q_max) for a, b in zip(g, r, strict=True)]


def _all_or_nothing(f, g, r, *grid):
    found = f(g, r, *grid)
    hold((found == g) | (found == 0), "each gradient passes as it is, or not at all")


def _linear_in_g(f, g, r, *grid):
    hold(f(2 * g, r, *grid) == 2 * f(g, r, *grid), "twice the gradient from above is twice the gradient below")


def _surrogate(fake_quantize):
    def function(g, r, s, z, q_min, q_max):
        x = resolve("minicompress.engine.Tensor")(r, requires_grad=True)
        fake_quantize(x, r.copy(), s * (q_min - 0.5 - z), s * (q_max + 0.5 - z)).backward(g)
        return x.grad
    return function


STRAIGHT_THROUGH = Equation(
    id="QU-8", title="straight-through gradient of fake quantization", source=JACOB + "section 3",
    latex=r"\frac{\partial L}{\partial r} = g \cdot \mathbf{1}[q_{min} - \tfrac12 \le r/s + z \le q_{max} + \tfrac12]",
    formula="g · 1[q_min − ½ ≤ r/s + z ≤ q_max + ½]: as if rounding were not there, 0 where a code is clipped",
    arguments={"g": "gradient from above, (n,)", "r": "the real numbers, (n,)", "s": "scale", "z": "zero point",
               "q_min": "the least code", "q_max": "the largest code"}, results={"gradient": "(n,)"},
    implementation="minicompress.engine.surrogate.fake_quantize", adapt=_surrogate, reference=listed(_passed_back),
    inputs=lambda rng, size: (rng.integers(-4, 5, size).astype(np.float64), eighths(rng, size, 9), *grid(rng, size)),
    properties={"passes whole or not at all": _all_or_nothing, "is linear in g": _linear_in_g,
                "is what the formula gives": agrees(listed(_passed_back), 0)},
    traps=(Trap("always 1", "this passes everything: where a code is clipped the gradient is 0.",
                lambda g, r, *grid: g),
           Trap("true derivative", "this is rounding's true derivative, 0: nothing would ever learn.",
                lambda g, r, *grid: 0 * g),
           Trap("within ±1", "this is the sign's rule, |r| ≤ 1: here the range is that of the codes.",
                lambda g, r, *grid: g * (np.abs(r) <= 1)),
           Trap("divided by s", "the scale cancels: r/s is taken back by s(q − z).",
                lambda g, r, s, *grid: g / s * (np.abs(r) < 1e9)),
           Trap("squared", "the gradient is used twice.", lambda g, r, s, z, low, high: np.where(
               (low - 0.5 <= r / s + z) & (r / s + z <= high + 0.5), g * g, 0))))


def _multiplier(m):
    return literal.fixed_point_multiplier(Fraction(m))


def _in_its_bounds(f, m):
    m0, _ = f(m)
    hold((2**30 <= m0) & (m0 < 2**31) & (m0 == np.rint(m0)),
         f"M₀ is {float(m0):.12g}, expected a whole number from 2³⁰ on and below 2³¹")


def _is_near(f, m):
    m0, n = f(m)
    error = abs(Fraction(int(m0)) / 2**31 / Fraction(2) ** int(n) / Fraction(m) - 1)
    hold(error <= Fraction(1, 2**31), f"2⁻ⁿ·M₀/2³¹ differs from M by {float(error):.2g} of it, more than 2⁻³¹")


def _half_up(x):
    return math.floor(x + 0.5)


def _fixed(rounding=_half_up, carry=True, bits=31, least=0.5):
    def function(m):
        n = 0
        while m < least:
            m, n = 2 * m, n + 1
        while m >= 2 * least:
            m, n = m / 2, n - 1
        m0 = rounding(m * 2**bits)
        return (m0 // 2, n - 1) if carry and m0 == 2**bits else (m0, n)
    return function


def _real_multiplier(rng, size):
    """Thirds, or what lies half way between two M₀."""
    m = one_of(rng, (8 + int(rng.integers(8))) / 24, (int(rng.integers(2**30, 2**31)) + 0.5) / 2**31)
    return (m * 2.0 ** int(rng.integers(-size, 4)),)


def _multipliers(fixed_point):
    def function(m):
        m0, shift = fixed_point([Fraction(m)])
        return int(m0[0]), int(shift[0]) - 31
    return function


MULTIPLIER = Equation(
    id="QU-10", title="a real multiplier as an integer and a shift", source=JACOB + "eq. 6",
    latex=r"M = 2^{-n} \frac{M_0}{2^{31}},\quad 2^{30} \le M_0 < 2^{31}",
    formula="M = 2⁻ⁿ·M₀/2³¹ with a whole M₀, 2³⁰ ≤ M₀ < 2³¹, the nearest, halves up",
    arguments={"m": "M, above 0"}, results={"m0": "M₀", "n": "the shift, negative for M ≥ 1"},
    implementation="minicompress.kernels.integer.fixed_point", adapt=_multipliers, reference=_multiplier,
    inputs=_real_multiplier, cases=((0.5,), (1.0,), (1 - 2.0**-40,), (3.0,), (0.5 + 2.0**-32,)),
    properties={"M₀ has 31 bits": _in_its_bounds, "is near M": _is_near,
                "is what the formula gives": agrees(_multiplier, 0)},
    traps=(Trap("2³¹", "M₀ rounds up to 2³¹, which an int32 does not hold: it becomes 2³⁰ with one shift less.",
                _fixed(carry=False)),
           Trap("cut off", "this cuts off in place of rounding.", _fixed(int)),
           Trap("halves to even", "this rounds halves to the even neighbour: here they go up.", _fixed(round)),
           Trap("15 bits", "this M₀ has 15 bits: 31 are asked for.", _fixed(bits=15)),
           Trap("from 1 to 2", "this takes M₀/2³¹ from 1 to 2, which needs 32 bits: it is from ½ to 1.",
                _fixed(least=1.0)),
           Trap("sign of n", "n has the other sign: M is 2⁻ⁿ times M₀/2³¹.",
                lambda m: (_fixed()(m)[0], -_fixed()(m)[1] if _fixed()(m)[1] else 1))))


def _layer_inputs(rng, size):
    """Now and then a power of two, which makes halves, and now and then sums far beyond 16 bits."""
    m, wide = one_of(rng, int(rng.integers(1, 40)) / 1000, 2.0 ** -int(rng.integers(1, 7))), one_of(rng, 1, 1, 16)
    m0, n = _multiplier(m / wide**1.5)
    q1, q2 = rng.integers(-128, 128, wide * size), rng.integers(-8 * wide, 8 * wide, wide * size)
    q_min, q_max = one_of(rng, (-128, 127), (-8, 7), (0, 255))
    return (q1, q2, int(rng.integers(-99, 100)), int(rng.integers(-128, 128)), one_of(rng, 0, 0, 3),
            int(rng.integers(q_min, q_max + 1)), m0, n, q_min, q_max)


# M = ½ and a sum of 1, or of −1: just one half. And b·M₀ = 9·2⁵⁰ − 1 with n = 20: just below 4½, in floats just that.
_HALF = (np.array([1]), np.array([1]), 0, 0, 0, 0, 2**30, 0, -128, 127)
_NEGATIVE_HALF = (np.array([1]), np.array([-1]), 0, 0, 0, 0, 2**30, 0, -128, 127)
_BEYOND_FLOATS = (np.array([0]), np.array([0]), 8_606_899, 0, 0, 0, 1_177_322_885, 20, -128, 127)


def _to_even(q1, q2, b, z1, z2, z3, m0, n, q_min, q_max):
    total = b + sum((int(a) - z1) * (int(w) - z2) for a, w in zip(q1, q2, strict=True))
    return min(max(z3 + round(Fraction(m0, 2**31) / Fraction(2) ** n * total), q_min), q_max)


def _away_from_zero(q1, q2, b, z1, z2, z3, m0, n, q_min, q_max):
    total = b + sum((int(a) - z1) * (int(w) - z2) for a, w in zip(q1, q2, strict=True))
    size = math.floor(Fraction(m0, 2**31) / Fraction(2) ** n * abs(total) + Fraction(1, 2))
    return min(max(z3 + (size if total > 0 else -size), q_min), q_max)


def _in_16_bits(q1, q2, b, z1, z2, z3, *rest):
    total = b + sum((int(a) - z1) * (int(w) - z2) for a, w in zip(q1, q2, strict=True))
    return _output()([], [], (total + 2**15) % 2**16 - 2**15, z1, z2, z3, *rest)


def _in_floats(q1, q2, b, z1, z2, z3, m0, n, q_min, q_max):
    total = b + sum((int(a) - z1) * (int(w) - z2) for a, w in zip(q1, q2, strict=True))
    return min(max(z3 + math.floor(total * m0 / 2 ** (31 + n) + 0.5), q_min), q_max)


def _is_a_code(f, *inputs):
    q, (q_min, q_max) = f(*inputs), inputs[-2:]
    hold((q >= q_min) & (q <= q_max) & (q == np.rint(q)), f"{q} is no code from {q_min} to {q_max}")


def _zeros_are_silent(f, q1, q2, bias, z1, *rest):
    silent, longer = np.append(q1, z1), np.append(q2, 5)
    hold(f(silent, longer, bias, z1, *rest) == f(q1, q2, bias, z1, *rest), "an input of code Z₁ stands for 0 and adds "
                                                                           "nothing")


def _output(z1=1, z3=1, clip=True, half=Fraction(1, 2), bias=1, early=False):
    def function(q1, q2, b, zero1, z2, zero3, m0, n, q_min, q_max):
        products = [(int(a) - z1 * zero1) * (int(w) - z2) for a, w in zip(q1, q2, strict=True)]
        m = Fraction(m0, 2**31) / Fraction(2) ** n
        scaled = [m * x for x in [*products, bias * b]]
        value = sum(map(round, scaled)) if early else int((sum(scaled) + half) // 1)
        value += z3 * zero3
        return min(max(value, q_min), q_max) if clip else value
    return function


def _in_integers(_):
    kernels = "minicompress.kernels.integer."

    def function(q1, q2, bias, z1, z2, z3, m0, n, q_min, q_max):
        weight = (q2 - z2).astype(np.float64)[None]
        accumulator = resolve(kernels + "linear")(q1.astype(np.int16)[None], z1, weight)[0, 0] + np.int64(bias)
        scaled = resolve(kernels + "rescale")(np.array([accumulator]), np.int64(m0), np.int64(n + 31))[0]
        return np.clip(scaled + z3, q_min, q_max)
    return function


LAYER = Equation(
    id="QU-10:layer", title="one output of an integer-only layer", source=JACOB + "eq. 4 to 7",
    latex=r"q_3 = \mathrm{clip}\left(Z_3 + \mathrm{round}\left(M \left(b + "
          r"\sum_j (q_{1j} - Z_1)(q_{2j} - Z_2)\right)\right)\right)",
    formula="q₃ = clip(Z₃ + round(M·(b + Σ (q₁ − Z₁)(q₂ − Z₂))), q_min, q_max), M = 2⁻ⁿ·M₀/2³¹, halves up",
    arguments={"q1": "codes of the inputs, (n,)", "q2": "codes of the weights, (n,)", "b": "bias, an integer",
               "z1": "Z₁", "z2": "Z₂", "z3": "Z₃", "m0": "M₀, 2³⁰ to 2³¹ − 1", "n": "shift", "q_min": "the least code",
               "q_max": "the largest code"}, results={"q3": "an integer"},
    implementation="minicompress.quantization.layers.QuantizedLinear", adapt=_in_integers,
    reference=listed(literal.integer_output), inputs=_layer_inputs, cases=(_HALF, _NEGATIVE_HALF, _BEYOND_FLOATS),
    properties={"is a code": _is_a_code, "zeros add nothing": _zeros_are_silent,
                "is what the formula gives": agrees(listed(literal.integer_output), 0)},
    traps=(Trap("Z₁ forgotten", "the inputs' zero point is not taken off.", _output(z1=0)),
           Trap("Z₃ forgotten", "the output's zero point is not added.", _output(z3=0)),
           Trap("bias forgotten", "the bias is not added.", _output(bias=0)),
           Trap("not clipped", "the result is not clipped to the codes.", _output(clip=False)),
           Trap("cut off", "this rounds down: halves go up, the rest to the nearest.", _output(half=0)),
           Trap("rounded one by one", "each product is rounded by itself: only their sum is.", _output(early=True)),
           Trap("halves to even", "this rounds halves to the even neighbour: here they go up.", _to_even),
           Trap("halves away from zero", "this rounds negative halves down: here all halves go up.", _away_from_zero),
           Trap("16 bits", "the sum overflows 16 bits: an accumulator has 32.", _in_16_bits),
           Trap("in floats", "this computes in floats, which have too few digits for b·M₀: integers have them all.",
                _in_floats)))

ENTRIES = (STRAIGHT_THROUGH, MULTIPLIER, LAYER)
