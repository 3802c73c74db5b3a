"""The experiments with binary networks, on the digits: what stands in their reports is so."""

from dataclasses import replace

import numpy as np
import pytest

from minicompress import binarization, container, data, nn
from minicompress.forms import Sign
from minicompress.recipes import binary

SIZES, EPOCHS = (64, 128, 128, 10), 8
RUNS = {"binary-connect": (binary.binary_connect, binary.BINARY_CONNECT), "bnn-mlp": (binary.bnn_mlp, binary.BNN_MLP)}


def run(name, folder, **options):
    experiment, plan = RUNS[name]
    return experiment(1, folder=folder, progress=False, sizes=SIZES, dataset="digits",
                      plan=replace(plan, epochs=EPOCHS, batch_size=64), **options)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_reports_what_is_in_its_files(name, tmp_path):
    said = []
    report = run(name, tmp_path, say=said.append)
    assert set(binary.QUANTITIES) <= report.keys() and report["seed"] == 1
    assert [stage.error for stage in said] == [report["error"]]
    sizes = [(tmp_path / file).stat().st_size for file in ("dense.mcz", "binary.mcz")]
    assert [report["dense_bytes"], report["compressed_bytes"]] == sizes and report["ratio"] == sizes[0] / sizes[1]
    digits = data.load("digits")
    assert nn.evaluate(container.load(tmp_path / "binary.mcz"), digits).error == report["error"] < 0.25
    assert list(report["layers"]) == ["fc1", "fc2", "fc3"]
    for name, inputs, outputs in (("fc1", 64, 128), ("fc2", 128, 128), ("fc3", 128, 10)):
        dense, signs = report["layers"][name]["weights"]
        assert 0 <= dense - 4 * inputs * outputs < 10 and 0 <= signs - inputs * outputs // 8 < 10
    assert 30 < report["binary_ratio"] < 32 and report["binary_ratio_with_norms"] < report["binary_ratio"]


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
