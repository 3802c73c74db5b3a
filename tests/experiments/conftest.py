"""What tests of experiments share: what they tell `training.fit`, and a short way round what takes its time."""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

from minicompress import data, nn
from minicompress.experiments import compare, cutting, timing
from minicompress.recipes import fresh
from minicompress.training import History, fit


class Call(NamedTuple):
    """One call of `training.fit`: ``begin`` is the model's state before it, ``drawn`` that of the generator."""

    model: nn.Module
    begin: dict
    data: object
    options: dict
    drawn: dict

    def begins_as(self, other):
        """Whether both train from the same weights, on the same images, in the same order."""
        images = [getattr(call.data, "train", call.data).images for call in (self, other)]
        return [all(np.array_equal(array, other.begin[name]) for name, array in self.begin.items()),
                np.array_equal(*images), self.drawn == other.drawn]

    def follows_cosine(self, lr, warm_up=0.0):
        """Whether schedules lead from ``lr`` to 0, at first times the share of ``warm_up`` epochs that are over."""
        optimizer, epochs, per_epoch = self.options["optimizer"], self.options["epochs"], 4
        for step in range(epochs * per_epoch):
            for schedule in self.options["schedule"]:
                schedule(step, per_epoch)
            over = step / per_epoch
            warm = min(1, over / warm_up) if warm_up else 1
            if not math.isclose(optimizer.lr, warm * lr * (1 + math.cos(math.pi * over / epochs)) / 2, abs_tol=1e-12):
                return False
        return True


class Enough(BaseException):
    """As many calls were seen as were wanted."""


class Fits(list):
    """The `Call`s of `fit`; if it ``trains`` not, models stay as they are, and after the ``last`` comes `Enough`."""

    trains, last = True, None


@pytest.fixture
def fits(monkeypatch):
    calls = Fits()

    def watched(model, split, training, *, schedule=(), **options):
        optimizer = training.optimizer(model)
        added = list(schedule) if isinstance(schedule, list | tuple) else [schedule]
        options |= {"epochs": training.epochs, "batch_size": training.batch_size, "augment": training.augment(),
                    "optimizer": optimizer, "schedule": [*training.schedule(optimizer), *added]}
        begin = {name: array.copy() for name, array in model.state_dict().items()}
        calls.append(Call(model, begin, split, options, options["rng"].bit_generator.state))
        if len(calls) == calls.last:
            raise Enough
        return fit(model, split, **options) if calls.trains else History()
    monkeypatch.setattr("minicompress.recipes.lab.fit", watched)
    return calls


@pytest.fixture
def in_this_process(monkeypatch):
    """Spare the fresh process and the repeats of what is timed: these have tests of their own.

    Gives the names of files whose logits were asked for.
    """
    checked = []

    def digest(path, name):
        checked.append(path.name)
        return fresh.logits_digest(path, data.load(name).test)
    monkeypatch.setattr(fresh, "in_fresh_process", digest)
    for module in (cutting, compare):
        monkeypatch.setattr(module, "seconds_per_image", partial(timing.seconds_per_image, repeats=1))
    return checked


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """"mnist" with as many pixels as it has, and a few images of noise."""
    rng, load, folder = np.random.default_rng(0), data.load, tmp_path / "small-mnist"
    folder.mkdir()
    for part, count in (("train", 120), ("t10k", 20)):
        data.write_idx(folder / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (count, 28, 28), np.uint8))
        data.write_idx(folder / f"{part}-labels-idx1-ubyte", (np.arange(count) % 10).astype(np.uint8))
    monkeypatch.setattr(data, "load", lambda name, **options: load(folder if name == "mnist" else name, **options))
