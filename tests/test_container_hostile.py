"""Damaged and hostile files: always a ContainerError, at once, within the memory allowed; and mutants of the room."""

import json
import re
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicompress import binarization, coding, container, models, nn
from minicompress.coding.bits import read_varint, varint
from minicompress.forms import Codebook, Dense, Sparse
from tests.mutants import mutate
from tests.test_container import (
    Twin,
    compressed,
    integers,
    law_itemised,
    law_refused,
    law_round_trip,
    law_untouched,
    made,
    pruned,
    sparse_rows,
)


def tiny(rng):
    return models.mlp([8, 6, 3], rng=rng)


def tiny_convolutional(rng):
    """Every integer layer in a few bytes: a residual add, both poolings, a ReLU of its own."""
    add = nn.Add({"body": nn.Conv2d(2, 2, 1, rng=rng), "shortcut": nn.Identity()})
    return nn.Sequential({"input": nn.ImageInput(1, 8, 8), "conv": nn.Conv2d(1, 2, 3, stride=2, rng=rng), "add": add,
                          "average": nn.AvgPool2d(2, 1), "relu": nn.ReLU(), "max": nn.MaxPool2d(2),
                          "flatten": nn.Flatten(), "fc": nn.Linear(2, 2, rng=rng)})


def shared(rng):
    """Few values, some of them much more frequent."""
    model = models.mlp([32, 8, 3], rng=rng)
    for layer in (model.fc1, model.fc2):
        nn.assign(layer.weight, Codebook(np.minimum(rng.geometric(0.6, layer.weight.shape), 6) - 1, np.arange(6.0), 3))
    return model


def tiny_binary(rng):
    net = nn.Sequential({"input": nn.ImageInput(1, 6, 6), "conv": nn.Conv2d(1, 2, 3, rng=rng),
                         "second": nn.Conv2d(2, 3, 3, padding=1, rng=rng), "pool": nn.MaxPool2d(2),
                         "flatten": nn.Flatten(), "fc": nn.Linear(12, 3, rng=rng)})
    return binarization.pack(binarization.binarize(net, activations=True).eval())


SMALL = {  # a network by each method, and how it is written
    "dense": (tiny, {}),
    "pruned": (lambda rng: pruned(tiny(rng)), {}),
    "compressed": (lambda rng: compressed(tiny(rng), rng), {}),
    "shared, Huffman": (shared, {}),
    "shared, fixed width": (shared, {"entropy": False}),
    "int8": (lambda rng: integers(rng, 8, models.mlp([64, 3, 2], rng=rng)), {}),
    "int4": (lambda rng: integers(rng, 4, models.mlp([64, 3, 2], rng=rng)), {}),
    "int8, pruned": (lambda rng: integers(rng, 8, pruned(models.mlp([64, 3, 2], rng=rng))), {}),
    "int8, convolutional": (lambda rng: integers(rng, 8, tiny_convolutional(rng)), {}),
    "signs with alphas": (lambda rng: binarization.binarize(tiny(rng), binarization.ScaledSign), {}),
    "signs, pruned": (lambda rng: binarization.binarize(pruned(tiny(rng)), binarization.ScaledSign), {}),
    "binary, packed": (tiny_binary, {}),
    "sparse rows": (lambda rng: sparse_rows(rng, models.mlp([3, 12, 4], rng=rng)), {}),
}


@pytest.fixture(scope="module", params=SMALL)
def small(request, tmp_path_factory):
    path, (make, options) = tmp_path_factory.mktemp("small") / "model.mcz", SMALL[request.param]
    container.save(make(np.random.default_rng(0)), path, **options)
    assert isinstance(container.load(path), nn.Module)
    return path.read_bytes()


# In the fast suite places are drawn, a slow test takes every one.
EVERY = pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["drawn", "every"])


def places(count, every):
    drawn = np.random.default_rng(0).integers(0, count, 40).tolist()
    return range(count) if every else sorted({0, count - 1, *drawn})


@EVERY
def test_cut_off_anywhere_or_followed_by_more(small, every, tmp_path):
    for n in places(len(small), every):
        law_refused(container, small[:n], tmp_path)
    law_refused(container, small + b"\0", tmp_path)
    law_refused(container, small + small, tmp_path)


@EVERY
def test_any_byte_changed(small, every, tmp_path):
    for place in places(len(small), every):
        for change in (0x01, 0x80, 0xFF, small[place]):
            if change:
                bad = bytearray(small)
                bad[place] ^= change
                law_refused(container, bytes(bad), tmp_path)


def test_every_form_and_every_layer_of_integers_or_bits_is_among_them(tmp_path):
    """So that no method's file is left out of what stands above and below."""
    tables = {name: container.save(make(np.random.default_rng(0)), tmp_path / "net.mcz", **options).sizes["code tables"]
              for name, (make, options) in SMALL.items()}
    assert tables["shared, Huffman"] and not tables["shared, fixed width"]
    made, forms, layers = [make(np.random.default_rng(0)) for make, _ in SMALL.values()], set(), set()
    for model in made:
        layers |= {type(module).__name__ for _, module in model.named_modules()}
        for _, parameter in model.named_latents():
            form = parameter.form()
            forms.add((type(form).__name__, type(form.inner).__name__ if isinstance(form, Sparse) else None))
    plain = {codec.form.__name__ for codec in coding.CODECS.values()} - {"Sparse"}
    assert forms >= {(name, None) for name in plain} | {("Sparse", name) for name in plain}
    chapters = ("quantization", "binarization", "pruning")
    own = {name for name, cls in nn.graph.LAYERS.items() if cls.__module__.split(".")[1] in chapters}
    assert layers >= own


# Hostile files, whose checksums are right


def sealed(body, magic=container.MAGIC, length=None):
    head = varint(len(body) if length is None else length)
    return magic + zlib.crc32(magic + head + body).to_bytes(4, "little") + head + body


def file(description, *forms):
    text = description if isinstance(description, bytes) else json.dumps(description, separators=(",", ":")).encode()
    coded = [form if isinstance(form, bytes) else bytes(coding.encode(form)) for form in forms]
    return sealed(varint(len(text)) + text + b"".join(coded))


def linear(*arguments):
    return ["Sequential", ["fc", ["Linear", *arguments]]]


W, B = Dense([[1.0, 2.0]] * 3), Dense([1.0] * 3)
INDICES = Dense(np.array([0, 1], np.int32))
GOOD = b"\x0b" + b'["Flatten"]'
TERABYTE = varint(2) + varint(2**20) * 2
HOSTILE = {
    "empty": b"", "only the magic": container.MAGIC, "another magic": sealed(b"\x02[]", b"MCZ\x02"),
    "no description": sealed(b""), "a description too long": sealed(varint(2**40) + b"[]"),
    "a description cut off": sealed(b"\x09[]"), "not JSON": file(b'["Flatten"'), "not ASCII": file('["é"]'.encode()),
    "an empty list": file([]), "a number": file(b"17"), "a word": file(b'"Flatten"'), "null": file(b"null"),
    "spaces": file(b'["Flatten" ]'), "deep JSON": file(b"[" * 30_000 + b"]" * 30_000),
    "deep objects": file(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "a deep graph": file(b'["Sequential",["a",' * 3000 + b'["ReLU"]' + b"]]" * 3000),
    "backslashes": file(b'"' + b'\\"' * 30_000), "an unclosed string": file(b'["' + b"\\" * 60_001),
    "a huge number": file(b'["Linear",' + b"9" * 4000 + b",2]", W, B),
    "a number too huge": file(b'["Linear",' + b"9" * 60_000 + b",2]", W, B), "NaN": file(b'["Dropout",NaN]'),
    "infinity": file(b'["Dropout",1e999]'), "minus infinity": file(b'["BatchNorm1d",3,-Infinity]'),
    "a name twice": file(b'{"parameters":[],"parameters":[],"buffers":[]}'),
    "another key": file({"parameters": [], "buffers": [], "more": []}),
    "no names": file({"parameters": [1], "buffers": []}),
    "names twice": file({"parameters": ["a"], "buffers": ["a"]}, B, B), "no buffers": file({"parameters": ["a"]}, B),
    "a name in no list": file({"parameters": "ab", "buffers": {}}),
    "names in a string": file({"parameters": "ab", "buffers": ""}, W, B),
    "names in objects": file({"parameters": {}, "buffers": {}}),
    "defaults spelled out": file(["Linear", 2, 3, True], W, B),
    "a number for a boolean": file(["Linear", 2, 3, 1], W, B),
    "a boolean for a number": file(["Dropout", False]), "an integer for a float": file(["Dropout", 0]),
    "a window's own stride": file(["MaxPool2d", 2, 2]), "a negative rate": file(["Dropout", -1.5]),
    "a default in a child": file(["Sequential", ["a", ["Dropout", 0.5]]]), "an unknown layer": file(["Eval", 1]),
    "a module's method": file(["Module"]), "a layer twice": file(["Sequential", ["a", ["ReLU"]], ["a", ["ReLU"]]]),
    "arguments of the wrong kind": file(["Linear", "2", [3]], W, B), "too many arguments": file(["ReLU", 1, 2, 3]),
    "negative sizes": file(["Linear", -2, 3], W, B), "a layer of no kind": file([1, 2]),
    "no pairs": file(["Sequential", ["a"]]), "a terabyte declared": file(["Linear", 2**20, 2**20], B),
    "more than any memory": file(["Linear", 10**15, 10**15], B), "a terabyte of features": file(["BatchNorm1d", 2**42]),
    "an image of a terabyte": file(["ImageInput", 2**20, 2**20, 2**20], b"x"),
    "a convolution of a terabyte": file(["Conv2d", 2**20, 2**20, 2**10], b""),
    "a terabyte of zeros": file(["Linear", 2**20, 2**20], TERABYTE + b"\x01\x00\x00\x00", B),
    "a terabyte of one value": file(["Linear", 2**20, 2**20], TERABYTE + b"\x02\x01" + bytes(4) + b"\x00", B),
    "an array missing": file(linear(2, 3), W), "an array too many": file(linear(2, 3), W, B, B),
    "a wrong shape": file(linear(2, 3), Dense(np.ones((2, 3))), B), "in another order": file(linear(2, 3), B, W),
    "a byte too many": file(linear(2, 3), W, B, b"\0"),
    "a code out of range": file(linear(2, 3), b"\x02\x03\x02\x22\x03" + bytes(12) + b"\x00\xff\xf0", B),
    "an over-full code": file(linear(2, 3), b"\x02\x03\x02\x22\x03" + bytes(12) + b"\x01\x03\x00\x06\x00", B),
    "a length too short": sealed(GOOD, length=len(GOOD) - 1), "a length too long": sealed(GOOD, length=len(GOOD) + 1),
    "buffers of 64 bits": file(["BatchNorm1d", 3], B, B, Dense(np.ones(3)), B),
    "a sparse buffer": file(["BatchNorm1d", 3], B, B, Sparse([True] * 3, B), B),
    "a sparse buffer of integers": file(["CSRLinear", 2, 1, 2], Dense([1.0, 2.0]), Sparse([False, True], INDICES),
                                        Dense(np.array([0, 2], np.int32)), Dense([0.0])),
    "a buffer of shared values": file(["BatchNorm1d", 3], B, B, B, Codebook([0, 0, 0], [1.0], 1)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_at_once(data, tmp_path):
    tracemalloc.start()
    path = tmp_path / "bad.mcz"
    path.write_bytes(data)
    with pytest.raises(container.ContainerError, match=r"bad\.mcz"):
        container.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_inspect_refuses_a_bad_description(tmp_path):
    """Where `load` would find another fault: these need a model to go into, or one like the file's."""
    path = tmp_path / "bad.mcz"
    for name in ("names in a string", "names in objects", "defaults spelled out", "a boolean for a number",
                 "a sparse buffer", "a sparse buffer of integers", "a buffer of shared values"):
        path.write_bytes(HOSTILE[name])
        with pytest.raises(container.ContainerError,
                           match=r"neither a graph|canonical form|is a buffer|p is False, expected a fraction"):
            container.inspect(path)


def test_the_same_files_without_the_fault_are_fine(tmp_path):
    path = tmp_path / "good.mcz"
    code = b"\x02\x03\x02\x22\x03" + bytes(12)
    for good in [sealed(GOOD), file(linear(2, 3), W, B), file(["Sequential", ["a", ["ReLU"]], ["b", ["ReLU"]]]),
                 file(linear(2, 3), code + b"\x00\xa9\x50", B), file(["BatchNorm1d", 3], B, B, B, B),
                 file(["CSRLinear", 2, 1, 2], Dense([1.0, 2.0]), INDICES, Dense(np.array([0, 2], np.int32)),
                      Dense([0.0])),
                 file(linear(2, 3, False), W), file(["Dropout", 0.0]), file(["MaxPool2d", 2, 1])]:
        path.write_bytes(good)
        assert isinstance(container.load(path), nn.Module)


@pytest.mark.slow
def test_an_enormous_graph_stays_within_its_budget(tmp_path):
    path = tmp_path / "enormous.mcz"
    for layer, forms in [(["ReLU"], []), (["Linear", 1, 1, False], [Dense([[1.0]])]),
                         (["BatchNorm1d", 1], [Dense([1.0])] * 4)]:
        count = 16_000 // len(json.dumps(["0000", layer]))
        path.write_bytes(file(["Sequential", *([f"{i:x}", layer] for i in range(count))], *forms * count))
        for budget in (2**20, 2**24):
            tracemalloc.start()
            try:
                container.load(path, max_bytes=budget)
            except container.ContainerError:
                pass
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak <= budget


def reseal(body, changes):
    """The file with some bytes of its body changed, and its checksum and length put right."""
    for place, cut, patch in changes:
        place %= len(body) + 1
        body = body[:place] + patch + body[place + cut:]
    return sealed(body)


CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=4)


def law_harmless(container, data, path, limit):
    """Anything may come of it, but a ContainerError or a model, within the memory allowed."""
    path.write_bytes(data)
    for read in (container.load, container.inspect):
        tracemalloc.start()
        try:
            read(path, max_bytes=limit)
        except container.ContainerError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak <= limit + 100_000  # tracebacks and the like


def fuzzed(small, changes, folder):
    _, start = read_varint(small, 8)
    law_harmless(container, reseal(small[start:], changes), folder / "fuzz.mcz", 2_000_000)


@settings(max_examples=30)
@given(changes=CHANGES)
def test_fuzzed_files_do_no_harm(small, tmp_path_factory, changes):
    fuzzed(small, changes, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@settings(max_examples=300)
@given(changes=CHANGES)
def test_fuzzed_files_do_no_harm_however_many(small, tmp_path_factory, changes):
    fuzzed(small, changes, tmp_path_factory.getbasetemp())


LAYERS = st.deferred(lambda: st.one_of(
    st.builds(lambda name, arguments: [name, *arguments], st.sampled_from([*sorted(nn.graph.LAYERS), "Eval", "_Pool"]),
              st.lists(st.integers(-1, 70) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
                       | st.sampled_from([2**31, 2**62, 2**63, 10**30]), max_size=8)),
    st.builds(lambda children: ["Sequential", *children], st.lists(st.tuples(st.sampled_from(["a", "b", "0", "", "a.b",
              "forward", "training", "_sealed", "__dict__", "__class__"]), LAYERS), max_size=4)),
    st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda x: st.lists(x, max_size=3), max_leaves=6)))
ARRAYS = st.lists(st.sampled_from([W, B, Dense([[1.0, 2.0]] * 2), Dense([1.0]), Dense([[1.0]]), b"\0\0"]), max_size=6)


@settings(max_examples=300)
@given(graph=LAYERS, forms=ARRAYS)
def test_any_graph_does_no_harm(tmp_path_factory, graph, forms):
    law_harmless(container, file(graph, *forms), tmp_path_factory.getbasetemp() / "graph.mcz", 2_000_000)


@pytest.mark.slow
def test_max_bytes_is_kept(tmp_path):
    path = tmp_path / "model.mcz"
    rng = np.random.default_rng(0)
    container.save(compressed(models.mlp([500, 100, 10], rng=rng), rng, keep=0.05), path)
    for read in (container.load, container.inspect):
        low, high = 0, 2**30
        while high - low > 2000:
            middle = (low + high) // 2
            try:
                read(path, max_bytes=middle)
                high = middle
            except container.ContainerError:
                low = middle
        tracemalloc.start()
        read(path, max_bytes=high)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= high < 30 * 4 * 51_110


PAGE = (Path(container.__file__).parent / "FORMAT.md").read_text("utf-8")


def test_the_page_says_which_names_no_child_has(tmp_path):
    said = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("A child's name is"):PAGE.index("| layer, with its arguments")]))
    for cls in nn.graph.CONTAINERS:
        taken = {name for name in {*dir(cls), *vars(cls())} if not re.fullmatch("__.*__", name)}
        assert taken == said
    path = tmp_path / "names.mcz"
    for name in (*said, "a.b", "", "__class__"):
        path.write_bytes(file(["Sequential", [name, ["ReLU"]]]))
        with pytest.raises(container.ContainerError, match=r"can't name a layer|canonical form"):
            container.load(path)


def test_a_parameter_of_integers_is_refused(tmp_path):
    path = tmp_path / "integers.mcz"
    for form in (Dense(np.array([1], np.int32)), Sparse([True], Dense(np.array([1], np.int32)))):
        path.write_bytes(file({"parameters": ["a"], "buffers": []}, form))
        with pytest.raises(container.ContainerError, match="a is a parameter of int32, expected float32 or float64"):
            container.inspect(path)
    path.write_bytes(file({"parameters": [], "buffers": ["a"]}, Dense(np.array([1], np.int32))))
    assert container.inspect(path).arrays[0]["form"] == "Dense"


def test_only_what_is_called_bias_counts_as_one(tmp_path):
    path = tmp_path / "names.mcz"
    path.write_bytes(file({"parameters": ["unbias", "fc.bias"], "buffers": []}, Dense([1.0]), Dense([1.0, 2.0])))
    sizes = container.inspect(path).sizes
    assert (sizes["payload"], sizes["biases"]) == (4, 8 + 3)  # an axis, its length, the form


def law_less_memory_than_it_takes_is_refused(container, read, path):
    tracemalloc.start()
    read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with pytest.raises(container.ContainerError, match="than max_bytes"):
        read(path, max_bytes=peak - 1)


@pytest.mark.slow
def test_many_tiny_arrays_are_refused_below_the_memory_that_they_take(tmp_path):
    n, path = 700, tmp_path / "tiny.mcz"
    rows = ["Sequential", *([f"{i:x}", ["CSRLinear", 1, 1, 0]] for i in range(n))]
    empty = Dense(np.ones(0, np.float32)), Dense(np.ones(0, np.int32)), Dense(np.zeros(2, np.int32)), Dense([0.0])
    path.write_bytes(file(rows, *empty * n))
    law_less_memory_than_it_takes_is_refused(container, container.inspect, path)


# Mutants


@pytest.mark.parametrize("old, new", [
    ("zlib.crc32(memoryview(data)[8:], zlib.crc32(MAGIC))", "zlib.crc32(memoryview(data)[start:])"),
    ("zlib.crc32(memoryview(data)[8:], zlib.crc32(MAGIC)) !=", "0 and"),
    ("        reader.finish()\n        _assign", "        _assign"),
    ("if len(data) - start != length", "if len(data) - start < length"),
    ("sizes[\"header\"] += size - sum(map(len, coded))", "sizes[\"header\"] = size - sum(map(len, coded))"),
    ("name.split(\".\")[-1] == \"bias\"", "name == \"bias\""),
    ("        forms[name] = Dense(buffer)", "        pass"),
    ("                    set_buffer(name, form.dense())", "                    pass"),
    ("                known.data = np.broadcast_to(dtype.type(0), form.shape)", "                pass"),
])
def test_mutants_are_caught(old, new, tmp_path):
    mutant = mutate(container, old, new)
    with pytest.raises((AssertionError, mutant.ContainerError, pytest.fail.Exception)):
        for name in ("dense", "convolutional, compressed"):
            law_round_trip(mutant, made(name), tmp_path)
            law_itemised(mutant, made(name), tmp_path)
        container.save(made("dense"), tmp_path / "model.mcz")
        data = (tmp_path / "model.mcz").read_bytes()
        for bad in (data[:-1] + b"!", HOSTILE["a byte too many"], HOSTILE["a length too short"]):
            law_refused(mutant, bad, tmp_path)
        wide = made("dense")
        for parameter in wide.parameters():
            parameter.data = parameter.data.astype(np.float64)
        law_round_trip(mutant, wide, tmp_path)


def test_the_mutant_without_a_way_back_is_caught(tmp_path, monkeypatch):
    container.save(Twin(np.random.default_rng(0)), tmp_path / "twin.mcz")
    real = nn.assign

    def failing(parameter, form):
        real(parameter, form)
        if parameter.ndim == 1:
            raise ValueError("no vectors today")

    monkeypatch.setattr(nn, "assign", failing)
    law_untouched(container, tmp_path / "twin.mcz", Twin(np.random.default_rng(1)), "no vectors")
    mutant = mutate(container, "parameter.data, parameter.grad, parameter.projections = state", "pass")
    with pytest.raises(AssertionError):
        law_untouched(mutant, tmp_path / "twin.mcz", Twin(np.random.default_rng(1)), "no vectors")


def test_a_layer_refuses_arrays_that_it_can_not_compute_with(tmp_path, monkeypatch):
    """And then nothing has changed."""
    class Halves(nn.Linear):
        def validate(self):
            if (self.weight.numpy() * 2 % 1).any():
                raise ValueError("weights are no halves")

    monkeypatch.setitem(nn.graph.LAYERS, "Halves", Halves)
    model, given = Halves(2, 1, rng=np.random.default_rng(0)), Halves(2, 1, rng=np.random.default_rng(1))
    container.save(model, tmp_path / "model.mcz")
    before = given.weight.numpy().copy()
    for into in (None, given):
        with pytest.raises(container.ContainerError, match="weights are no halves"):
            container.load(tmp_path / "model.mcz", into=into)
    assert given.weight.numpy().tobytes() == before.tobytes()
    model.weight.set([[0.5, -1.0]])
    container.save(model, tmp_path / "model.mcz")
    assert container.load(tmp_path / "model.mcz").weight.numpy().tolist() == [[0.5, -1.0]]
