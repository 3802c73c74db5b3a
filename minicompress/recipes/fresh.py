"""Is the file the network? Its logits in a fresh process beside those of the model in memory, bit for bit."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import minicompress
from minicompress import container, data, expect, training

BATCH = 256  # BLAS may add in another order for another batch size


class FreshProcessError(RuntimeError):
    """A file that, loaded in a fresh process, doesn't compute what the model in memory does, or nothing at all."""


def logits_digest(model, split):
    """SHA-256, in hexadecimal, of a model's logits on a split: float32, little-endian, example after example.

    model : a Module, or the path of a file to load
    split : whatever `data.as_split` accepts

    >>> import numpy as np
    >>> from minicompress import models
    >>> len(logits_digest(models.mlp([4, 2], rng=np.random.default_rng(0)), np.zeros((3, 4), np.float32)))
    64
    """
    model = container.load(model) if isinstance(model, str | os.PathLike) else model
    return hashlib.sha256(training.predict(model, split, BATCH).astype("<f4", order="C").tobytes()).hexdigest()


def package_environment():
    """The environment in which a new process finds this very package, wherever it starts."""
    package = str(Path(minicompress.__file__).resolve().parents[1])
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
                         "PYTHONIOENCODING": "utf-8"}


def in_fresh_process(path, data_name):
    """`logits_digest` of a file on a data set's test split, computed by a new Python process that shares nothing.

    Raises FreshProcessError, with the last line that the process said, if it fails.
    """
    code = "import sys; from minicompress.recipes import fresh; fresh.main(*sys.argv[1:])"
    finished = subprocess.run([sys.executable, "-c", code, str(path), str(data_name)], capture_output=True,
                              encoding="utf-8", env=package_environment(), check=False)
    if finished.returncode:
        reason = finished.stderr.strip().splitlines() or [f"exit code {finished.returncode}"]
        raise FreshProcessError(f"a fresh process could not evaluate {path}: {reason[-1]}")
    return finished.stdout.strip()


def check(model, path, dataset):
    """Compare a model in memory with its file in a fresh process; returns the digest, or raises `FreshProcessError`."""
    here, there = logits_digest(model, dataset.test), in_fresh_process(path, dataset.name)
    expect.that(here == there, f"{path}: a fresh process computes other logits (SHA-256 {there[:16]}…) than the model "
                f"in memory ({here[:16]}…)", FreshProcessError)
    return here


def main(path, data_name):
    """What the fresh process runs."""
    print(logits_digest(path, data.load(data_name).test))
