"""Is the file the network? Its logits in a fresh process beside those of the model in memory, bit for bit."""

import hashlib
import os
import subprocess

from minicompress import container, data, expect, training
from minicompress.checker.own_process import NoAnswer, ask

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


def in_fresh_process(path, data_name):
    """`logits_digest` of a file on a data set's test split, computed by a new Python process that shares nothing.

    Raises FreshProcessError, with what went wrong there, if it fails.
    """
    try:
        told = ask(f"{__name__}:answer", [str(path), str(data_name)], None, subprocess.DEVNULL)
    except NoAnswer as ended:
        told = {"failed": str(ended)}
    expect.that("failed" not in told, lambda: f"a fresh process could not evaluate {path}: {told['failed']}",
                FreshProcessError)
    return told["digest"]


def answer(task):
    """What the fresh process runs."""
    path, data_name = task
    try:
        return {"digest": logits_digest(path, data.load(data_name).test)}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def check(model, path, dataset):
    """Compare a model in memory with its file in a fresh process; returns the digest, or raises `FreshProcessError`."""
    here, there = logits_digest(model, dataset.test), in_fresh_process(path, dataset.name)
    expect.that(here == there, f"{path}: a fresh process computes other logits (SHA-256 {there[:16]}…) than the model "
                f"in memory ({here[:16]}…)", FreshProcessError)
    return here
