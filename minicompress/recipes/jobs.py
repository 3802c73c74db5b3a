"""From the names of data and a model to a small file that is known to work, resumable at any moment.

The working folder beside the file holds ``job.json``, what is being compressed, and the recipe's checkpoints. A run
that is killed and resumed there ends with the same bytes in the file.
"""

import gzip
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import minicompress
from minicompress import atomic, container, data, models

from . import fresh
from .deep_compression import Plan, deep_compression
from .plans import plan_for, quick

VALIDATION = 1 / 12  # of the training images: 5 000 of MNIST's 60 000
_OURS = ("job.json", ".job.*.tmp.json", "*.checkpoint", "dense.mcz", "pruned.mcz", "compressed.mcz", ".*.tmp.mcz")


class OtherJobError(ValueError):
    """A working folder that is to be resumed, but holds another job."""


@dataclass(frozen=True, eq=False)
class Job:
    """What is compressed, and how: the same job gives the same file on the same machine.

    ``dataset`` with its validation split, ``model`` untrained, ``rng`` in the state that training begins with.
    """

    data: str
    model_name: str
    seed: int
    plan: Plan
    dataset: data.Dataset
    model: object
    rng: np.random.Generator

    def identity(self):
        """All that the bytes of the file depend on, ready for JSON; of the data their pixels, as folders change."""
        pixels = hashlib.sha256()
        for split in (self.dataset.train, self.dataset.validation, self.dataset.test):
            for array in split:
                pixels.update(np.ascontiguousarray(array))
        return {"version": minicompress.__version__, "data": pixels.hexdigest(), "model": self.model_name,
                "seed": self.seed} | {f"plan.{name}": value for name, value in asdict(self.plan).items()}


def prepare(data_name, model_name, *, seed=0, plan=None, shortened=False):
    """The `Job` of these names; ``plan`` is by default `plan_for` them, to a tenth of its epochs if ``shortened``.

    Raises ValueError for a name that nothing has, files that are not what they should be, and a model that doesn't fit.

    >>> job = prepare("digits", "mlp:64,30,10")
    >>> len(job.dataset.validation.images), job.plan.jitter
    (120, 1)
    """
    rng = np.random.default_rng(seed)
    try:
        dataset = data.load(data_name, validation=VALIDATION, rng=rng)
    except data.DataError:
        raise
    except ValueError:  # of the fraction, which is no word of the caller's
        raise ValueError(f"{data_name} has too few training images: a twelfth of them, at least one, is held out for "
                         "validation, so at least 7 are needed") from None
    model = models.build(model_name, rng=rng, image_shape=dataset.image_shape, num_classes=dataset.num_classes)
    if plan is None:
        plan = plan_for(model_name, examples=len(dataset.train.images), image_shape=dataset.image_shape)
    return Job(data_name, model_name, seed, quick(plan) if shortened else plan, dataset, model, rng)


def run(job, folder, *, resume=False, progress=None, report=None):
    """Carry a job out in a folder; returns its report, a dict ready for JSON.

    Leaves ``dense.mcz``, ``pruned.mcz`` and ``compressed.mcz`` there, the last one checked in a fresh process, beside
    what resuming needs. In the report ``seconds`` run from the beginning of training to the checked file, of the last
    process only if it was resumed; ``gzip_bytes`` is the dense file's size after gzip; errors are fractions of the
    test set. Raises OtherJobError if that is what the folder holds and it is to be resumed, `fresh.FreshProcessError`
    if the file doesn't compute what the model does, KeyboardInterrupt after Ctrl-C.
    """
    begin, folder = time.perf_counter(), Path(folder)
    resumed = open_folder(job, folder, resume)
    stages = deep_compression(job.model, job.dataset, job.plan, folder, resume=resumed, progress=progress,
                              report=report, rng=job.rng)
    digest = fresh.check(job.model, stages[-1].path, job.dataset)
    inspection = container.inspect(stages[-1].path)
    return {
        "data": job.data, "model": job.model_name, "seed": job.seed, "seconds": time.perf_counter() - begin,
        "dense_bytes": stages[0].bytes, "compressed_bytes": stages[-1].bytes, "ratio": stages[-1].ratio,
        "dense_error": stages[0].error, "error": stages[-1].error,
        "gzip_bytes": len(gzip.compress(stages[0].path.read_bytes(), 9, mtime=0)), "resumed": resumed,
        "stages": [{"stage": s.name, "error": s.error, "bytes": s.bytes, "ratio": s.ratio, "seconds": s.seconds}
                   for s in stages],
        "sizes": inspection.sizes, "logits_sha256": digest, "plan": asdict(job.plan),
    }


def compress(job, file, *, resume=False, progress=None, report=None):
    """Carry a job out and leave nothing but ``file``, which ends in .mcz; returns the report of `run`.

    Until the end everything is in `work_folder`; the file then appears in one step.
    """
    file = Path(file)
    folder = work_folder(file)
    result = run(job, folder, resume=resume, progress=progress, report=report)
    os.replace(folder / "compressed.mcz", file)
    clear(folder)
    return result


def work_folder(file):
    """The folder beside ``file`` that holds what `compress` needs to resume.

    >>> work_folder("net.mcz").name
    'net.mcz.work'
    """
    file = Path(file)
    return file.with_name(file.name + ".work")


def clear(folder):
    """Delete what `run` wrote into a folder, and the folder if nothing else is in it."""
    paths = sorted(path for pattern in _OURS for path in folder.glob(pattern))
    for path in sorted(paths, key=lambda path: path.name == "job.json"):  # last: what is left can be resumed
        path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def open_folder(job, folder, resume):
    """Make the folder this job's; true if there is something to resume, OtherJobError if it is another's."""
    identity, path = job.identity(), folder / "job.json"
    if resume and path.exists():
        _require_same(folder, path, identity)
        return True
    if folder.exists():
        path.unlink(missing_ok=True)  # first, so that whatever else is left is nobody's
        clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as temporary:
        temporary.write_text(json.dumps(identity, indent=1), "utf-8")
    return False


def _require_same(folder, path, identity):
    try:
        known = dict(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise OtherJobError(f"{path} is damaged ({error}): start over without --resume") from None
    other = [f"{name} {known.get(name)}, not {value}" if name != "data" else "other data"
             for name, value in identity.items() if known.get(name) != value]
    if other:
        raise OtherJobError(f"{folder} holds a run with {'; '.join(other)}: resume it with the arguments that it began "
                            "with, or start over without --resume")
