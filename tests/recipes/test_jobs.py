"""Jobs: the same ones give the same file, killed wherever and resumed; other ones are refused."""

import functools
import gzip
import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minicompress import container, data, nn, training
from minicompress.recipes import fresh, jobs
from minicompress.training import optim

from .test_resume import PLAN


def job(data_name="digits", model="mlp:64,20,10", seed=0, plan=PLAN):
    return jobs.prepare(data_name, model, seed=seed, plan=plan)


@functools.cache
def uninterrupted():
    with tempfile.TemporaryDirectory() as folder:
        report = jobs.compress(job(), Path(folder) / "net.mcz")
        return (Path(folder) / "net.mcz").read_bytes(), report


def test_the_report_is_about_the_file(tmp_path):
    seen = []
    report = jobs.compress(job(), tmp_path / "net.mcz", say=seen.append)
    file = tmp_path / "net.mcz"
    assert [stage.name for stage in seen] == ["dense", "pruned", "shared"]
    assert [path.name for path in tmp_path.iterdir()] == ["net.mcz"]
    assert file.read_bytes() == uninterrupted()[0]
    assert report["compressed_bytes"] == file.stat().st_size == sum(report["sizes"].values())
    assert report["ratio"] == report["dense_bytes"] / report["compressed_bytes"]
    test = data.load("digits").test
    assert report["error"] == training.evaluate(container.load(file), test).error
    assert report["logits_sha256"] == fresh.logits_digest(file, test)
    assert json.loads(json.dumps(report)) == report and not report["resumed"]
    assert report["seconds"] >= sum(stage["seconds"] for stage in report["stages"]) > 0


def test_the_dense_file_is_real_and_so_is_its_gzip(tmp_path):
    report = jobs.run(job(), tmp_path)
    dense = (tmp_path / "dense.mcz").read_bytes()
    assert report["dense_bytes"] == len(dense) <= 4 * 1510 + 2048  # ME-2
    assert report["gzip_bytes"] == len(gzip.compress(dense)) < len(dense)
    assert report["dense_error"] == training.evaluate(container.load(tmp_path / "dense.mcz"), data.load("digits")).error
    assert container.load(tmp_path / "dense.mcz").summary().parameters == 64 * 20 + 20 + 20 * 10 + 10


def test_the_seed_decides_everything():
    first, again, other = job(), job(), job(seed=1)
    assert first.identity() == again.identity() != other.identity()
    assert (first.model.fc1.weight.data == again.model.fc1.weight.data).all()
    assert not (first.model.fc1.weight.data == other.model.fc1.weight.data).all()
    assert (first.lab.dataset.validation.images == again.lab.dataset.validation.images).all()
    assert not (first.lab.dataset.validation.images == other.lab.dataset.validation.images).all()
    assert first.lab.rng.random() == again.lab.rng.random() != other.lab.rng.random()


def test_validation_is_a_twelfth_of_training_and_nothing_of_test():
    dataset = job().lab.dataset
    assert len(dataset.validation.images) == round(1438 / 12) and len(dataset.test.images) == 359
    assert len(dataset.train.images) + len(dataset.validation.images) == 1438


class Killed(BaseException):
    """Nobody catches it."""


def kill(monkeypatch, owner, name, at):
    """Let the ``at``-th call of a function, from 0, kill the process before it does anything."""
    calls, original = iter(range(10**9)), getattr(owner, name)

    def dying(*args, **kwargs):
        if next(calls) == at:
            raise Killed
        return original(*args, **kwargs)
    monkeypatch.setattr(owner, name, dying)


MOMENTS = ([(Path, "mkdir", 0), (fresh, "check", 0), (Path, "rmdir", 0), (nn.Sequential, "forward", 40)]
           + [(Path, "unlink", i) for i in (0, 2, 4, 6, 8)] + [(os, "replace", i) for i in (0, 1, 4, 9, 13, 14)])


@pytest.fixture
def in_this_process(monkeypatch):
    """Spare the fresh process: what it finds has tests of its own."""
    monkeypatch.setattr(fresh, "in_fresh_process", lambda path, name: fresh.logits_digest(path, data.load(name).test))


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("owner", "name", "at"), MOMENTS, ids=[f"{name}-{at}" for _, name, at in MOMENTS])
def test_killed_and_resumed(owner, name, at, tmp_path, monkeypatch):
    file = tmp_path / "net.mcz"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, owner, name, at)
        jobs.compress(job(), file)
    assert not file.exists() or file.read_bytes() == uninterrupted()[0]  # it appears whole
    jobs.compress(job(), file, resume=True)
    assert file.read_bytes() == uninterrupted()[0]
    assert [path.name for path in tmp_path.iterdir()] == ["net.mcz"]


def half_done(file, monkeypatch, **options):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, nn.Sequential, "forward", 60)
        jobs.compress(job(**options), file)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("options", "message"), [
    ({"seed": 1}, "seed 0, not 1"),
    ({"model": "mlp:64,21,10"}, "model mlp:64,20,10, not mlp:64,21,10"),
    ({"plan": replace(PLAN, sparsity=0.8)}, "plan.sparsity 0.7, not 0.8"),
    ({"plan": replace(PLAN, prune=replace(PLAN.prune, epochs=4)), "seed": 3},
     "seed 0, not 3; plan.prune.epochs 3, not 4"),
])
def test_another_job_is_not_resumed(options, message, tmp_path, monkeypatch):
    file = tmp_path / "net.mcz"
    half_done(file, monkeypatch)
    with pytest.raises(jobs.OtherJobError, match=message):
        jobs.compress(job(**options), file, resume=True)
    jobs.compress(job(), file, resume=True)  # and what was there still is
    assert file.read_bytes() == uninterrupted()[0]


def copy_of_digits(folder):
    return shutil.copytree(data.dataset._folder_of("digits"), folder)


@pytest.mark.usefixtures("in_this_process")
def test_changed_data_are_not_resumed_but_moved_ones_are(tmp_path, monkeypatch):
    folder = copy_of_digits(tmp_path / "data")
    half_done(tmp_path / "net.mcz", monkeypatch, data_name=str(folder))
    jobs.compress(job(), tmp_path / "net.mcz", resume=True)  # the same pixels from another place
    assert (tmp_path / "net.mcz").read_bytes() == uninterrupted()[0]

    half_done(tmp_path / "net.mcz", monkeypatch, data_name=str(folder))
    labels = data.read_idx(folder / "t10k-labels-idx1-ubyte.gz", 1)
    data.write_idx(folder / "t10k-labels-idx1-ubyte.gz", np.roll(labels, 1))
    with pytest.raises(jobs.OtherJobError, match="other data"):
        jobs.compress(job(str(folder)), tmp_path / "net.mcz", resume=True)


@pytest.mark.parametrize("content", ["", "[1]", "{", "7", "[]"])
def test_a_damaged_note_is_not_resumed(content, tmp_path, monkeypatch):
    half_done(tmp_path / "net.mcz", monkeypatch)
    (tmp_path / "net.mcz.work" / "job.json").write_text(content)
    with pytest.raises(jobs.OtherJobError):
        jobs.compress(job(), tmp_path / "net.mcz", resume=True)


@pytest.mark.usefixtures("in_this_process")
def test_without_resume_nothing_of_another_run_is_used(tmp_path, monkeypatch):
    half_done(tmp_path / "net.mcz", monkeypatch, seed=1)
    jobs.compress(job(), tmp_path / "net.mcz")
    assert (tmp_path / "net.mcz").read_bytes() == uninterrupted()[0]


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("owner", "name", "at"), [
    (Path, "unlink", 0), (Path, "unlink", 1), (Path, "unlink", 3), (Path, "rmdir", 0), (os, "replace", 0),
    (os, "replace", 1), (nn.Sequential, "forward", 3),
], ids=["start", "clear-1", "clear-3", "rmdir", "note", "checkpoint", "step"])
def test_starting_over_can_be_killed_and_resumed_too(owner, name, at, tmp_path, monkeypatch):
    half_done(tmp_path / "net.mcz", monkeypatch, seed=1)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, owner, name, at)
        jobs.compress(job(), tmp_path / "net.mcz")
    if (name, at) == ("unlink", 0):  # nothing has happened yet: it still is the folder of the first
        with pytest.raises(jobs.OtherJobError):
            jobs.compress(job(), tmp_path / "net.mcz", resume=True)
    else:
        jobs.compress(job(), tmp_path / "net.mcz", resume=True)
        assert (tmp_path / "net.mcz").read_bytes() == uninterrupted()[0]


@pytest.mark.usefixtures("in_this_process")
def test_what_was_done_is_not_done_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, fresh, "check", 0)
        jobs.compress(job(), tmp_path / "net.mcz")
    steps, step = [], optim.SGD.step
    monkeypatch.setattr(optim.SGD, "step", lambda self: (steps.append(1), step(self)))
    monkeypatch.setattr(optim.Adam, "step", lambda self: steps.append(1))
    report = jobs.compress(job(), tmp_path / "net.mcz", resume=True)
    assert report["resumed"] and not steps
    jobs.compress(job(), tmp_path / "again.mcz")
    assert len(steps) == 11 * (2 + 3 + 2)  # 1 318 images in batches of 128


@pytest.mark.usefixtures("in_this_process")
def test_what_is_not_ours_stays_in_the_working_folder(tmp_path):
    work = jobs.work_folder(tmp_path / "net.mcz")
    work.mkdir()
    (work / "diary.txt").write_text("dear diary")
    jobs.compress(job(), tmp_path / "net.mcz")
    assert [path.name for path in work.iterdir()] == ["diary.txt"]


def test_a_file_that_computes_something_else_is_never_delivered(tmp_path, monkeypatch):
    save = container.save

    def careless(model, path, **options):
        if path.name == "compressed.mcz":
            model = jobs.prepare("digits", "mlp:64,20,10", seed=9).model
        return save(model, path, **options)
    monkeypatch.setattr(container, "save", careless)
    with pytest.raises(fresh.FreshProcessError):
        jobs.compress(job(), tmp_path / "net.mcz")
    assert not (tmp_path / "net.mcz").exists()
