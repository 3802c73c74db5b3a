"""All ordered pairs of methods: either one file that computes what the network does, or a refusal with its reason."""

import dataclasses
import itertools

import numpy as np
import pytest

from minicompress import container, data, distillation, models, nn
from minicompress.forms import Affine, Codebook, Sign, Sparse
from minicompress.recipes import combinations

PAIRS = list(itertools.product(combinations.BEFORE, repeat=2))
# What the project promises, apart from the table in the code.
PROMISED = {("pruned", "int8"), ("pruned", "int4"), ("pruned", "clustered"), ("pruned", "binary"), ("cut", "pruned"),
            ("cut", "clustered"), ("cut", "int8"), ("cut", "int4"), ("clustered", "huffman"), ("int4", "huffman")}
HARMLESS = {("cut", "huffman"), ("pruned", "huffman"), ("int8", "huffman")}  # what a file may have anyway
FORMS = {"clustered": Codebook, "int8": Affine, "int4": Affine, "binary": Sign}
SETTINGS = combinations.Settings(sparsity=0.75, channels_kept=0.5, clusters=4, epochs=4)


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
    nn.fit(model, dataset, epochs=8, progress=False, rng=rng)
    return model


def combined(trained, methods, dataset, path, **options):
    model = combinations.combine(trained, methods, dataset, settings=SETTINGS, progress=False,
                                 rng=np.random.default_rng(2), **options)
    return model, combinations.write(model, methods, path)


def innermost(form):
    return innermost(form.inner) if isinstance(form, Sparse) else form


def law_file(trained, methods, dataset, folder, **options):
    """The file holds what each method promises, loads to the same logits, and no damage of it loads at all."""
    path, before = folder / "net.mcz", nn.predict(trained, dataset.test).tobytes()
    model, inspection = combined(trained, methods, dataset, path, **options)
    logits = nn.predict(model, dataset.test)
    assert nn.predict(container.load(path), dataset.test).tobytes() == logits.tobytes()
    assert nn.predict(trained, dataset.test).tobytes() == before, "the network that was given has changed"
    assert nn.evaluate(model, dataset).error < 0.5  # guessing is 0.9

    weights = {name: p for name, p in model.named_parameters(projections=False) if p.ndim > 1}
    assert len(weights) == 3
    for parameter in weights.values():
        for method in FORMS.keys() & set(methods):
            form = innermost(parameter.form())
            assert isinstance(form, FORMS[method])
            assert not isinstance(form, Affine) or form.bits == int(method[3:])
    if "pruned" in methods:
        zeros = sum(np.count_nonzero(~p.form().mask) for p in weights.values())
        assert zeros == round(0.75 * sum(p.size for p in weights.values()))
    if "cut" in methods:
        assert [p.shape for p in weights.values()] == [(20, 64), (12, 20), (10, 12)]
    assert bool(inspection.sizes["code tables"]) <= ("huffman" in methods)

    whole, rng = path.read_bytes(), np.random.default_rng(3)
    for cut in rng.integers(0, len(whole), 20):
        refused(path, whole[:cut])
    for place in rng.integers(0, len(whole), 20):
        refused(path, whole[:place] + bytes([whole[place] ^ 1 << rng.integers(8)]) + whole[place + 1:])


def refused(path, damaged):
    path.write_bytes(damaged)
    with pytest.raises(container.ContainerError):
        container.load(path)


def test_what_is_promised_composes_and_little_else():
    allowed = {pair for pair in PAIRS if pair[0] in combinations.BEFORE[pair[1]]}
    assert allowed == PROMISED | HARMLESS


@pytest.mark.parametrize("method", combinations.BEFORE)
def test_a_method_alone(method, trained, dataset, tmp_path):
    law_file(trained, [method], dataset, tmp_path)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_every_ordered_pair_composes_or_is_refused(pair, trained, dataset, tmp_path):
    if pair in PROMISED | HARMLESS:
        law_file(trained, pair, dataset, tmp_path)
    else:
        first, second = pair
        with pytest.raises(ValueError, match=f"^{first}, then {second}: .{{10}}"):
            combined(trained, pair, dataset, tmp_path / "net.mcz")


@pytest.mark.parametrize("methods", [["pruned", "int8"], ["pruned", "int4"], ["pruned", "clustered"],
                                     ["pruned", "binary"], ["cut", "pruned"], ["cut", "clustered"], ["cut", "int8"],
                                     ["cut", "int4"], ["cut", "pruned", "int4", "huffman"]], ids="-".join)
def test_each_with_distillation_as_the_objective(methods, trained, dataset, tmp_path):
    objective, asked = distillation.SoftTargets(trained, temperature=4.0, alpha=0.0), []

    def noting(model, batch):
        asked.append(len(batch.indices))
        return objective(model, batch)
    law_file(trained, methods, dataset, tmp_path, objective=noting)
    assert sum(asked) == 300 * SETTINGS.epochs * sum(method != "huffman" for method in methods)


def test_three_that_do_not_all_fit_are_refused():
    with pytest.raises(ValueError, match=r"^cut, then binary: a binary network makes up in width"):
        combinations.require_composable(["cut", "pruned", "binary"])
    with pytest.raises(ValueError, match="no method is called 'int2', expected some of cut, pruned"):
        combinations.require_composable(["int2"])
