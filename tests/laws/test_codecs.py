"""One contract for every codec: back comes what went in, every byte is accounted for, and bad bytes are refused."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress import coding
from minicompress.coding import bits, codecs, huffman, masks, symbols
from minicompress.forms import Affine, Codebook, Dense, Form, Sign, Sparse
from tests.mutants import mutate

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)
FLOATS = st.sampled_from([np.float32, np.float64])


def dense(shape):
    return st.builds(Dense, st.sampled_from([np.float32, np.float64, np.int32]).flatmap(lambda t: hnp.arrays(t, shape)))


@st.composite
def affine(draw, shape):
    bits, axis = draw(st.integers(1, 16)), draw(st.sampled_from([None, 0] if shape else [None]))
    integers = st.integers(-2**(bits - 1), 2**(bits - 1) - 1)
    channels = shape[:1] if axis == 0 else ()
    scale = hnp.arrays(np.float32, channels, elements=st.floats(2.0**-100, 2.0**100, width=32))
    zero_point = draw(hnp.arrays(np.int64, channels, elements=integers)) * draw(st.booleans())
    return Affine(draw(hnp.arrays(np.int64, shape, elements=integers)), draw(scale), zero_point, bits, axis)


@st.composite
def signs(draw, shape):
    axis = draw(st.sampled_from([None, 0] if shape else [None]))
    alpha = hnp.arrays(np.float32, shape[:1] if axis == 0 else (), elements=st.sampled_from([0, 0.25, 1, 1, 1]))
    return Sign(draw(hnp.arrays(bool, shape)), draw(alpha), axis)


@st.composite
def codebooks(draw, shape):
    width = draw(st.integers(1, 16))
    centroids = draw(hnp.arrays(draw(FLOATS), draw(st.integers(1, min(2**width, 300)))))
    few = draw(st.integers(1, len(centroids)))
    return Codebook(draw(hnp.arrays(np.int64, shape, elements=st.integers(0, few - 1))), centroids, width)


@st.composite
def sparse(draw, shape, depth=0):
    mask = draw(hnp.arrays(bool, shape)) & draw(st.sampled_from([True, True, False]))
    rows = draw(hnp.arrays(bool, shape[:1] + (1,) * (len(shape) - 1)))  # whole rows without a weight
    inner = [make(shape) for make in (dense, codebooks, affine, signs)] + [sparse(shape, depth + 1)] * (depth < 2)
    inner = draw(st.one_of(inner))
    return Sparse(mask & rows, inner)


CODECS = {Dense: dense, Codebook: codebooks, Sparse: sparse, Affine: affine, Sign: signs}  # strategies, given the shape
FORMS = SHAPES.flatmap(lambda shape: st.one_of([make(shape) for make in CODECS.values()]))


def test_every_codec_is_under_the_contract():
    assert {codec.form for codec in coding.CODECS.values()} == set(CODECS)


def stored(form, where=None):
    """The form with what is not stored, because a mask hides it, as zeros."""
    parts = {}
    for name in form.__dataclass_fields__:
        part = getattr(form, name)
        if name == "inner":
            part = stored(part, form.mask if where is None else where & form.mask)
        elif isinstance(part, np.ndarray) and part.shape == form.shape and name in ("values", "codes", "mask", "bits"):
            part = part if where is None else np.where(where, part, part.dtype.type(0))
        parts[name] = part
    return type(form)(**parts)


def law_round_trip(coding, form):
    """decode(encode(x)) is x, bit for bit; and encoding that again gives the same bytes."""
    plain, data = coding.encode(form, entropy=False), bytes(coding.encode(form))
    assert len(data) <= len(plain)
    assert not plain.sizes()["code tables"]
    assert coding.decode(bytes(plain)) == stored(form)
    back = coding.decode(data)
    assert isinstance(back, Form) and back == stored(form)
    assert back.dense().tobytes() == form.dense().tobytes() and back.dense().dtype == form.dense().dtype
    assert bytes(coding.encode(back)) == data


def law_itemised(coding, form):
    """The parts are the bytes, in order; their sizes sum to the length; reading gives the same account as writing."""
    encoded = coding.encode(form)
    data = bytes(encoded)
    assert data == b"".join(part for _, part in encoded.parts) and {kind for kind, _ in encoded.parts} <= set(KINDS)
    assert sum(encoded.sizes().values()) == len(encoded) == len(data) and set(encoded.sizes()) == set(KINDS)
    back, account = coding.itemise(data)
    assert back == stored(form) and account.sizes() == encoded.sizes() and account.stats == encoded.stats


KINDS = ("payload", "codebooks", "code tables", "indices", "header")


def law_whole(coding, form):
    """Bytes that are cut off, or followed by more, are refused."""
    data = bytes(coding.encode(form))
    for bad in [data[:n] for n in range(0, len(data), -(-len(data) // 500))] + [data[:-1], data + b"\0", data + data]:
        with pytest.raises(coding.CorruptDataError):
            coding.decode(bad)


def law_memory(coding, form):
    """With the least ``max_bytes`` that will do, decoding takes no more than that, and fails cleanly below it."""
    data = bytes(coding.encode(form))
    low, high = 0, 2**30
    while high - low > 1:
        middle = (low + high) // 2
        try:
            coding.decode(data, max_bytes=middle)
            high = middle
        except coding.CorruptDataError:
            low = middle
    tracemalloc.start()
    coding.decode(data, max_bytes=high)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= high + 10_000, f"{peak} bytes for a max_bytes of {high}"  # the interpreter's own small objects


@given(FORMS)
def test_round_trip(form):
    law_round_trip(coding, form)


@given(FORMS)
def test_itemised(form):
    law_itemised(coding, form)


@given(FORMS)
def test_whole(form):
    law_whole(coding, form)


def large_forms():
    rng = np.random.default_rng(0)
    codes = np.minimum(rng.geometric(0.2, (300, 200)) - 1, 30)
    centroids = rng.standard_normal(31).astype(np.float32)
    mask = (rng.random((300, 200)) < 0.1) & (rng.random(200) < 0.7)
    wide = Codebook(rng.integers(0, 60_000, (300, 200)), rng.standard_normal(60_000), 16)
    yield Dense(rng.standard_normal((300, 200)).astype(np.float32))
    yield Codebook(codes, centroids, 5)
    yield Codebook(codes * 0, centroids, 5)
    yield wide
    yield Sparse(mask, Dense(rng.standard_normal((300, 200))))
    yield Sparse(mask, Codebook(codes, centroids, 5))
    yield Sparse(mask, Sparse(mask.T.reshape(300, 200), wide))
    yield Sparse(rng.random((300, 200)) < 0.9, Codebook(codes, centroids, 5))
    yield Dense(rng.integers(-2**31, 2**31, (300, 200)).astype(np.int32))
    yield Affine(rng.integers(-128, 128, (300, 200)), rng.random(300) + 0.1, rng.integers(-9, 9, 300), 8, axis=0)
    yield Affine(np.minimum(codes, 7), 0.25, 0, 4)
    yield Affine(codes * 900, 0.25, 0, 16)
    yield Sparse(mask, Affine(np.minimum(codes, 7), rng.random(300) + 0.1, np.zeros(300, int), 4, axis=0))
    yield Sign(mask, rng.random(300), axis=0)
    yield Sparse(mask, Sign(mask.T.reshape(300, 200), 1.0))
    yield Sparse(rng.random((3000, 200)) < 0.001, Codebook(np.zeros((3000, 200), int), centroids, 5))
    yield Sparse(np.zeros((3000, 200), bool), Codebook(np.zeros((3000, 200), int), centroids, 5))


@pytest.mark.slow
@pytest.mark.parametrize("form", list(large_forms()), ids=lambda form: type(form).__name__)
def test_large(form):
    law_round_trip(coding, form)
    law_itemised(coding, form)
    law_memory(coding, form)


@given(FORMS, st.data())
def test_changed_bytes_decode_to_a_form_or_are_refused(form, data):
    changed = bytearray(bytes(coding.encode(form)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place] = data.draw(st.integers(0, 255))
    limit = 3_000_000
    tracemalloc.start()
    try:
        assert math.prod(coding.decode(bytes(changed), max_bytes=limit).shape) <= limit
    except coding.CorruptDataError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= limit + 10_000


RAGGED = (np.arange(4000).reshape(40, 100) % 11 < 2) & (np.arange(100) % 3 > 0)
CASES = [
    Sparse(np.arange(60).reshape(5, 12) % 7 == 3, Codebook(np.arange(60).reshape(5, 12) % 5, np.arange(5.0), 3)),
    Sparse(RAGGED, Codebook(np.arange(4000).reshape(40, 100) ** 2 % 50 % 17, np.arange(17.0), 5)),
    Sparse(RAGGED.T, Dense(np.arange(4000.0).reshape(100, 40))),
    Codebook(np.zeros((50, 200), int), [1.5, 2.5], 1),
    Codebook(np.arange(40_000) % 89 % 6, np.arange(6.0), 3),
    Codebook(np.repeat(np.arange(15), 2 ** np.arange(15)), np.arange(15.0), 4),
    Sparse((np.arange(600) % 20 < np.arange(600) % 7).reshape(30, 20), Sparse((np.arange(600) % 5 > 0).reshape(30, 20),
           Codebook(np.arange(600).reshape(30, 20) % 7, np.arange(7.0), 3))),
    Sparse(((np.arange(1200) * 7919 % 1201 % 90 < 20) & (np.arange(1200) % 40 < 9)).reshape(30, 40),
           Dense(np.arange(1200.0).reshape(30, 40))),
    Dense(np.arange(6.0).reshape(2, 3)),
    Dense(np.float64(3)), Dense(np.arange(3, dtype=np.int32)),
    Affine(np.arange(60).reshape(5, 12) % 16 - 8, np.arange(1.0, 6), np.arange(5), 4, axis=0),
    Affine([-512, 511], 0.5, 3, 10),
    Sparse(RAGGED, Affine(np.arange(4000).reshape(40, 100) % 15 - 7, np.ones(40), np.zeros(40, int), 4, axis=0)),
    Sign(RAGGED, np.arange(40.0), axis=0), Sign([True, False], 1.0), Sparse([True, False], Sign([False, True], 0.5)),
]


@pytest.mark.parametrize("room, old, new", [
    ("codecs", "array[keep] = values", "array[np.sort(keep)] = values"),
    ("codecs", "(form.centroids.dtype == np.float64) | form.bits - 1 << 1", "form.bits - 1 << 1"),
    ("codecs", "at if keep is None else keep[at]\n    mask", "at\n    mask"),
    ("codecs", "    form = read(reader)\n    reader.finish()\n    return form", "    return read(reader)"),
    ("codecs", "writer.number(len(form.shape))", "writer.number(len(form.shape) or 1)"),
    ("codecs", "Encoded(tuple(writer.parts), ", "Encoded(tuple(writer.parts[1:]), "),
    ("codecs", "+ (1 << form.bits - 1)", "+ (1 << form.bits - 1) - 1"),
    ("codecs", "np.int32) - (1 << bits - 1)", "np.int32) + (1 << bits - 1)"),
    ("codecs", "(form.axis == 0) | form.zero_point.any() << 1", "(form.axis == 0)"),
    ("codecs", "(form.axis == 0) | (form.alpha != 1).any() << 1", "(form.axis == 0) | form.alpha.any() << 1"),
    ("codecs", "pack(_kept(form.bits, keep), 1)", "pack(form.bits.ravel(), 1)"),
    ("codecs", "writer = Writer(entropy)", "writer = Writer(True)"),
    ("masks", "places = places.T if flags & 1 else places", "places = places"),
    ("masks", "row * columns + column", "row * width + column"),
    ("masks", "for axis in (1, 0)", "for axis in (0, 1)"),
    ("symbols", "    if len(symbols) == 0:\n        return\n", "    if len(set(symbols)) <= 1:\n        return\n"),
    ("symbols", "least = int(lane_bits.min())", "least = int(lane_bits[0])"),
    ("symbols", "step = -1 if bit() else 1", "step = 1 if bit() else -1"),
    ("symbols", "(lengths < before)", "(lengths > before)"),
    ("symbols", "            while bit():\n", "            if bit():\n"),
    ("huffman", "index[k])", "index[0])"),
    ("bits", "packed[1:] += ", "packed[:-1] += "),
])
def test_mutants_are_caught(room, old, new, monkeypatch):
    rooms = {"codecs": codecs, "masks": masks, "symbols": symbols, "huffman": huffman, "bits": bits}
    mutant = mutate(rooms[room], old, new)
    under_test = mutant if room == "codecs" else codecs
    for other in rooms.values():
        if room in vars(other):
            monkeypatch.setattr(other, room, mutant)
    if room == "bits":
        monkeypatch.setattr(huffman, "pack", mutant.pack)
    with pytest.raises((AssertionError, ValueError, IndexError, RuntimeWarning, pytest.fail.Exception)):
        for form in CASES:
            law_round_trip(under_test, form)
            law_itemised(under_test, form)
        law_whole(under_test, CASES[0])


def test_the_cases_reach_every_layout():
    """Else the mutants above would prove less than they seem to."""
    heads = {masks_flags(form) for form in CASES if isinstance(form, Sparse)}
    assert heads == {0, 1, 2, 3}


def masks_flags(form):
    parts = coding.encode(form).parts
    shape_and_tag = 1 + len(form.shape) + 1
    return parts[shape_and_tag][1][0] >> 4
