"""Forms as bytes: one codec per class of form, in a table. FORMAT.md has the layout.

A codec writes the entries of its form at the flat positions ``keep`` (None: all of them, in C order), so that a sparse
form can ask its inner one for the surviving entries alone, in the order of its mask; whatever nests, nests.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minicompress import expect
from minicompress.coding import masks, relative_index, symbols
from minicompress.coding.bits import CHUNK, CorruptDataError, pack, unpack
from minicompress.coding.parts import Encoded, Reader, Writer
from minicompress.forms import Affine, Codebook, Dense, Sign, Sparse

MOST_AXES = 16
DENSE = ("<f4", "<f8", "<i4")  # by the flag of a dense form
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


def encode(form, *, entropy=True):
    """A form as bytes, itemised, and the same bytes every time; returns `Encoded`.

    form : any Form, or forms within forms, that has an entry in `CODECS`
    entropy : Huffman-code what gets smaller by it; False gives every symbol its fixed width

    Raises TypeError for a form without a codec, ValueError for one that nests too deep or has too many axes.

    >>> from minicompress.forms import Dense
    >>> encode(Dense([1.0])).parts
    (('header', b'\\x01'), ('header', b'\\x01'), ('header', b'\\x00'), ('payload', b'\\x00\\x00\\x80?'))
    """
    inner, depth = form, 0
    while isinstance(inner, Sparse):
        inner, depth = inner.inner, depth + 1
    expect.that(depth <= DEEPEST and len(inner.shape) <= MOST_AXES, lambda: f"the form is {depth} deep with "
                f"{len(inner.shape)} axes, expected at most {DEEPEST} and {MOST_AXES}")
    writer = Writer(entropy)
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


def _write_numbers(writer, values, kind):
    writer.put(kind, values.astype(values.dtype.newbyteorder("<")).tobytes())


def _read_numbers(reader, count, dtype, kind):
    dtype = np.dtype(dtype)
    data = reader.take(kind, count * dtype.itemsize)
    reader.claim(2 * len(data))
    return np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))


def _write_dense(writer, form, keep):
    _write_numbers(writer, _kept(form.values, keep), "payload")


def _read_dense(reader, shape, keep, flags, depth):
    if flags >= len(DENSE):
        raise CorruptDataError(f"flags of a dense form are {flags}, expected 0 to {len(DENSE) - 1}")
    return Dense(_spread(reader, _read_numbers(reader, _entries(shape, keep), DENSE[flags], "payload"), shape, keep))


def _write_codebook(writer, form, keep):
    writer.number(len(form.centroids))
    _write_numbers(writer, form.centroids, "codebooks")
    symbols.write(writer, _kept(form.codes, keep), len(form.centroids), "payload")


def _read_codebook(reader, shape, keep, flags, depth):
    bits = (flags >> 1) + 1
    alphabet = reader.number(1, 2**bits, "number of centroids")
    centroids = _read_numbers(reader, alphabet, DENSE[flags & 1], "codebooks")
    codes = symbols.read(reader, _entries(shape, keep), alphabet, "payload")
    return Codebook(_spread(reader, codes, shape, keep), centroids, bits)


def _write_affine(writer, form, keep):
    writer.byte(form.bits)
    _write_numbers(writer, form.scale, "codebooks")
    if form.zero_point.any():
        _write_numbers(writer, form.zero_point, "codebooks")
    codes = _kept(form.codes, keep).astype(np.int32) + (1 << form.bits - 1)
    symbols.write(writer, codes.astype(np.uint16), 1 << form.bits, "payload")


def _read_affine(reader, shape, keep, flags, depth):
    bits, per_channel = reader.byte(), flags & 1
    if flags > 3 or not 1 <= bits <= 16 or (per_channel and not shape):
        raise CorruptDataError(f"an affine form of {bits} bits with flags {flags} and {len(shape)} axes, expected 1 to "
                               "16, 0 to 3, and an axis for flag 1")
    channels = shape[:1] if per_channel else ()
    scale = _read_numbers(reader, math.prod(channels), "<f4", "codebooks").reshape(channels)
    if flags & 2:
        zero_point = _read_numbers(reader, scale.size, "<i4", "codebooks").reshape(channels)
        if not zero_point.any():
            raise CorruptDataError("all zero points are 0, so none may be stored")
    else:
        reader.claim(4 * scale.size)
        zero_point = np.zeros(channels, np.int32)
    codes = symbols.read(reader, _entries(shape, keep), 1 << bits, "payload")
    reader.claim(2 * len(codes) + 8 * scale.size)
    with reader.working(8 * len(codes) + 8 * scale.size):
        codes = (codes.astype(np.int32) - (1 << bits - 1)).astype(np.int8 if bits <= 8 else np.int16)
        codes = _spread(reader, codes, shape, keep)
        return _checked(Affine, codes, scale, zero_point, bits, 0 if per_channel else None)


def _checked(form, *parts):
    """A form of these parts; what it refuses, no encoder can have written."""
    try:
        return form(*parts)
    except ValueError as error:
        raise CorruptDataError(str(error)) from None


def _write_sign(writer, form, keep):
    if (form.alpha != 1).any():
        _write_numbers(writer, form.alpha, "codebooks")
    writer.put("payload", pack(_kept(form.bits, keep), 1))


def _read_sign(reader, shape, keep, flags, depth):
    if flags > 3 or (flags & 1 and not shape):
        raise CorruptDataError(f"a sign form with flags {flags} and {len(shape)} axes, expected 0 to 3, and an axis "
                               "for flag 1")
    channels, count = shape[:1] if flags & 1 else (), _entries(shape, keep)
    if flags & 2:
        alpha = _read_numbers(reader, math.prod(channels), "<f4", "codebooks").reshape(channels)
        if (alpha == 1).all() or np.signbit(alpha).any():
            raise CorruptDataError("all alphas are 1, so none may be stored, or one is below +0.0")
    else:
        reader.claim(4 * math.prod(channels))
        alpha = np.ones(channels, np.float32)
    data = reader.take("payload", (count + 7) // 8)
    reader.claim(2 * count + 4 * alpha.size)
    with reader.working(64 * min(count, CHUNK) + 2 * len(data) + 8 * alpha.size):
        bits = unpack(data, 1, count, np.uint8).view(bool)
        form = _checked(Sign, _spread(reader, bits, shape, keep), alpha, 0 if flags & 1 else None)
        if not np.array_equal(_kept(form.bits, keep), bits):
            raise CorruptDataError("a bit is 0 where alpha is 0")
        return form


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
    0: Codec(Dense, lambda form: DENSE.index(form.values.dtype.newbyteorder("<").str), _write_dense, _read_dense,
             value_bits=lambda form: 8 * form.values.itemsize),
    1: Codec(Sparse, lambda form: 0, _write_sparse, _read_sparse),
    2: Codec(Codebook, lambda form: (form.centroids.dtype == np.float64) | form.bits - 1 << 1, _write_codebook,
             _read_codebook, value_bits=lambda form: form.bits),
    3: Codec(Affine, lambda form: (form.axis == 0) | form.zero_point.any() << 1, _write_affine, _read_affine,
             value_bits=lambda form: form.bits),
    4: Codec(Sign, lambda form: (form.axis == 0) | (form.alpha != 1).any() << 1, _write_sign, _read_sign,
             value_bits=lambda form: 1),
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
