"""The layers of converted networks beside Python's integers, of any size, on generated layers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicompress import nn
from minicompress.engine import Codes, Tensor, avg_pool2d
from minicompress.equations.quantization import affine as literal
from minicompress.equations.quantization.integer import fixed_point_multiplier, integer_output, window
from minicompress.forms import Affine, Codebook, Sparse
from minicompress.quantization import (
    Dequantize,
    Grid,
    Quantize,
    QuantizedAdd,
    QuantizedAvgPool2d,
    QuantizedConv2d,
    QuantizedLinear,
    QuantizedReLU,
    layers,
)
from tests.mutants import mutate

SEEDS = st.integers(0, 2**32 - 1)


def grid(rng, bits=8):
    low, high = literal.code_bounds(bits)
    return Grid(float(np.float32(np.exp(rng.uniform(-6, 2)))), int(rng.integers(low, high + 1)), bits)


def weights(rng, shape, bits):
    """Weights on a grid, per channel or not, symmetric or not, pruned or not."""
    low, high = literal.code_bounds(bits)
    channels = shape[:1] if rng.integers(2) else ()
    zero_point = rng.integers(low, high + 1, channels) if rng.integers(2) else np.zeros(channels, int)
    form = Affine(rng.integers(low, high + 1, shape), np.exp(rng.uniform(-8, 0, channels)), zero_point, bits,
                  axis=0 if channels else None)
    return Sparse(rng.random(shape) < 0.5, form) if rng.integers(2) else form


def codes_of(rng, shape, reads):
    low, high = literal.code_bounds(reads.bits)
    return rng.integers(low, high + 1, shape).astype(np.int8 if reads.bits <= 8 else np.int16)


def expected_output(layer, form, channel, read, bias):
    """One output's code: all in Python's integers, M from the scales as fractions."""
    inner, mask = (form.inner, form.mask) if isinstance(form, Sparse) else (form, np.ones(form.shape, bool))
    scale, z2 = (float(a[channel]) if a.ndim else float(a) for a in (inner.scale, inner.zero_point))
    m = Fraction(layer.reads.scale) * Fraction(scale) / Fraction(layer.grid.scale)
    q2 = [int(q) if keep else int(z2)
          for q, keep in zip(inner.codes[channel].ravel(), mask[channel].ravel(), strict=True)]
    return integer_output(read, q2, int(bias[channel]), layer.reads.zero_point, int(z2), layer.grid.zero_point,
                                  *fixed_point_multiplier(m), *literal.code_bounds(layer.grid.bits))


def filled(layer, rng, bits):
    form = weights(rng, layer.weight.shape, bits)
    nn.assign(layer.weight, form)
    layer.bias = rng.integers(-(2**20), 2**20, len(layer.bias)).astype(np.int32)
    return layer, form


def law_linear(m, seed):
    rng = np.random.default_rng(seed)
    inputs, outputs, bits = (int(rng.integers(1, top)) for top in (40, 5, 9))
    layer, form = filled(m.QuantizedLinear(inputs, outputs, *grid(rng).config(),
                                           *grid(rng, rng.choice([4, 8, 16])).config()), rng, bits)
    codes = codes_of(rng, (3, inputs), layer.reads)
    found = layer(Codes(codes)).numpy()
    _, _, m0, shift = layer.lower(form, layer.bias)
    scales = (form.inner if isinstance(form, Sparse) else form).scale.reshape(-1).tolist()
    assert list(zip(m0.tolist(), (shift - 31).tolist(), strict=True)) == [fixed_point_multiplier(
        Fraction(layer.reads.scale) * Fraction(s) / Fraction(layer.grid.scale)) for s in scales]
    assert found.dtype == (np.int8 if layer.grid.bits <= 8 else np.int16)
    assert found.tolist() == [[expected_output(layer, form, c, row, layer.bias) for c in range(outputs)]
                              for row in codes.tolist()]


def law_conv(m, seed):
    rng = np.random.default_rng(seed)
    groups, per_group, kernel, stride = (int(rng.integers(1, 3)) for _ in range(4))
    padding, channels = int(rng.integers(0, 2)), groups * int(rng.integers(1, 3))
    layer, form = filled(m.QuantizedConv2d(channels, groups * per_group, kernel, stride, padding, groups,
                                           *grid(rng).config(), *grid(rng).config()), rng, int(rng.integers(1, 9)))
    codes = codes_of(rng, (2, channels, 4, 3), layer.reads)
    found = layer(Codes(codes)).numpy()
    for n, f, i, j in np.ndindex(found.shape):
        own = codes[n, f // per_group * (channels // groups):(f // per_group + 1) * (channels // groups)].tolist()
        read = window(own, stride * i - padding, stride * j - padding, kernel, layer.reads.zero_point)
        assert found[n, f, i, j] == expected_output(layer, form, f, read, layer.bias)


def law_add(m, seed):
    """The sum of the real numbers that codes stand for, rounded once: half a unit, and what 31 bits of S₁/S₃ miss."""
    rng = np.random.default_rng(seed)
    one, two, out = grid(rng), grid(rng), grid(rng)
    a, b = codes_of(rng, (4, 3), one), codes_of(rng, (4, 3), two)
    found = m.QuantizedAdd(*one.config(), *two.config(), *out.config())(Codes(np.concatenate([a, b], axis=1))).numpy()
    for p, q, r in zip(a.ravel().tolist(), b.ravel().tolist(), found.ravel().tolist(), strict=True):
        real = (Fraction(one.scale) * (p - one.zero_point) + Fraction(two.scale) * (q - two.zero_point)) \
            / Fraction(out.scale) + out.zero_point
        low, high = literal.code_bounds(out.bits)
        slack = Fraction(1, 2) + 2 * 255 * max(Fraction(one.scale), Fraction(two.scale)) / Fraction(out.scale) / 2**30
        assert abs(r - min(max(real, low), high)) <= slack


LAWS = [law_linear, law_conv, law_add]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(max_examples=60)
@given(SEEDS)
def test_law(law, seed):
    law(layers, seed)


def test_a_large_layer_is_exact_where_float32_would_not_be():
    rng = np.random.default_rng(1)
    layer = QuantizedLinear(700, 2, 0.01, -128, 8, 50.0, 0, 16)
    form = Affine(np.full((2, 700), 127), np.float32(0.01), np.int32(0), 8)
    nn.assign(layer.weight, form)
    layer.bias = np.array([1, 2**24 + 1], np.int32)
    codes = rng.integers(100, 128, (3, 700)).astype(np.int8)
    assert layer(Codes(codes)).numpy().tolist() == [[expected_output(layer, form, c, row, layer.bias) for c in range(2)]
                                                    for row in codes.tolist()]
    assert layer.lowered[1][0].dtype == np.float64


@given(SEEDS)
def test_pools_and_relu_do_what_they_do_to_the_numbers(seed):
    rng = np.random.default_rng(seed)
    own = grid(rng)
    codes = codes_of(rng, (2, 3, 4, 4), own)
    real = own.dequantize(codes)
    assert (own.dequantize(nn.MaxPool2d(2)(Codes(codes)).numpy()) == nn.MaxPool2d(2)(Tensor(real)).numpy()).all()
    assert (own.dequantize(QuantizedReLU(own.zero_point)(Codes(codes)).numpy()) == np.maximum(real, 0)).all()
    mean = own.dequantize(QuantizedAvgPool2d(2)(Codes(codes)).numpy())
    assert np.abs(mean - avg_pool2d(Tensor(real), 2).numpy()).max() <= own.scale / 2 * 1.0001


def test_the_ends_are_qu_1():
    x, own = np.array([-9.0, 0.2, 0.25, 9.0], np.float32), (0.5, 3, 4)
    codes = Quantize(*own)(Tensor(x))
    assert codes.numpy().tolist() == [literal.quantize(float(r), 0.5, 3, -8, 7) for r in x]
    real = Dequantize(*own)(codes).numpy().tolist()
    assert real == [literal.dequantize(int(q), 0.5, 3) for q in codes.numpy()]


EXAMPLES = [Quantize(0.1, -3), Dequantize(0.25, 7, 16), QuantizedReLU(-128), QuantizedAvgPool2d(2),
            QuantizedAvgPool2d(3, 1), QuantizedAdd(0.1, 0, 8, 0.2, 1, 8, 0.3, -1, 8),
            QuantizedLinear(3, 2, 0.1, 0, 8, 0.2, 0, 16), QuantizedConv2d(2, 4, 3, 1, 1, 2, 0.1, 0, 8, 0.2, 0, 8)]


@pytest.mark.parametrize("layer", EXAMPLES, ids=repr)
def test_a_description_builds_the_layer_again(layer):
    again = nn.build(nn.describe(layer))
    assert nn.describe(again) == nn.describe(layer) and repr(again) == repr(layer)
    assert {name: p.shape for name, p in again.named_parameters()} == {n: p.shape for n, p in layer.named_parameters()}
    assert [(n, b.dtype, b.shape) for n, b in again.named_buffers()] == [(n, b.dtype, b.shape)
                                                                         for n, b in layer.named_buffers()]


def test_biases_are_rounded_to_the_nearest_halves_to_even():
    eighths = np.array([0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 0.75, -0.75, 0.49, -1.51, 2.0])
    found = layers.integer_bias(eighths / 8, 0.5, np.float32(0.25))
    assert found.dtype == np.int32 and found.tolist() == [round(r) for r in eighths.tolist()]


@pytest.mark.parametrize("exponent", [-29, -15, 0, 14, 15, 16, 17, 18, 29, 30, 31, 32, 33, 100])
def test_adding_is_exact_at_any_shift(exponent):
    """Beside Python's integers: the terms share the one shift that M₀ < 2³¹ of the larger one asks for, at most 62."""
    one, two, out = Grid(1.0, -32768, 16), Grid(0.75, 32767, 16), Grid(2.0**exponent, 3, 16)
    layer, shift = QuantizedAdd(*one.config(), *two.config(), *out.config()), min(30 + exponent, 62)
    codes = np.array([[-32768, 32767, 0, 1, -32768, 32767, -32768, 32767, 0, -32768]], np.int16)
    first, second = (math.floor(Fraction(grid.scale) / Fraction(out.scale) * 2**shift + Fraction(1, 2))
                     for grid in (one, two))
    expected = [math.floor(Fraction((a + 32768) * first + (b - 32767) * second, 2**shift) + Fraction(1, 2)) + 3
                for a, b in zip(codes[0, :5].tolist(), codes[0, 5:].tolist(), strict=True)]
    assert layer(Codes(codes)).numpy().tolist() == [[min(max(q, -32768), 32767) for q in expected]]


def test_macs_are_those_of_the_float_layers():
    assert QuantizedLinear(3, 2, 0.1, 0, 8, 0.2, 0, 16).macs((2,)) == 6
    assert QuantizedConv2d(2, 4, 3, 1, 1, 2, 0.1, 0, 8, 0.2, 0, 8).macs((4, 5, 5)) == 4 * 1 * 9 * 25


def test_new_weights_take_effect():
    layer = QuantizedLinear(1, 1, 1.0, 0, 8, 1.0, 0, 8)
    for value in (3, 5):
        nn.assign(layer.weight, Affine(np.array([[value]]), 1.0, 0, bits=8))
        assert layer(Codes(np.array([[2]], np.int8))).numpy().tolist() == [[2 * value]]
    layer.bias = np.array([4], np.int32)
    assert layer(Codes(np.array([[2]], np.int8))).numpy().tolist() == [[14]]


@pytest.mark.parametrize(("make", "match"), [
    (lambda: Quantize(0.0, 0), "scale is 0.0"), (lambda: Quantize(-1.0, 0), "scale"),
    (lambda: Quantize(float("nan"), 0), "scale"), (lambda: Quantize(1e-60, 0), "scale"),
    (lambda: Quantize(1e39, 0), "scale"), (lambda: Quantize(True, 0), "scale"),
    (lambda: Dequantize(1.0, 128), "zero_point is 128, expected an integer from -128 to 127"),
    (lambda: Dequantize(1.0, 0.5), "zero_point"), (lambda: Dequantize(1.0, 0, 17), "bits is 17"),
    (lambda: QuantizedReLU(1 << 20), "zero_point"), (lambda: QuantizedAvgPool2d(0), "kernel_size is 0"),
    (lambda: QuantizedLinear(0, 1, 1.0, 0, 8, 1.0, 0, 8), "in_features is 0"),
    (lambda: QuantizedConv2d(3, 4, 3, 1, 0, 2, 1.0, 0, 8, 1.0, 0, 8), "groups is 2"),
    (lambda: QuantizedConv2d(2, 4, 3, 1, -1, 2, 1.0, 0, 8, 1.0, 0, 8), "padding is -1"),
    (lambda: QuantizedAdd(1e20, 0, 8, 1.0, 0, 8, 1e-20, 0, 8), "multiplier"),
    (lambda: QuantizedAdd(1.0, 0, 8, 1.0, 0, 8, 1.0, 0, 8)(Codes(np.zeros((1, 3), np.int8))), "two halves to be added"),
    (lambda: layers.integer_bias(np.array([0.5, 1e9]), 1e-3, np.float32(1e-3)), "channel 1"),
    (lambda: Quantize(1.0, 0)(Tensor([np.nan])), "NaN"),
])
def test_what_no_layer_can_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("layer", EXAMPLES[1:], ids=repr)
def test_floats_are_refused_where_codes_belong(layer):
    if layer.buffers:
        nn.assign(layer.weight, Affine(np.zeros(layer.weight.shape, int), 1.0, 0, bits=8))
    with pytest.raises(TypeError, match=f"{type(layer).__name__} takes codes"):
        layer(Tensor(np.zeros((1, 2, 4, 4), np.float32)))


def test_training_that_diverged_says_so():
    with pytest.raises(FloatingPointError, match="channel 1 is not finite"):
        layers.integer_bias(np.array([0.0, np.inf]), 1e-3, np.float32(1e-3))


def test_what_a_mask_hides_is_no_weight():
    form = Sparse([[True, False]], Affine([[3, 5]], 0.5, 1, bits=8))
    assert layers.integers(form)[0].tolist() == [[2, 0]]


def test_weights_that_no_integers_say_are_refused():
    layer = QuantizedLinear(2, 1, 1.0, 0, 8, 1.0, 0, 8)
    with pytest.raises(TypeError, match="Dense"):
        layer(Codes(np.zeros((1, 2), np.int8)))
    nn.assign(layer.weight, Codebook([[0, 1]], [0.5, 1.0], 1))
    with pytest.raises(TypeError, match="Codebook"):
        layer(Codes(np.zeros((1, 2), np.int8)))


def test_an_accumulator_that_could_overflow_is_refused():
    layer = QuantizedLinear(33_026, 1, 1.0, -128, 8, 1e9, 0, 8)
    nn.assign(layer.weight, Affine(np.full((1, 33_026), 127), np.float32(1), np.int32(-128), 8))
    with pytest.raises(ValueError, match="the largest int32"):
        layer(Codes(np.zeros((1, 33_026), np.int8)))


def test_codes_are_integers_and_nothing_is_computed_with_them_by_accident():
    with pytest.raises(TypeError, match="codes are float32, expected an array of signed integers"):
        Codes(np.zeros(2, np.float32))
    with pytest.raises(TypeError, match="float64"):
        avg_pool2d(Codes(np.zeros((1, 1, 2, 2), np.int8)), 2)


MUTANTS = [
    ("accumulator += bias\n", "pass\n"),
    ("return form.codes - zero_point, form.scale", "return form.codes + 0 * zero_point, form.scale"),
    ("    values += grid.zero_point\n", ""),
    ("np.clip(values, low, high, out=values).astype", "values.astype"),
    ("(self.reads.scale, scale.reshape(-1), self.grid.scale)",
     "(np.float32(self.reads.scale / self.grid.scale), scale.reshape(-1), 1.0)"),
    ("padding=self.padding,", "padding=0 * self.padding,"),
    ("part.astype(np.int64) - grid.zero_point", "part.astype(np.int64)"),
    ("(self.first, self.second)])", "(self.second, self.first)])"),
]


@pytest.mark.parametrize(("old", "new"), MUTANTS)
def test_a_planted_bug_is_caught(old, new, monkeypatch):
    monkeypatch.setattr(nn.graph, "LAYERS", {})  # mutants register themselves, too
    mutant = mutate(layers, old, new)
    with pytest.raises((AssertionError, ValueError)):
        for seed in range(40):
            for law in LAWS:
                law(mutant, seed)
