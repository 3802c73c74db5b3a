"""What must hold of linear quantization (QU-1 to QU-4): of the real one, of the literal one, and of no mutant."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicompress.equations.quantization.affine import code_bounds, dequantize, quantize
from minicompress.equations.quantization.scales import asymmetric_params, symmetric_scale
from minicompress.equations.quantization.weights import decibels
from minicompress.quantization import affine
from tests.mutants import mutate

F32 = st.floats(-(2.0**99), 2.0**99, width=32)
BITS = st.integers(1, 16)
EPS = float(np.finfo(np.float32).eps)


def _literal_quantize(r, s, z, low, high):
    return np.array([quantize(float(x), float(s), int(z), low, high) for x in np.ravel(r)])


def _literal_params(r_min, r_max, bits, *, symmetric=False):
    span = float(r_min), float(r_max), bits
    s, z = (symmetric_scale(*span), 0) if symmetric else asymmetric_params(*span)
    s32 = np.float32(max(s, 2.0**-126))
    low, high = code_bounds(bits)
    if not symmetric and s != s32:  # the zero point belongs to the scale that is stored
        z = min(max(round(low - min(float(r_min), 0.0) / float(s32)), low), high)
    return s32, z


LITERAL = SimpleNamespace(
    choose_params=_literal_params, quantize=_literal_quantize,
    dequantize=lambda q, s, z: np.array([np.float32(dequantize(int(c), float(s), int(z))) for c in q]))


def ranges(draw_from=F32):
    return st.tuples(draw_from, draw_from).map(sorted)


def points(low, high, count=41):
    """Float32 numbers of a range, its ends and 0 among them."""
    low, high = min(low, 0.0), max(high, 0.0)
    return np.unique(np.concatenate([np.linspace(low, high, count), [low, 0.0, high]]).astype(np.float32))


def bound(s, bits):
    """(QU-1) s/2·(1 + ε): z·s and r/s lie up to 2^b from 0, and s itself was rounded."""
    return float(s) / 2 * (1 + 2.0 ** (bits + 1) * EPS)


# The laws


def law_the_error_is_at_most_half_a_step(m, low, high, bits, symmetric):
    s, z = m.choose_params(low, high, bits, symmetric=symmetric)
    r = points(low, high)
    error = np.abs(m.dequantize(m.quantize(r, s, z, *code_bounds(bits)), s, z).astype(np.float64) - r)
    assert error.max() <= bound(s, bits)


def law_zero_is_exact(m, low, high, bits, symmetric):
    s, z = m.choose_params(low, high, bits, symmetric=symmetric)
    assert m.quantize(np.zeros(1, np.float32), s, z, *code_bounds(bits)).tolist() == [int(z)]
    assert m.dequantize(np.array([int(z)]), s, z).tolist() == [0.0]


def law_params_are_in_their_bounds(m, low, high, bits, symmetric):
    s, z = m.choose_params(low, high, bits, symmetric=symmetric)
    q_min, q_max = code_bounds(bits)
    assert np.float32(s) == s and np.isfinite(s) and s > 0 and q_min <= z <= q_max and z == int(z)
    assert not symmetric or z == 0


def law_params_are_as_printed(m, low, high, bits, symmetric):
    assert tuple(map(float, m.choose_params(low, high, bits, symmetric=symmetric))) == \
        tuple(map(float, _literal_params(low, high, bits, symmetric=symmetric)))


def law_twice_is_once(m, low, high, bits, symmetric):
    s, z = m.choose_params(low, high, bits, symmetric=symmetric)
    once = m.quantize(points(low, high), s, z, *code_bounds(bits))
    assert m.quantize(m.dequantize(once, s, z), s, z, *code_bounds(bits)).tolist() == once.tolist()


def law_order_is_kept(m, low, high, bits, symmetric):
    s, z = m.choose_params(low, high, bits, symmetric=symmetric)
    beyond = np.concatenate([points(low, high), points(3 * low, 3 * high)])
    codes = m.quantize(np.sort(beyond), s, z, *code_bounds(bits)).astype(int)
    assert (np.diff(codes) >= 0).all()


def law_codes_are_as_printed(m, low, high, bits, symmetric):
    s, z = m.choose_params(low, high, bits, symmetric=symmetric)
    halves = np.float32(s) * (np.arange(-9, 10) / np.float32(2))  # ties, and what is clipped
    r = np.concatenate([points(5 * low, 5 * high), halves])
    assert m.quantize(r, s, z, *code_bounds(bits)).tolist() == \
        _literal_quantize(r, s, z, *code_bounds(bits)).tolist()


def law_no_step_to_another_code_is_nearer(m, low, high, bits, symmetric):
    s, z = m.choose_params(low, high, bits, symmetric=symmetric)
    q_min, q_max = code_bounds(bits)
    r = points(low, high).astype(np.float64)
    codes = m.quantize(r, s, z, q_min, q_max).astype(np.int64)
    error = np.abs(float(s) * (codes - int(z)) - r)
    for step in (-1, 1):
        inside = (codes + step >= q_min) & (codes + step <= q_max)
        other = np.abs(float(s) * (codes + step - int(z)) - r)
        assert (other >= error * (1 - 1e-9) - float(s) * 1e-9)[inside].all()


LAWS = [law_the_error_is_at_most_half_a_step, law_zero_is_exact, law_params_are_in_their_bounds,
        law_params_are_as_printed, law_twice_is_once, law_order_is_kept, law_codes_are_as_printed,
        law_no_step_to_another_code_is_nearer]
KNOWN = [(-1.0, 2.0, 2, False), (1.0, 3.0, 3, False), (0.0, 0.0, 8, False), (0.0, 0.0, 8, True), (-1.0, 1.0, 1, True),
         (0.0, 1e-44, 8, False), (-1e-44, 0.0, 8, True), (2.0, 300.0, 8, True), (-7.0, -3.0, 4, False),
         (-1.0, 1.0, 16, False), (-0.3, 1.0, 4, False), (-3.0, 3.0, 1, False), (-0.5, 2.5, 2, False)]


@pytest.mark.parametrize("m", [affine, LITERAL], ids=["real", "literal"])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_on_known_cases(law, m):
    for case in KNOWN:
        law(m, *case)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@given(ranges(), BITS, st.booleans())
@example([-1.4e-45, 1.2e-38], 16, False)
@example([0.0, 1.0], 1, True)
def test_law(law, span, bits, symmetric):
    law(affine, *span, bits, symmetric)


MUTANTS = [
    ("codes = np.fmax(np.fmin(np.rint(codes, out=codes), high, out=codes), low, out=codes)",
     "codes = np.fmax(np.fmin(np.rint(codes).astype(np.int16), high), low)"),  # 40 000 becomes −25 536
    ("    codes += zero_point\n    codes = np.fmax(np.fmin(np.rint(codes, out=codes)",
     "    codes = np.rint(codes) + zero_point\n    codes = np.fmax(np.fmin(codes"),  # other ties
    ("np.rint(codes, out=codes)", "np.floor(codes)"),
    ("np.rint(codes, out=codes)", "np.floor(codes + 0.5)"),
    ("np.rint(codes, out=codes)", "np.trunc(codes)"),
    ("high, out=codes), low", "high - 1, out=codes), low"),
    ("r_min, r_max = np.minimum(r_min, 0), np.maximum(r_max, 0)", "pass"),
    ("(high if bits > 1 else 0.5)", "high"),
    ("(high if bits > 1 else 0.5)", "(high + 0.5)"),
    ("np.maximum(-r_min, r_max) / (high", "np.maximum(np.abs(r_min), r_max) / (high + 1"),
    ("(r_max - r_min) / (high - low)", "(r_max - r_min) / (high - low + 1)"),
    ("np.where(scale > 0, np.maximum(scale, TINY), 1)", "np.maximum(scale, TINY)"),
    ("np.where(scale > 0, np.maximum(scale, TINY), 1)", "scale"),
    ("np.rint(low - r_min / scale)", "np.rint(high - r_max / scale)"),
    ("np.rint(low - r_min / scale)", "np.floor(low - r_min / scale)"),
    ("np.asarray(q, np.int32) - np.asarray(zero_point, np.int32)", "np.asarray(q) - np.asarray(zero_point)"),
]


@pytest.mark.parametrize(("old", "new"), MUTANTS, ids=[new for _, new in MUTANTS])
def test_a_planted_bug_is_caught(old, new):
    mutant = mutate(affine, old, new)
    with pytest.raises((AssertionError, ValueError, TypeError)), np.errstate(all="ignore"):
        for law in LAWS:
            for case in KNOWN:
                law(mutant, *case)
        codes_of_narrow_dtypes_do_not_wrap(mutant)


def codes_of_narrow_dtypes_do_not_wrap(m):
    assert m.dequantize(np.array([127], np.int8), np.float32(1), np.int8(-128)).tolist() == [255.0]


def test_codes_of_narrow_dtypes_do_not_wrap():
    codes_of_narrow_dtypes_do_not_wrap(affine)


# Bounds are ordered, errors are not


@given(ranges(), st.integers(1, 16))
def test_the_asymmetric_bound_is_at_most_the_symmetric_one(span, bits):
    (a, _), (s, _) = (affine.choose_params(*span, bits, symmetric=symmetric) for symmetric in (False, True))
    assert a <= s * (1 + EPS) or not any(span)


def error_of(r, bits, symmetric=True):
    s, z = affine.choose_params(min(r), max(r), bits, symmetric=symmetric)
    return np.abs(affine.dequantize(affine.quantize(r, s, z, *affine.code_range(bits)), s, z) - np.float32(r)).max()


def test_the_errors_themselves_are_not_ordered():
    assert error_of([1.0, 3.0], 3, symmetric=True) < error_of([1.0, 3.0], 3, symmetric=False)
    assert error_of([1.0, 3.0], 3) < error_of([1.0, 3.0], 4)


@given(ranges(), st.booleans())
def test_the_bound_falls_with_the_bits(span, symmetric):
    scales = [float(affine.choose_params(*span, bits, symmetric=symmetric)[0]) for bits in range(1, 17)]
    assert all(b <= a for a, b in pairwise(scales))
    if max(map(abs, span)) > 1e-30:
        assert all(b < a for a, b in pairwise(scales))


@pytest.mark.parametrize("symmetric", [False, True])
def test_each_bit_gives_six_decibels(symmetric):
    """(QU-4) 20·log₁₀ 2 = 6.02; symmetric ranges leave one code of 2^b out, which costs a little at few bits."""
    r = np.random.default_rng(0).uniform(-1, 1, 20_000).astype(np.float32)
    levels = []
    for bits in range(5, 13):
        s, z = affine.choose_params(-1, 1, bits, symmetric=symmetric)
        levels.append(decibels(r.tolist(), affine.dequantize(
            affine.quantize(r, s, z, *affine.code_range(bits)), s, z).astype(np.float64).tolist()))
    assert np.diff(levels) == pytest.approx(20 * math.log10(2), abs=0.35)


@given(st.integers(0, 2**32 - 1), st.integers(2, 16))
def test_a_scale_for_each_channel_is_at_most_that_of_the_layer(seed, bits):
    w = np.random.default_rng(seed).standard_normal((5, 9)) * 10.0 ** np.arange(-2, 3)[:, None]
    own, _ = affine.choose_params(w.min(1), w.max(1), bits, symmetric=True)
    assert own.shape == (5,) and (own <= affine.choose_params(w.min(), w.max(), bits, symmetric=True)[0]).all()


def mean_square(w, bits, axis):
    low, high = w.min(axis), w.max(axis)
    s, z = (a.reshape(-1, 1) for a in affine.choose_params(low, high, bits, symmetric=True))
    return ((affine.dequantize(affine.quantize(w, s, z, *affine.code_range(bits)), s, z) - w) ** 2).mean()


def test_channels_of_their_own_are_better_on_the_mean_and_not_on_every_tensor():
    """(QU-3)"""
    rng = np.random.default_rng(0)
    tensors = [rng.standard_normal((8, 64)) for _ in range(50)]
    own, shared = (np.mean([mean_square(w, 4, axis) for w in tensors]) for axis in (1, None))
    assert own < shared
    trap = np.array([[127.0, 0.0], [126.0, 1.0]])
    assert mean_square(trap, 8, None) < mean_square(trap, 8, 1)


def test_choosing_again_after_quantizing_is_another_grid():
    """(QU-1) Idempotent at a fixed scale only."""
    def refitted(r):
        s, z = affine.choose_params(min(r), max(r), 2)
        return affine.dequantize(affine.quantize(r, s, z, -2, 1), s, z)
    once = refitted([-1.0, 2.0, 5.0])
    assert refitted(once).tolist() != once.tolist()
