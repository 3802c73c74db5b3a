"""Forms as bytes: one codec per class of form, in a table. FORMAT.md has the layout.

A codec writes the entries of its form at the flat positions ``keep`` (None: all of them, in C order), so that a sparse
form can ask its inner one for the surviving entries alone, in the order of its mask; whatever nests, nests.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minicompress.coding import masks, relative_index, symbols
from minicompress.coding.bits import CorruptDataError
from minicompress.coding.parts import Encoded, Reader, Writer
from minicompress.forms import Codebook, Dense, Sparse

MOST_AXES = 16
DEEPEST = 4  # forms within forms


@dataclass(frozen=True)
class Codec:
    """How one class of form becomes bytes.

    ``write(writer, form, keep)`` writes the entries at ``keep``; ``read(reader, shape, keep, flags, depth)`` builds the
    form from them, and whatever else it has; ``flags()`` gives the five bits that share a byte with the codec's number;
    ``value_bits(form)`` is the fixed width of a value, or None for a form that only says which entries there are.
    """

    form: type
    flags: Callable
    write: Callable
    read: Callable
    value_bits: Callable | None = None


def encode(form):
    """A form as bytes, itemised, and the same bytes every time; returns `Encoded`.

    form : any Form, or forms within forms, that has an entry in `CODECS`

    Raises TypeError for a form without a codec, ValueError for one that nests too deep or has too many axes.

    >>> from minicompress.forms import Dense
    >>> encode(Dense([1.0])).parts
    (('header', b'\\x01'), ('header', b'\\x01'), ('header', b'\\x00'), ('payload', b'\\x00\\x00\\x80?'))
    """
    inner, depth = form, 0
    while isinstance(inner, Sparse):
        inner, depth = inner.inner, depth + 1
    if depth > DEEPEST or len(inner.shape) > MOST_AXES:
        raise ValueError(f"{depth} forms deep with {len(inner.shape)} axes, expected at most {DEEPEST} and {MOST_AXES}")
    writer = Writer()
    writer.number(len(form.shape))
    for n in form.shape:
        writer.number(n)
    _write(writer, form, None)
    return Encoded(tuple(writer.parts), statistics(form, writer.parts))


def decode(data, *, max_bytes=2**30):
    """The form that `encode` wrote; ``decode(bytes(encode(form)))`` equals it in every stored bit.

    What a sparse form holds where its mask is false is not stored, and comes back as zeros.

    data : bytes, one form and nothing after it
    max_bytes : bound on the memory that decoding may take, working space included

    Raises CorruptDataError, a ValueError, for bytes that `encode` cannot have written and for forms over ``max_bytes``.

    >>> from minicompress.forms import Codebook
    >>> decode(bytes(encode(Codebook([0, 1, 1], [-1.0, 3.0], bits=1)))).dense()
    array([-1.,  3.,  3.], dtype=float32)
    """
    reader = Reader(data, max_bytes)
    form = read(reader)
    reader.finish()
    return form


def itemise(data, *, max_bytes=2**30):
    """The form in ``data`` and what its bytes are spent on: ``(form, Encoded)``; as `decode` otherwise.

    >>> from minicompress.forms import Dense
    >>> itemise(bytes(encode(Dense([1.0, 2.0]))))[1].sizes()["payload"]
    8
    """
    reader = Reader(data, max_bytes)
    form = read(reader)
    reader.finish()
    with reader.working(32 * math.prod(form.shape)):
        return form, Encoded(tuple(reader.parts), statistics(form, reader.parts))


def read(reader, shape=None):
    """Read one form off a `Reader`; CorruptDataError unless it has the given ``shape``, which is checked first."""
    axes = reader.number(0, MOST_AXES, "number of axes")
    found = tuple(reader.number(0, 2**62, "an axis") for _ in range(axes))
    if shape is not None and found != tuple(shape):
        raise CorruptDataError(f"an array has shape {found}, expected {tuple(shape)}")
    if math.prod(max(n, 1) for n in found) > reader.budget:
        raise CorruptDataError(f"an array of shape {found} takes more than max_bytes allows")
    return _read(reader, found, None, 0)


def _write(writer, form, keep):
    for number, codec in CODECS.items():
        if type(form) is codec.form:
            writer.byte(number | codec.flags(form) << 3)
            return codec.write(writer, form, keep)
    known = ", ".join(codec.form.__name__ for codec in CODECS.values())
    raise TypeError(f"no codec for a form of type {type(form).__name__}, expected one of {known}")


def _read(reader, shape, keep, depth):
    number, flags = (tag := reader.byte()) & 7, tag >> 3
    if number not in CODECS or depth > DEEPEST:
        raise CorruptDataError(f"form {number} at depth {depth}, expected one of {list(CODECS)} and at most {DEEPEST}")
    return CODECS[number].read(reader, shape, keep, flags, depth)


def _entries(shape, keep):
    return math.prod(shape) if keep is None else len(keep)


def _kept(array, keep):
    return array.ravel() if keep is None else array.ravel()[keep]


def _spread(reader, values, shape, keep):
    """The inverse of `_kept`: an array of the given shape with ``values`` at ``keep`` and zeros elsewhere."""
    reader.claim(2 * math.prod(shape) * values.itemsize)  # twice, since a form keeps a copy of its own
    if keep is None:
        return values.reshape(shape)
    array = np.zeros(math.prod(shape), values.dtype)
    array[keep] = values
    return array.reshape(shape)


def _write_floats(writer, values, kind):
    writer.put(kind, values.astype(values.dtype.newbyteorder("<")).tobytes())


def _read_floats(reader, count, wide, kind):
    dtype = np.dtype("<f8" if wide else "<f4")
    data = reader.take(kind, count * dtype.itemsize)
    reader.claim(2 * len(data))
    return np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))


def _write_dense(writer, form, keep):
    _write_floats(writer, _kept(form.values, keep), "payload")


def _read_dense(reader, shape, keep, flags, depth):
    if flags > 1:
        raise CorruptDataError(f"flags of a dense form are {flags}, expected 0 or 1")
    return Dense(_spread(reader, _read_floats(reader, _entries(shape, keep), flags, "payload"), shape, keep))


def _write_codebook(writer, form, keep):
    writer.number(len(form.centroids))
    _write_floats(writer, form.centroids, "codebooks")
    symbols.write(writer, _kept(form.codes, keep), len(form.centroids), "payload")


def _read_codebook(reader, shape, keep, flags, depth):
    bits = (flags >> 1) + 1
    alphabet = reader.number(1, 2**bits, "number of centroids")
    centroids = _read_floats(reader, alphabet, flags & 1, "codebooks")
    codes = symbols.read(reader, _entries(shape, keep), alphabet, "payload")
    return Codebook(_spread(reader, codes, shape, keep), centroids, bits)


def _write_sparse(writer, form, keep):
    at = masks.write(writer, _kept(form.mask, keep).reshape(_matrix(form.shape, keep)))
    _write(writer, form.inner, at if keep is None else keep[at])


def _read_sparse(reader, shape, keep, flags, depth):
    if flags:
        raise CorruptDataError(f"flags of a sparse form are {flags}, expected 0")
    at = masks.read(reader, *_matrix(shape, keep))
    at = at if keep is None else keep[at]
    mask = _spread(reader, np.ones(len(at), bool), shape, at)
    return Sparse(mask, _read(reader, shape, at, depth + 1))


def _matrix(shape, keep):
    """A mask is coded as a matrix: the first axis and all others, or one row where there is no first axis to tell."""
    return (shape[0], math.prod(shape[1:])) if keep is None and len(shape) > 1 else (1, _entries(shape, keep))


CODECS = {
    0: Codec(Dense, lambda form: form.values.dtype == np.float64, _write_dense, _read_dense,
             value_bits=lambda form: 8 * form.values.itemsize),
    1: Codec(Sparse, lambda form: 0, _write_sparse, _read_sparse),
    2: Codec(Codebook, lambda form: (form.centroids.dtype == np.float64) | form.bits - 1 << 1, _write_codebook,
             _read_codebook, value_bits=lambda form: form.bits),
}


def statistics(form, parts):
    """The columns of Han's tables for one array, from the form and the parts ``(kind, bytes)`` that it takes.

    ``weights`` (how many), ``kept`` (fraction not pruned), and bits per kept weight: ``weight_bits`` in a fixed width
    and ``index_bits`` for the relative index of PR-17 with fillers, both before Huffman coding; ``weight_bits_huffman``
    and ``index_bits_huffman`` as stored. Codebooks and code tables are itemised, but not in these columns.

    >>> from minicompress.forms import Dense, Sparse
    >>> encode(Sparse([True, False, True, True], Dense([1.0, 0.0, 2.0, 3.0]))).stats["kept"]
    0.75
    """
    mask, sizes = np.ones(form.shape, bool), Encoded(tuple(parts)).sizes()
    while isinstance(form, Sparse):
        mask, form = mask & form.mask, form.inner
    kept = int(mask.sum())
    value_bits = next(codec.value_bits(form) for codec in CODECS.values() if type(form) is codec.form)
    index_bits = 0.0
    if kept < mask.size:
        gap = relative_index.gaps(mask.ravel())
        k = relative_index.best_bits(gap, value_bits)
        index_bits = k * int(((gap >> k) + 1).sum()) / max(kept, 1)
    return {
        "weights": mask.size, "kept": kept / max(mask.size, 1),
        "weight_bits": float(value_bits), "weight_bits_huffman": 8 * sizes["payload"] / max(kept, 1),
        "index_bits": index_bits, "index_bits_huffman": 8 * sizes["indices"] / max(kept, 1),
    }
