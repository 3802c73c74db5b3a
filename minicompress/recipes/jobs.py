"""From the names of data and a model to a small file that is known to work, resumable at any moment.

The working folder beside the file holds ``job.json``, what is being compressed, and the recipe's checkpoints. A run
that is killed and resumed there ends with the same bytes in the file.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import minicompress
from minicompress import atomic, data, expect, models

from . import files
from .deep_compression import Plan, measure
from .lab import Lab
from .plans import plan_for, quick

_OURS = ("job.json", ".job.*.tmp.json", "*.checkpoint", "dense.mcz", "pruned.mcz", "compressed.mcz", ".*.tmp.mcz")
KEYS = files.KEYS + """\
Also gzip_bytes (of the dense file, gzipped), stages, sizes (bytes per part),
plan, resumed (then seconds are the last process's), logits_sha256 and file or
files.
"""


class OtherJobError(ValueError):
    """A working folder that is to be resumed, but holds another job."""


@dataclass(frozen=True, eq=False)
class Job:
    """What is compressed, and how: the same job gives the same file on the same machine.

    ``model`` untrained, ``lab`` with the data, their validation split held out, and its generator in the state that
    training begins with.
    """

    data: str
    model_name: str
    plan: Plan
    model: object
    lab: Lab

    def identity(self):
        """All that the bytes of the file depend on, ready for JSON; of the data their pixels, as folders change."""
        pixels = hashlib.sha256()
        dataset = self.lab.dataset
        for split in (dataset.train, dataset.validation, dataset.test):
            for array in split:
                pixels.update(np.ascontiguousarray(array))
        return {"version": minicompress.__version__, "data": pixels.hexdigest(), "model": self.model_name,
                "seed": self.lab.seed} | _flat({"plan": asdict(self.plan)})


def _flat(values, path=""):
    """Dicts within dicts as one, ``{"plan.train.epochs": 3}``."""
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{path}{name}.") if isinstance(value, dict) and value else {f"{path}{name}": value}
    return flat


def prepare(data_name, model_name, *, seed=0, plan=None, shortened=False):
    """The `Job` of these names; ``plan`` is by default `plan_for` them, to a tenth of its epochs if ``shortened``.

    Raises ValueError for a name that nothing has, files that are not what they should be, and a model that doesn't fit.

    >>> job = prepare("digits", "mlp:64,30,10")
    >>> len(job.lab.dataset.validation.images), job.plan.train.jitter
    (120, 1)
    """
    lab = Lab(seed)
    try:
        dataset = lab.load(data_name)
    except data.DataError:
        raise
    except ValueError:  # of the fraction, which is no word of the caller's
        raise ValueError(f"{data_name} has too few training images: a twelfth of them, at least one, is held out for "
                         "validation, so at least 7 are needed") from None
    model = models.build(model_name, rng=lab.rng, image_shape=dataset.image_shape, num_classes=dataset.num_classes)
    if plan is None:
        plan = plan_for(model_name, examples=len(dataset.train.images), image_shape=dataset.image_shape)
    return Job(data_name, model_name, quick(plan) if shortened else plan, model, lab)


def run(job, folder, *, resume=False, progress=None, say=None):
    """Carry a job out in a folder; returns its report, that of `deep_compression.measure` and what it is about.

    Leaves the three files there, beside what resuming needs; ``seconds`` are the last process's if it was resumed.
    Raises OtherJobError if that is what the folder holds and it is to be resumed, and what `measure` does.
    """
    folder = Path(folder)
    resumed = open_folder(job, folder, resume)
    lab = job.lab.at(folder, resume=resumed, progress=progress, say=say)
    return {"data": job.data, "model": job.model_name, "seed": lab.seed, "resumed": resumed} | measure(
        lab, job.model, job.plan)


def compress(job, file, *, resume=False, progress=None, say=None):
    """Carry a job out and leave nothing but ``file``, which ends in .mcz; returns the report of `run`.

    Until the end everything is in `work_folder`; the file then appears in one step.
    """
    file = Path(file)
    folder = work_folder(file)
    result = run(job, folder, resume=resume, progress=progress, say=say)
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
    expect.that(not other, f"{folder} holds a run with {'; '.join(other)}: resume it with the arguments that it began "
                "with, or start over without --resume", OtherJobError)
