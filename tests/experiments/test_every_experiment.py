"""Every recipe, killed in any training and resumed, ends with the same files and report; its seed and files count."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from minicompress import models, nn, pruning
from minicompress.experiments import binary, compare, cutting, hinton, integers, reproduce
from minicompress.recipes import Lab, Settings, fresh
from minicompress.training import Training

from .conftest import Enough

pytestmark = pytest.mark.usefixtures("in_this_process")
TIMES = {"seconds", "seconds_per_image", "time_share", "float_seconds", "packed_seconds"}


SHORT = Training(1, 0.1, jitter=1)


def integers_of_digits(lab):
    lab.load("digits", 0.1)
    plan = integers.Plan(replace(SHORT, epochs=2), replace(SHORT, lr=0.02), calibration=100)
    return integers.quantize_and_compare(lab, models.mlp([64, 20, 10], rng=lab.rng), plan)


def cutting_of_digits(lab):
    lab.load("digits", 0.1)
    large = models.mlp([64, 20, 10], batch_norm=True, rng=lab.rng)
    plan = cutting.Plan(Training(2, 0.1, 128), Training(1, 0.1, 128), strength=1e-3)
    return cutting.cut_and_compare(lab, large, plan, lambda model, example: pruning.slim(model, example, 0.5))


def binary_of_digits(plan, *hidden):
    plan = replace(plan, train=replace(plan.train, epochs=3))
    return lambda lab: binary.mlp(lab, plan, (64, *hidden, 10), "digits")


RECIPES = {
    "distillation": lambda lab: hinton.run(lab, hinton.Plan((20, 20), (9,), Training(2, 0.1), SHORT, 1), "digits"),
    "integers": integers_of_digits,
    "channels": cutting_of_digits,
    "binary weights": binary_of_digits(binary.BINARY_CONNECT, 9),
    "packed": binary_of_digits(binary.BNN_MLP, 9, 9),
    "every method": lambda lab: compare.run(lab, "digits", compare.Plan(
        SHORT, Training(1, 5e-3, adam=True), SHORT, Settings(training=SHORT))),
}
CHECKED = {
    "distillation": ["teacher", "plain", "distilled", "without_3s", "only_7s_and_8s"],
    "integers": ["int8", "int4", "int4_qat"], "channels": ["small"], "binary weights": ["binary"], "packed": ["binary"],
    "every method": ["dense", *(title.replace(" ", "-") for title in compare.chains()), "binary-packed", "distilled"],
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
    whole = ended(RECIPES[name](Lab(0, tmp_path / "whole", progress=False)), tmp_path / "whole")
    total = steps["steps"]
    for share in (0.2, 0.6, 0.95):
        folder, last = tmp_path / str(share), int(share * total)
        steps |= {"steps": 0, "last": last}
        with pytest.raises(Killed):
            RECIPES[name](Lab(0, folder, progress=False))
        steps |= {"steps": 0, "last": 10**9}
        assert ended(RECIPES[name](Lab(0, folder, resume=True, progress=False)), folder) == whole
        again = steps["steps"] - (total - last)  # no more than the one epoch that was interrupted
        assert 0 <= again <= total / 2 and (share < 0.9 or steps["steps"] < total / 2)


@pytest.mark.parametrize("name", RECIPES)
def test_files_are_checked_in_a_fresh_process(name, tmp_path, fits, in_this_process, monkeypatch):
    fits.trains = False
    RECIPES[name](Lab(0, tmp_path, progress=False))
    assert in_this_process == [f"{file}.mcz" for file in CHECKED[name]]
    monkeypatch.setattr(fresh, "in_fresh_process", lambda path, name: "0" * 64)
    with pytest.raises(fresh.FreshProcessError, match=rf"{CHECKED[name][0]}\.mcz"):
        RECIPES[name](Lab(0, tmp_path, progress=False))


@pytest.mark.parametrize("name", [name for name in reproduce.claims() if name not in reproduce.benches()])
def test_a_seed_decides_all_that_is_random(name, tmp_path, fits, small_mnist):
    """Weights, the split and the order of the images, as the first training finds them; Hinton's students' own too."""
    fits.trains, fits.last = False, 2 if name == "hinton-2015" else 1

    def begins(seed):
        fits.clear()
        with pytest.raises(Enough):
            reproduce.claims()[name].run(Lab(seed, tmp_path / "run", progress=False))
        return list(fits)

    first, again, other = begins(5), begins(5), begins(6)
    assert [a.begins_as(b) for a, b in zip(first, again, strict=True)] == [[True] * 3] * fits.last
    assert [a.begins_as(b) for a, b in zip(first, other, strict=True)] == [[False] * 3] * fits.last
