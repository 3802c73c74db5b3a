"""Files of integer layers whose arrays break a rule of the format: `container.load` refuses each, and says which."""

import gc
import tracemalloc

import numpy as np
import pytest

from minicompress import container, nn
from minicompress.engine import Codes
from minicompress.forms import Affine, Codebook, Dense, Sign, Sparse
from minicompress.quantization import QuantizedAdd, QuantizedConv2d, QuantizedLinear, QuantizedReLU
from tests.test_container_hostile import law_less_memory_than_it_takes_is_refused

INT32 = 2**31 - 1
GRIDS = 0.5, -128, 8, 0.25, 0, 8  # read codes reach 255


def layer(kind, form, bias=0, grids=GRIDS):
    """A network of one layer of 4 inputs and 2 outputs, for a form of shape (2, 4)."""
    made = QuantizedLinear(4, 2, *grids) if kind == "linear" else QuantizedConv2d(4, 2, 1, 1, 0, 1, *grids)
    if kind == "conv":
        form = reshaped(form)
    nn.assign(made.weight, form)
    made.bias = np.array([0, bias], np.int32)
    return nn.Sequential({"layer": made})


def reshaped(form):
    """The same form for the filters (2, 4, 1, 1)."""
    if isinstance(form, Sparse):
        return Sparse(form.mask.reshape(2, 4, 1, 1), reshaped(form.inner))
    own = {name: getattr(form, name) for name in form.__dataclass_fields__}
    entries = next(name for name in ("codes", "bits", "values") if isinstance(own.get(name), np.ndarray))
    return type(form)(**own | {entries: own[entries].reshape(2, 4, 1, 1)})


def affine(code=7, scale=0.5, bits=8, zero_point=0):
    return Affine(np.full((2, 4), code), scale, zero_point, bits)


def masked(form):
    return Sparse([[True] * 4, [True, False, False, True]], form)


FINE = {
    "plain": (affine(),), "masked": (masked(affine()),), "masked twice": (masked(masked(affine())),),
    "the largest bias": (affine(), INT32 - 4 * 7 * 255), "the least bias": (affine(), 4 * 7 * 255 - INT32),
    "a larger bias under a mask": (masked(affine()), INT32 - 2 * 7 * 255),
    "the largest scale": (affine(scale=2.0**28),),
}
HOSTILE = {
    "float weights": (Dense(np.ones((2, 4), np.float32)), 0, GRIDS, "weights is a Dense"),
    "float weights under a mask": (masked(Dense(np.ones((2, 4), np.float32))), 0, GRIDS, "weights is a Dense"),
    "shared weights": (Codebook(np.zeros((2, 4), int), [1.0], 1), 0, GRIDS, "form of the weights is a Codebook"),
    "binary weights": (Sign(np.ones((2, 4), bool), 1.0), 0, GRIDS, "form of the weights is a Sign"),
    "a bias too large": (affine(), INT32 - 4 * 7 * 255 + 1, GRIDS, f"could reach {INT32 + 1}"),
    "a bias too small": (affine(), -INT32 + 4 * 7 * 255 - 1, GRIDS, f"could reach {INT32 + 1}"),
    "the bias -2^31": (affine(0), -(2**31), GRIDS, f"could reach {INT32 + 1}"),
    "sums beyond int32": (affine(32767, bits=16, zero_point=-32768), 0, (1.0, -32768, 16, 1.0, 0, 16), "largest int32"),
    "a scale too large": (affine(scale=2.0**28 * 1.01), 0, GRIDS, "expected more than 0 and at most 2"),
}


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize("fine", FINE.values(), ids=FINE)
def test_what_a_layer_computes_with_is_loaded(fine, kind, tmp_path):
    model, path = layer(kind, *fine), tmp_path / "fine.mcz"
    container.save(model, path)
    loaded, codes = container.load(path), Codes(np.full((1, 4) + (1, 1) * (kind == "conv"), 127, np.int8))
    assert (loaded(codes).numpy() == model(codes).numpy()).all()


@pytest.mark.parametrize("kind", ["linear", "conv"])
@pytest.mark.parametrize(("form", "bias", "grids", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_what_no_layer_computes_with_is_refused(form, bias, grids, reason, kind, tmp_path):
    bad, path = layer(kind, form, bias, grids), tmp_path / "bad.mcz"
    container.save(bad, path)
    with pytest.raises(container.ContainerError, match=rf"bad\.mcz.*{reason}"):
        container.load(path)
    into = layer(kind, affine(), 5, grids)
    before = into.layer.weight.form()
    with pytest.raises(container.ContainerError, match=reason):
        container.load(path, into=into)
    assert into.layer.weight.form() == before and into.layer.bias.tolist() == [0, 5]
    with pytest.raises(ValueError, match=reason):
        bad.layer.validate()


def test_a_scale_for_each_of_many_channels_is_refused_below_the_memory_that_it_takes(tmp_path):
    """Each channel has its multiplier; nothing of it is left when the layer is gone."""
    n, path, rng = 20_000, tmp_path / "wide.mcz", np.random.default_rng(0)
    wide = QuantizedLinear(1, n, *GRIDS)
    nn.assign(wide.weight, Affine(rng.integers(-8, 8, (n, 1)), rng.uniform(0.5, 1, n), np.zeros(n, int), 4, 0))
    container.save(wide, path)
    del wide
    law_less_memory_than_it_takes_is_refused(container, container.load, path)
    tracemalloc.start()
    loaded = container.load(path, max_bytes=400 * n)
    loaded(Codes(np.ones((1, 1), np.int8)))
    del loaded
    gc.collect()
    left = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert left < n


def test_a_zero_point_beyond_the_codes_is_refused_in_words():
    codes = Codes(np.array([1], np.int8))
    for zero_point in (128, -129, 32767):
        with pytest.raises(ValueError, match=f"zero_point is {zero_point}, which is no code of the int8"):
            QuantizedReLU(zero_point)(codes)
    assert QuantizedReLU(128)(Codes(np.array([1], np.int16))).numpy().tolist() == [128]


def test_a_sum_of_grids_too_far_apart_is_refused(tmp_path, monkeypatch):
    model, path = QuantizedAdd(1.0, 0, 8, 1.0, 0, 8, 1.0, 0, 8), tmp_path / "bad.mcz"
    monkeypatch.setattr(QuantizedAdd, "config", lambda self: [2.0**30, 0, 8, 1.0, 0, 8, 1.0, 0, 8])
    monkeypatch.setattr(container, "_built", lambda description: None)  # a writer that does not look
    container.save(model, path)
    monkeypatch.undo()
    with pytest.raises(container.ContainerError, match="a multiplier is"):
        container.load(path)
