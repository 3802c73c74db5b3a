"""A lab: where networks are trained one after the other, each under a name, and the files that they leave."""

import copy
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from minicompress import container, data
from minicompress.training import evaluate, fit

from . import fresh

VALIDATION = 1 / 12  # of the training images: 5 000 of MNIST's 60 000
FEW = 512  # training images of a short lab


@dataclass(frozen=True)
class Stage:
    """What stands on disk after a stage: its test error and bytes, and the ratio of the dense file's to them (ME-2).

    ``seconds`` run from the end of the stage before, or the beginning of the first training.
    """

    name: str
    error: float
    bytes: int
    ratio: float
    seconds: float
    path: Path


class Lab:
    """Where an experiment is made: it loads the data, trains networks and writes their files, so that it can go on.

    To resume a run that was killed, make the experiment again from its beginning in a lab with ``resume=True``: a
    training that was complete is restored from its checkpoint with all generators, so the whole ends with the same bits
    as if nothing had happened. Without it the checkpoints that an earlier run left in the folder are deleted.

    Args:
        seed: of ``rng``, from which everything random comes: the split, weights, the order of the images.
        folder: for checkpoints and files; None keeps no checkpoints, and then nothing can be written.
        dataset: a `data.Dataset`, unless `load` gets one.
        progress: what `training.fit` is told.
        say: called with each `Stage` as it is done.
        short: train for two epochs at most, on a few images, and check no file: only the bits are looked at then.

    >>> lab = Lab(seed=3)
    >>> len(lab.load("digits").validation.images), lab.stages
    (120, {})
    """

    def __init__(self, seed=0, folder=None, *, dataset=None, resume=False, progress=None, say=None,
                 short=False):
        self.short = short
        self.seed, self.rng, self.resume, self.progress, self.say = (
            seed, np.random.default_rng(seed), resume, progress, say)
        self.dataset, self.dense_bytes = dataset, None
        self._open(folder)

    def _open(self, folder):
        self.folder, self.stages, self.begin = folder and Path(folder), {}, None
        if folder and not self.resume:
            for left in self.folder.glob("*.checkpoint"):
                left.unlink()

    def at(self, folder, **changes):
        """A lab in another folder, with the same data and the same generator; ``changes`` are other attributes."""
        other = copy.copy(self)
        vars(other).update(changes)
        other._open(folder)
        return other

    def within(self, name, **changes):
        """A lab in a folder of this one, which says nothing."""
        return self.at(self.folder and self.folder / name, **{"say": None} | changes)

    def load(self, name, validation=VALIDATION):
        """Load a data set, a share of its training images held out for validation; it stays as ``dataset``.

        Weights are chosen on the validation split; the test set is read to report errors.
        """
        dataset = data.load(name, validation=validation, rng=self.rng)
        self.dataset = _first(dataset, FEW) if self.short else dataset
        return self.dataset

    def path(self, name):
        """Where a file of this name goes; the folder is made if need be."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / name

    def check(self, model, path):
        """`fresh.check` of a file; a short lab has part of the data, which no other process finds: None."""
        return None if self.short else fresh.check(model, path, self.dataset)

    def train(self, name, model, training, *, split=None, rng=None, **options):
        """`training.fit` with a `Training`, a checkpoint under a name, and what else it takes as ``options``.

        ``split`` instead of the whole dataset: then no weights are chosen. Raises KeyboardInterrupt after Ctrl-C, with
        the checkpoint in place.
        """
        self.begin = self.begin or time.perf_counter()
        if self.short:
            training = replace(training, epochs=min(training.epochs, 2))
            options |= {"best_from": min(options.get("best_from", 0), training.epochs - 1)}
        history = fit(model, self.dataset if split is None else split, training,
                      checkpoint=self.folder and self.folder / f"{name}.checkpoint", resume=self.resume,
                      progress=self.progress, rng=self.rng if rng is None else rng, **options)
        if history.interrupted:
            raise KeyboardInterrupt

    def write(self, name, model, *, file=None, entropy=True, check=False):
        """Save a model as ``{file or name}.mcz``; returns its `Stage`, and keeps it in ``stages``.

        The first file is the dense one, unless ``dense_bytes`` was set before.
        ``check`` loads the file in a fresh process: `fresh.FreshProcessError` unless it computes the same bits.
        """
        path = self.path(f"{file or name}.mcz")
        size = container.save(model, path, entropy=entropy).size
        error = evaluate(model, self.dataset).error
        if check:
            self.check(model, path)
        self.dense_bytes = self.dense_bytes or size
        begin, self.begin = self.begin or time.perf_counter(), time.perf_counter()
        self.stages[name] = stage = Stage(name, error, size, self.dense_bytes / size, self.begin - begin, path)
        if self.say:
            self.say(stage)
        return stage


def _first(dataset, count):
    """A data set of so many training images, a quarter as many for validation, and for the test."""
    def cut(split, count):
        return split and data.Split(split.images[:count], split.labels[:count], split.scale)
    return replace(dataset, train=cut(dataset.train, count), validation=cut(dataset.validation, count // 4),
                   test=cut(dataset.test, count // 4))
