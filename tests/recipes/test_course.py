"""Every recipe, killed in any training and resumed, ends with the same files and report; its seed and files count."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minicompress import container, data, models, nn
from minicompress.nn import optim
from minicompress.recipes import binary, channels, compare, experiments, fresh, hinton, integers
from minicompress.recipes.combinations import Settings
from minicompress.recipes.course import Course

from .conftest import Enough

pytestmark = pytest.mark.usefixtures("in_this_process")
TIMES = {"seconds", "seconds_per_image", "time_share", "float_seconds", "packed_seconds"}


def begin(seed=0, validation=0.1):
    rng = np.random.default_rng(seed)
    return data.load("digits", validation=validation, rng=rng), rng


def integers_of_digits(folder, **options):
    dataset, rng = begin()
    plan = integers.Plan(2, 0.1, 1, 0.02, weight_decay=0.0, batch_size=64, jitter=1, calibration=100)
    return integers.quantize_and_compare(models.mlp([64, 20, 10], rng=rng), dataset, plan, folder, rng=rng, **options)


def channels_of_digits(folder, **options):
    dataset, rng = begin()
    large = models.mlp([64, 20, 10], batch_norm=True, rng=rng)
    course = channels.CuttingCourse(dataset, folder, channels.Plan(2, 1, strength=1e-3), rng=rng, **options)
    return channels.cut_and_compare(large, lambda model, example: channels.slim(model, example, 0.5), course)


RECIPES = {
    "distillation": lambda folder, **options: hinton.hinton_2015(
        0, folder=folder, dataset="digits", plan=hinton.Plan((20, 20), (9,), 2, 1, 1, batch_size=64), **options),
    "integers": integers_of_digits,
    "channels": channels_of_digits,
    "binary weights": lambda folder, **options: binary.binary_connect(
        0, folder=folder, sizes=(64, 9, 10), dataset="digits", plan=replace(binary.BINARY_CONNECT, epochs=3),
        **options),
    "packed": lambda folder, **options: binary.bnn_mlp(
        0, folder=folder, sizes=(64, 9, 9, 10), dataset="digits", plan=replace(binary.BNN_MLP, epochs=3), **options),
    "every method": lambda folder, **options: compare.compare(
        "digits", folder, plan=compare.Plan(1, 1, 1, Settings(epochs=1)), **options),
}
CHECKED = {
    "distillation": ["teacher", "plain", "distilled", "without_3s", "only_7s_and_8s"],
    "integers": ["int8", "int4", "int4_qat"], "channels": ["small"], "binary weights": ["binary"], "packed": ["binary"],
    "every method": ["dense", "pruned", "clustered", "deep-compression", "int8", "int4", "channels-cut",
                     "binary-weights", "binary-packed", "distilled"],
}


class Killed(BaseException):
    """Nobody catches it: what was in memory is gone."""


@pytest.fixture
def steps(monkeypatch):
    """The training steps made so far, in a list's only element; those of "last" may be made, then comes the end."""
    made, forward = {"steps": 0, "last": 10**9}, nn.Sequential.forward

    def counted(self, x):
        if self.training:
            made["steps"] += 1
            if made["steps"] > made["last"]:
                raise Killed
        return forward(self, x)
    monkeypatch.setattr(nn.Sequential, "forward", counted)
    return made


def ended(report, folder):
    """What must not differ: files bit for bit, and all that is reported but times."""
    def timeless(value):
        if isinstance(value, dict):
            return {key: timeless(v) for key, v in value.items() if key not in TIMES | {"hardware"}}
        return [timeless(v) for v in value] if isinstance(value, list) else value
    return json.dumps(timeless(report)), {path.name: path.read_bytes() for path in Path(folder).glob("*.mcz")}


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_killed_and_resumed(name, tmp_path, steps):
    whole = ended(RECIPES[name](tmp_path / "whole", progress=False), tmp_path / "whole")
    total = steps["steps"]
    for share in (0.2, 0.6, 0.95):
        folder, last = tmp_path / str(share), int(share * total)
        steps |= {"steps": 0, "last": last}
        with pytest.raises(Killed):
            RECIPES[name](folder, progress=False)
        steps |= {"steps": 0, "last": 10**9}
        assert ended(RECIPES[name](folder, resume=True, progress=False), folder) == whole
        again = steps["steps"] - (total - last)  # no more than the one epoch that was interrupted
        assert 0 <= again <= total / 2 and (share < 0.9 or steps["steps"] < total / 2)


@pytest.mark.parametrize("name", RECIPES)
def test_files_are_checked_in_a_fresh_process(name, tmp_path, fits, in_this_process, monkeypatch):
    fits.trains = False
    RECIPES[name](tmp_path, progress=False)
    assert in_this_process == [f"{file}.mcz" for file in CHECKED[name]]
    monkeypatch.setattr(fresh, "in_fresh_process", lambda path, name: "0" * 64)
    with pytest.raises(fresh.FreshProcessError, match=rf"{CHECKED[name][0]}\.mcz"):
        RECIPES[name](tmp_path, progress=False)


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_a_seed_decides_all_that_is_random(name, tmp_path, fits, small_mnist):
    """Weights, the split and the order of the images, as the first training finds them; Hinton's students' own too."""
    fits.trains, fits.last = False, 2 if name == "hinton-2015" else 1

    def begins(seed):
        fits.clear()
        with pytest.raises(Enough):
            experiments.EXPERIMENTS[name].run(seed, folder=tmp_path / "run", resume=False, progress=False, say=None)
        return list(fits)

    first, again, other = begins(5), begins(5), begins(6)
    assert [a.begins_as(b) for a, b in zip(first, again, strict=True)] == [[True] * 3] * fits.last
    assert [a.begins_as(b) for a, b in zip(first, other, strict=True)] == [[False] * 3] * fits.last


def test_a_course_trains_by_a_cosine_and_what_comes_on_top(fits):
    fits.trains = False
    course_, model = course(None)
    for epochs, warm_up in ((3, 0.0), (4, 1.5)):
        optimizer = optim.SGD(model.parameters(), lr=0.5)
        schedules = [optim.LinearLR(optimizer, 0.0, warm_up)] if warm_up else []
        course_.train("train", model, optimizer, epochs, schedules=schedules)
        assert fits[-1].options["epochs"] == epochs and fits[-1].follows_cosine(0.5, warm_up)


def course(folder, seed=0, **options):
    dataset, rng = begin(seed)
    model = models.mlp([64, 9, 10], rng=rng)
    return Course(dataset, folder, batch_size=64, progress=False, rng=rng, **options), model


def trained(course, model, name="train"):
    course.train(name, model, optim.SGD(model.parameters(), lr=0.05), 2)
    return model.fc1.weight.data.copy()


def test_a_fresh_course_does_not_resume_what_an_earlier_one_left(tmp_path):
    other, mine = trained(*course(tmp_path, seed=1)), trained(*course(tmp_path))
    assert (mine == trained(*course(None))).all() and not (mine == other).all()
    started = course(tmp_path)
    assert not list(tmp_path.glob("*.checkpoint")), "a later stage's would be taken for this run's"
    assert (trained(*started) == mine).all()


def test_another_run_is_not_resumed(tmp_path):
    trained(*course(tmp_path))
    with pytest.raises(ValueError, match="the checkpoint of another run"):
        trained(*course(tmp_path, seed=1, resume=True))


def test_stages_are_measured_on_their_files(tmp_path):
    said = []
    course_, model = course(tmp_path, say=said.append)
    dense = course_.write("dense", model)
    small = course_.write("small", models.mlp([64, 3, 10], rng=np.random.default_rng(0)), file="other")
    assert said == [dense, small] == list(course_.stages.values())
    assert [stage.path.name for stage in said] == ["dense.mcz", "other.mcz"]
    for stage in said:
        assert stage.bytes == stage.path.stat().st_size and stage.ratio == dense.bytes / stage.bytes
        assert stage.error == nn.evaluate(container.load(stage.path), course_.dataset).error
    with_known, _ = course(tmp_path)
    with_known.dense_bytes = 10 * dense.bytes
    assert with_known.write("dense", model).ratio == 10


def test_ctrl_c_ends_a_course(tmp_path, monkeypatch):
    monkeypatch.setattr(nn, "fit", lambda *_, **__: nn.History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        trained(*course(tmp_path))
