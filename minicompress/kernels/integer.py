"""Integer arithmetic of quantized layers: exact products by BLAS, and multiplication by a fixed-point number.

A layer computes q₃ = clip(Z₃ + round(M · (b + Σ (q₁−Z₁)(q₂−Z₂)))), M = S₁S₂/S₃ (QU-10), in integers of at most 64 bits.
Source: Jacob et al. 2018, eq. 4 to 7; instead of their doubling high multiplication followed by a rounding shift, which
round twice, the product with M₀ is rounded once.
"""

import numpy as np

from minicompress import engine, expect
from minicompress.engine import Tensor

INT32 = 2**31 - 1
FLOAT32 = 2**24  # all integers up to here are float32 numbers
MOST_SHIFT = 62


def inner_size_bound(reach, other):
    """The most products abs(q₁−Z₁) · abs(q₂−Z₂) ≤ reach · other that always sum within int32 (QU-10).

    Two arguments of 8 bits with any zero points reach 255 each; symmetric int8 weights reach 128.

    >>> inner_size_bound(255, 255), inner_size_bound(255, 128)
    (33025, 65793)
    """
    return INT32 // (reach * other)


def accumulator_bound(weight, reach, bias=None):
    """The largest abs value that an accumulator can have, whatever the input: max_c Σ abs(w_c)·reach + abs(b_c).

    weight: integers (out, …); reach: the largest abs(q₁−Z₁); bias: integers (out,) or None. Exact.

    >>> accumulator_bound(np.array([[3, -4]]), 255, np.array([-1]))
    1786
    """
    sums = np.abs(weight.reshape(len(weight), -1), dtype=np.int64).sum(axis=1) * int(reach)
    return int((sums if bias is None else sums + np.abs(bias.astype(np.int64))).max())


def exact_dtype(bound):
    """The float type in which a sum of integer products is exact, if the products' abs values sum to ``bound`` at most.

    Proof. Whatever the order in which BLAS adds, and with or without fused multiply-adds, each number it forms is a sum
    of some of the products: an integer of abs value ≤ bound. All integers up to 2²⁴ are float32 numbers, all up to 2⁵³
    float64 numbers; so the exact result of each addition is a number of the type, and rounding leaves it alone. (A
    product that is rounded before it is added is itself such an integer.) Accumulators of int32 need bound < 2³¹, so
    float64 always does. By the inner size n: float32 is exact for n ≤ 2²⁴/(255·128) = 514 with int8 weights and inputs
    at their extremes; the sum of the weights at hand allows more.

    Raises ValueError for a bound that int32 accumulators don't hold.

    >>> exact_dtype(2**24), exact_dtype(2**24 + 1)
    (<class 'numpy.float32'>, <class 'numpy.float64'>)
    """
    expect.that(bound <= INT32, f"an accumulator could reach {bound}, expected at most {INT32}, the largest int32")
    return np.float32 if bound <= FLOAT32 else np.float64


def linear(codes, zero_point, weight):
    """Σ_k (q₁[n,k] − Z₁) · w[c,k] as int32 (N, out), exact.

    codes: integers (N, in); weight: integers q₂ − Z₂ as floats (out, in) of the type that `exact_dtype` names.

    >>> linear(np.array([[1, 2]], np.int8), 1, np.array([[5.0, 7.0]], np.float32))
    array([[7]], dtype=int32)
    """
    return _product(engine.linear, codes, zero_point, weight)


def conv2d(codes, zero_point, weight, *, stride=1, padding=0, groups=1):
    """The cross-correlation of q₁ − Z₁ (N, C, H, W) with filters (F, C/groups, k, k) as int32 (N, F, H', W'), exact.

    Weights as for `linear`. What lies outside the image is the real number 0: q₁ = Z₁.

    >>> conv2d(np.array([[[[3, 4]]]], np.int8), 1, np.full((1, 1, 1, 1), 2.0, np.float32))
    array([[[[4, 6]]]], dtype=int32)
    """
    return _product(engine.conv2d, codes, zero_point, weight, stride=stride, padding=padding, groups=groups)


def _product(op, codes, zero_point, weight, **options):
    """The one place where integers are written as floats: the engine's product, exact by the proof of `exact_dtype`."""
    differences = codes.astype(weight.dtype)
    differences -= zero_point
    return op(Tensor(differences), Tensor(weight), **options).data.astype(np.int32)


def fixed_point(multipliers):
    """Each positive real M as M₀ · 2^−shift with an integer M₀, 2³⁰ ≤ M₀ < 2³¹: the nearest, halves up (QU-10).

    multipliers: a list of `fractions.Fraction`, so that nothing depends on how a machine rounds. An M₀ that rounds to
    2³¹ becomes 2³⁰ with one shift less. With the shift n of the paper, M = 2⁻ⁿ·M₀/2³¹, shift is n + 31. Returns two
    int64 arrays. The shift is 62 at most: an M < 2⁻³², which rounds every int32 to 0, has M₀ < 2³⁰. Raises ValueError
    for M > 2²⁹ and M ≤ 0.

    >>> from fractions import Fraction
    >>> m0, shift = fixed_point([Fraction(1, 3), Fraction(2**40 - 1, 2**40)])
    >>> m0.tolist(), shift.tolist()
    ([1431655765, 1073741824], [32, 30])
    """
    shifts = [_shift(m) for m in multipliers]
    m0 = [_rounded(m, shift) for m, shift in zip(multipliers, shifts, strict=True)]
    return np.array(m0, np.int64), np.array(shifts, np.int64)


def fixed_point_quotients(in_scale, weight_scales, out_scale):
    """`fixed_point` of S₁S₂/S₃ for each S₂ of an array, exactly, from positive float32 scales, in int64.

    The scales' significands are integers of 24 bits: S₁S₂/S₃ = p/c · 2^e with 2⁴⁶ ≤ p ≤ (2²⁴−1)² and 2²³ ≤ c < 2²⁴.
    So 2²² < p/c < 2²⁵ − 3, and 6 to 8 more bits give M₀. Returns, and raises, what `fixed_point` does.

    >>> m0, shift = fixed_point_quotients(1.0, np.array([1.0, 3.0], np.float32), 3.0)
    >>> m0.tolist(), shift.tolist()
    ([1431655765, 1073741824], [32, 30])
    """
    (a, i), (b, j), (c, k) = map(_significand, (in_scale, weight_scales, out_scale))
    p, e = a * b, i + j - k
    expect.that((p <= c << np.clip(29 - e, 22, 25)).all(),
                lambda: f"a multiplier is {np.ldexp(p / c, e).max()}, expected more than 0 and at most 2^29")
    more = np.full(p.shape, 8)
    for _ in range(2):
        more -= _nearest(p, c, more) >= 1 << 31
    shift = np.minimum(more - e, MOST_SHIFT)
    return _nearest(p, c, shift + e), shift


def _significand(scale):
    """A float32 as (m, e) with scale = m · 2^e and 2²³ ≤ m < 2²⁴, int64."""
    fraction, exponent = np.frexp(np.asarray(scale, np.float64))
    return np.asarray(fraction * 2**24, np.int64), np.asarray(exponent, np.int64) - 24


def _nearest(p, c, more):
    """The integer nearest to p/c · 2^more, halves up; p and c as in `fixed_point_quotients`, more ≤ 8."""
    up, down = np.maximum(more, 0), np.clip(-more, 0, 26)  # p/c · 2⁻²⁶ is less than a half
    return ((p << up + 1) + (c << down)) // (c << down + 1)


def shared_fixed_point(multipliers):
    """Several positive reals as M₀ · 2^−shift with one shift, that of the largest: for terms that are rounded once.

    Returns an int64 array and an integer; the smaller a term beside the largest, the fewer bits its M₀ has, while each
    errs by 2^−(shift+1) at most. Raises ValueError as `fixed_point` does.

    >>> from fractions import Fraction
    >>> m0, shift = shared_fixed_point([Fraction(1, 2), Fraction(1, 4)])
    >>> m0.tolist(), shift
    ([1073741824, 536870912], 31)
    """
    shift = min(_shift(m) for m in multipliers)
    return np.array([_rounded(m, shift) for m in multipliers], np.int64), shift


def _shift(m):
    """The shift with which m·2^shift, rounded, is an integer in [2³⁰, 2³¹), but 62 at most."""
    expect.that(0 < m <= 2**29, lambda: f"a multiplier is {float(m)}, expected more than 0 and at most 2^29")
    shift = 31 - m.numerator.bit_length() + m.denominator.bit_length()  # m·2^shift lies between 2³⁰ and 2³²
    while _rounded(m, shift) >= 1 << 31:  # once for the width, once more where rounding gave 2³¹
        shift -= 1
    return min(shift, MOST_SHIFT)


def _rounded(m, shift):
    """The integer nearest to m·2^shift, shift ≥ 0, halves up."""
    return (2 * (m.numerator << shift) + m.denominator) // (2 * m.denominator)


def rescale(accumulator, m0, shift):
    """round(accumulator · M₀ · 2^−shift), halves up: floor((accumulator·M₀ + 2^(shift−1)) / 2^shift), in int64.

    accumulator: integers of abs value < 2³¹, or more where their product with M₀ stays below 2⁶²; m0, shift: from
    `fixed_point`, broadcast against it.

    >>> rescale(np.array([3, -3, 2]), np.int64(2**30), np.int64(31)).tolist()
    [2, -1, 1]
    """
    product = accumulator * m0  # int64: below 2⁶², and the half that is added is at most 2⁶¹
    product += np.int64(1) << (shift - 1)
    product >>= shift
    return product


def average(codes, kernel, stride):
    """The mean of each window of codes (N, C, H, W), rounded to an integer, halves up; the grid stays the same.

    >>> average(np.array([[[[1, 2], [2, 1]]]], np.int8), 2, 2)
    array([[[[2]]]], dtype=int8)
    """
    height, width = codes.shape[2:]
    size = [(length - kernel) // stride + 1 for length in (height, width)]
    expect.that(min(size) >= 1, f"a window of {kernel} does not fit images of {height}×{width}")
    total = 0
    for i in range(kernel):
        for j in range(kernel):
            total = total + codes[:, :, i:i + stride * size[0]:stride, j:j + stride * size[1]:stride].astype(np.int64)
    return ((2 * total + kernel**2) // (2 * kernel**2)).astype(codes.dtype)
