"""One file for one network: what it is made of, and every array in its form. FORMAT.md has the layout, byte by byte.

The file describes a *graph* of the library's own layers, so that a network that was cut or folded, and has no class to
be named by, loads too. A model of a user's own class is stored by the names of its arrays, and loads into a model of
that class. Nothing in a file is code, and nothing is believed: sizes are checked before memory is taken for them.
"""

import json
import math
import os
import re
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from pathlib import Path

import numpy as np

from minicompress import atomic, binarization, coding, expect, nn, pruning, quantization
from minicompress.coding.bits import read_varint, varint
from minicompress.forms import Codebook, Dense, Sparse

MAGIC = b"MCZ\x01"
KINDS = ("payload", "codebooks", "code tables", "indices", "biases", "header")
PROJECTIONS = (pruning, quantization, binarization)  # the chapters whose projections and layers a file may name
MOST_TEXT = 1 << 16  # bytes of the description
DEEPEST = 100  # brackets within brackets in it
TEXT_COST = 256  # bytes of memory per byte of the description, for the layers that are built from it
OWN_COST = 1 << 16  # bytes of memory for this room's own small objects
ARRAY_COST = 1 << 11  # ... for those of each array
VALIDATE_COST = 32, 64  # ... per entry, and per index of the first axis, of a layer's arrays while it is validated


class ContainerError(ValueError):
    """A file that is damaged, hostile, too large for ``max_bytes``, or does not fit the model it should go into."""


@dataclass(frozen=True)
class Inspection:
    """What a file is spent on.

    ``size``: bytes of the file; ``sizes``: bytes per kind (`KINDS`), which sum to it; ``arrays``: per array its name,
    shape, form and bytes, and the columns of Han's tables (`minicompress.coding.statistics`); ``description``: the
    graph, or the names of the arrays.
    """

    size: int
    sizes: dict
    arrays: list
    description: object


def save(model, path, *, entropy=True):
    """Write a model to ``path``, which must end in .mcz; returns the file's `Inspection`.

    Codes are Huffman-coded where that is smaller; ``entropy=False`` gives them their fixed width.

    The same model gives the same bytes every time, and so does a model loaded from the file. The file appears whole or
    not at all: it is written under another name in the same folder, then renamed.

    Raises ValueError for another suffix, and for a model whose description is too long or that `load` would refuse;
    TypeError for arrays of a form
    that has no codec, and for buffers that are not float32, float64 or int32.

    >>> import tempfile
    >>> from minicompress import models
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(models.mlp([4, 3], rng=np.random.default_rng(0)), folder + "/small.mcz").sizes["payload"]
    48
    """
    expect.a(nn.Module, "model", model)
    path = Path(path)
    expect.that(path.suffix == ".mcz", f"path is {str(path)!r}, expected the suffix .mcz")
    description = _description(model)
    text = _text(description)
    expect.that(len(text) <= MOST_TEXT, f"the model's description has {len(text)} bytes, expected at most {MOST_TEXT}")
    _built(description)  # refuses what no reader would accept
    forms = {name: parameter.form() for name, parameter in model.named_latents()}
    for name, buffer in model.named_buffers():
        expect.that(buffer.dtype in (np.float32, np.float64, np.int32),
                    f"buffer {name!r} is {buffer.dtype}, expected float32, float64 or int32", TypeError)
        forms[name] = Dense(buffer)
    coded = [coding.encode(form, entropy=entropy) for form in forms.values()]
    body = b"".join([varint(len(text)), text, *map(bytes, coded)])
    head = varint(len(body))
    data = MAGIC + zlib.crc32(MAGIC + head + body).to_bytes(4, "little") + head + body
    with atomic.replacing(path) as temporary:
        temporary.write_bytes(data)
    return _inspection(len(data), json.loads(text), forms, coded)


def load(path, *, into=None, max_bytes=2**30):
    """Read a model: a new one from the graph in the file, or ``into`` a given model whose arrays have the same names.

    ``max_bytes``, an integer, bounds the memory that loading may take, the file's own bytes included. A loaded model
    computes the same values as the saved one, bit for bit, and keeps its projections, so that it can be trained on.

    Raises ContainerError, and leaves ``into`` as it was, if the file is damaged or hostile, would take more than
    ``max_bytes``, describes no graph while ``into`` is None, or differs from ``into`` in the arrays' names and shapes
    or, if both are graphs of the library's layers, in any layer's arguments: then with the first difference.

    >>> import tempfile
    >>> from minicompress import models
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(models.mlp([4, 3], rng=np.random.default_rng(0)), folder + "/small.mcz")
    ...     load(folder + "/small.mcz").fc1.weight.shape
    (3, 4)
    """
    expect.a(nn.Module | None, "into", into, "a Module or None")
    reader, description = _open(path, max_bytes)
    with _refusing(path):
        own = _built(description)
        if into is None and own is None:
            raise ContainerError("the file holds a model of a class of its own: load it with into=model")
        model = own if into is None else into
        _same(_names(description if own is None else own), _names(model))
        if own is not None and into is not None and isinstance(given := _description(into), list):
            _same([_layers(description)], [_layers(given)], kinds=["layer"])
        buffers = dict(model.named_buffers())
        shapes = {name: array.shape for name, array in [*model.named_latents(), *buffers.items()]}
        forms = {name: _read(reader, name, name in buffers, shape) for name, shape in shapes.items()}
        reader.finish()
        _assign(model, forms, reader, blank=into is None)
    return model


def inspect(path, *, max_bytes=2**30):
    """What the bytes of a file are spent on, an `Inspection`. Raises ContainerError, as `load` does.

    >>> import tempfile
    >>> from minicompress import models
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(models.mlp([4, 3], rng=np.random.default_rng(0)), folder + "/small.mcz")
    ...     seen = inspect(folder + "/small.mcz")
    >>> seen.size == sum(seen.sizes.values()), [array["name"] for array in seen.arrays]
    (True, ['fc1.weight', 'fc1.bias'])
    """
    reader, description = _open(path, max_bytes)
    with _refusing(path):
        own = _built(description)
        parameters, buffers = map(dict.fromkeys, _names(description if own is None else own))
        forms, coded = {}, []
        for name in parameters | buffers:
            before = len(reader.parts)
            forms[name] = form = _read(reader, name, name in buffers)
            parts = reader.parts[before:]
            with reader.working(32 * math.prod(form.shape)):
                coded.append(coding.Encoded(tuple(parts), coding.statistics(form, parts)))
        reader.finish()
    return _inspection(len(reader.data), description, forms, coded)


def _description(model):
    """The graph of a model of the library's layers, a list; for any other class the names of its arrays, a dict."""
    try:
        return nn.describe(model)
    except TypeError:
        parameters, buffers = _names(model)
        return {"parameters": parameters, "buffers": buffers}


def _built(description):
    """The blank model of a graph, or None for the names of arrays; ValueError unless the graph is written canonically.

    That is: with numbers for numbers, booleans for booleans, and no trailing defaults.
    """
    if not isinstance(description, list):
        return None
    model = nn.build(description)
    if _text(nn.describe(model)) != _text(description):
        raise ValueError("a layer's arguments are not in their canonical form")
    return model


def _layers(description, path=()):
    """Every layer of a graph with its path and arguments, as text, in order."""
    name, *arguments = description
    if not arguments or not isinstance(arguments[0], list):
        return [f"{'.'.join(path)} {_text(description).decode()}"]
    inner = [layer for child, declared in arguments for layer in _layers(declared, (*path, child))]
    return [f"{'.'.join(path)} {name}", *inner]


def _names(model):
    """The names of parameters and of buffers, in the order of the file."""
    if isinstance(model, dict):
        return model["parameters"], model["buffers"]
    return [name for name, _ in model.named_latents()], [name for name, _ in model.named_buffers()]


def _text(description):
    return json.dumps(description, separators=(",", ":"), allow_nan=False).encode("ascii")


def _parse(text):
    bare = re.sub(rb'"(?:[^"\\]|\\.?)*("|\Z)', b"", text, flags=re.DOTALL)
    if max(accumulate((c in b"[{") - (c in b"]}") for c in bare), default=0) > DEEPEST:
        raise ContainerError(f"the description nests deeper than {DEEPEST}")
    description = json.loads(text.decode("ascii"))
    if _text(description) != text:  # this also refuses NaN, names given twice and numbers that overflow
        raise ContainerError("the description is not in its canonical form")
    if not isinstance(description, list):
        lists = description["parameters"], description["buffers"]
        names = [name for names in lists if isinstance(names, list) for name in names if isinstance(name, str)]
        if len(description) != 2 or not all(isinstance(names, list) for names in lists) \
                or len(set(names)) != sum(map(len, lists)):
            raise ContainerError("the description is neither a graph nor two lists of names")
    return description


def _open(path, max_bytes):
    """Check a file as a whole; returns a Reader behind the description, and the description."""
    max_bytes = expect.integer("max_bytes", max_bytes, kind=TypeError)
    with open(path, "rb") as file, _refusing(path):
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise ContainerError(f"the file alone has {size} bytes, more than max_bytes = {max_bytes}")
        data = file.read(size + 1)
        if data[:4] != MAGIC:
            raise ContainerError(f"it begins with {data[:4]!r}, expected {MAGIC!r}: not a file of this kind")
        length, start = read_varint(data, 8)
        if len(data) - start != length:
            raise ContainerError(f"{len(data) - start} bytes follow the head, which promises {length}")
        if zlib.crc32(memoryview(data)[8:], zlib.crc32(MAGIC)) != int.from_bytes(data[4:8], "little"):
            raise ContainerError("the checksum is wrong: the file is damaged")
        reader = coding.Reader(data, max_bytes - len(data))
        reader.claim(OWN_COST)
        reader.take("header", start)
        text = reader.take("header", reader.number(2, MOST_TEXT, "length of the description"))
        reader.claim(TEXT_COST * len(text))
        return reader, _parse(text)


@contextmanager
def _refusing(path):
    """Whatever goes wrong with the bytes of a file is a ContainerError."""
    try:
        yield
    except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise ContainerError(f"{path}: {error}") from error


def _read(reader, name, buffer, shape=None):
    reader.claim(ARRAY_COST)
    try:
        form = coding.read(reader, shape)
    except coding.CorruptDataError as error:
        raise ContainerError(f"{name}: {error}") from None
    if buffer and not isinstance(form, Dense):
        raise ContainerError(f"{name} is a buffer in the form {type(form).__name__}, expected Dense")
    if not buffer and _dtype(form).kind != "f":
        raise ContainerError(f"{name} is a parameter of {_dtype(form)}, expected float32 or float64")
    return form


def _dtype(form):
    """The dtype of a form's dense array, without building it."""
    while isinstance(form, Sparse):
        form = form.inner
    if isinstance(form, Dense | Codebook):
        return (form.values if isinstance(form, Dense) else form.centroids).dtype
    return np.dtype(np.float32)


def _assign(model, forms, reader, blank):
    """Put every form into the model, or none: whatever fails, the model is then as it was."""
    parameters, buffers = dict(model.named_latents()), dict(model.named_buffers())
    modules, arrays = dict(model.named_modules()), parameters | buffers
    before = [(p, p.data, p.grad, p.projections) for p in parameters.values()]

    def set_buffer(name, array):  # by its own module: searching the whole model for each would take quadratic time
        path, _, own = name.rpartition(".")
        modules[path].set_buffer(own, array)

    try:
        for name, form in forms.items():
            dtype, known = _dtype(form), arrays[name]
            size = math.prod(form.shape) * dtype.itemsize
            reader.claim(2 * size)
            if blank and name in parameters and dtype.kind == "f":
                known.data = np.broadcast_to(dtype.type(0), form.shape)
            if known.dtype != dtype:
                raise ContainerError(f"{name} is {dtype} in the file and {known.dtype} in the model")
            with reader.working(3 * size):
                if name in parameters:
                    nn.assign(known, form)
                else:
                    set_buffer(name, form.dense())
        for module in modules.values():
            if hasattr(type(module), "validate"):
                own = [*module.named_latents(), *module.named_buffers()]
                entries, rows = (sum(math.prod(array.shape[:axes]) for _, array in own) for axes in (None, 1))
                with reader.working(VALIDATE_COST[0] * entries + VALIDATE_COST[1] * rows):
                    module.validate()  # a layer of integers or bits knows which forms it computes with
    except BaseException:
        for parameter, *state in before:
            parameter.data, parameter.grad, parameter.projections = state
        for name, buffer in buffers.items():
            set_buffer(name, buffer)
        raise


def _same(stored, given, kinds=("parameter", "buffer")):
    """ContainerError with the first difference between what a file and a model hold, unless there is none."""
    for kind, ours, theirs in zip(kinds, stored, given, strict=True):
        for i, (a, b) in enumerate(zip_longest(ours, theirs)):
            if a != b:
                file, model = (f"{x!r}" if x is not None else "missing" for x in (a, b))
                raise ContainerError(f"{kind} {i} is {file} in the file and {model} in the model")


def _inspection(size, description, forms, coded):
    sizes, arrays = dict.fromkeys(KINDS, 0), []
    for (name, form), encoded in zip(forms.items(), coded, strict=True):
        for kind, count in encoded.sizes().items():
            sizes["biases" if name.split(".")[-1] == "bias" else kind] += count
        arrays.append({"name": name, "shape": list(form.shape), "form": _kind(form), "bytes": len(encoded)}
                      | encoded.stats)
    sizes["header"] += size - sum(map(len, coded))
    return Inspection(size, sizes, arrays, description)


def _kind(form):
    return f"Sparse({_kind(form.inner)})" if isinstance(form, Sparse) else type(form).__name__
