"""The experiments of integer-only networks: all that a report promises, on the digits and in seconds."""

import dataclasses
import json

import numpy as np
import pytest

from minicompress import container, data, models, nn, training
from minicompress.experiments import integers
from minicompress.forms import Affine
from minicompress.quantization import Grid
from minicompress.recipes import Lab, fresh
from minicompress.recipes.plans import PLANS
from minicompress.training import Training

PLAN = integers.Plan(Training(12, 0.1, jitter=1), Training(4, 0.02, jitter=1), calibration=200)


QUICK = integers.Plan(Training(1, 0.1), Training(1, 0.1))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder, stages = tmp_path_factory.mktemp("integers"), []
    lab = Lab(0, folder, progress=False, say=stages.append)
    dataset = lab.load("digits", 0.1)
    report = integers.quantize_and_compare(lab, models.mlp([64, 60, 10], rng=lab.rng), PLAN)
    return folder, dataset, stages, report


def test_the_report_says_what_the_files_are(done):
    folder, dataset, stages, report = done
    assert json.loads(json.dumps(report)) == report
    assert [stage.name for stage in stages] == ["dense", "int8", "int4", "int4_qat"]
    for stage in stages:
        name, path = stage.name, folder / f"{stage.name}.mcz"
        assert report[f"{name}_bytes"] == path.stat().st_size == stage.bytes
        assert report[f"{name}_ratio"] == (folder / "dense.mcz").stat().st_size / stage.bytes
        assert report[f"{name}_error"] == training.evaluate(container.load(path), dataset).error == stage.error
        assert report[f"{name}_excess"] == pytest.approx(stage.error - report["dense_error"], abs=1e-8)
    assert report["seconds"] >= sum(stage.seconds for stage in stages)


def test_the_files_are_those_before_entropy_coding(done, tmp_path):
    _, _, stages, _ = done
    for stage in stages:
        model = container.load(stage.path)
        container.save(model, tmp_path / "fixed.mcz", entropy=False)
        assert stage.path.read_bytes() == (tmp_path / "fixed.mcz").read_bytes(), stage.name
        if stage.name != "dense":
            assert container.save(model, tmp_path / "coded.mcz").size < stage.bytes, "so that the two can be told apart"


@pytest.mark.usefixtures("in_this_process")
def test_what_is_trained_how_long_by_what(tmp_path, fits):
    fits.trains, lab = False, Lab(0, tmp_path, progress=False)
    lab.load("digits", 0.1)
    plan = integers.Plan(*(dataclasses.replace(training, weight_decay=1e-4) for training in (PLAN.train, PLAN.aware)))
    dense = models.mlp([64, 9, 10], rng=lab.rng)
    integers.quantize_and_compare(lab, dense, plan)
    assert fits[0].model is dense and fits[1].model.fc1.layer.weight.form().bits == 4
    for call, epochs, lr in zip(fits, (12, 4), (0.1, 0.02), strict=True):
        optimizer, options = call.options["optimizer"], call.options
        assert options["epochs"] == epochs and call.follows_cosine(lr) and options["augment"] == data.Jitter(1)
        assert (optimizer.momentum, optimizer.weight_decay, options["batch_size"]) == (0.9, 1e-4, 64)


def test_the_files_are_quantized_as_they_are_called(done):
    folder, *_ = done
    for name, bits in (("int8", 8), ("int4", 4), ("int4_qat", 4)):
        model = container.load(folder / f"{name}.mcz")
        form = model.fc1.weight.form()
        assert (type(form), form.bits, form.axis) == (Affine, bits, 0)
        assert nn.describe(model)[-1][1][0] == "Dequantize"
    codes = [container.load(folder / f"{name}.mcz").fc1.weight.form().codes for name in ("int4", "int4_qat")]
    assert (codes[0] != codes[1]).any(), "nothing was trained"


def test_the_network_still_works(done):
    *_, report = done
    assert report["dense_error"] < 0.12 and report["int8_excess"] <= 0.01 and report["int4_qat_excess"] <= 0.03


def test_another_file_than_the_network_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(fresh, "in_fresh_process", lambda path, name: "0" * 64)
    lab = Lab(0, tmp_path, progress=False)
    lab.load("digits", 0.1)
    with pytest.raises(fresh.FreshProcessError, match=r"int8\.mcz"):
        integers.quantize_and_compare(lab, models.mlp([64, 5, 10], rng=lab.rng), QUICK)


def test_ranges_are_read_off_the_first_training_images(tmp_path, monkeypatch):
    """Test and validation images, and the training images behind the first ones, are twice as bright here."""
    monkeypatch.setattr(fresh, "check", lambda model, path, dataset: None)
    rng = np.random.default_rng(0)
    given = data.load("digits", validation=0.1, rng=rng)
    train, validation, test = (data.Split(part.images * np.float32(2 * part.scale), part.labels)
                               for part in (given.train, given.validation, given.test))
    pixels = train.images.copy()
    pixels[:100] /= 2
    dataset = dataclasses.replace(given, train=data.Split(pixels, train.labels), validation=validation, test=test)
    lab = Lab(0, tmp_path, dataset=dataset, progress=False)
    integers.quantize_and_compare(lab, models.mlp([64, 5, 10], rng=rng), dataclasses.replace(QUICK, calibration=100))
    for name in ("int8", "int4", "int4_qat"):
        assert container.load(tmp_path / f"{name}.mcz").quantize.grid == Grid.over(0.0, 1.0)


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5"])
def test_the_dense_network_is_that_of_deep_compression(name):
    run = integers.CLAIMS[f"integers-{name}"].run
    assert run.keywords["model"] == name and run.keywords["plan"].train == PLANS[name].train
