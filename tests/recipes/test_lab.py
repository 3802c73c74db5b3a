"""A lab: what it trains by what, which checkpoints it goes on with, and that its stages are those of its files."""

import numpy as np
import pytest

from minicompress import container, models, training
from minicompress.recipes import Lab
from minicompress.training import Training


def begun(folder, seed=0, **options):
    lab = Lab(seed, folder, progress=False, **options)
    lab.load("digits", 0.1)
    return lab, models.mlp([64, 9, 10], rng=lab.rng)


def trained(lab, model, name="train"):
    lab.train(name, model, Training(2, 0.05))
    return model.fc1.weight.data.copy()


def test_a_fresh_lab_does_not_resume_what_an_earlier_one_left(tmp_path):
    other, mine = trained(*begun(tmp_path, seed=1)), trained(*begun(tmp_path))
    assert (mine == trained(*begun(None))).all() and not (mine == other).all()
    started = begun(tmp_path)
    assert not list(tmp_path.glob("*.checkpoint")), "a later stage's would be taken for this run's"
    assert (trained(*started) == mine).all()


def test_another_run_is_not_resumed(tmp_path):
    trained(*begun(tmp_path))
    with pytest.raises(ValueError, match="the checkpoint of another run"):
        trained(*begun(tmp_path, seed=1, resume=True))


def test_stages_are_measured_on_their_files(tmp_path):
    said = []
    lab, model = begun(tmp_path, say=said.append)
    dense = lab.write("dense", model)
    small = lab.write("small", models.mlp([64, 3, 10], rng=np.random.default_rng(0)), file="other")
    assert said == [dense, small] == list(lab.stages.values())
    assert [stage.path.name for stage in said] == ["dense.mcz", "other.mcz"]
    for stage in said:
        assert stage.bytes == stage.path.stat().st_size and stage.ratio == dense.bytes / stage.bytes
        assert stage.error == training.evaluate(container.load(stage.path), lab.dataset).error
    with_known, _ = begun(tmp_path)
    with_known.dense_bytes = 10 * dense.bytes
    assert with_known.write("dense", model).ratio == 10


def test_ctrl_c_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr("minicompress.recipes.lab.fit", lambda *_, **__: training.History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        trained(*begun(tmp_path))


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path):
    lab = Lab(0, tmp_path / "new")
    assert not lab.folder.exists()
    assert lab.path("net.mcz").parent.exists()


def test_a_lab_within_shares_data_and_generator_but_no_files(tmp_path):
    said = []
    lab, model = begun(tmp_path, say=said.append)
    lab.write("dense", model)
    inner = lab.within("inner")
    assert inner.dataset is lab.dataset and inner.rng is lab.rng and inner.folder == tmp_path / "inner"
    assert inner.write("dense", model).path == tmp_path / "inner" / "dense.mcz" and len(said) == 1 == len(lab.stages)
    own = np.random.default_rng(5)
    assert lab.within("other", rng=own).rng is own


def test_a_short_lab_trains_for_a_moment_on_a_few_images_and_checks_nothing(tmp_path):
    lab = Lab(0, tmp_path, short=True, progress=False)
    lab.load("digits")
    assert [len(split.images) for split in (lab.dataset.train, lab.dataset.test)] == [512, 128]
    epochs, model = [], models.mlp([64, 9, 10], rng=lab.rng)
    lab.train("train", model, Training(50, 0.05), best_from=30, schedule=lambda step, per_epoch: epochs.append(
        step // per_epoch))
    assert max(epochs) == 1
    assert lab.check(model, tmp_path / "no such file") is None
