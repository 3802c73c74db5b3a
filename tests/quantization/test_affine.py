"""`choose_params`, `quantize` and the projection at their borders: what is refused, which dtypes come out."""

import numpy as np
import pytest

from minicompress import models, nn
from minicompress.engine import Tensor
from minicompress.equations.quantization import affine as literal
from minicompress.equations.quantization.fake import straight_through_gradient
from minicompress.forms import Affine, Dense, Sparse
from minicompress.nn import Parameter
from minicompress.pruning import Mask
from minicompress.quantization import (
    AffineQuantization,
    calibrate,
    choose_params,
    code_range,
    dequantize,
    layers,
    prepare,
    quantize,
    weights,
)
from tests.mutants import mutate


@pytest.mark.parametrize(("call", "match"), [
    (lambda: choose_params(1.0, 0.0, 8), "the lower one first"), (lambda: choose_params(0.0, np.nan, 8), "finite"),
    (lambda: choose_params(-np.inf, 0.0, 8), "finite"), (lambda: choose_params(0.0, 1.0, 0), "bits is 0"),
    (lambda: choose_params(0.0, 1.0, 17), "bits is 17"), (lambda: choose_params(0.0, 1.0, True), "bits is True"),
    (lambda: choose_params(-3e38, 3e38, 1), "needs a scale of"),
    (lambda: choose_params(0.0, 3e38, 1, symmetric=True), "needs a scale of"),
    (lambda: quantize([1.0], 0.0, 0, -8, 7), "scale is 0.0"),
    (lambda: quantize([1.0], -0.5, 0, -8, 7), "scale is -0.5"),
    (lambda: quantize([1.0], np.nan, 0, -8, 7), "scale is nan"), (lambda: quantize([1.0], np.inf, 0, -8, 7), "is inf"),
    (lambda: quantize([1.0, 1.0], [0.5, 0.0], 0, -8, 7), r"scale is \[0.5, 0.0\], expected finite numbers above 0"),
    (lambda: quantize([np.nan], 1.0, 0, -8, 7), "no code"), (lambda: quantize([1.0], 1.0, 0, 7, -8), "lower bound"),
    (lambda: quantize([1.0], 1.0, 300, -128, 127), "zero_point is 300, expected -128 to 127"),
    (lambda: quantize([1.0], 1.0, [0, -9], -8, 7), r"zero_point span -9 to 0, expected -8 to 7"),
    (lambda: quantize([1.0], 1.0, 0, -8, 7, add_zero_point="never"), "is 'never', expected one of 'before'"),
    (lambda: quantize([1.0], 1.0, 0, -8, 7, add_zero_point=True), "add_zero_point is True, expected one of 'before'"),
    (lambda: quantize([1.0], 1.0, 0, -8, 2**31), "quant_max is 2147483648, expected -2147483648 to 2147483647"),
    (lambda: dequantize([2**31], 0.5, 0), "q span 2147483648 to 2147483648, expected -32768 to 65535"),
    (lambda: dequantize(np.full(9, 65_536), 0.5, 0), "q span 65536 to 65536, expected"),
    (lambda: dequantize([-32_769], 0.5, 0), "q span -32769"),
    (lambda: dequantize([0], 0.5, 2**31), "zero_point is 2147483648"),
    (lambda: dequantize([0], np.nan, 0), "scale is nan, expected finite numbers above 0"),
])
def test_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize(("call", "match"), [
    (lambda: quantize([1.0], 1.0, 0.3, -8, 7), "zero_point is 0.3, expected integers"),
    (lambda: quantize([1.0], 1.0, None, -8, 7), "zero_point is None, expected integers"),
    (lambda: quantize([1.0], 1.0, True, -8, 7), "zero_point is True, expected integers"),
    (lambda: quantize([1.0], 1.0, 0, -8.5, 7), "quant_min is -8.5, expected integers"),
    (lambda: quantize([1.0], 1.0, 0, -8, 7.5), "quant_max is 7.5, expected integers"),
    (lambda: dequantize([1.7], 0.5, 0), r"q of shape \(1,\) are float64, expected integers"),
    (lambda: dequantize(np.zeros((3, 3)), 0.5, 0), r"q of shape \(3, 3\) are float64, expected integers"),
    (lambda: dequantize([1], 0.5, 0.3), "zero_point is 0.3, expected integers"),
    (lambda: quantize([1j], 1.0, 0, -8, 7), r"r of shape \(1,\) are complex128, expected real numbers"),
    (lambda: quantize(["1"], 1.0, 0, -8, 7), r"r of shape \(1,\) are <U1, expected real numbers"),
])
def test_what_is_no_number_of_the_kind_is_refused(call, match):
    with pytest.raises(TypeError, match=match):
        call()


def test_codes_of_sixteen_bits_signed_or_not_are_exact():
    ends = [-(2**15), 2**16 - 1]
    assert dequantize(np.array(ends), 1.0, np.array(ends[::-1])).tolist() == [ends[0] - ends[1], ends[1] - ends[0]]
    assert dequantize([], 0.5, 0).shape == (0,) and quantize([], 0.5, 0, -8, 7).shape == (0,)


def test_infinities_are_clipped_and_dtypes_are_narrow():
    assert quantize([np.inf, -np.inf], 1.0, 0, -8, 7).tolist() == [7, -8]
    for bits, dtype in ((1, np.int8), (8, np.int8), (9, np.int16), (16, np.int16)):
        assert quantize([0.3], 1.0, 0, *code_range(bits)).dtype == dtype
    assert quantize([250.0], 1.0, 0, 0, 255).tolist() == [250]  # unsigned codes are integers, too
    assert dequantize(np.array([3], np.int8), 0.5, 1).dtype == np.float32


HALVES = np.array([-1.25, -0.75, -0.25, 0.25, 0.75, 1.25])


def test_the_zero_point_is_added_before_or_after_rounding():
    """(QU-1, QU-1:after) For an odd zero point that is another code at halves, and there alone."""
    for z in (-3, 1):
        before, after = (quantize(HALVES, 0.5, z, -8, 7, add_zero_point=when) for when in ("before", "after"))
        assert before.tolist() == list(map(round, (HALVES / 0.5 + z).tolist()))
        assert after.tolist() == [round(steps) + z for steps in (HALVES / 0.5).tolist()]
        assert (np.abs(before.astype(int) - after) == 1).all() and before.dtype == after.dtype == np.int8
    for r, z in ((HALVES, 2), (HALVES + 0.125, 1), (0.25, 0)):
        before, after = (quantize(r, 0.5, z, -8, 7, add_zero_point=when) for when in ("before", "after"))
        assert before.tolist() == after.tolist()
    assert quantize([np.inf, -np.inf, 9.0], 1.0, 3, -8, 7, add_zero_point="after").tolist() == [7, -8, 7]
    assert quantize(0.25, 0.5, 1, -8, 7, add_zero_point="after").shape == ()


def test_by_default_it_is_added_before():
    r = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    for codes in ((-128, 127), (0, 255)):
        assert quantize(r, 0.0078125, 7, *codes).tobytes() == \
            quantize(r, 0.0078125, 7, *codes, add_zero_point="before").tobytes()
    assert quantize(HALVES, 0.5, 1, -8, 7).tolist() == [-2, 0, 0, 2, 2, 4]


def test_a_scale_for_each_channel():
    s, z = choose_params([-1.0, 0.0], [1.0, 0.0], 8)
    assert (s.shape, s.dtype, z.dtype) == ((2,), np.float32, np.int32) and s[1] == 1


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
def test_the_form_holds_the_codes_as_printed(symmetric, per_channel):
    w = np.random.default_rng(0).standard_normal((4, 3, 2, 2)).astype(np.float32)
    form = nn.project(Parameter(w), AffineQuantization(5, per_channel=per_channel, symmetric=symmetric)).form()
    assert (form.axis, form.bits) == (0 if per_channel else None, 5)
    for c in range(4):
        s, z = (float(a[c] if per_channel else a) for a in (form.scale, form.zero_point))
        assert form.codes[c].ravel().tolist() == [literal.quantize(float(r), s, int(z), -16, 15)
                                                  for r in w[c].ravel()]
    assert not symmetric or not form.zero_point.any()


ENDS = {-0.6: 0.0, -0.4: 1.0, 0.0: 1.0, 7.0: 1.0, 7.4: 1.0, 7.6: 0.0, 99.0: 0.0}  # steps from the first of 8 codes


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
def test_gradients_of_weights_pass_where_no_code_is_clipped(symmetric, per_channel):
    """(QU-8)"""
    parameter = nn.project(Parameter([[0.9, -1.0, 0.2], [9.0, -1.0, 0.1]]),
                           AffineQuantization(3, per_channel=per_channel, symmetric=symmetric))
    form = parameter.form()
    scale, zero = (np.broadcast_to(a, (2,)).reshape(2, 1) for a in (form.scale, form.zero_point))
    parameter.data = (scale * (np.array(list(ENDS)) - 4 - zero)).astype(np.float32)
    parameter.effective().backward(np.full((2, len(ENDS)), 2.0, np.float32))
    assert parameter.grad.tolist() == [[2 * passes for passes in ENDS.values()]] * 2
    assert parameter.grad.ravel().tolist() == [
        straight_through_gradient(2.0, float(r), float(s), int(z), -4, 3)
        for row, s, z in zip(parameter.data, scale[:, 0], zero[:, 0], strict=True) for r in row]


def test_gradients_of_activations_pass_where_no_code_is_clipped():
    """(QU-8)"""
    model = models.mlp([1, 2, 2], rng=np.random.default_rng(0))
    prepared = calibrate(prepare(model, activations=3), np.float32([[-0.3], [2.0]]))
    grid, steps = prepared.quantize.grid(), np.array([*ENDS])[:, None]
    assert grid.zero_point != 0
    x = Tensor((grid.low + grid.scale * steps).astype(np.float32), requires_grad=True)
    prepared.quantize(x).backward(np.full(x.shape, 2.0, np.float32))
    assert x.grad.ravel().tolist() == [2 * passes for passes in ENDS.values()]


def test_after_fit_no_other_code_is_nearer():
    w = np.random.default_rng(1).standard_normal((6, 7)).astype(np.float32)
    form = nn.project(Parameter(w), AffineQuantization(3)).form()
    error = np.abs(form.dense() - w)
    for step in (-1, 1):
        codes = np.clip(form.codes + step, -4, 3)
        assert (np.abs(Affine(codes, form.scale, form.zero_point, 3, axis=0).dense() - w) >= error - 1e-6).all()


def test_codes_of_a_file_come_back_bit_for_bit():
    rng = np.random.default_rng(0)
    for bits in range(1, 17):
        low, high = code_range(bits)
        form = Affine(rng.integers(low, high + 1, (3, 50)), np.float32([1e-30, 0.3, 2.0**-140]), [0, low, high], bits,
                      axis=0)
        assert nn.assign(Parameter.blank((3, 50)), form).form() == form


def test_under_a_mask_the_range_is_that_of_the_survivors():
    w = np.array([[100.0, 1.0], [0.5, -0.25]], np.float32)
    mask = Mask([[False, True], [True, True]])
    form = nn.project(Parameter(w), mask, AffineQuantization(8, per_channel=False)).form()
    assert type(form) is Sparse and form.inner.scale == np.float32(1 / 127)


def test_a_single_number_has_a_code_too():
    assert quantize(0.3, 0.1, 0, -8, 7).tolist() == 3
    parameter = nn.project(Parameter(0.7), AffineQuantization(4, per_channel=False))
    form, effective = parameter.form(), parameter.effective().numpy()
    assert form.shape == () and form.codes == 7 and form.dense().tobytes() == effective.tobytes()
    assert effective == np.float32(np.float32(0.7) / 7) * 7
    assert nn.assign(Parameter(0.0), form).form() == form


def test_float64_is_refused_as_forms_hold_float32():
    with pytest.raises(TypeError, match="float64, expected float32: convert them to float32"):
        nn.project(Parameter(np.ones((2, 2))), AffineQuantization())
    fitted = AffineQuantization().fit(np.ones((2, 2), np.float32))
    for use in (lambda: fitted(Tensor(np.ones((2, 2)))), lambda: fitted.form(np.ones((2, 2)))):
        with pytest.raises(TypeError, match="convert them to float32"):
            use()


def law_a_tiny_channel_can_have_a_bias(m, tiny):
    """Of three channels the second has weights next to 0: they become 0, its bias fits 32 bits, the others rest."""
    w = np.float32([[1.0, -0.5], [tiny, -tiny], [0.5, 0.25]])
    projection = m.AffineQuantization(8).fit(w)
    form = projection.form(w)
    assert form.codes.tolist() == [[127, -64], [0, 0], [127, 64]]
    assert form.scale.tolist() == pytest.approx([1 / 127, 1.5 / 256 / 127, 0.5 / 127])
    assert layers.integer_bias(np.array([0.0, 1.0, 0.0]), 2.0**-8, form.scale).tolist() == [0, 5_548_715, 0]


@pytest.mark.parametrize("tiny", [1e-20, 1e-30, 0.0])
def test_a_tiny_channel_can_have_a_bias(tiny):
    law_a_tiny_channel_can_have_a_bias(weights, tiny)


@pytest.mark.parametrize("narrow", ["0.0", "2.0**-7", "2.0**-9"])
def test_without_the_least_range_it_could_not(narrow, monkeypatch):
    monkeypatch.setattr(nn.Projection, "_of_form", dict(nn.Projection._of_form))  # mutants register themselves, too
    with pytest.raises((AssertionError, ValueError)):
        law_a_tiny_channel_can_have_a_bias(mutate(weights, "NARROW = 2.0**-8", f"NARROW = {narrow}"), 1e-20)


def test_what_cannot_be_quantized_is_refused():
    with pytest.raises(ValueError, match="not fitted"):
        AffineQuantization()(Tensor([1.0]))
    with pytest.raises(ValueError, match=r"weights have shape \(\), expected \(out, …\), as each channel has a scale"):
        nn.project(Parameter(1.0), AffineQuantization())
    with pytest.raises(ValueError, match="bits is 0"):
        AffineQuantization(0)
    with pytest.raises(TypeError, match="put it innermost"):
        AffineQuantization(4).fit(np.ones((2, 2), np.float32)).form(Dense([[1.0]]))
