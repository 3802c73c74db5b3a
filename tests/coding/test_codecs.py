"""Forms as bytes: what hostile bytes must not do, what the encoder chooses, and the columns of Han's tables."""

import math
import time
import tracemalloc

import numpy as np
import pytest

from minicompress import coding
from minicompress.coding.bits import varint
from minicompress.equations.coding.huffman import entropy
from minicompress.equations.coding.relative_index import relative_index
from minicompress.equations.quantization.weight_sharing import compression_rate
from minicompress.forms import Codebook, Dense, Form, Sparse

DENSE, SPARSE, CODEBOOK = b"\x00", b"\x01", b"\x02"
ONE = np.float32(1).tobytes()


def shape(*axes):
    return varint(len(axes)) + b"".join(map(varint, axes))


def codebook(axes, centroids, stream, bits=16):
    return shape(*axes) + bytes([2 | bits - 1 << 4]) + varint(centroids) + ONE * min(centroids, 20) + stream


def bitstream(digits):
    digits = digits.replace(" ", "")
    digits += "0" * (-len(digits) % 8)
    return bytes(int(digits[i:i + 8], 2) for i in range(0, len(digits), 8))


def number(value, kind="<f4"):
    return np.array(value, kind).tobytes()


HOSTILE = {
    "alphas that are all 1": shape(2) + b"\x14" + number(1) + b"\xc0",
    "alphas that are all 1, one a row": shape(2, 1) + b"\x1c" + number([1, 1]) + b"\xc0",
    "an alpha of minus zero": shape(2) + b"\x14" + number(-0.0) + b"\xc0",
    "a negative alpha": shape(2) + b"\x14" + number(-1) + b"\xc0",
    "an infinite alpha": shape(2) + b"\x14" + number(np.inf) + b"\xc0",
    "an alpha that is no number": shape(2, 1) + b"\x1c" + number([1, np.nan]) + b"\xc0",
    "minus zero by its bit": shape(2) + b"\x14" + number(0) + b"\x80",
    "minus zero by its bit, in a row": shape(2, 1) + b"\x1c" + number([2, 0]) + b"\x80",
    "zero points that are all 0": shape(1) + b"\x13\x08" + number(1) + number(0, "<i4") + b"\x00\x80",
    "zero points that are all 0, one a row": shape(2, 1) + b"\x1b\x08" + number([1, 1]) + number([0, 0], "<i4")
    + b"\x00\x80\x81",
    "a terabyte": shape(2**40) + DENSE + bytes(60),
    "a product that overflows": shape(2**31, 2**31, 2**31) + DENSE + bytes(60),
    "a product that overflows to zero": shape(2**32, 2**32) + DENSE,
    "nothing, but wide": shape(0, 2**62) + DENSE,
    "nothing, but overflowing": shape(2**62, 0, 2**62) + DENSE,
    "too many axes": shape(*[1] * 17) + DENSE + ONE,
    "no axes given": b"\xff" * 40,
    "a terabyte of zeros": shape(2**20, 2**20) + SPARSE + b"\x00\x00" + DENSE,
    "a terabyte of one value": codebook([2**40], 1, b"\x00", 1),
    "half a gigabyte of one value, too much with its copies": codebook([2**29 + 2**28], 1, b"\x00", 1),
    "forms in forms": shape(1) + (SPARSE + b"\x00\x01\x00\x80") * 100 + DENSE + ONE,
    "an unknown form": shape(1) + b"\x07" + ONE,
    "unknown flags, dense": shape(1) + b"\x10" + ONE * 2,
    "unknown flags, sparse": shape(1) + b"\x09\x00\x01\x00\x80" + DENSE + ONE,
    "unknown flags, mask": shape(1) + SPARSE + b"\x40\x01\x00\x80" + DENSE + ONE,
    "no centroids": codebook([1], 0, b""),
    "more centroids than bits": codebook([1], 3, b"\x00\x00", 1),
    "many centroids": codebook([1], 2**15, b"\x00\x00"),
    "a code out of range": codebook([2], 5, b"\x00" + bitstream("100 101")),
    "codes longer than allowed": codebook([2], 2, b"\x0d\x02"),
    "codes longer than so many used symbols allow": (  # 14 used of 300, so 12 bits at most: their lengths 1 … 13, 13
        shape(300) + b"\xf2" + varint(300) + ONE * 300 + b"\x0d\x0e"
        + bitstream("111" + "1" * 11 + "0" + "1100" * 12 + "0") + varint(300) + bytes(38)),
    "codes of 255 bits": codebook([2], 2, b"\xff\x02"),
    "an over-full table": codebook([3], 3, b"\x01\x03" + bitstream("000") + b"\x03\x00"),
    "an incomplete table": codebook([3], 3, b"\x02\x03" + bitstream("000") + b"\x06\x00"),
    "a table beyond its alphabet": codebook([2], 3, b"\x01\x04" + bitstream("10 10 0 0") + b"\x02\x00"),
    "a table that ends in nothing": codebook([2], 3, b"\x01\x03" + bitstream("0 0 10") + b"\x02\x00"),
    "a table without its longest code": codebook([2], 3, b"\x02\x02" + bitstream("11 1 0 0") + b"\x02\x00"),
    "a length below one": codebook([2], 3, b"\x01\x02" + bitstream("11 1 0 0") + b"\x02\x00"),
    "a length that runs away": codebook([2], 3, b"\x01\x02" + b"\xff" * 40),
    "a lane too long": codebook([2], 2, b"\x01\x02\x00" + varint(2**40) + b"\x00"),
    "a lane too short": codebook([3], 2, b"\x01\x02\x00\x02\x00"),
    "lanes of 255 bits": codebook([5000], 2, b"\x01\x02\x00\x08\xff" + bytes(700)),
    "more symbols than a mask has entries": shape(4) + SPARSE + b"\x00\x05\x00\x08" + DENSE,
    "a gap too far": shape(4) + SPARSE + b"\x03\x01\x00\xf0" + DENSE + ONE,
    "a mask that ends in an escape": shape(4) + SPARSE + b"\x00\x02\x00\x80" + DENSE + ONE,
    "an empty row in use": shape(2, 2) + SPARSE + b"\x20\xc0\xc0\x02\x00\xc0" + DENSE + ONE * 2,
    "bits after a bitmap": shape(2, 2) + SPARSE + b"\x20\xc1\xc0\x03\x00\xa0" + DENSE + ONE * 2,
    "a long varint": b"\x81\x00\x01" + DENSE + ONE,
    "something after the end": shape(1) + DENSE + ONE + b"\x00",
    "nothing at all": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_refused_at_once(data):
    tracemalloc.start()
    begin = time.process_time()
    with pytest.raises(coding.CorruptDataError):
        coding.decode(data)
    seconds, peak = time.process_time() - begin, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000 and seconds < 5  # not a measurement: a hang would take hours


def test_the_same_bytes_with_the_fault_put_right_are_fine():
    """Else the faults above might not be what is refused."""
    right = {
        "alphas that are all 1": shape(2) + b"\x14" + number(1.5) + b"\xc0",
        "alphas that are all 1, one a row": shape(2, 1) + b"\x1c" + number([1, 2]) + b"\xc0",
        "an alpha of minus zero": shape(2) + b"\x14" + number(0) + b"\xc0",
        "minus zero by its bit": shape(2) + b"\x14" + number(2) + b"\x80",
        "minus zero by its bit, in a row": shape(2, 1) + b"\x1c" + number([2, 0]) + b"\xc0",
        "zero points that are all 0": shape(1) + b"\x13\x08" + number(1) + number(3, "<i4") + b"\x00\x80",
        "zero points that are all 0, one a row": shape(2, 1) + b"\x1b\x08" + number([1, 1]) + number([0, 3], "<i4")
        + b"\x00\x80\x81",
        "a code out of range": codebook([2], 5, b"\x00" + bitstream("100 011")),
        "an over-full table": codebook([3], 3, b"\x01\x02" + bitstream("00") + b"\x03\x00"),
        "an incomplete table": codebook([3], 3, b"\x02\x03" + bitstream("11 1 0 11 0 0 0") + b"\x03\x00"),
        "a lane too short": codebook([3], 2, b"\x01\x02\x00\x03\x00"),
        "more symbols than a mask has entries": shape(4) + SPARSE + b"\x00\x04\x00\x10" + DENSE + ONE,
        "a gap too far": shape(4) + SPARSE + b"\x03\x01\x00\x40" + DENSE + ONE,
        "a mask that ends in an escape": shape(4) + SPARSE + b"\x00\x02\x00\x40" + DENSE + ONE,
        "an empty row in use": shape(2, 2) + SPARSE + b"\x20\xc0\xc0\x04\x00\x90" + DENSE + ONE * 2,
        "a terabyte of one value": codebook([2**20], 1, b"\x00", 1),
        "forms in forms": shape(1) + (SPARSE + b"\x00\x01\x00\x80") * 4 + DENSE + ONE,
    }
    for name, data in right.items():
        assert isinstance(coding.decode(data), Form), name
        with pytest.raises(coding.CorruptDataError):
            coding.decode(HOSTILE[name])


@pytest.mark.parametrize("value", [0, 3])
def test_a_constant_tensor_is_not_nothing(value):
    form = Codebook(np.full((50, 40), value), np.arange(4.0), 2)
    assert coding.decode(bytes(coding.encode(form))) == form
    sparse = Sparse(np.eye(50, 40, dtype=bool), Codebook(np.full((50, 40), 0), [2.5], 1))
    assert coding.decode(bytes(coding.encode(sparse))).dense().sum() == 100


def test_a_mask_never_takes_more_than_its_bitmap_nor_dead_rows_much_at_all():
    rng = np.random.default_rng(0)
    for density in (0, 0.001, 0.05, 0.5, 0.99, 1):
        mask = rng.random((64, 100)) < density
        sizes = coding.encode(Sparse(mask, Dense(mask * 1.0))).sizes()
        assert sizes["indices"] + sizes["code tables"] <= mask.size / 8
    mask[:] = False
    mask[10:14] = rng.random((4, 100)) < 0.5
    sizes = coding.encode(Sparse(mask, Dense(mask * 1.0))).sizes()
    assert sizes["indices"] + sizes["code tables"] <= 400 / 8 + 164 / 8 + 2
    turned = coding.encode(Sparse(mask.T, Dense(mask.T * 1.0))).sizes()
    assert abs(turned["indices"] - sizes["indices"]) <= 4  # the order of traversal is chosen


def test_fixed_width_matches_the_compression_rate():
    """(QU-13) n·log₂k + k·b bits, and the real bytes beside it: a header more."""
    codes = np.arange(4096).reshape(64, 64) % 16  # uniform: Huffman can't gain
    encoded = coding.encode(Codebook(codes, np.arange(16.0, dtype=np.float32), 4))
    sizes = encoded.sizes()
    assert 4 * codes.size / (sizes["payload"] + sizes["codebooks"]) == compression_rate(codes.size, 32, 16)
    assert len(encoded) == sizes["payload"] + sizes["codebooks"] + sizes["header"] and sizes["header"] < 10


def test_huffman_is_used_where_it_pays():
    rng = np.random.default_rng(0)
    codes = np.minimum(rng.geometric(0.5, 5000) - 1, 15)
    encoded = coding.encode(Codebook(codes, np.arange(16.0), 4))
    bits = entropy(np.bincount(codes).tolist())
    assert bits * 5000 / 8 <= encoded.sizes()["payload"] <= (bits + 0.1) * 5000 / 8
    assert encoded.sizes()["code tables"] < 20


def test_columns_of_hans_tables():
    rng = np.random.default_rng(0)
    mask = rng.random((100, 200)) < 0.1
    codes = np.minimum(rng.geometric(0.3, mask.shape) - 1, 31)
    encoded = coding.encode(Sparse(mask, Codebook(codes, np.arange(32.0), 5)))
    stats, kept = encoded.stats, int(mask.sum())
    assert stats["weights"] == 20_000 and stats["kept"] == kept / 20_000 and stats["weight_bits"] == 5
    values = (mask * (codes + 1)).ravel().tolist()
    slots, k = min((len(relative_index(values, k)[0]) * (k + 5), k) for k in range(1, 9))
    assert stats["index_bits"] == pytest.approx(k * (slots / (k + 5)) / kept)
    assert stats["weight_bits_huffman"] == 8 * encoded.sizes()["payload"] / kept < 5
    assert stats["index_bits_huffman"] == 8 * encoded.sizes()["indices"] / kept < stats["index_bits"]
    dense = coding.encode(Dense(np.ones((2, 3)))).stats
    assert dense == {"weights": 6, "kept": 1.0, "weight_bits": 64.0, "weight_bits_huffman": 64.0, "index_bits": 0.0,
                     "index_bits_huffman": 0.0}
    empty = coding.encode(Sparse(np.zeros(5, bool), Dense(np.ones(5)))).stats
    assert empty["kept"] == 0 and math.isfinite(sum(empty.values()))


class Unknown(Form):
    shape = (1,)


def test_forms_that_cannot_be_written():
    with pytest.raises(TypeError, match="Unknown, expected one of Dense, Sparse, Codebook"):
        coding.encode(Unknown())
    deep = Dense([1.0])
    for _ in range(5):
        deep = Sparse([True], deep)
    with pytest.raises(ValueError, match="the form is 5 deep"):
        coding.encode(deep)
    with pytest.raises(ValueError, match="17 axes"):
        coding.encode(Dense(np.zeros([1] * 17)))


def test_a_reader_takes_no_more_than_there_is_or_than_it_may():
    reader = coding.Reader(b"abcdef", max_bytes=4)
    assert reader.take("payload", 3) == b"abc" and reader.parts == [("payload", b"abc")]
    with pytest.raises(coding.CorruptDataError, match="4 bytes of payload expected, but 3 are left"):
        reader.take("payload", 4)
    with pytest.raises(coding.CorruptDataError):
        reader.take("payload", 2)  # three and two are more than the budget of 4
