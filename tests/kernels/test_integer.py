"""Integer kernels beside Python's integers, which never overflow, and the proof of when floats are exact."""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicompress.equations.quantization import integer as literal
from minicompress.kernels import integer
from tests.mutants import mutate

MULTIPLIERS = st.fractions(Fraction(1, 2**40), 2**20).filter(bool)
ACCUMULATORS = st.integers(-(2**31) + 1, 2**31 - 1)
LITERAL = SimpleNamespace(
    fixed_point=lambda ms: tuple(zip(*((m0, n + 31) if n + 31 <= 62 else (math.floor(m * 2**62 + Fraction(1, 2)), 62)
                                       for m, (m0, n) in zip(ms, map(literal.fixed_point_multiplier, ms), strict=True)),
                                     strict=True)),
    rescale=lambda acc, m0, shift: [literal.multiply_by(int(m0), int(shift) - 31, int(a)) for a in acc])


def law_multipliers_are_as_printed(m, multiplier):
    m0, shift = m.fixed_point([multiplier])
    expected, n = literal.fixed_point_multiplier(multiplier)
    if n + 31 <= 62:
        assert (int(m0[0]), int(shift[0])) == (expected, n + 31)
    else:
        assert int(shift[0]) == 62 and multiplier < Fraction(1, 2**32)  # too small to move any int32


def law_multipliers_are_near(m, multiplier):
    """|M₀·2^-shift - M| is at most half of the last of 31 bits."""
    m0, shift = m.fixed_point([multiplier])
    m0, unit = int(m0[0]), Fraction(1, 2 ** int(shift[0]))
    assert abs(m0 * unit - multiplier) <= unit / 2
    assert 2**30 <= m0 < 2**31 or multiplier < Fraction(1, 2**32)


def law_rescaling_is_exact(m, multiplier, accumulators):
    m0, shift = m.fixed_point([multiplier])
    expected = [literal.multiply_by(int(m0[0]), int(shift[0]) - 31, a) for a in accumulators]
    assert list(map(int, m.rescale(np.array(accumulators, np.int32), m0[0], shift[0]))) == expected


def law_rescaling_is_near(m, multiplier, accumulators):
    """Within half a unit and what 31 bits of M miss: at most 2^31 · 2^-(31 + n + 1) of an accumulator."""
    m0, shift = m.fixed_point([multiplier])
    for a, found in zip(accumulators, m.rescale(np.array(accumulators, np.int32), m0[0], shift[0]), strict=True):
        assert abs(int(found) - a * multiplier) <= Fraction(1, 2) + Fraction(abs(a), 2 ** (int(shift[0]) + 1))


KNOWN = [Fraction(1, 3), Fraction(2**40 - 1, 2**40), Fraction(1), Fraction(1, 2), Fraction(2**32 - 1, 2**32),
         Fraction(2**31 - 1, 2**31), Fraction(5, 2), Fraction(1, 2**20) + Fraction(1, 2**51), Fraction(1, 2**33),
         Fraction(3, 2**33), Fraction(2**33 + 1, 2**34)]
EDGES = [0, 1, -1, 3, -3, 2**31 - 1, 1 - 2**31, 2**30, 12345, -98765]


@pytest.mark.parametrize("m", [integer, LITERAL], ids=["real", "literal"])
def test_known_multipliers(m):
    for multiplier in KNOWN:
        all_laws(m, multiplier, EDGES)


def all_laws(m, multiplier, accumulators):
    law_multipliers_are_as_printed(m, multiplier)
    law_multipliers_are_near(m, multiplier)
    law_rescaling_is_exact(m, multiplier, accumulators)
    law_rescaling_is_near(m, multiplier, accumulators)


@given(MULTIPLIERS, st.lists(ACCUMULATORS, min_size=1, max_size=5))
@example(Fraction(2**29), [1, -1])
def test_any_multiplier(multiplier, accumulators):
    all_laws(integer, multiplier, accumulators)


@pytest.mark.parametrize("multiplier", [Fraction(0), Fraction(-1, 2), Fraction(2**29 + 1)])
def test_a_multiplier_that_no_layer_needs_is_refused(multiplier):
    with pytest.raises(ValueError, match="expected more than 0 and at most"):
        integer.fixed_point([multiplier])


POSITIVE = st.floats(2.0**-149, float(np.finfo(np.float32).max), width=32)
NEAR_ONE = st.integers(2**23, 2**24 - 1).map(lambda m: m / 2**23)


def law_quotients_are_those_of_fractions(m, in_scale, weight_scales, out_scale):
    multipliers = [Fraction(in_scale) * Fraction(s) / Fraction(out_scale) for s in weight_scales]
    scales = in_scale, np.array(weight_scales, np.float32), out_scale
    if max(multipliers) > 2**29:
        with pytest.raises(ValueError, match="expected more than 0 and at most"):
            m.fixed_point_quotients(*scales)
        return
    for found, expected in zip(m.fixed_point_quotients(*scales), integer.fixed_point(multipliers), strict=True):
        assert found.dtype == np.int64 and found.tolist() == expected.tolist()


def quotients(m):
    @given(POSITIVE | NEAR_ONE, st.lists(POSITIVE | NEAR_ONE, min_size=1, max_size=4), POSITIVE | NEAR_ONE)
    @example(1.0, [2.0**29], 1.0)
    @example(1.0, [float(np.nextafter(np.float32(2**29), np.float32(np.inf)))], 1.0)
    @example(1 + 2.0**-23, [1 + 2.0**-23], 1.0)
    @example(1.0, [1 - 2.0**-24], 1 + 2.0**-23)
    @example(2.0**-149, [2.0**-149, 1.0], float(np.finfo(np.float32).max))
    @example(1.0, [2.0**-62, 2.0**-63, 1.5 * 2.0**-63, 2.0**-64, 1.5 * 2.0**-32], 1.0)  # shift 62, M₀ of few bits
    @example(2 - 2.0**-23, [2 - 2.0**-23, 1.0, 1.25], 1.0)
    @example(1.0, [1.0, 1.25, 1.5], 1.75)
    def law(in_scale, weight_scales, out_scale):
        law_quotients_are_those_of_fractions(m, in_scale, weight_scales, out_scale)
    law()


def test_quotients_of_scales_are_those_of_fractions():
    quotients(integer)


@pytest.mark.parametrize(("old", "new"), [
    ("np.full(p.shape, 8)", "np.full(p.shape, 7)"), ("in range(2):\n        more -=", "in range(1):\n        more -="),
    ("np.clip(29 - e, 22, 25)", "np.clip(28 - e, 22, 25)"), ("np.clip(29 - e, 22, 25)", "np.clip(29 - e, 22, 24)"),
    ("np.minimum(more - e, MOST_SHIFT)", "more - e"), ("(p << up + 1) + (c << down)", "(p << up + 1)"),
    ("np.clip(-more, 0, 26)", "np.clip(-more, 0, 25)"), ("p > c <<", "p >= c <<"),
])
def test_mutants_of_quotients_are_caught(old, new):
    with pytest.raises((AssertionError, pytest.fail.Exception, ValueError, ExceptionGroup)):
        quotients(mutate(integer, old, new))


def test_terms_that_are_added_share_a_shift():
    m0, shift = integer.shared_fixed_point([Fraction(2, 3), Fraction(1, 10**12)])
    for m, stored in zip((Fraction(2, 3), Fraction(1, 10**12)), m0, strict=True):
        assert abs(Fraction(int(stored), 2**shift) - m) <= Fraction(1, 2 ** (shift + 1))
    assert 2**30 <= m0.max() < 2**31
    m0, shift = integer.shared_fixed_point([Fraction(1, 2**20), Fraction(1, 2**33)])
    assert (m0.tolist(), shift) == ([2**30, 2**17], 50)


# Products


def law_products_are_exact(m, weight, codes, zero_point):
    """``weight`` (out, in) and ``codes`` (N, in): arrays of integers."""
    reach = 255
    floats = weight.astype(m.exact_dtype(m.accumulator_bound(weight, reach)))
    expected = [[sum((int(a) - zero_point) * int(b) for a, b in zip(x, w, strict=True)) for w in weight] for x in codes]
    assert m.linear(codes, zero_point, floats).tolist() == expected
    images = codes.reshape(len(codes), -1, 1, 1)
    filters = floats.reshape(*floats.shape, 1, 1)
    assert m.conv2d(images, zero_point, filters)[:, :, 0, 0].tolist() == expected


def codes_and_weights(seed, size):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-255, 256, (4, size))
    weight[0], weight[1, ::2], weight[1, 1::2] = 255, 255, 254  # the largest sums, and odd ones beside them
    codes = rng.integers(-128, 128, (3, size)).astype(np.int8)
    codes[0] = 127
    return weight, codes, -128


@pytest.mark.parametrize("size", [1, 2, 257, 258, 259, 1000])
def test_products_are_exact(size):
    law_products_are_exact(integer, *codes_and_weights(size, size))


def test_float32_is_exact_up_to_its_bound_and_not_beyond():
    """255·255·n passes 2²⁴ at n = 259; there an odd sum can't be a float32 any more."""
    assert integer.exact_dtype(255 * 255 * 258) is np.float32 and integer.exact_dtype(255 * 255 * 259) is np.float64
    assert integer.exact_dtype(2**24) is np.float32 and int(np.float32(2**24)) == 2**24
    assert integer.exact_dtype(2**24 + 1) is np.float64 and int(np.float32(2**24 + 1)) != 2**24 + 1
    weight, codes, zero_point = codes_and_weights(0, 1001)
    floats = weight.astype(np.float32)
    exact = (codes.astype(np.int64) - zero_point) @ weight.T
    assert integer.accumulator_bound(weight, 255) > 2**24
    assert (integer.linear(codes, zero_point, floats) != exact).any()  # so the choice of the type matters


def test_the_inner_size_bound_is_the_last_size_that_never_overflows():
    n = integer.inner_size_bound(255, 255)
    assert n == 33_025 and 255 * 255 * n <= 2**31 - 1 < 255 * 255 * (n + 1)
    integer.exact_dtype(integer.accumulator_bound(np.full((1, n), 255), 255))
    with pytest.raises(ValueError, match="the largest int32"):
        integer.exact_dtype(integer.accumulator_bound(np.full((1, n + 1), 255), 255))


def test_biases_count_in_the_bound():
    weight = np.array([[1, -2], [5, 5]])
    assert integer.accumulator_bound(weight, 10, np.array([-1000, 7])) == 1030


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 4), (2, 2)])
def test_a_convolution_reads_the_windows_as_printed(stride, padding, groups):
    rng = np.random.default_rng(0)
    codes, zero_point = rng.integers(-128, 128, (2, 4, 5, 6)).astype(np.int8), -7
    weight = rng.integers(-128, 128, (8, 4 // groups, 3, 3))
    found = integer.conv2d(codes, zero_point, weight.astype(np.float32), stride=stride, padding=padding, groups=groups)
    assert found.dtype == np.int32
    for n, f, i, j in np.ndindex(found.shape):
        channels = slice(f // (8 // groups) * (4 // groups), (f // (8 // groups) + 1) * (4 // groups))
        read = literal.window(codes[n, channels].tolist(), stride * i - padding, stride * j - padding, 3, zero_point)
        assert found[n, f, i, j] == sum((a - zero_point) * b for a, b in zip(read, weight[f].ravel().tolist(),
                                                                             strict=True))


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3))
def test_means_are_as_printed(seed, kernel, stride):
    codes = np.random.default_rng(seed).integers(-128, 128, (1, 2, 5, 4)).astype(np.int8)
    found = integer.average(codes, kernel, stride)
    assert found.dtype == np.int8
    for _, c, i, j in np.ndindex(found.shape):
        read = literal.window(codes[0, c:c + 1].tolist(), stride * i, stride * j, kernel, None)
        assert found[0, c, i, j] == literal.integer_mean(read)


@pytest.mark.parametrize(("low", "high"), [(-(2**15), -(2**15)), (2**15 - 1, 2**15 - 1), (2**15 - 2, 2**15 - 1)])
def test_means_of_many_wide_codes_do_not_overflow(low, high):
    codes = np.random.default_rng(0).integers(low, high + 1, (1, 1, 190, 190)).astype(np.int16)
    found = integer.average(codes, 190, 1)
    assert found.dtype == np.int16 and found.item() == literal.integer_mean(codes.ravel().tolist())


def test_a_window_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="a window of 3 does not fit images of 2×5"):
        integer.average(np.zeros((1, 1, 2, 5), np.int8), 3, 1)


MUTANTS = [
    ("while _rounded(m, shift) >= 1 << 31:", "while _rounded(m, shift) >= 1 << 32:"),
    ("while _rounded(m, shift) >= 1 << 31:", "while _rounded(m, shift) > 1 << 31:"),  # M₀ = 2³¹
    ("while _rounded(m, shift) >= 1 << 31:", "if _rounded(m, shift) >= 1 << 31:"),
    ("return min(shift, MOST_SHIFT)", "return min(shift, 40)"),
    ("(2 * (m.numerator << shift) + m.denominator)", "(2 * (m.numerator << shift))"),
    ("    product += np.int64(1) << (shift - 1)\n", ""),
    ("    product += np.int64(1) << (shift - 1)\n", "    product += (np.int64(1) << (shift - 1)) - (product < 0)\n"),
    ("product = accumulator * m0", "product = (accumulator * m0.astype(np.int32)).astype(np.int64)"),
    ("np.float32 if bound <= FLOAT32 else np.float64", "np.float32"),
    ("FLOAT32 = 2**24", "FLOAT32 = 2**26"),
    ("sum(axis=1) * int(reach)", "max(axis=1) * int(reach)"),
    ("np.abs(weight.reshape(len(weight), -1)", "np.negative(weight.reshape(len(weight), -1)"),
    ("    differences -= zero_point\n", ""),
]


@pytest.mark.parametrize(("old", "new"), MUTANTS, ids=[new.strip() or "nothing" for _, new in MUTANTS])
def test_a_planted_bug_is_caught(old, new):
    mutant = mutate(integer, old, new)
    with pytest.raises((AssertionError, ValueError)), np.errstate(all="ignore"):
        for multiplier in KNOWN:
            all_laws(mutant, multiplier, EDGES)
        for size in (3, 259, 1000):
            law_products_are_exact(mutant, *codes_and_weights(size, size))
