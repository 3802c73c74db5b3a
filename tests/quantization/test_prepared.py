"""From float network to integers: what may change on the way, and what may not."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicompress import container, data, models, nn, pruning, training
from minicompress.engine import Tensor
from minicompress.forms import Affine, Sparse
from minicompress.quantization import (
    MinMax,
    MovingAverage,
    Percentile,
    calibrate,
    convert,
    fake,
    layers,
    prepare,
    prepare_qat,
    prepared,
)
from minicompress.recipes import fresh
from tests.mutants import mutate

from .networks import generated, images, residual

REAL = SimpleNamespace(prepare=prepare, prepare_qat=prepare_qat, calibrate=calibrate, convert=convert)
FLOAT_LAYERS = {"ImageInput", "MaxPool2d", "Flatten", "Identity", "Sequential", "Concatenate"}


def same_bits(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def lowered(model, x, **options):
    prepared = calibrate(prepare(model, **options), x)
    return prepared, convert(prepared)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([8, 4, 2]), st.sampled_from([8, 5]), st.booleans())
def test_the_prepared_and_the_converted_network_are_equal(seed, weights, activations, per_channel):
    """(QU-9) Not close: equal, on images unlike those of calibration, too."""
    model = generated(seed)
    prepared, converted = lowered(model, images(1), weights=weights, activations=activations, per_channel=per_channel)
    for x in (images(2), 3 * images(3)):
        same_bits(training.predict(prepared, x), training.predict(converted, x))


@pytest.mark.parametrize(("bits", "stored"), [(8, False), (8, True), (4, True)])
def test_every_layer_between_the_ends_gives_integers(bits, stored, tmp_path):
    _, converted = lowered(residual(), images(), weights=bits)
    if stored:
        container.save(converted, tmp_path / "net.mcz")
        converted = container.load(tmp_path / "net.mcz")
    seen = []

    def note(module, x, y):
        seen.append(type(module).__name__)
        ends = seen[-1] == "Quantize", seen[-1] == "Dequantize" or module is converted
        assert x.data.dtype.kind == ("f" if ends[0] or module is converted else "i"), seen[-1]
        assert y.data.dtype.kind == ("f" if ends[1] else "i"), seen[-1]

    with nn.observe(note), nn.evaluating(converted):
        converted(Tensor(images()))
    assert {name for name in seen if not name.startswith("Quantized")} - FLOAT_LAYERS == {"Quantize", "Dequantize"}
    assert {"QuantizedConv2d", "QuantizedLinear", "QuantizedAdd", "QuantizedAvgPool2d", "QuantizedReLU"} <= set(seen)
    assert all(type(m.weight.form()) is Affine and m.bias.dtype == np.int32 for _, m in converted.named_modules()
               if isinstance(m, layers._Weighted))


def test_eight_bits_lose_little():
    model = residual()
    _, converted = lowered(model, images())
    float_logits, logits = (training.predict(m, images()) for m in (model, converted))
    assert np.abs(logits - float_logits).max() < 0.05 * np.abs(float_logits).max()
    assert (logits.argmax(1) == float_logits.argmax(1)).mean() > 0.9


def test_the_model_itself_stays_as_it_is():
    model = residual()
    before, text = model.state_dict(), repr(model)
    prepare_qat(model, images())
    convert(prepare(model, activations=None))
    assert repr(model) == text
    for name, array in model.state_dict().items():
        same_bits(array, before[name])


def test_only_what_trains_is_a_parameter():
    prepared = prepare_qat(residual(), images())
    assert {name.split(".")[-1] for name, _ in prepared.named_parameters()} == {"weight", "bias"}
    assert all("norm" not in name for name, _ in prepared.named_parameters())


def test_a_prepared_network_learns_and_stays_equal():
    x, y, rng = images(4, 64), np.arange(64) % 5, np.random.default_rng(0)
    x[np.arange(64), 0, y] += 1  # a bright row for each class
    model = residual()
    training.fit(model, (x, y), epochs=10, batch_size=16, progress=False, rng=rng)
    prepared = prepare_qat(model, x, weights=3)
    first = nn.functional.cross_entropy(Tensor(training.predict(prepared, x)), y).item()
    training.fit(prepared, (x, y), epochs=10, batch_size=16, progress=False, rng=rng,
           optimizer=training.optim.Adam(prepared.parameters(), lr=3e-3))
    converted = convert(prepared)
    same_bits(training.predict(prepared, x), training.predict(converted, x))
    assert nn.functional.cross_entropy(Tensor(training.predict(converted, x)), y).item() < 0.7 * first
    codes = [m.weight.form().codes for _, m in converted.named_modules() if isinstance(m, layers._Weighted)]
    assert all(-4 <= c.min() and c.max() <= 3 for c in codes)


def test_gradients_are_those_of_the_float_network_where_nothing_is_clipped():
    """(QU-8) With 16 bits of weights' grid there is hardly any rounding: both gradients agree."""
    rng = np.random.default_rng(0)
    model, x = models.mlp([6, 5, 3], rng=rng), rng.uniform(0, 1, (40, 6)).astype(np.float32)
    prepared = prepare_qat(model, np.concatenate([x, 4 * x]), weights=8, observer=MinMax)
    for net in (model, prepared):
        nn.functional.cross_entropy(net(Tensor(x)), np.arange(40) % 3).backward()
    for name in ("fc1", "fc2"):
        ours, theirs = getattr(prepared, name).layer.weight.grad, getattr(model, name).weight.grad
        assert np.abs(ours - theirs).max() < 0.05 * np.abs(theirs).max()


def test_clipped_activations_pass_no_gradient():
    model = nn.Sequential(nn.Linear(1, 1, rng=np.random.default_rng(0)))
    nn.assign(model[0].weight, nn.Parameter([[1.0]]).form())
    prepared = prepare_qat(model, np.array([[0.0], [1.0]], np.float32), observer=MinMax)
    for value, passes in ((0.5, True), (5.0, False)):
        x = Tensor(np.array([[value]], np.float32), requires_grad=True)
        prepared(x).sum().backward()
        assert bool(x.grad.any()) is passes


def test_ranges_are_the_observers():
    model, x = models.mlp([2, 3, 2], rng=np.random.default_rng(0)), images(0, 64, (2,))
    calibrated = calibrate(prepare(model), x, batch_size=16)
    assert calibrated.quantize.range.tolist() == [x.min(), x.max()]
    smooth = calibrate(prepare(model), x, observer=functools.partial(MovingAverage, 0.5), batch_size=16)
    low = x[:16].min()
    for batch in (x[16:32], x[32:48], x[48:]):
        low = 0.5 * low + 0.5 * batch.min()
    assert smooth.quantize.range[0] == pytest.approx(low)
    inner = calibrate(prepare(model), x, observer=lambda: Percentile(90), batch_size=64)
    assert inner.quantize.range.tolist() == pytest.approx(np.percentile(x, [10, 90]))
    assert inner.fc1.range[0] >= 0, "what follows a ReLU begins at 0"


def test_the_output_has_sixteen_bits():
    _, converted = lowered(residual(), images())
    assert converted.fc.grid.bits == converted.dequantize.grid.bits == 16
    assert converted.quantize.grid.bits == converted.conv.grid.bits == 8


def test_a_network_that_ends_in_an_average_or_a_sum():
    rng = np.random.default_rng(0)
    for last in (nn.AvgPool2d(2), nn.Add(nn.Identity(), nn.Conv2d(3, 3, 1, rng=rng)), nn.ReLU()):
        model = nn.Sequential(nn.Conv2d(2, 3, 3, rng=rng), nn.MaxPool2d(2), last)
        prepared, converted = lowered(model, images())
        with nn.evaluating(prepared), nn.evaluating(converted):
            y = converted(Tensor(images(5))).numpy()
            same_bits(prepared(Tensor(images(5))).numpy(), y)
        assert converted.dequantize.grid.bits == 16


def test_weights_alone():
    model = residual()
    quantized = prepare(model, weights=12, activations=None)
    same_bits(training.predict(convert(quantized), images()), training.predict(quantized, images()))
    assert quantized.fc.weight.form().bits == 12 and quantized.fc.weight.form().axis == 0
    assert type(quantized.fc) is nn.Linear and len(quantized.block.body) == 3
    assert np.abs(training.predict(quantized, images()) - training.predict(model, images())).max() < 0.02
    assert calibrate(quantized, images()) is quantized
    _, converted = lowered(prepare(model, weights=4, activations=None), images(), weights=4, per_channel=False)
    assert converted.fc.weight.form().axis == 0, "weights that lie on a grid stay there"
    with pytest.raises(ValueError, match=r"conv\.weight is on a grid of 4 bits, .* weights=8: expected the same"):
        prepare(prepare(model, weights=4, activations=None))


def test_per_layer():
    _, converted = lowered(residual(), images(), per_channel=False)
    assert converted.conv.weight.form().scale.shape == ()


def test_training_aware_of_quantization_takes_every_option():
    converted = convert(prepare_qat(residual(), images(), weights=3, activations=5, per_channel=False))
    form, grids = converted.conv.weight.form(), (converted.quantize.grid, converted.conv.grid)
    assert (form.bits, form.axis) == (3, None) and [grid.bits for grid in grids] == [5, 5]


def test_ranges_of_training_aware_of_quantization_are_moving_averages():
    model, x = models.mlp([2, 3, 2], rng=np.random.default_rng(0)), images(0, 64, (2,))
    found = prepare_qat(model, x, batch_size=16).quantize.range
    for observer, same in ((MovingAverage, True), (MinMax, False), (Percentile, False)):
        expected = calibrate(prepare(model), x, observer=observer, batch_size=16).quantize.range
        assert (found == expected).all() == same


def test_the_mode_is_kept():
    for model in (residual().eval(), residual()):
        prepared = prepare_qat(model, images())
        assert {m.training for m in (prepared, prepared.fc, convert(prepared))} == {model.training}


@pytest.mark.parametrize("bits", [8, 4])
def test_pruned_weights_stay_pruned(bits, tmp_path):
    model = models.mlp([6, 20, 3], batch_norm=True, rng=np.random.default_rng(0))
    for name in ("fc1", "fc2"):
        nn.project(getattr(model, name).weight, pruning.MagnitudePruning(0.7))
    mask = model.fc1.weight.form().mask
    prepared = prepare_qat(model, images(0, 32, (6,)), weights=bits)
    few = images(0, 32, (6,)), np.arange(32) % 3
    training.fit(prepared, few, epochs=2, progress=False, rng=np.random.default_rng(0))
    converted = convert(prepared)
    form = converted.fc1.weight.form()
    assert type(form) is Sparse and type(form.inner) is Affine and form.inner.bits == bits
    assert (form.mask == mask).all()
    container.save(converted, tmp_path / "small.mcz")
    x = images(1, 32, (6,))
    same_bits(training.predict(container.load(tmp_path / "small.mcz"), x), training.predict(converted, x))
    same_bits(training.predict(prepared, x), training.predict(converted, x))


def test_a_channel_without_weights_still_has_its_bias():
    model = models.mlp([6, 4, 3], rng=np.random.default_rng(0))
    model.fc1.weight.data[1] = 0
    model.fc1.bias.set(np.array([0.1, 0.7, -0.2, 0.3]))
    x = images(0, 32, (6,))
    _, converted = lowered(model, x)
    assert np.abs(training.predict(converted, x) - training.predict(model, x)).max() < 0.05


def test_an_observer_that_fails_leaves_the_model_as_it_was():
    prepared = calibrate(prepare(residual()), images())
    before = training.predict(prepared, images())
    with pytest.raises(ValueError, match="expected finite"):
        calibrate(prepared, np.full((2, 2, 8, 8), np.nan, np.float32))
    same_bits(training.predict(prepared, images()), before)


# The tests above have teeth


def law_lowering(m, seed):
    """Equal after conversion, and near the float network: nothing that it does may be left out."""
    model, x = (generated(seed) if seed else residual()), images(1)
    prepared = m.calibrate(m.prepare(model), x)
    converted, real = m.convert(prepared), training.predict(model, x)
    same_bits(training.predict(prepared, x), training.predict(converted, x))
    assert np.abs(training.predict(converted, x) - real).max() < 0.1 * np.abs(real).max()


def law_gradient(m, seed):
    """Where little is rounded, the gradient by the input is nearly that of the float network."""
    model, grads = nn.fold_batch_norm(residual()), []
    for net in (model, m.prepare_qat(model, 3 * images(1), observer=MinMax)):
        x = Tensor(images(1), requires_grad=True)
        net.eval()(x).backward(np.random.default_rng(0).standard_normal((32, 5)).astype(np.float32))
        grads.append(x.grad)
    assert grads[1].any()
    assert np.corrcoef(grads[0].ravel(), grads[1].ravel())[0, 1] > 0.8


def with_bug(module, old, new):
    """The rewrites, with a bug in them or in the modules that they put in."""
    mutant = mutate(module, old, new)
    if module is fake:
        broken = {name: value for name, value in vars(mutant).items() if name.startswith("Fake")}
        mutant = mutate(prepared, "LOGIT_BITS = 16", "LOGIT_BITS = 16")
        vars(mutant).update(broken)
    mutant.convert = convert
    return mutant


def test_the_rewrites_lower_and_pass_gradients():
    for seed in range(8):
        law_lowering(REAL, seed)
    law_gradient(REAL, 0)


@pytest.mark.parametrize(("module", "old", "new"), [
    (prepared, "mode, model = model.training, fold_batch_norm(model)\n",
     "mode, model = True, __import__('copy').deepcopy(model)\n"),
    (prepared, "[False, *takes_relu]", "[False, *takes_relu[1:], False]"),
    (prepared, "place.bits = LOGIT_BITS", "place.bits = 3"),
    (prepared, "WEIGHTED(module, name, weights, per_channel)", "WEIGHTED(module, name, 2, per_channel)"),
    (fake, "self.layer.weight.form()\n", "self.layer.weight.form(); form = type(form)(form.codes, 2 * form.scale, "
     "form.zero_point, form.bits, form.axis)\n"),
    (fake, "layer.bias.effective().numpy()\n", "0 * layer.bias.effective().numpy()\n"),
    (fake, "        layer.bias = bias\n", "        pass\n"),
    (fake, "return layer.run(self.reads().quantize(x)", "return layer.run(self.grid().quantize(x)"),
    (fake, "self.first().quantize(x[:, :half]), self.second()", "self.second().quantize(x[:, :half]), self.first()"),
    (fake, "y = x[:, :half] + x[:, half:]", "y = x[:, :half] + x[:, :half]"),
    (fake, "return QuantizedReLU(self.reads().zero_point)", "return QuantizedReLU(0)"),
    (fake, "return _on(self.grid(), y, self.codes(x.data))", "return _on(self.grid(), y.detach(), self.codes(x.data))"),
    (fake, "return _on(self.grid(), y, self.codes(x.data))", "return y"),
    (fake, "grid.low - grid.scale / 2, grid.high", "grid.high - grid.scale / 2, grid.high"),
])
def test_a_planted_bug_is_caught(module, old, new):
    mutant = with_bug(module, old, new)
    with pytest.raises((AssertionError, ValueError, TypeError, AttributeError, RuntimeError)):
        for seed in range(8):
            law_lowering(mutant, seed)
        law_gradient(mutant, 0)


# Files

DENSE = {"lenet-300-100": 1_066_634, "lenet-5": 1_724_621}


@pytest.mark.parametrize(("bits", "least"), [(8, 3.9), (4, 7.5)])
@pytest.mark.parametrize("name", DENSE)
def test_files_are_small_before_entropy_coding_and_run_in_a_fresh_process(name, bits, least, tmp_path):
    model, rng = models.build(name, rng=np.random.default_rng(0)), np.random.default_rng(1)
    _, converted = lowered(model, rng.uniform(0, 1, (50, 784)).astype(np.float32), weights=bits)
    path = tmp_path / "small.mcz"
    inspection = container.save(converted, path, entropy=False)
    assert path.stat().st_size == inspection.size <= DENSE[name] / least
    assert container.save(model, tmp_path / "dense.mcz", entropy=False).size == DENSE[name]
    for part in ("train", "t10k"):
        pixels = rng.integers(0, 256, (60, 28, 28), np.uint8)
        header = b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in pixels.shape)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x3c" + bytes(range(10)) * 6)
    dataset = data.load(tmp_path)
    assert fresh.in_fresh_process(path, tmp_path) == fresh.logits_digest(converted, dataset.test)
    assert fresh.logits_digest(converted, dataset.test) != fresh.logits_digest(model, dataset.test)
