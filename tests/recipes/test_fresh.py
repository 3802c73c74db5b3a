"""The check of a file in a fresh process passes for the model's own file, and for no other."""

import hashlib
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import minicompress
from minicompress import container, data, engine, models, nn, training
from minicompress.quantization import share_weights
from minicompress.recipes import fresh

DIGITS = data.load("digits")


def model(seed=0):
    return models.mlp([64, 20, 10], rng=np.random.default_rng(seed))


def test_the_digest_is_of_the_logits_bits():
    net, x = model(), DIGITS.test.images[:300]
    with nn.evaluating(net):  # a product that keeps a gradient leaves zeros out, and so rounds otherwise
        expected = b"".join(net(engine.Tensor(part[:, None] * np.float32(1 / 16))).data.astype("<f4").tobytes()
                            for part in (x[:256], x[256:]))
    split = data.Split(x, None, 1 / 16)
    assert fresh.logits_digest(net, split) == hashlib.sha256(expected).hexdigest()


def test_a_file_computes_what_its_model_does(tmp_path):
    net = model()
    share_weights(net, 4, 2)
    container.save(net, tmp_path / "ein kleines Netz.mcz")
    digest = fresh.check(net, tmp_path / "ein kleines Netz.mcz", DIGITS)
    assert digest == fresh.logits_digest(net, DIGITS.test) == fresh.logits_digest(
        tmp_path / "ein kleines Netz.mcz", DIGITS.test)


def test_the_process_finds_the_package_from_anywhere(tmp_path, monkeypatch):
    container.save(model(), tmp_path / "net.mcz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    assert fresh.in_fresh_process("net.mcz", "digits") == fresh.logits_digest(model(), DIGITS.test)


def test_the_process_is_given_this_very_package(tmp_path, monkeypatch):
    seen = {}

    def noted(command, env, **_):
        seen.update(env)
        raise subprocess.TimeoutExpired(command, 0)
    monkeypatch.setenv("PYTHONPATH", "before")
    monkeypatch.setattr(subprocess, "run", noted)
    with pytest.raises(subprocess.TimeoutExpired):
        fresh.in_fresh_process("net.mcz", "digits")
    assert seen["PYTHONPATH"].split(os.pathsep) == [str(Path(minicompress.__file__).parents[1]), "before"]


def test_what_the_process_says_is_read_as_it_is_written(tmp_path, monkeypatch):
    """In UTF-8, whatever this process' own encoding is: here one that lacks both bytes of Á."""
    monkeypatch.setattr(subprocess, "_text_encoding", lambda: "cp1252")
    with pytest.raises(fresh.FreshProcessError, match=r"Error: .*there is no Á"):
        fresh.in_fresh_process(tmp_path / "there is no Á.mcz", "digits")


def test_the_smallest_difference_in_one_weight_is_seen(tmp_path):
    net = model()
    container.save(net, tmp_path / "net.mcz")
    largest = np.unravel_index(np.abs(net.fc2.weight.data).argmax(), net.fc2.weight.shape)
    net.fc2.weight.data[largest] = np.nextafter(net.fc2.weight.data[largest], np.float32(np.inf))
    with pytest.raises(fresh.FreshProcessError, match="a fresh process computes other logits"):
        fresh.check(net, tmp_path / "net.mcz", DIGITS)


@pytest.mark.parametrize("content", [b"", b"MCZ\x01"])
def test_a_file_that_does_not_load_fails_with_the_reason(content, tmp_path):
    (tmp_path / "net.mcz").write_bytes(content)
    with pytest.raises(fresh.FreshProcessError, match=r"could not evaluate .*net\.mcz: .*ContainerError"):
        fresh.in_fresh_process(tmp_path / "net.mcz", "digits")


def test_it_really_is_another_process(monkeypatch, tmp_path):
    """Whatever this process does to its own copy of the package, the other one does not know."""
    container.save(model(), tmp_path / "net.mcz")
    before = fresh.in_fresh_process(tmp_path / "net.mcz", "digits")
    monkeypatch.setattr(training, "predict", lambda *_: np.zeros(1, np.float32))
    assert fresh.logits_digest(model(), DIGITS.test) != before == fresh.in_fresh_process(tmp_path / "net.mcz", "digits")
