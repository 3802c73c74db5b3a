"""Linear quantization, to the letter, on plain numbers and lists: Python's integers, which never overflow.

Halves are rounded to even where a formula has real numbers, and up where it has integers only; both are named.
"""

import math
from fractions import Fraction


def code_bounds(bits):
    """(q_min, q_max) of signed codes.

    >>> code_bounds(4)
    (-8, 7)
    """
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def asymmetric_params(r_min, r_max, bits):
    """(QU-2) s = (r_max - r_min) / (q_max - q_min), z = round(q_min - r_min/s), the range widened to hold 0.

    >>> asymmetric_params(-1.0, 2.0, 2)
    (1.0, -1)
    """
    q_min, q_max = code_bounds(bits)
    r_min, r_max = min(r_min, 0.0), max(r_max, 0.0)
    if r_min == r_max:
        return 1.0, q_min
    s = (r_max - r_min) / (q_max - q_min)
    return s, round(q_min - r_min / s)


def symmetric_params(r_min, r_max, bits):
    """(QU-2) z = 0, s = max |r| / q_max; with one bit, where q_max = 0, s = 2·max |r|.

    >>> symmetric_params(-1.0, 3.0, 3)
    (1.0, 0)
    """
    largest = max(abs(r_min), abs(r_max))
    if largest == 0:
        return 1.0, 0
    if bits == 1:
        return 2 * largest, 0
    return largest / code_bounds(bits)[1], 0


def affine_quantize(r, s, z, q_min, q_max):
    """(QU-1) q = clip(round(r/s + z), q_min, q_max), halves to even. Jacob et al. 2018, eq. 1 and 12.

    >>> [affine_quantize(r, 0.5, 1, -2, 1) for r in (-9.0, -0.25, 0.0, 9.0)]
    [-2, 0, 1, 1]
    """
    q = r / s + z
    if q <= q_min:
        return q_min
    if q >= q_max:
        return q_max
    return round(q)


def affine_dequantize(q, s, z):
    """(QU-1) r̂ = s·(q - z).

    >>> affine_dequantize(3, 0.5, 1)
    1.0
    """
    return s * (q - z)


def straight_through_gradient(g, r, s, z, q_min, q_max):
    """(QU-8) g where no code is clipped, 0 elsewhere.

    >>> straight_through_gradient(2.0, 9.0, 1.0, 0, -8, 7)
    0.0
    """
    return g if q_min <= r / s + z + 0.5 and r / s + z - 0.5 <= q_max else 0.0


def fixed_point_multiplier(m):
    """(QU-10) (M₀, n) with M = 2^-n · M₀ / 2^31, M₀ / 2^31 in [1/2, 1): halves up, and 2^31 becomes 2^30. Eq. 6.

    >>> fixed_point_multiplier(Fraction(1, 3))
    (1431655765, 1)
    """
    n = 0
    while m < Fraction(1, 2):
        m, n = 2 * m, n + 1
    while m >= 1:
        m, n = m / 2, n - 1
    m0 = math.floor(m * 2**31 + Fraction(1, 2))
    return (2**30, n - 1) if m0 == 2**31 else (m0, n)


def multiply_by(m0, n, accumulator):
    """(QU-10) round(2^-n · M₀/2^31 · accumulator), halves up.

    >>> multiply_by(2**30, 0, 3), multiply_by(2**30, 0, -3)
    (2, -1)
    """
    return math.floor(Fraction(m0 * accumulator, 2**31) / Fraction(2) ** n + Fraction(1, 2))


def integer_output(q1, q2, bias, z1, z2, z3, m0, n, q_min, q_max):
    """(QU-10) q₃ = clip(Z₃ + round(M · (b + Σ (q₁-Z₁)(q₂-Z₂)))) of one output. Jacob et al. 2018, eq. 4 to 7.

    >>> integer_output([3, 1], [2, -1], 4, 1, 0, 5, 2**30, 0, -128, 127)
    9
    """
    accumulator = bias
    for a, b in zip(q1, q2, strict=True):
        accumulator += (a - z1) * (b - z2)
    return min(max(z3 + multiply_by(m0, n, accumulator), q_min), q_max)


def trained_and_exported(x, w, b, s1, z1, s2, s3, z3, m0, n):
    """(QU-9) (ŷ, q) of one output: what it is in training under fake quantization, and its code once exported.

    The ranges were chosen before, as scales and zero points of 8 bits, and rest: those of the inputs, the weights
    (zero point 0) and the output. M₀ and n are those of S₁S₂/S₃. Jacob et al. 2018, section 3.

    >>> trained_and_exported([0.5, -3.0], [1.0, 0.25], 0.5, 0.25, -128, 0.25, 0.125, -3, *fixed_point_multiplier(0.5))
    (1.0, 5)
    """
    low, high = code_bounds(8)
    q1 = [affine_quantize(value, s1, z1, low, high) for value in x]
    q2 = [affine_quantize(value, s2, 0, low, high) for value in w]
    q = integer_output(q1, q2, round(b / (s1 * s2)), z1, 0, z3, m0, n, low, high)
    return affine_dequantize(q, s3, z3), q


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


def folded(w, b, gamma, beta, mean, variance, eps):
    """(w', b') with w'·x + b' = γ·(w·x + b - μ)/√(σ²+ε) + β for one output channel, w a list. Jacob et al., eq. 14.

    >>> folded([2.0], 1.0, 3.0, 0.5, 1.0, 4.0, 0.0)
    ([3.0], 0.5)
    """
    factor = gamma / math.sqrt(variance + eps)
    return [factor * weight for weight in w], factor * (b - mean) + beta


def decibels(r, r_hat):
    """10·log₁₀(Σ r² / Σ (r - r̂)²): the signal-to-noise ratio of a quantizer, ≈ 6.02 more for each bit (QU-4).

    >>> round(decibels([1.0, 1.0], [0.9, 1.1]), 6)
    20.0
    """
    return 10 * math.log10(sum(a * a for a in r) / sum((a - b) ** 2 for a, b in zip(r, r_hat, strict=True)))
