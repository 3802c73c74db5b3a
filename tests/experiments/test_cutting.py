"""Cutting as a recipe, on digits: what it reports is so, and what it leaves on disk loads."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from minicompress import container, data, models, nn, pruning, training
from minicompress.experiments import cutting, timing
from minicompress.recipes import Lab
from minicompress.training import Training

TRAIN = Training(3, 0.1, 128, jitter=1)
PLAN = cutting.Plan(TRAIN, replace(TRAIN, epochs=2), strength=1e-3)


def begun(folder, seed=0, **options):
    """A lab with the digits, and the network that will be cut."""
    lab = Lab(seed, folder, progress=False, **options)
    lab.load("digits", 100)
    return lab, mlp(lab.rng)


def cut(model, example):
    return pruning.slim(model, example, 0.4)


def mlp(rng):
    return models.mlp([64, 40, 20, 10], batch_norm=True, rng=rng)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, said = tmp_path_factory.mktemp("channels"), []
    lab, large = begun(folder, say=said.append)
    return cutting.cut_and_compare(lab, large, PLAN, cut), said, folder, lab


def test_the_report_says_what_stands_on_disk(run):
    report, said, folder, tracked = run
    assert [stage.name for stage in said] == ["large", "small", "scratch"]
    files = {stage.name: container.load(stage.path) for stage in said}
    assert {path.name for path in folder.glob("*.mcz")} == {f"{name}.mcz" for name in files}
    for key, name in (("large_error", "large"), ("error", "small"), ("scratch_error", "scratch")):
        assert training.evaluate(files[name], tracked.dataset).error == report[key]
    for name in ("large", "small"):
        assert report[f"{name}_parameters"] == sum(p.size for p in files[name].parameters())
        assert report[f"{name}_macs"] == sum(p.size for p in files[name].parameters() if p.ndim == 2)
        assert report[f"{name}_bytes"] == (folder / f"{name}.mcz").stat().st_size
    assert report["parameters_share"] == report["small_parameters"] / report["large_parameters"] <= 0.4
    assert nn.describe(files["scratch"]) == nn.describe(files["small"]) == report["layers"]
    assert not np.array_equal(files["scratch"].fc1.weight.data, files["small"].fc1.weight.data)
    assert set(report["seconds_per_image"]) == set(report["time_share"]) == {"batch 1", "batch 256"}
    assert json.loads(json.dumps(report))["plan"]["strength"] == 1e-3


@pytest.mark.usefixtures("in_this_process")
def test_what_is_trained_how_long_by_what(tmp_path, fits):
    fits.trains = False
    train = Training(4, 0.1, 32, weight_decay=1e-4, jitter=2)
    plan = cutting.Plan(train, replace(train, epochs=3, lr=0.05), strength=0.25)
    tracked, large = begun(tmp_path)
    cutting.cut_and_compare(tracked, large, plan, cut)
    assert fits[0].model is large
    for call, epochs, lr in zip(fits, (4, 3, 7), (0.1, 0.05, 0.1), strict=True):
        optimizer, options = call.options["optimizer"], call.options
        assert options["epochs"] == epochs and options["best_from"] == epochs // 2 and call.follows_cosine(lr)
        assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 1e-4)
        assert options["batch_size"] == 32 and options["augment"] == data.Jitter(2)
    penalised, *others = (call.options["objective"] for call in fits)
    batch = next(iter(data.batches(tracked.dataset.train, 32)))
    penalty = (penalised(large, batch) - training.supervised(large, batch)).item()
    assert penalty == pytest.approx(0.25 * 60, rel=1e-4), "each of 40 + 20 scales is 1 at first"
    assert others == [training.supervised] * 2
    fits.clear()
    cutting.cut_and_compare(*begun(tmp_path), replace(plan, strength=0.0), cut)
    assert [call.options["objective"] for call in fits] == [training.supervised] * 3


def test_the_same_seed_gives_the_same_bits(run, tmp_path):
    _, _, folder, _ = run
    cutting.cut_and_compare(*begun(tmp_path), PLAN, cut)
    for name in ("large", "small", "scratch"):
        assert (tmp_path / f"{name}.mcz").read_bytes() == (folder / f"{name}.mcz").read_bytes()


def test_ctrl_c_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr("minicompress.recipes.lab.fit", lambda *_, **__: training.History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        cutting.cut_and_compare(*begun(tmp_path), PLAN, cut)


@pytest.mark.usefixtures("in_this_process")
def test_from_scratch_takes_the_budget_of_the_plan(tmp_path, fits):
    """Scratch-E as many epochs as both trainings had, Scratch-B as many MACs, to half an epoch (PR-18)."""
    fits.trains = False
    for budget in ("E", "B"):
        cutting.cut_and_compare(*begun(tmp_path / budget), replace(PLAN, budget=budget), cut)
    epochs, macs = [call.options["epochs"] for call in fits], {
        name: call.model.summary().macs for name, call in zip(("large", "small"), fits, strict=False)}
    of_e, of_b = epochs[:3], epochs[3:]
    assert of_e == [3, 2, 5] and of_b[:2] == [3, 2]
    spent = 3 * macs["large"] + 2 * macs["small"]
    assert of_b[2] > 5 and abs(of_b[2] * macs["small"] - spent) <= macs["small"] / 2


@pytest.mark.parametrize(("numbers", "words"), [
    ((0, 20, 10), "epochs is 0, expected a finite number of at least 1"),
    ((5, 10, 20), "large_macs is 10 and small_macs 20, expected small_macs from 1 to large_macs"),
    ((5, 10, 0), "large_macs is 10 and small_macs 0, expected small_macs from 1 to large_macs"),
])
def test_budgets_that_make_no_sense_are_refused(numbers, words):
    with pytest.raises(ValueError, match=words):
        pruning.scratch_epochs(*numbers)
    with pytest.raises(ValueError, match="budget is 'e', expected 'E' or 'B'"):
        replace(PLAN, budget="e")


def test_slimming_drops_no_more_than_it_must():
    rng = np.random.default_rng(0)
    model = mlp(rng)
    for layer in (model.bn1, model.bn2):
        layer.weight.data[:] = rng.random(layer.weight.size)
    example, whole = np.zeros((1, 64), np.float32), model.summary().parameters
    for share in (1.0, 0.5, 0.2, 0.05):
        small = pruning.slim(model, example, share)
        assert small.summary().parameters <= share * whole
        kept = small.bn1.weight.size + small.bn2.weight.size
        if kept < 60:
            next_best = np.sort(np.concatenate([model.bn1.weight.data, model.bn2.weight.data]))[-kept - 1]
            wider = {name: np.flatnonzero(getattr(model, name).weight.data >= next_best) for name in ("bn1", "bn2")}
            assert pruning.cut_channels(model, example, wider).summary().parameters > share * whole
    with pytest.raises(ValueError, match="less than what is left of one channel a layer"):
        pruning.slim(model, example, 0.001)


def test_what_slimmed_channels_still_emit_is_absorbed():
    rng = np.random.default_rng(0)
    model = mlp(rng)
    for layer, scaled in ((model.bn1, 24), (model.bn2, 12)):
        layer.weight.data[scaled:] = 0  # these channels emit relu(β), whatever they see
        layer.bias.data[:] = rng.random(layer.bias.size)
    images = rng.random((9, 64)).astype(np.float32)
    small = pruning.slim(model, images[:1], (24 * 64 + 24 + 48 + 12 * 24 + 12 + 24 + 130) / model.summary().parameters)
    assert (small.fc1.weight.shape, small.fc2.weight.shape) == ((24, 64), (12, 24))
    np.testing.assert_allclose(training.predict(small, images), training.predict(model, images), atol=1e-5)


def test_the_strongest_filters_stay():
    rng = np.random.default_rng(0)
    model = models.lenet_5(rng=rng)
    small = pruning.strongest(model, np.zeros((1, 28, 28), np.uint8), cutting.FILTERS)
    assert (small.conv1.weight.shape, small.conv2.weight.shape) == ((5, 1, 5, 5), (19, 5, 5, 5))
    norms = np.abs(model.conv1.weight.data).sum(axis=(1, 2, 3))
    kept = np.abs(small.conv1.weight.data).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(np.sort(kept), np.sort(norms)[-5:], rtol=1e-6)


def test_an_untrained_network_has_the_shape_and_nothing_else():
    rng = np.random.default_rng(0)
    model = nn.Sequential({"input": nn.ImageInput(1, 4, 4), "conv": nn.Conv2d(1, 2, 3, 2, 1, rng=rng),
                           "bn": nn.BatchNorm2d(2, 1e-3), "drop": nn.Dropout(0.25, rng=rng)})
    model.bn.weight.data[:] = 7
    again = pruning.untrained(model, np.random.default_rng(1))
    assert nn.describe(again) == nn.describe(model) and again.bn.weight.data.tolist() == [1, 1]
    assert not np.array_equal(again.conv.weight.data, model.conv.weight.data)


class Slow(nn.Module):
    """On a clock of its own: a call takes 2 s and 3 more an image, each of the first so many calls 1000 s more."""

    def __init__(self, clock, cold):
        super().__init__()
        self.clock, self.cold = clock, cold

    def forward(self, x):
        self.clock.now += 2 + 3 * len(x.data) + 1000 * (self.cold > 0)
        self.cold -= 1
        return x


@pytest.mark.parametrize(("batch", "images", "calls"), [(1, 1, 64), (4, 4, 16), (256, 8, 1)])
def test_the_time_is_that_of_one_image_when_warm(batch, images, calls, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    split = data.Split(np.zeros((8, 64), np.float32))
    seconds = timing.seconds_per_image({"a": Slow(clock, calls), "b": Slow(clock, calls)}, split, batch, repeats=1)
    assert seconds == pytest.approx(dict.fromkeys("ab", (2 + 3 * images) / images))


def test_networks_are_timed_per_image():
    split = data.Split(np.zeros((8, 64), np.float32))
    networks = {"a": models.mlp([64, 8, 2], rng=np.random.default_rng(0)),
                "b": models.mlp([64, 2], rng=np.random.default_rng(0))}
    for batch in (1, 8, 256):
        seconds = timing.seconds_per_image(networks, split, batch, repeats=2)
        assert list(seconds) == ["a", "b"] and all(s > 0 for s in seconds.values())


def test_the_experiments_are_those_of_mnist(monkeypatch):
    """What they build and cut, without training: 784-500-300-10 to 16 %, LeNet-5 to 5 and 19 filters."""
    seen = []
    monkeypatch.setattr(cutting, "cut_and_compare", lambda *arguments: seen.append(arguments) or {})
    for claim in cutting.CLAIMS.values():
        assert claim.run(Lab(3)) == {}
    (lab, wide, plan, slim), (_, lenet, _, strongest) = seen
    assert len(lab.dataset.train.images) == 55_000 and plan is cutting.SLIMMING_MLP
    assert (wide.fc1.weight.shape, wide.fc2.weight.shape) == ((500, 784), (300, 500))
    example = lab.dataset.train.images[:1]
    assert slim(wide, example).summary().parameters <= 0.16 * wide.summary().parameters
    assert strongest(lenet, example).conv2.weight.shape == (19, 5, 5, 5)
