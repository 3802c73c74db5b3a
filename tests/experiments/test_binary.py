"""The experiments with binary networks, on the digits: what stands in their reports is so."""

from dataclasses import replace

import numpy as np
import pytest

from minicompress import binarization, container, data, nn, training
from minicompress.experiments import binary
from minicompress.forms import Sign
from minicompress.recipes import Lab
from minicompress.training import optim

from .conftest import Enough

SIZES, EPOCHS = (64, 128, 128, 10), 8
RUNS = {"binary-connect": binary.BINARY_CONNECT, "bnn-mlp": binary.BNN_MLP}


def run(name, folder, **options):
    plan = RUNS[name]
    plan = replace(plan, train=replace(plan.train, epochs=EPOCHS, batch_size=64))
    return binary.mlp(Lab(1, folder, progress=False, **options), plan, SIZES, "digits")


@pytest.mark.parametrize("name", RUNS)
def test_a_run_reports_what_is_in_its_files(name, tmp_path):
    said = []
    report = run(name, tmp_path, say=said.append)
    assert {quantity.name for quantity in binary.CLAIMS[name].quantities} <= report.keys()
    assert [stage.error for stage in said] == [report["error"]]
    sizes = [(tmp_path / file).stat().st_size for file in ("dense.mcz", "binary.mcz")]
    assert [report["dense_bytes"], report["compressed_bytes"]] == sizes and report["ratio"] == sizes[0] / sizes[1]
    digits = data.load("digits")
    assert training.evaluate(container.load(tmp_path / "binary.mcz"), digits).error == report["error"] < 0.25
    assert list(report["layers"]) == ["fc1", "fc2", "fc3"]
    for name, inputs, outputs in (("fc1", 64, 128), ("fc2", 128, 128), ("fc3", 128, 10)):
        dense, signs = report["layers"][name]["weights"]
        assert 0 <= dense - 4 * inputs * outputs < 10 and 0 <= signs - inputs * outputs // 8 < 10
    assert 30 < report["binary_ratio"] < 32 and report["binary_ratio_with_norms"] < report["binary_ratio"]


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("name", "real", "counted"), [
    ("binary-connect", "fc2", ["fc1", "fc3"]), ("bnn-mlp", "fc1", ["fc2", "fc3"])])
def test_layers_that_stay_real_are_not_counted_as_binary(name, real, counted, tmp_path, fits):
    fits.trains = False
    report = binary.mlp(Lab(0, tmp_path, progress=False), replace(RUNS[name], real=(real,)), SIZES, "digits")
    assert list(report["layers"]) == counted and report["binary_ratio"] > 30
    dense, signs = np.sum([layer["weights"] for layer in report["layers"].values()], axis=0)
    assert report["binary_ratio"] == dense / signs


@pytest.mark.parametrize(("name", "lr", "epochs", "binary_layers", "binary_activations"), [
    ("binary-connect", 0.03, 15, ["fc1", "fc2", "fc3", "fc4"], False),
    ("bnn-mlp", 0.03, 20, ["fc1", "fc2", "fc3", "fc4"], True),
    ("bnn-lenet-5", 0.03, 12, ["conv2", "fc1", "fc2"], True)])
def test_what_is_binary_when_training_begins(name, lr, epochs, binary_layers, binary_activations, tmp_path, fits,
                                             small_mnist):
    fits.last = 1
    with pytest.raises(Enough):
        binary.CLAIMS[name].run(Lab(0, tmp_path, progress=False))
    model, *_, options, _ = fits[0]
    weighted = {name: layer for name, layer in model.children() if isinstance(layer, nn.Linear | nn.Conv2d)}
    assert [name for name, layer in weighted.items() if isinstance(layer.weight.form(), Sign)] == binary_layers
    assert any(isinstance(layer, binarization.SignActivation) for layer in model) == binary_activations
    assert isinstance(options["optimizer"], optim.Adam)
    assert options["epochs"] == epochs and fits[0].follows_cosine(lr)


def test_a_bnns_file_computes_in_integers(tmp_path):
    run("bnn-mlp", tmp_path)
    loaded = container.load(tmp_path / "binary.mcz")
    kinds = [type(layer) for layer in loaded]
    assert kinds.count(binarization.BinaryLinear) == 2 and kinds.count(binarization.Threshold) == 1
    assert isinstance(loaded.fc1.weight.form(), Sign)
    dense = container.load(tmp_path / "dense.mcz")
    assert not any(parameter.projections for _, parameter in dense.named_parameters())


def test_a_packed_network_that_computes_something_else_is_not_reported(tmp_path, monkeypatch):
    def broken(net):
        packed = pack(net)
        packed.bn2.threshold = packed.bn2.threshold + np.int32(40)
        return packed

    pack = binarization.pack
    monkeypatch.setattr(binarization, "pack", broken)
    with pytest.raises(RuntimeError, match="computes other logits"):
        run("bnn-mlp", tmp_path)
    assert not (tmp_path / "binary.mcz").exists()
