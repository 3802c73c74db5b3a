"""All ordered pairs of methods: either one file that computes what the network does, or a refusal with its reason."""

import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pytest

from minicompress import container, data, distillation, models, nn, pruning, training
from minicompress.forms import Affine, Codebook, Sign, Sparse
from minicompress.recipes import Lab, fresh, pipeline
from minicompress.training import Training

METHODS = pipeline.methods()
PAIRS = list(itertools.product(METHODS, repeat=2))
# What the project promises, apart from the table in the code.
PROMISED = {("pruned", "int8"), ("pruned", "int4"), ("pruned", "clustered"), ("pruned", "binary"), ("cut", "pruned"),
            ("cut", "clustered"), ("cut", "int8"), ("cut", "int4"), ("clustered", "huffman"), ("int4", "huffman")}
HARMLESS = {("cut", "huffman"), ("pruned", "huffman"), ("int8", "huffman"), ("binary", "huffman")}  # as any file may
LONGER = [("pruned", "clustered", "huffman"), ("pruned", "binary", "huffman"), ("cut", "pruned", "int4", "huffman")]
FORMS = {"clustered": Codebook, "int8": Affine, "int4": Affine, "binary": Sign}
SETTINGS = pipeline.Settings(sparsity=0.75, channels_kept=0.5, clusters=4, training=Training(4, 0.02))


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    whole = data.load("digits", validation=300, rng=rng)
    few = data.Split(*(array[:300] for array in whole.train), scale=whole.train.scale)
    return dataclasses.replace(whole, train=few)


@pytest.fixture(scope="module")
def trained(dataset):
    rng = np.random.default_rng(1)
    model = models.mlp([64, 40, 24, 10], batch_norm=True, rng=rng)
    training.fit(model, dataset, epochs=8, progress=False, rng=rng)
    return model


def combined(trained, methods, dataset, path, **options):
    model = pipeline.combine(Lab(2, dataset=dataset, progress=False), trained, methods, settings=SETTINGS, **options)
    return model, pipeline.write(model, methods, path)


@pytest.fixture(scope="module")
def made(trained, dataset, tmp_path_factory):
    """methods -> the network, the file's `Inspection` and its path, made once."""
    folder, known = tmp_path_factory.mktemp("combined"), {}

    def of(methods):
        if methods not in known:
            path, before = folder / f"{'-'.join(methods)}.mcz", training.predict(trained, dataset.test).tobytes()
            known[methods] = (*combined(trained, methods, dataset, path), path)
            assert training.predict(trained, dataset.test).tobytes() == before, "the network that was given has changed"
        return known[methods]
    return of


def innermost(form):
    return innermost(form.inner) if isinstance(form, Sparse) else form


def law_file(model, inspection, path, methods, dataset, folder):
    """The file holds what each method promises, loads to the same logits, and no damage of it loads at all."""
    logits = training.predict(model, dataset.test)
    assert training.predict(container.load(path), dataset.test).tobytes() == logits.tobytes()
    assert training.evaluate(model, dataset).error < 0.5  # guessing is 0.9

    weights = {name: p for name, p in model.named_latents() if p.ndim > 1}
    assert len(weights) == 3
    for parameter in weights.values():
        for method in FORMS.keys() & set(methods):
            form = innermost(parameter.form())
            assert isinstance(form, FORMS[method])
            assert not isinstance(form, Affine) or form.bits == int(method[3:])
    if "pruned" in methods:
        zeros = sum(np.count_nonzero(~p.form().mask) for p in weights.values())
        assert zeros == round(0.75 * sum(p.size for p in weights.values()))
    if "cut" in map(kind, methods):
        assert [p.shape for p in weights.values()] == [(20, 64), (12, 20), (10, 12)]
    assert bool(inspection.sizes["code tables"]) <= ("huffman" in methods)

    whole, rng = path.read_bytes(), np.random.default_rng(3)
    for cut in rng.integers(0, len(whole), 20):
        refused(folder / "bad.mcz", whole[:cut])
    for place in rng.integers(0, len(whole), 20):
        refused(folder / "bad.mcz", whole[:place] + bytes([whole[place] ^ 1 << rng.integers(8)]) + whole[place + 1:])


def refused(path, damaged):
    path.write_bytes(damaged)
    with pytest.raises(container.ContainerError):
        container.load(path)


def test_what_is_promised_composes_and_little_else():
    allowed = {(a, b) for a, b in PAIRS if a != b and pipeline.may_follow(METHODS[a], METHODS[b])}
    assert allowed == {pair for pair in PAIRS if tuple(map(kind, pair)) in PROMISED | HARMLESS}


def kind(method):
    """ "cut" of "cut:apoz": a criterion changes which channels go, not what composes."""
    return method.partition(":")[0]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_alone(method, made, dataset, tmp_path):
    law_file(*made((method,)), (method,), dataset, tmp_path)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_every_ordered_pair_composes_or_is_refused(pair, trained, made, dataset, tmp_path):
    if tuple(map(kind, pair)) in PROMISED | HARMLESS:
        law_file(*made(pair), pair, dataset, tmp_path)
    else:
        first, second = pair
        with pytest.raises(ValueError, match=f"^{first}, then {second}: .{{10}}"):
            combined(trained, pair, dataset, tmp_path / "net.mcz")


@pytest.mark.parametrize("methods", LONGER, ids="-".join)
def test_more_than_two(methods, made, dataset, tmp_path):
    law_file(*made(methods), methods, dataset, tmp_path)


def test_a_fresh_process_computes_the_same_of_every_file(made, dataset):
    allowed = [*((method,) for method in METHODS), *sorted(PROMISED | HARMLESS), *LONGER]
    code = ("import sys; from minicompress import data; from minicompress.recipes import fresh\n"
            "test = data.load('digits').test\n"
            "for path in sys.argv[1:]: print(fresh.logits_digest(path, test))")
    said = subprocess.run([sys.executable, "-c", code, *(str(made(methods)[2]) for methods in allowed)], check=True,
                          capture_output=True, text=True).stdout.split()
    assert said == [fresh.logits_digest(made(methods)[0], dataset.test) for methods in allowed]
    assert len(set(said)) > 10  # not all the same network


def test_huffman_codes_shrink_the_masks_of_signs_and_never_the_signs(made):
    """A sign takes one bit in any code; but which weights there are takes less in one."""
    sizes = {methods: made(methods)[1].sizes for methods in (
        ("binary",), ("binary", "huffman"), ("pruned", "binary"), ("pruned", "binary", "huffman"))}
    assert sizes["binary",] == sizes["binary", "huffman"]
    plain, coded = sizes["pruned", "binary"], sizes["pruned", "binary", "huffman"]
    assert plain["payload"] == coded["payload"] and coded["code tables"]
    assert coded["indices"] + coded["code tables"] < plain["indices"]


@pytest.mark.parametrize("methods", [("pruned", "int8"), ("pruned", "int4"), ("pruned", "clustered"),
                                     ("pruned", "binary"), ("cut", "pruned"), ("cut", "clustered"), ("cut", "int8"),
                                     ("cut", "int4"), ("cut", "pruned", "int4", "huffman")], ids="-".join)
def test_each_with_distillation_as_the_objective(methods, trained, dataset, tmp_path):
    objective, asked, path = distillation.SoftTargets(trained, temperature=4.0, alpha=0.0), [], tmp_path / "net.mcz"

    def noting(model, batch):
        asked.append(len(batch.indices))
        return objective(model, batch)
    before = training.predict(trained, dataset.test).tobytes()
    law_file(*combined(trained, methods, dataset, path, objective=noting), path, methods, dataset, tmp_path)
    assert training.predict(trained, dataset.test).tobytes() == before, "the network that was given has changed"
    assert sum(asked) == 300 * SETTINGS.training.epochs * sum(method != "huffman" for method in methods)


def test_channels_that_hang_together_are_cut_together(dataset, tmp_path):
    rng = np.random.default_rng(0)
    body = nn.Sequential({"dw": nn.Conv2d(6, 6, 3, padding=1, groups=6, rng=rng), "bn": nn.BatchNorm2d(6),
                          "relu": nn.ReLU(), "pw": nn.Conv2d(6, 6, 1, rng=rng), "bn2": nn.BatchNorm2d(6)})
    model = nn.Sequential({"input": nn.ImageInput(1, 8, 8), "conv": nn.Conv2d(1, 6, 3, padding=1, rng=rng),
                           "bn": nn.BatchNorm2d(6), "block": nn.Add({"body": body, "shortcut": nn.Identity()}),
                           "relu": nn.ReLU(), "pool": nn.AvgPool2d(4), "flatten": nn.Flatten(),
                           "fc": nn.Linear(24, 10, rng=rng)})
    small, inspection = combined(model, ["cut", "int8"], dataset, tmp_path / "net.mcz")
    assert small.fc.weight.shape == (10, 12) and inspection.size < container.save(model, tmp_path / "whole.mcz").size
    slim = pruning.scale_norm(pruning.slim(model, dataset.train.images[:1], 0.6))
    assert {name: len(scales) for name, scales in slim.items()} == dict.fromkeys(slim, len(slim["bn"]))


@pytest.mark.parametrize(("option", "words"), [
    ({"sparsity": 1.5}, r"sparsity is 1.5, expected a fraction in \[0, 1\]"), ({"sparsity": -0.1}, "sparsity is -0.1"),
    ({"channels_kept": 0}, r"channels_kept is 0, expected a fraction in \(0, 1\]"), ({"channels_kept": 2}, "kept is 2"),
    ({"clusters": 0}, "clusters is 0, expected an integer of at least 1"), ({"training": Training(0)}, "epochs is 0"),
    ({"sparsity": float("nan")}, "sparsity is nan"),
])
def test_settings_that_make_no_sense_are_refused(option, words):
    with pytest.raises(ValueError, match=words):
        pipeline.Settings(**option)


def test_three_that_do_not_all_fit_are_refused():
    with pytest.raises(ValueError, match=r"^cut, then binary: a binary network makes up in width"):
        pipeline.require_composable(["cut", "pruned", "binary"])
    with pytest.raises(ValueError, match=r"methods \['int2'\], expected some of \['binary', .*'pruned'\]"):
        pipeline.require_composable(["int2"])
    with pytest.raises(TypeError, match=r"methods is 'int8', expected a list of some of cut, .*pruned"):
        pipeline.require_composable("int8")


def test_what_is_no_model_or_no_dataset_is_refused(trained, dataset):
    for model, given in ((trained, dataset.train), (None, dataset), (trained.fc1, dataset), (trained, "digits")):
        wrong, wanted = (model, "Sequential") if model is not trained else (given, r"data\.Dataset, with the")
        with pytest.raises(TypeError, match=f"is a {type(wrong).__name__}, expected a {wanted}"):
            pipeline.combine(Lab(0, dataset=given), model, ["int8"])
