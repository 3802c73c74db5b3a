"""What `prepare` and `convert` refuse, each with its reason: nothing is left out, or computed otherwise, silently."""

import numpy as np
import pytest

from minicompress import models, nn, training
from minicompress.quantization import WeightClustering, calibrate, convert, prepare

from .networks import images, residual


class Own(nn.Module):
    def forward(self, x):
        return x


@pytest.mark.parametrize(("layer", "reason"), [
    (nn.BatchNorm2d(2), "bad, a BatchNorm2d, can't be quantized: it follows no Linear or Conv2d"),
    (nn.Concatenate(nn.Identity(), nn.Identity()), "bad, a Concatenate, .* different grids"),
    (nn.Add(nn.Identity(), nn.Identity(), nn.Identity()), "it has 3 branches, not 2"),
    (nn.Sequential({"deep": Own()}), "bad.deep, an Own, can.t be quantized: expected one of Add, "),
])
def test_other_layers_are_refused(layer, reason):
    last = nn.Linear(128, 2, rng=np.random.default_rng(0))
    model = nn.Sequential({"bad": layer, "flatten": nn.Flatten(), "fc": last})
    with pytest.raises(TypeError, match=reason):
        prepare(model)


@pytest.mark.parametrize("cls", [nn.Linear, nn.Conv2d])
@pytest.mark.parametrize("activations", [8, None])
def test_a_subclass_may_compute_anything_and_is_refused(cls, activations):
    class My(cls):
        pass

    rng = np.random.default_rng(0)
    mine = My(2, 2, rng=rng) if cls is nn.Linear else My(2, 2, 1, rng=rng)
    with pytest.raises(TypeError, match=f"mine, a My, can.t be .* a subclass of {cls.__name__} may compute any"):
        prepare(nn.Sequential({"mine": mine}), activations=activations)


@pytest.mark.parametrize("activations", [8, None])
def test_float64_is_refused(activations):
    model = models.mlp([6, 4, 3], batch_norm=True, rng=np.random.default_rng(0))
    model.fc2.bias = nn.Parameter(np.zeros(3))
    with pytest.raises(TypeError, match=r"fc2\.bias is float64, expected float32: convert the model to float32"):
        prepare(model, activations=activations)


def test_a_limit_that_would_be_lost_is_refused():
    model = models.mlp([6, 4, 3], rng=np.random.default_rng(0))
    nn.project(model.fc2.weight, nn.MaxNorm(2.0))
    with pytest.raises(TypeError, match=r"fc2\.weight is under MaxNorm\(limit=2\.0\).*take it off first"):
        prepare(model)


def test_weights_in_other_forms_are_refused():
    model = models.mlp([6, 4, 3], rng=np.random.default_rng(0))
    nn.project(model.fc2.weight, WeightClustering(4))
    with pytest.raises(TypeError, match=r"fc2\.weight is a Codebook"):
        prepare(model)


@pytest.mark.parametrize(("options", "match"), [
    ({"weights": 9}, "1 to 8"), ({"weights": 17, "activations": None}, "bits is 17"), ({"weights": 0}, "bits is 0"),
    ({"activations": 9}, "1 to 8"), ({"activations": 2.5}, "bits is 2.5"),
])
def test_other_widths_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        prepare(residual(), **options)


def test_what_makes_no_network_is_refused():
    with pytest.raises(TypeError, match="expected a Module"):
        prepare("lenet-5")
    with pytest.raises(ValueError, match="nothing to quantize"):
        prepare(nn.Sequential(nn.Flatten()))
    with pytest.raises(ValueError, match="'quantize'"):
        prepare(nn.Sequential({"quantize": nn.Linear(2, 2, rng=np.random.default_rng(0))}))


def test_without_calibration_nothing_is_computed():
    prepared = prepare(residual())
    with pytest.raises(ValueError, match="calibrate"):
        training.predict(prepared, images())
    with pytest.raises(ValueError, match="calibrate"):
        convert(prepared)


def test_only_what_was_prepared_is_calibrated_and_converted():
    for step in (convert, lambda model: calibrate(model, images())):
        with pytest.raises(ValueError, match="nothing in it is quantized: prepare it first"):
            step(residual())
        for model in (None, "lenet-5"):
            with pytest.raises(TypeError, match=f"model is a {type(model).__name__}, expected a Module"):
                step(model)
    converted = convert(calibrate(prepare(residual()), images()))
    assert (training.predict(convert(converted), images()) == training.predict(converted, images())).all()
