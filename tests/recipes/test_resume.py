"""The whole recipe, killed in any stage and resumed, ends with the same files as one that never was."""

import contextlib
import functools
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from minicompress import models, nn
from minicompress.recipes import Lab, Plan, deep_compression
from minicompress.training import Training


def plan(*epochs):
    train, prune, share = (Training(count, 0.1, 128, jitter=1) for count in epochs)
    return Plan(train, prune, replace(share, lr=1e-3, adam=True), sparsity=0.7, clusters=4, bias_clusters=2)


PLAN = plan(2, 3, 2)
FILES = ["dense.mcz", "pruned.mcz", "compressed.mcz"]


class Killed(BaseException):
    """Nobody catches it: what was in memory is gone."""


def run(folder, seed=0, plan=PLAN, **options):
    lab = Lab(seed, folder, **options)
    lab.load("digits", 300)
    return deep_compression(lab, models.mlp([64, 20, 10], rng=lab.rng), plan)


def contents(folder):
    return {name: (Path(folder) / name).read_bytes() for name in FILES}


@functools.cache
def uninterrupted(seed=0):
    with tempfile.TemporaryDirectory() as folder:
        stages = run(folder, seed)
        return contents(folder), [(stage.name, stage.error, stage.bytes, stage.ratio) for stage in stages]


def kill(monkeypatch, at):
    """Let the ``at``-th forward pass of a whole model, from 0, be the last."""
    calls, forward = iter(range(10**9)), nn.Sequential.forward

    def dying(self, x):
        if next(calls) == at:
            raise Killed
        return forward(self, x)
    monkeypatch.setattr(nn.Sequential, "forward", dying)


def test_the_same_seed_gives_the_same_files(tmp_path):
    run(tmp_path)
    assert contents(tmp_path) == uninterrupted()[0] != uninterrupted(1)[0]


@pytest.mark.slow
@pytest.mark.parametrize("moment", [3, 14, 25, 33, 52, 64, 72, 81])
def test_killed_and_resumed(moment, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, moment)
        run(tmp_path)
    stages = run(tmp_path, resume=True)
    assert contents(tmp_path) == uninterrupted()[0]
    assert [(stage.name, stage.error, stage.bytes, stage.ratio) for stage in stages] == uninterrupted()[1]


def test_a_fresh_run_does_not_resume_what_an_earlier_one_left(tmp_path, monkeypatch):
    run(tmp_path, seed=1)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, 3)
        run(tmp_path)
    run(tmp_path, resume=True)
    assert contents(tmp_path) == uninterrupted()[0]


def main(folder):
    run(folder, plan=plan(60, 60, 40), resume=True)


def start(folder):
    """A process that has read its code and is about to work."""
    child = subprocess.Popen([sys.executable, "-m", "tests.recipes.test_resume", folder], cwd=Path(__file__).parents[2],
                             stdout=subprocess.PIPE)
    with child.stdout:
        child.stdout.readline()
    return child


@pytest.mark.slow
def test_killed_for_real_at_random_moments(tmp_path):
    child, begin = start(tmp_path / "whole"), time.perf_counter()
    assert child.wait() == 0
    whole, moments, kills = time.perf_counter() - begin, random.Random(5), 0
    for _ in range(40):
        child = start(tmp_path / "killed")
        with contextlib.suppress(subprocess.TimeoutExpired):  # at most 0.3 of the whole each time: at least 3 kills
            child.wait(moments.uniform(0.1, 0.3) * whole if kills < 8 else None)
        if child.poll() is not None:
            break
        child.kill()
        child.wait()
        kills += 1
    assert child.returncode == 0 and kills >= 3
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


if __name__ == "__main__":
    print("imported", flush=True)
    main(sys.argv[1])
