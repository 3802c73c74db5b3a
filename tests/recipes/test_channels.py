"""Cutting as a recipe, on digits: what it reports is so, and what it leaves on disk loads."""

import json
from dataclasses import replace

import numpy as np
import pytest

from minicompress import container, data, models, nn, pruning
from minicompress.recipes import channels

PLAN = channels.Plan(train_epochs=3, tune_epochs=2, strength=1e-3, jitter=1)


def course(folder, plan=PLAN, seed=0, **options):
    rng = np.random.default_rng(seed)
    return channels.CuttingCourse(data.load("digits", validation=100, rng=rng), folder, plan, progress=False, rng=rng,
                                  **options)


def mlp(rng):
    return models.mlp([64, 40, 20, 10], batch_norm=True, rng=rng)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, said = tmp_path_factory.mktemp("channels"), []
    tracked = course(folder, say=said.append)
    large = mlp(tracked.rng)
    report = channels.cut_and_compare(large, lambda model, example: channels.slim(model, example, 0.4), tracked)
    return report, said, folder, tracked


def test_the_report_says_what_stands_on_disk(run):
    report, said, folder, tracked = run
    assert [stage.name for stage in said] == ["large", "small", "scratch"]
    files = {stage.name: container.load(stage.path) for stage in said}
    assert {path.name for path in folder.glob("*.mcz")} == {f"{name}.mcz" for name in files}
    for key, name in (("large_error", "large"), ("error", "small"), ("scratch_error", "scratch")):
        assert nn.evaluate(files[name], tracked.dataset).error == report[key]
    for name in ("large", "small"):
        assert report[f"{name}_parameters"] == sum(p.size for p in files[name].parameters())
        assert report[f"{name}_macs"] == sum(p.size for p in files[name].parameters() if p.ndim == 2)
        assert report[f"{name}_bytes"] == (folder / f"{name}.mcz").stat().st_size
    assert report["parameters_share"] == report["small_parameters"] / report["large_parameters"] <= 0.4
    assert nn.describe(files["scratch"]) == nn.describe(files["small"]) == report["layers"]
    assert not np.array_equal(files["scratch"].fc1.weight.data, files["small"].fc1.weight.data)
    assert set(report["seconds_per_image"]) == set(report["time_share"]) == {"batch 1", "batch 256"}
    assert json.loads(json.dumps(report))["plan"]["strength"] == 1e-3


def test_the_same_seed_gives_the_same_bits(run, tmp_path):
    _, _, folder, _ = run
    again = course(tmp_path)
    channels.cut_and_compare(mlp(again.rng), lambda model, example: channels.slim(model, example, 0.4), again)
    for name in ("large", "small", "scratch"):
        assert (tmp_path / f"{name}.mcz").read_bytes() == (folder / f"{name}.mcz").read_bytes()


def test_ctrl_c_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr(nn, "fit", lambda *_, **__: nn.History(interrupted=True))
    tracked = course(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        tracked.large(mlp(tracked.rng))


def test_from_scratch_takes_the_budget_of_the_plan(tmp_path, monkeypatch):
    """Scratch-E as many epochs as both trainings had, Scratch-B as many MACs, to half an epoch (PR-18)."""
    epochs = []
    monkeypatch.setattr(nn, "fit", lambda *_, **options: epochs.append(options["epochs"]) or nn.History())
    macs = {}
    for budget in ("E", "B"):
        tracked = course(tmp_path / budget, replace(PLAN, budget=budget))
        large = mlp(tracked.rng)
        tracked.large(large)
        small = channels.slim(large, np.zeros((1, 64), np.float32), 0.4)
        tracked.small(small)
        macs = {"large": large.summary().macs, "small": small.summary().macs}
    of_e, of_b = epochs[:3], epochs[3:]
    assert of_e == [3, 2, 5] and of_b[:2] == [3, 2]
    spent = 3 * macs["large"] + 2 * macs["small"]
    assert of_b[2] > 5 and abs(of_b[2] * macs["small"] - spent) <= macs["small"] / 2


@pytest.mark.parametrize("numbers", [(0, 20, 10), (5, 10, 20), (5, 10, 0)])
def test_budgets_that_make_no_sense_are_refused(numbers):
    with pytest.raises(ValueError, match="expected at least 1, the large network's MACs first"):
        channels.scratch_epochs(*numbers)
    with pytest.raises(ValueError, match="budget is 'e', expected 'E' or 'B'"):
        replace(PLAN, budget="e")


def test_slimming_drops_no_more_than_it_must():
    rng = np.random.default_rng(0)
    model = mlp(rng)
    for layer in (model.bn1, model.bn2):
        layer.weight.data[:] = rng.random(layer.weight.size)
    example, whole = np.zeros((1, 64), np.float32), model.summary().parameters
    for share in (1.0, 0.5, 0.2, 0.05):
        small = channels.slim(model, example, share)
        assert small.summary().parameters <= share * whole
        kept = small.bn1.weight.size + small.bn2.weight.size
        if kept < 60:
            next_best = np.sort(np.concatenate([model.bn1.weight.data, model.bn2.weight.data]))[-kept - 1]
            wider = {name: np.flatnonzero(getattr(model, name).weight.data >= next_best) for name in ("bn1", "bn2")}
            assert pruning.cut_channels(model, example, wider).summary().parameters > share * whole
    with pytest.raises(ValueError, match="less than what is left of one channel a layer"):
        channels.slim(model, example, 0.001)


def test_the_strongest_filters_stay():
    rng = np.random.default_rng(0)
    model = models.lenet_5(rng=rng)
    small = channels.strongest(model, np.zeros((1, 28, 28), np.uint8), channels.FILTERS)
    assert (small.conv1.weight.shape, small.conv2.weight.shape) == ((5, 1, 5, 5), (19, 5, 5, 5))
    norms = np.abs(model.conv1.weight.data).sum(axis=(1, 2, 3))
    kept = np.abs(small.conv1.weight.data).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(np.sort(kept), np.sort(norms)[-5:], rtol=1e-6)


def test_an_untrained_network_has_the_shape_and_nothing_else():
    rng = np.random.default_rng(0)
    model = nn.Sequential({"input": nn.ImageInput(1, 4, 4), "conv": nn.Conv2d(1, 2, 3, 2, 1, rng=rng),
                           "bn": nn.BatchNorm2d(2, 1e-3), "drop": nn.Dropout(0.25, rng=rng)})
    model.bn.weight.data[:] = 7
    again = channels.untrained(model, np.random.default_rng(1))
    assert nn.describe(again) == nn.describe(model) and again.bn.weight.data.tolist() == [1, 1]
    assert not np.array_equal(again.conv.weight.data, model.conv.weight.data)


def test_networks_are_timed_per_image():
    split = data.Split(np.zeros((8, 64), np.float32))
    networks = {"a": models.mlp([64, 8, 2], rng=np.random.default_rng(0)),
                "b": models.mlp([64, 2], rng=np.random.default_rng(0))}
    for batch in (1, 8, 256):
        seconds = channels.seconds_per_image(networks, split, batch, repeats=2)
        assert list(seconds) == ["a", "b"] and all(s > 0 for s in seconds.values())


def test_the_experiments_are_those_of_mnist(monkeypatch):
    """What they build and cut, without training: 784-500-300-10 to 16 %, LeNet-5 to 5 and 19 filters."""
    seen = []
    monkeypatch.setattr(channels, "cut_and_compare", lambda *arguments: seen.append(arguments) or {})
    for experiment in (channels.slimming_mlp, channels.filters_lenet_5):
        assert experiment(3, folder=None) == {"seed": 3}
    (wide, slim, course), (lenet, strongest, _) = seen
    assert len(course.dataset.train.images) == 55_000 and course.plan is channels.SLIMMING_MLP
    assert (wide.fc1.weight.shape, wide.fc2.weight.shape) == ((500, 784), (300, 500))
    example = course.dataset.train.images[:1]
    assert slim(wide, example).summary().parameters <= 0.16 * wide.summary().parameters
    assert strongest(lenet, example).conv2.weight.shape == (19, 5, 5, 5)


def test_a_curve_has_a_point_for_each_share(tmp_path, monkeypatch):
    def begin(seed, plan, make, folder, options):
        tracked = course(folder, channels.Plan(1, 1), seed)
        return mlp(tracked.rng), tracked
    monkeypatch.setattr(channels, "_begin", begin)
    report = channels.slimming_curve(0, folder=tmp_path, shares=(0.5, 0.2))
    assert report["whole"][0] == mlp(np.random.default_rng(0)).summary().parameters
    assert list(report["curves"]) == ["cut and fine-tuned", "from scratch"]
    for points in report["curves"].values():
        assert len(points) == 2 and points[1][0] < points[0][0] <= 0.5 * report["whole"][0]
