"""Integer arithmetic of quantized layers (QU-10): Python's integers, which never overflow; halves are rounded up."""

import math
from fractions import Fraction

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.page import page, resolve
from minicompress.checker.properties import hold

from .affine import JACOB_2018


def multiply_by(m0, n, accumulator):
    """(QU-10) round(2^-n · M₀/2^31 · accumulator), halves up.

    >>> multiply_by(2**30, 0, 3), multiply_by(2**30, 0, -3)
    (2, -1)
    """
    return math.floor(Fraction(m0 * accumulator, 2**31) / Fraction(2) ** n + Fraction(1, 2))


def window(image, row, column, size, outside):
    """The codes of an image [channel][row][column] that one place of a filter reads, in order; ``outside`` beyond it.

    >>> window([[[1, 2], [3, 4]]], 1, 1, 2, 0)
    [4, 0, 0, 0]
    """
    codes = []
    for channel in image:
        for i in range(row, row + size):
            for j in range(column, column + size):
                inside = 0 <= i < len(channel) and 0 <= j < len(channel[0])
                codes.append(channel[i][j] if inside else outside)
    return codes


def integer_mean(codes):
    """The mean of codes, rounded to an integer, halves up: what average pooling does to one window.

    >>> integer_mean([1, 2]), integer_mean([-1, -2])
    (2, -1)
    """
    return math.floor(Fraction(sum(codes), len(codes)) + Fraction(1, 2))


# ---------------------------------------------------------------------------------------------------------------------
# QU-10

def _real_multiplier(rng, size):
    """Thirds, any numbers, what lies half way between two M₀, or just below a power of two."""
    m = one_of(rng, (8 + int(rng.integers(8))) / 24, (1 + rng.random()) / 2,
               (int(rng.integers(2**30, 2**31)) + 0.5) / 2**31, 1 - 2.0 ** -int(rng.integers(30, 50)))
    return (float(m) * 2.0 ** int(rng.integers(-size, 4)),)


def _multipliers(fixed_point):
    def function(m):
        m0, shift = fixed_point([Fraction(m)])
        return int(m0[0]), int(shift[0]) - 31
    return function


@page("QU-10", cite=JACOB_2018("eq. 6"),
      latex=r"M_0 = \lfloor 2^{31+n} M + \tfrac12 \rfloor \text{ with the largest } n \text{ for which } M_0 < 2^{31};"
            r"\quad M \approx 2^{-n} M_0 / 2^{31},\quad 2^{30} \le M_0",
      implementation="minicompress.kernels.integer.fixed_point", adapt=_multipliers, inputs=_real_multiplier,
      cases=((0.5,), (1.0,), (1 - 2.0**-40,), (3.0,), (0.5 + 2.0**-32,), (0.5 - 2.0**-33,)))
def fixed_point_multiplier(m):
    """a real multiplier as an integer and a shift

    M₀ = ⌊2³¹⁺ⁿ·M + ½⌋ with the largest n for which M₀ < 2³¹;  M ≈ 2⁻ⁿ·M₀/2³¹,  2³⁰ ≤ M₀

    m : M, a number above 0
    m0 : M₀, an integer of 31 bits: the nearest, halves up
    n : the shift, an integer, negative for M ≥ 1

    >>> fixed_point_multiplier(1 / 3), fixed_point_multiplier(1.0), fixed_point_multiplier(1 - 2.0**-40)
    ((1431655765, 1), (1073741824, -1), (1073741824, -1))
    """
    m, n = Fraction(m), 0
    while m < Fraction(1, 2):
        m, n = 2 * m, n + 1
    while m >= 1:
        m, n = m / 2, n - 1
    m0 = math.floor(m * 2**31 + Fraction(1, 2))
    return (2**30, n - 1) if m0 == 2**31 else (m0, n)


@fixed_point_multiplier.must("M₀ has 31 bits")
def _in_its_bounds(f, m):
    m0, _ = f(m)
    hold((2**30 <= m0) & (m0 < 2**31) & (m0 == np.rint(m0)),
         f"M₀ is {float(m0):.12g}, expected a whole number from 2³⁰ on and below 2³¹")


@fixed_point_multiplier.must("is near M")
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


def _turned_shift(m):
    m0, n = _fixed()(m)
    return m0, -n if n else 1


fixed_point_multiplier.must_agree(0)
fixed_point_multiplier.trap("2³¹", "M₀ rounds up to 2³¹, which an int32 does not hold: it becomes 2³⁰ with one shift "
                            "less.", _fixed(carry=False))
fixed_point_multiplier.trap("cut off", "this cuts off in place of rounding.", _fixed(int))
fixed_point_multiplier.trap("halves to even", "this rounds halves to the even neighbour: here they go up.",
                            _fixed(round))
fixed_point_multiplier.trap("15 bits", "this M₀ has 15 bits: 31 are asked for.", _fixed(bits=15))
fixed_point_multiplier.trap("from 1 to 2", "this takes M₀/2³¹ from 1 to 2, which needs 32 bits: it is from ½ to 1.",
                            _fixed(least=1.0))
fixed_point_multiplier.trap("sign of n", "n has the other sign: M is 2⁻ⁿ times M₀/2³¹.", _turned_shift)

# ---------------------------------------------------------------------------------------------------------------------
# QU-10:layer


def _layer_inputs(rng, size):
    """Now and then a power of two, which makes halves, sums far beyond 16 bits, weights of 8 bits, M of 1 and more."""
    m, wide = one_of(rng, int(rng.integers(1, 40)) / 1000, 2.0 ** -int(rng.integers(1, 7))), one_of(rng, 1, 1, 16)
    large = one_of(rng, 8 * wide, 8 * wide, 128)
    m0, n = fixed_point_multiplier(one_of(rng, m, m, m, 64 * m) / wide**1.5)
    q1, q2 = rng.integers(-128, 128, wide * size), rng.integers(-large, large, wide * size)
    q_min, q_max = one_of(rng, (-128, 127), (-8, 7), (0, 255))
    return (q1, q2, int(rng.integers(-99, 100)), int(rng.integers(-128, 128)), one_of(rng, 0, 0, 3, -5),
            int(rng.integers(q_min, q_max + 1)), m0, n, q_min, q_max)


# M = ½ and a sum of 1, or of −1: just one half. And b·M₀ = 9·2⁵⁰ − 1 with n = 20: just below 4½, in floats just that.
_HALF = (np.array([1]), np.array([1]), 0, 0, 0, 0, 2**30, 0, -128, 127)
_NEGATIVE_HALF = (np.array([1]), np.array([-1]), 0, 0, 0, 0, 2**30, 0, -128, 127)
_BEYOND_FLOATS = (np.array([0]), np.array([0]), 8_606_899, 0, 0, 0, 1_177_322_885, 20, -128, 127)


def _in_integers(_):
    kernels = "minicompress.kernels.integer."

    def function(q1, q2, bias, z1, z2, z3, m0, n, q_min, q_max):
        weight = (q2 - z2).astype(np.float64)[None]
        accumulator = resolve(kernels + "linear")(q1.astype(np.int16)[None], z1, weight)[0, 0] + np.int64(bias)
        scaled = resolve(kernels + "rescale")(np.array([accumulator]), np.int64(m0), np.int64(n + 31))[0]
        return np.clip(scaled + z3, q_min, q_max)
    return function


@page("QU-10:layer", cite=JACOB_2018("eq. 4 to 7"),
      latex=r"q_3 = \mathrm{clip}\left(Z_3 + \mathrm{round}\left(M \left(b + "
            r"\sum_j (q_{1j} - Z_1)(q_{2j} - Z_2)\right)\right),\, q_{min},\, q_{max}\right),\quad "
            r"M = 2^{-n} M_0/2^{31}",
      implementation="minicompress.quantization.layers.QuantizedLinear", adapt=_in_integers, inputs=_layer_inputs,
      cases=(_HALF, _NEGATIVE_HALF, _BEYOND_FLOATS))
def integer_output(q1, q2, b, z1, z2, z3, m0, n, q_min, q_max):
    """one output of an integer-only layer

    q₃ = clip(Z₃ + round(M·(b + Σ_j (q₁_j − Z₁)·(q₂_j − Z₂))), q_min, q_max),  M = 2⁻ⁿ·M₀/2³¹

    q1 : q₁, codes of the inputs, (n,)
    q2 : q₂, codes of the weights, (n,)
    b : bias, an integer
    z1 : Z₁, the inputs' zero point, an integer
    z2 : Z₂, the weights', an integer
    z3 : Z₃, the output's, an integer
    m0 : M₀, an integer from 2³⁰ to 2³¹ − 1
    n : shift, an integer
    q_min : the least code, an integer
    q_max : the largest code, an integer
    q3 : q₃, an integer

    M : S₁S₂/S₃ of the three scales, in fixed point (QU-10)
    round : to the nearest whole number, halves up

    >>> integer_output([3, 1], [2, -1], 4, 1, 0, 5, 2**30, 0, -128, 127)
    9
    """
    accumulator = b
    for a, w in zip(q1, q2, strict=True):
        accumulator += (a - z1) * (w - z2)
    return min(max(z3 + multiply_by(m0, n, accumulator), q_min), q_max)


@integer_output.must("is a code")
def _is_a_code(f, *inputs):
    q, (q_min, q_max) = f(*inputs), inputs[-2:]
    hold((q >= q_min) & (q <= q_max) & (q == np.rint(q)), f"{q} is no code from {q_min} to {q_max}")


@integer_output.must("zeros add nothing")
def _zeros_are_silent(f, q1, q2, bias, z1, z2, *rest):
    expected = f(q1, q2, bias, z1, z2, *rest)
    hold(f(np.append(q1, z1), np.append(q2, 5), bias, z1, z2, *rest) == expected,
         "an input of code Z₁ stands for 0 and adds nothing")
    hold(f(np.append(q1, 99), np.append(q2, z2), bias, z1, z2, *rest) == expected,
         "a weight of code Z₂ stands for 0 and adds nothing")


def _total(q1, q2, b, z1, z2):
    return b + sum((int(a) - z1) * (int(w) - z2) for a, w in zip(q1, q2, strict=True))


def _to_even(q1, q2, b, z1, z2, z3, m0, n, q_min, q_max):
    scaled = Fraction(m0, 2**31) / Fraction(2) ** n * _total(q1, q2, b, z1, z2)
    return min(max(z3 + round(scaled), q_min), q_max)


def _away_from_zero(q1, q2, b, z1, z2, z3, m0, n, q_min, q_max):
    total = _total(q1, q2, b, z1, z2)
    size = math.floor(Fraction(m0, 2**31) / Fraction(2) ** n * abs(total) + Fraction(1, 2))
    return min(max(z3 + (size if total > 0 else -size), q_min), q_max)


def _in_16_bits(q1, q2, b, z1, z2, z3, *rest):
    return _output()([], [], (_total(q1, q2, b, z1, z2) + 2**15) % 2**16 - 2**15, z1, z2, z3, *rest)


def _in_floats(q1, q2, b, z1, z2, z3, m0, n, q_min, q_max):
    return min(max(z3 + math.floor(_total(q1, q2, b, z1, z2) * m0 / 2 ** (31 + n) + 0.5), q_min), q_max)


def _output(z1=1, z2=1, z3=1, clip=True, half=Fraction(1, 2), bias=1, early=False):
    def function(q1, q2, b, zero1, zero2, zero3, m0, n, q_min, q_max):
        products = [(int(a) - z1 * zero1) * (int(w) - z2 * zero2) for a, w in zip(q1, q2, strict=True)]
        m = Fraction(m0, 2**31) / Fraction(2) ** n
        scaled = [m * x for x in [*products, bias * b]]
        value = sum(map(round, scaled)) if early else int((sum(scaled) + half) // 1)
        value += z3 * zero3
        return min(max(value, q_min), q_max) if clip else value
    return function


integer_output.must_agree(0)
integer_output.trap("Z₁ forgotten", "the inputs' zero point is not taken off.", _output(z1=0), seen=True)
integer_output.trap("Z₂ forgotten", "the weights' zero point is not taken off.", _output(z2=0), seen=True)
integer_output.trap("Z₃ forgotten", "the output's zero point is not added.", _output(z3=0))
integer_output.trap("bias forgotten", "the bias is not added.", _output(bias=0))
integer_output.trap("not clipped", "the result is not clipped to the codes.", _output(clip=False))
integer_output.trap("cut off", "this rounds down: halves go up, the rest to the nearest.", _output(half=0))
integer_output.trap("rounded one by one", "each product is rounded by itself: only their sum is.", _output(early=True))
integer_output.trap("halves to even", "this rounds halves to the even neighbour: here they go up.", _to_even)
integer_output.trap("halves away from zero", "this rounds negative halves down: here all halves go up.",
                    _away_from_zero)
integer_output.trap("16 bits", "the sum overflows 16 bits: an accumulator has 32.", _in_16_bits)
integer_output.trap("in floats", "this computes in floats, which have too few digits for b·M₀: integers have them all.",
                    _in_floats)
