"""The file on disk: whole or not at all, the same bits back, every byte accounted for, no harm from hostile ones."""

import json
import subprocess
import sys

import numpy as np
import pytest

from minicompress import binarization, coding, container, models, nn, pruning, quantization
from minicompress.engine import Tensor
from minicompress.forms import Affine, Codebook, Dense, Form, Sign, Sparse
from tests import literal_container
from tests.mutants import mutate


def compressed(model, rng, keep=0.3, k=6):
    """Prune and cluster every weight array of a model."""
    for _, parameter in list(model.named_latents()):
        if parameter.ndim > 1:
            mask = rng.random(parameter.shape) < keep
            nn.project(parameter, pruning.Mask(mask), quantization.WeightClustering(k))
    return model


def convolutional(rng):
    model = nn.Sequential({
        "input": nn.ImageInput(1, 8, 8), "conv": nn.Conv2d(1, 4, 3, padding=1, bias=False, rng=rng),
        "norm": nn.BatchNorm2d(4), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2), "flatten": nn.Flatten(),
        "drop": nn.Dropout(0.25, rng=rng), "fc": nn.Linear(64, 10, rng=rng)})
    model(Tensor(rng.random((16, 64)).astype(np.float32)))  # in training: the running statistics move
    return model.eval()


class Twin(nn.Module):
    """A class that the library does not know."""

    def __init__(self, rng, hidden=5):
        super().__init__()
        self.left, self.right = nn.Linear(4, hidden, rng=rng), nn.Linear(4, hidden, rng=rng)
        self.norm = nn.BatchNorm1d(hidden)

    def forward(self, x):
        return self.norm(self.left(x) * self.right(x))


def integers(rng, bits, model=None):
    """A network of integer layers, batch norm folded away."""
    model = convolutional(rng) if model is None else model
    return quantization.convert(quantization.calibrate(quantization.prepare(model.eval(), weights=bits),
                                                       rng.random((20, 64)).astype(np.float32)))


def residual(rng):
    block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4, rng=rng), nn.ReLU())
    return nn.Sequential({
        "input": nn.ImageInput(1, 8, 8), "conv": nn.Conv2d(1, 4, 3, padding=1, rng=rng),
        "add": nn.Add({"body": block, "shortcut": nn.Identity()}), "pool": nn.AvgPool2d(2), "flatten": nn.Flatten(),
        "fc": nn.Linear(64, 3, rng=rng)})


def binary(rng):
    """A network on packed bits, its batch norms moved."""
    net = binarization.binarize(models.mlp([64, 20, 70, 10], batch_norm=True, rng=rng), activations=True)
    net(Tensor(rng.random((16, 64)).astype(np.float32)))
    return binarization.pack(net.eval())


def pruned(model, sparsity=0.5):
    """A mask on every weight array."""
    for _, parameter in list(model.named_latents()):
        if parameter.ndim > 1:
            nn.project(parameter, pruning.MagnitudePruning(sparsity))
    return model


def sparse_rows(rng, model=None):
    """A pruned network whose second layer computes on sparse rows."""
    model = models.mlp([12, 40, 7], rng=rng) if model is None else model
    nn.project(model.fc2.weight, pruning.MagnitudePruning(0.95))
    return pruning.to_csr(model)


MODELS = {
    "dense": lambda rng: models.mlp([12, 7, 3], rng=rng),
    "compressed": lambda rng: compressed(models.mlp([40, 30, 10], rng=rng), rng),
    "masked": lambda rng: pruning.mask_weights(m := models.mlp([9, 4], rng=rng)) and m,
    "nothing left": lambda rng: compressed(models.mlp([9, 4], rng=rng), rng, keep=0),
    "convolutional": convolutional,
    "convolutional, compressed": lambda rng: compressed(convolutional(rng), rng, keep=0.5),
    "int8": lambda rng: integers(rng, 8),
    "int4, residual": lambda rng: integers(rng, 4, residual(rng)),
    "int8, pruned": lambda rng: integers(rng, 8, pruned(convolutional(rng))),
    "residual": residual,
    "signs with alphas": lambda rng: binarization.binarize(convolutional(rng), binarization.ScaledSign),
    "signs, pruned": lambda rng: binarization.binarize(pruned(convolutional(rng)), binarization.ScaledSign),
    "binary, packed": binary,
    "sparse rows": sparse_rows,
}


def made(name):
    return MODELS[name](np.random.default_rng(0))


def logits(model, n=5):
    size = next(p.shape[1] if p.ndim == 2 else 64 for p in model.parameters() if p.ndim > 1)
    images = np.random.default_rng(1).random((n, size)).astype(model.parameters()[0].dtype)
    return model.eval()(Tensor(images)).numpy()


def arrays(model):
    """Everything that the file must bring back, as bytes."""
    return {name: (p.shape, np.ascontiguousarray(p.effective().numpy()).tobytes())
            for name, p in model.named_latents()} | {
                name: (b.shape, b.tobytes()) for name, b in model.named_buffers()}


def law_round_trip(container, model, folder):
    """The same values, bit for bit; the same logits; the same bytes when saved again."""
    first, second = folder / "first.mcz", folder / "second.mcz"
    container.save(model, first)
    loaded = container.load(first)
    assert arrays(loaded) == arrays(model) and logits(loaded).tobytes() == logits(model).tobytes()
    container.save(loaded, second)
    assert first.read_bytes() == second.read_bytes()


def law_itemised(container, model, folder):
    """The parts sum to the file's size, biases are told apart, and `save` and `inspect` agree."""
    path = folder / "model.mcz"
    saved, seen = container.save(model, path), container.inspect(path)
    assert saved == seen and seen.size == path.stat().st_size == sum(seen.sizes.values())
    assert set(seen.sizes) == {"payload", "codebooks", "code tables", "indices", "biases", "header"}
    biases = [a for a in seen.arrays if a["name"].endswith("bias")]
    assert seen.sizes["biases"] == sum(a["bytes"] for a in biases)
    assert [a["name"] for a in seen.arrays] == list(arrays(model))
    assert 17 <= seen.size - sum(a["bytes"] for a in seen.arrays) <= seen.sizes["header"]
    json.dumps(seen.arrays)


def law_refused(container, data, folder):
    """Bytes that are no file of ours."""
    path = folder / "bad.mcz"
    path.write_bytes(data)
    for read in (container.load, container.inspect):
        with pytest.raises(container.ContainerError, match=r"bad\.mcz"):
            read(path)


@pytest.mark.parametrize("name", MODELS)
def test_laws(name, tmp_path):
    law_round_trip(container, made(name), tmp_path)
    law_itemised(container, made(name), tmp_path)


@pytest.mark.parametrize("name", [*MODELS, "another class"])
def test_a_reader_written_from_the_page_finds_the_same(name, tmp_path):
    model = Twin(np.random.default_rng(0)) if name == "another class" else made(name)
    container.save(model, tmp_path / "model.mcz")
    description, found = literal_container.read((tmp_path / "model.mcz").read_bytes())
    assert description == container.inspect(tmp_path / "model.mcz").description
    known = arrays(model)
    dtypes = {name: buffer.dtype for name, buffer in model.named_buffers()}
    assert {key: (tuple(shape), np.array(values, dtypes.get(key, np.float32)).tobytes())
            for key, (shape, values) in found.items()} == known


def test_the_page_covers_long_sequences_of_symbols(tmp_path):
    """Several lanes, wide alphabets, 64-bit floats, masks in masks: as deep as the format goes."""
    rng = np.random.default_rng(0)
    mask = (rng.random((90, 200)) < 0.6) & (rng.random(200) < 0.5)
    forms = [
        Codebook(np.minimum(rng.geometric(0.1, (90, 200)), 299), np.arange(300.0), 9),
        Sparse(mask, Sparse(rng.random((90, 200)) < 0.5, Codebook(rng.integers(0, 5, (90, 200)), np.arange(5.0), 3))),
        Sparse(mask.T.reshape(90, 200), Dense(rng.standard_normal((90, 200)))),
        Dense(np.float64(3)), Dense(np.zeros((0, 3))), Dense(np.array([-2**31, 5], np.int32)),
        Affine(rng.integers(-8, 8, (90, 200)), rng.random(90) + 0.1, rng.integers(-8, 8, 90), 4, axis=0),
        Sparse(mask, Affine(rng.integers(-500, 500, (90, 200)), np.float32(0.1), 0, 10)), Affine(-3, 0.3, 0, 3),
        Sign(mask, rng.random(90), axis=0), Sparse(mask, Sign(~mask, 1.0)), Sign(True, 0.3),
    ]
    for form in forms:
        data = bytes(coding.encode(form))
        file = literal_container.File(data)
        shape, values = file.array()
        assert file.at == len(data) and tuple(shape) == form.shape
        assert np.array(values, form.dense().dtype).tobytes() == form.dense().tobytes()


def test_a_dense_file_is_no_larger_than_its_parameters_and_two_kilobytes(tmp_path):
    rng = np.random.default_rng(0)
    for model in (models.lenet_300_100(rng=rng), models.lenet_5(rng=rng)):
        size = container.save(model, tmp_path / "dense.mcz").size
        parameters = sum(p.size for p in model.parameters())
        assert 4 * parameters < size <= 4 * parameters + 400


def test_a_fresh_process_computes_the_same_logits(tmp_path):
    rng = np.random.default_rng(0)
    model = compressed(models.lenet_300_100(rng=rng), rng, keep=0.05, k=16).eval()
    images = rng.random((64, 784)).astype(np.float32)
    container.save(model, tmp_path / "model.mcz")
    np.save(tmp_path / "images.npy", images)
    script = ("import sys, numpy; from minicompress import container; from minicompress.engine import Tensor\n"
              "model = container.load(sys.argv[1] + '/model.mcz').eval()\n"
              "numpy.save(sys.argv[1] + '/logits.npy', model(Tensor(numpy.load(sys.argv[1] + '/images.npy'))).numpy())")
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert np.load(tmp_path / "logits.npy").tobytes() == model(Tensor(images)).numpy().tobytes()


def test_a_loaded_model_is_still_constrained(tmp_path):
    container.save(made("compressed"), tmp_path / "model.mcz")
    model = container.load(tmp_path / "model.mcz")
    forms = {name: parameter.form() for name, parameter in model.named_latents()}
    assert isinstance(forms["fc1.weight"], Sparse) and isinstance(forms["fc1.weight"].inner, Codebook)
    assert any(name.endswith("centroids_") for name, _ in model.named_parameters())


def test_columns_of_hans_tables(tmp_path):
    rng = np.random.default_rng(0)
    model = compressed(models.lenet_300_100(rng=rng), rng, keep=0.08, k=32)
    first = container.save(model, tmp_path / "model.mcz").arrays[0]
    assert first["name"] == "fc1.weight" and first["shape"] == [300, 784] and first["form"] == "Sparse(Codebook)"
    assert first["weights"] == 235_200 and first["kept"] == pytest.approx(0.08, abs=0.005) and first["weight_bits"] == 5
    assert 4 < first["weight_bits_huffman"] < 5.01 and 0 < first["index_bits_huffman"] < first["index_bits"] < 8


# Models of a class of their own


def test_a_class_of_its_own_loads_into_a_model(tmp_path):
    model, other = Twin(np.random.default_rng(0)), Twin(np.random.default_rng(1))
    model(Tensor(np.random.default_rng(2).random((8, 4)).astype(np.float32)))
    nn.project(model.left.weight, quantization.WeightClustering(3))
    container.save(model, tmp_path / "twin.mcz")
    assert container.load(tmp_path / "twin.mcz", into=other) is other
    assert arrays(other) == arrays(model) and isinstance(other.left.weight.form(), Codebook)
    with pytest.raises(container.ContainerError, match="load it with into=model"):
        container.load(tmp_path / "twin.mcz")


def law_untouched(container, path, model, match):
    before, projections = arrays(model), [p.projections for p in model.parameters()]
    with pytest.raises(container.ContainerError, match=match):
        container.load(path, into=model)
    assert arrays(model) == before and [p.projections for p in model.parameters()] == projections


class Triplet(Twin):
    def __init__(self, rng):
        super().__init__(rng)
        del self.norm
        self.middle = nn.Linear(4, 5, rng=rng)

    def __delattr__(self, name):
        vars(self).pop(name)


def test_the_first_difference_is_told_and_the_model_left_alone(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "twin.mcz"
    container.save(Twin(rng), path)
    law_untouched(container, path, Twin(rng, hidden=6), r"left\.weight: an array has shape \(5, 4\), expected \(6, 4\)")
    law_untouched(container, path, Triplet(rng), r"parameter 4 is 'norm\.weight' in the file and 'middle\.weight'")
    law_untouched(container, path, models.mlp([4, 5], rng=rng), r"parameter 0 is 'left\.weight' .* 'fc1\.weight'")
    container.save(models.mlp([4, 5], rng=rng), path)
    law_untouched(container, path, models.mlp([4, 5, 3], rng=rng), r"parameter 2 is missing in the file and 'fc2\.w")
    wide = models.mlp([4, 5], rng=rng)
    for parameter in wide.parameters():
        parameter.data = parameter.data.astype(np.float64)
    law_untouched(container, path, wide, "fc1.weight is float32 in the file and float64 in the model")


def test_a_graph_loads_only_into_an_equal_graph(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "graph.mcz"

    def model(stride=1, p=0.5, last=nn.ReLU):
        return nn.Sequential({"conv": nn.Conv2d(1, 2, 3, stride=stride, rng=rng),
                              "end": nn.Sequential({"drop": nn.Dropout(p, rng=rng), "last": last()})})

    container.save(model(stride=2), path)
    law_untouched(container, path, model(), r"layer 1 is 'conv \[.*,2\]' in the file and 'conv \[.*3\]' in the model")
    law_untouched(container, path, model(stride=2, p=0), r"layer 3 is 'end\.drop \[.*\]' .* 'end\.drop .*0\.0\]'")
    law_untouched(container, path, model(stride=2, last=nn.Flatten), r"layer 4 is 'end\.last .*ReLU.*Flatten")
    same = model(stride=2)
    assert container.load(path, into=same) is same
    mutant = mutate(container, "if own is not None and into is not", "if False and into is not")
    with pytest.raises(pytest.fail.Exception):
        law_untouched(mutant, path, model(), "layer 1")


def test_whatever_is_saved_is_in_canonical_form(tmp_path):
    """Integers where floats are meant, NumPy's numbers, defaults spelled out."""
    rng = np.random.default_rng(0)
    model = nn.Sequential({
        "conv": nn.Conv2d(np.int64(1), 2, 3, np.int32(1), 0, 1, 1, rng=rng), "norm": nn.BatchNorm2d(2, 1, 0),
        "pool": nn.MaxPool2d(2, 2), "drop": nn.Dropout(np.float64(0.5), rng=rng), "none": nn.Dropout(0, rng=rng),
        "half": nn.Dropout(np.float32(0.1), rng=rng)})
    container.save(model, tmp_path / "model.mcz")
    assert arrays(container.load(tmp_path / "model.mcz")) == arrays(model)
    model.drop.p = 0  # by hand, as an integer: no reader would accept it
    with pytest.raises(ValueError, match="canonical form"):
        container.save(model, tmp_path / "model.mcz")


def test_a_failure_half_way_leaves_the_model_alone(tmp_path, monkeypatch):
    container.save(Twin(np.random.default_rng(0)), tmp_path / "twin.mcz")
    real, calls = nn.assign, []

    def failing(parameter, form):
        calls.append(form)
        if len(calls) == 3:
            raise ValueError("the third array fails")
        return real(parameter, form)

    monkeypatch.setattr(nn, "assign", failing)
    law_untouched(container, tmp_path / "twin.mcz", Twin(np.random.default_rng(1)), "the third array fails")
    assert len(calls) == 3


def test_float64_models_keep_their_bits(tmp_path):
    model = models.mlp([4, 5], rng=np.random.default_rng(0))
    for parameter in model.parameters():
        parameter.data = parameter.data + np.float64(1e-12)
    container.save(model, tmp_path / "wide.mcz")
    loaded = container.load(tmp_path / "wide.mcz")
    assert arrays(loaded) == arrays(model) and loaded.fc1.weight.dtype == np.float64


# Writing


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_when_writing_fails_the_old_file_survives(fails, tmp_path, monkeypatch):
    path = tmp_path / "model.mcz"
    container.save(made("dense"), path)
    before = path.read_bytes()

    def failing(*_):
        raise OSError("no space left")

    monkeypatch.setattr(container.os, fails, failing)
    with pytest.raises(OSError, match="no space left"):
        container.save(made("compressed"), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_bad_arguments(tmp_path):
    model = made("dense")
    for call, error, match in [
        (lambda: container.save(model, tmp_path / "model.npz"), ValueError, "suffix .mcz"),
        (lambda: container.save([model], tmp_path / "model.mcz"), TypeError, "model is a list"),
        (lambda: container.load(tmp_path / "model.mcz", into=[model]), TypeError, "into is a list"),
        (lambda: container.load(tmp_path / "none.mcz"), FileNotFoundError, "none.mcz"),
        (lambda: container.load(tmp_path / "none.mcz", max_bytes=None), TypeError, "max_bytes is None"),
        (lambda: container.inspect(tmp_path / "none.mcz", max_bytes="1"), TypeError, "max_bytes is '1'"),
        (lambda: container.save(model, tmp_path / "no" / "folder.mcz"), FileNotFoundError, "folder"),
    ]:
        with pytest.raises(error, match=match):
            call()
    big = nn.Sequential({f"a_layer_with_a_long_name_{i}": nn.ReLU() for i in range(2000)})
    with pytest.raises(ValueError, match=r"the model's description has .* bytes, expected at most"):
        container.save(big, tmp_path / "model.mcz")
    assert list(tmp_path.iterdir()) == []


def test_forms_of_every_codec_can_be_stored(tmp_path):
    """A codec without a projection could be written, but not loaded again."""
    for codec in coding.CODECS.values():
        assert issubclass(codec.form, Form) and (codec.form is Dense or codec.form in nn.Projection._of_form)
