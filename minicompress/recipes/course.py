"""How a recipe goes: networks trained one after the other, each under a name, and the files that they leave."""

import time
from dataclasses import dataclass
from pathlib import Path

from minicompress import container, data, nn
from minicompress.nn import optim

from . import fresh


@dataclass(frozen=True)
class Stage:
    """What stands on disk after a stage: its test error and bytes, and the ratio of the dense file's to them (ME-2).

    ``seconds`` run from the end of the stage before, or the beginning.
    """

    name: str
    error: float
    bytes: int
    ratio: float
    seconds: float
    path: Path


def jitter(pixels):
    """The augmentation that shifts by up to so many pixels; None for 0."""
    return data.Jitter(pixels) if pixels else None


class Course:
    """Trains a recipe's networks and writes their files, in one folder, so that a killed recipe can go on.

    To resume, run the recipe again from its beginning with ``resume=True``: a training that was complete is restored
    from its checkpoint with all generators, so the whole ends with the same bits as if nothing had happened. Without
    it the checkpoints that an earlier run left in the folder are deleted.

    Args:
        dataset: a `data.Dataset`. Weights are chosen on its validation split; the test set is read to report errors.
        folder: for checkpoints and files; None keeps no checkpoints, and then nothing can be written.
        batch_size, augment, rng, progress: what `nn.fit` is told, where `train` is told nothing else.
        say: called with each `Stage` as it is done.
    """

    def __init__(self, dataset, folder, *, batch_size, augment=None, resume=False, progress=None, say=None, rng):
        self.dataset, self.folder, self.resume, self.say = dataset, folder and Path(folder), resume, say
        self.options = {"batch_size": batch_size, "augment": augment, "progress": progress, "rng": rng}
        self.stages, self.dense_bytes, self.begin = {}, None, time.perf_counter()
        if folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in () if resume else self.folder.glob("*.checkpoint"):
                left.unlink()

    def train(self, name, model, optimizer, epochs, *, split=None, schedules=(), **options):
        """`nn.fit` with a cosine from the optimizer's learning rate to 0; what else it takes comes as ``options``.

        ``split`` instead of the whole dataset: then no weights are chosen. Raises KeyboardInterrupt after Ctrl-C, with
        the checkpoint in place.
        """
        history = nn.fit(model, self.dataset if split is None else split, epochs=epochs, optimizer=optimizer,
                         schedule=[optim.CosineAnnealingLR(optimizer, epochs), *schedules],
                         checkpoint=self.folder and self.folder / f"{name}.checkpoint", resume=self.resume,
                         **self.options | options)
        if history.interrupted:
            raise KeyboardInterrupt

    def write(self, name, model, *, file=None, entropy=True, check=False):
        """Save a model as ``{file or name}.mcz``; returns its `Stage`, and keeps it in ``stages``.

        The first file is the dense one, unless ``dense_bytes`` was set before.
        ``check`` loads the file in a fresh process: `fresh.FreshProcessError` unless it computes the same bits.
        """
        path = self.folder / f"{file or name}.mcz"
        size = container.save(model, path, entropy=entropy).size
        error = nn.evaluate(model, self.dataset).error
        if check:
            fresh.check(model, path, self.dataset)
        self.dense_bytes = self.dense_bytes or size
        begin, self.begin = self.begin, time.perf_counter()
        self.stages[name] = stage = Stage(name, error, size, self.dense_bytes / size, self.begin - begin, path)
        if self.say:
            self.say(stage)
        return stage
