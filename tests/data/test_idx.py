"""IDX files: what is written is read back, and nothing else than a good file is read."""

import gzip
import os
import pickle
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress.data import DataError, idx, read_idx, write_idx
from tests.mutants import mutate

ARRAYS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=6))
IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def file_bytes(array):
    """An IDX file exactly as the format's description reads, one byte after the other."""
    content = [0, 0, 0x08, array.ndim]
    for size in array.shape:
        content += [size // 256**3 % 256, size // 256**2 % 256, size // 256 % 256, size % 256]
    return bytes(content + [int(value) for value in array.ravel()])


def gunzipped(path):
    content = path.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


# Laws: plain functions of the module, so that they can be run on mutants too.

def law_bytes_are_the_format(module, folder, array=IMAGES):
    for name in ("plain", "packed.gz"):
        module.write_idx(folder / name, array)
        assert gunzipped(folder / name) == file_bytes(array)


def law_round_trip(module, folder, array=IMAGES):
    for content in (file_bytes(array), gzip.compress(file_bytes(array))):
        (folder / "file").write_bytes(content)
        read = module.read_idx(folder / "file", array.ndim)
        assert (read.dtype, read.shape, read.tobytes()) == (np.uint8, array.shape, array.tobytes())
        assert not read.flags.writeable


def refused(module, path, content, ndim=3, **options):
    path.write_bytes(content)
    try:
        read = module.read_idx(path, ndim, **options)
    except module.DataError as error:
        assert error.path == path and error.found in str(error) and error.expected in str(error)
        return
    raise AssertionError(f"read {read.shape} from a file that should be refused")


def law_truncated_is_refused(module, folder):
    for content in (file_bytes(IMAGES), gzip.compress(file_bytes(IMAGES), mtime=0)):
        for length in range(len(content)):
            refused(module, folder / "file", content[:length])


def law_trailing_is_refused(module, folder):
    content = file_bytes(IMAGES)
    refused(module, folder / "file", content + b"\0")
    refused(module, folder / "file", gzip.compress(content + b"\0"))
    refused(module, folder / "file", gzip.compress(content) + b"\1")


def law_header_is_checked(module, folder):
    content = file_bytes(IMAGES)
    for place in range(16):
        for value in {0, 1, 254, 255, *(content[place] ^ 1 << bit for bit in range(8))} - {content[place]}:
            changed = bytearray(content)
            changed[place] = value
            refused(module, folder / "file", bytes(changed))


def law_checksum_is_checked(module, folder):
    packed = bytearray(gzip.compress(file_bytes(IMAGES)))
    packed[-8] ^= 1  # the first byte of the CRC-32
    refused(module, folder / "file", bytes(packed))


def law_memory_is_bounded(module, folder):
    """Neither a header's claim nor a highly compressed stream takes memory that the honest content would not."""
    claims = bytes([0, 0, 8, 3]) + (2**26).to_bytes(4, "big") + (1).to_bytes(4, "big") * 2
    compressor = zlib.compressobj(9, wbits=31)
    bomb = compressor.compress(file_bytes(IMAGES)) + compressor.compress(bytes(2**26)) + compressor.flush()
    assert len(bomb) < 2**17
    tracemalloc.start()
    try:
        for content in (claims, gzip.compress(claims), bomb):
            refused(module, folder / "file", content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20


def law_max_bytes_is_the_limit(module, folder):
    (folder / "file").write_bytes(file_bytes(IMAGES))
    assert module.read_idx(folder / "file", 3, max_bytes=IMAGES.size).shape == IMAGES.shape
    refused(module, folder / "file", file_bytes(IMAGES), max_bytes=IMAGES.size - 1)


def law_old_file_survives(module, folder):
    """A write that fails leaves the old file and nothing else."""
    module.write_idx(folder / "file", IMAGES)
    rename, os.replace = os.replace, None  # not callable: fails after the new content has been written
    try:
        with pytest.raises(TypeError):
            module.write_idx(folder / "file", IMAGES[:1])
    finally:
        os.replace = rename
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert (folder / "file").read_bytes() == file_bytes(IMAGES)


LAWS = [law for name, law in list(globals().items()) if name.startswith("law_")]

MUTANTS = [
    (law_bytes_are_the_format, 'size.to_bytes(4, "big")', 'size.to_bytes(4, "little")'),
    (law_bytes_are_the_format, "array.tobytes()", 'array.tobytes("F")'),
    (law_round_trip, '">u4"', '"<u4"'),
    (law_round_trip, "elements.flags.writeable = False", ""),
    (law_round_trip, 'file.read(2) == b"\\x1f\\x8b"', 'str(path).endswith(".gz")'),
    (law_truncated_is_refused, "missing == 0", "content"),
    (law_truncated_is_refused, "(EOFError, zlib.error", "(zlib.error"),
    (law_trailing_is_refused, "require(not more", "require(True"),
    (law_trailing_is_refused, ", gzip.BadGzipFile) as", ") as"),
    (law_header_is_checked, r'head[:3] == b"\0\0\x08"', "head[0] == 0 and head[2] == 8"),
    (law_header_is_checked, r'head[:3] == b"\0\0\x08"', r'head[:2] == b"\0\0" and head[2] >= 8'),
    (law_header_is_checked, "head[3] == ndim", "head[3] >= ndim"),
    (law_header_is_checked, "math.prod(shape)", "math.prod(shape[1:]) * (shape[0] % 2**16)"),
    (law_checksum_is_checked, "more = stream.read(1)", "more = False"),
    (law_memory_is_bounded, "content = bytearray()", "content = bytearray(size)[:0]"),
    (law_memory_is_bounded, "stream.read(1)", "stream.read()"),
    (law_max_bytes_is_the_limit, "size <= max_bytes", "size < max_bytes"),
    (law_max_bytes_is_the_limit, "0 < size <= max_bytes", "0 < size"),
    (law_old_file_survives, "temporary.write_bytes(", "temporary = path; path.write_bytes("),
]


@pytest.mark.parametrize("law", LAWS)
def test_law(law, tmp_path):
    law(idx, tmp_path)


@pytest.mark.parametrize("law, old, new", MUTANTS)
def test_mutant_is_caught(law, old, new, tmp_path):
    mutant = mutate(idx, old, new)
    with pytest.raises((AssertionError, EOFError, OSError, IndexError, ValueError)):
        law(mutant, tmp_path)


@given(array=ARRAYS)
def test_any_array_round_trips(array, tmp_path_factory):
    folder = tmp_path_factory.mktemp("idx")
    law_bytes_are_the_format(idx, folder, array)
    law_round_trip(idx, folder, array)


@given(place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_any_changed_byte_of_a_gzip_stream_is_refused_or_harmless(place, flip, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "flipped"
    packed = bytearray(gzip.compress(file_bytes(IMAGES), mtime=0))
    packed[place % len(packed)] ^= flip
    path.write_bytes(packed)
    try:
        read = read_idx(path, 3)
    except DataError:
        return
    assert np.array_equal(read, IMAGES)  # the time stamp, say, does not matter


@pytest.mark.parametrize("content, ndim, said", [
    (b"", 3, "4 bytes early"),
    (b"PK\3\4", 3, "found first bytes 50 4b 03 04, expected 00 00 08 03"),
    (b"\0\0\x0d\3", 3, "found first bytes 00 00 0d 03, expected 00 00 08 03, .* unsigned bytes"),
    (file_bytes(IMAGES[:, 0, 0]), 3, r"found labels \(1 dimension\), expected images \(3 dimensions\)"),
    (file_bytes(IMAGES), 1, r"found images \(3 dimensions\), expected labels \(1 dimension\)"),
    (file_bytes(IMAGES)[:-1], 3, "found the end of the file 1 bytes early, expected an untruncated file"),
    (file_bytes(IMAGES) + b"x", 3, r"found bytes after the 24 elements, expected the end .* after sizes \(2, 3, 4\)"),
    (b"\0\0\x08\3" + b"\xff" * 12, 3, "found sizes .* 79228162458924105385300197375 elements in all, expected 1 to"),
    (b"\0\0\x08\3" + b"\xff" * 4 + b"\0" * 8, 3, r"found sizes \(4294967295, 0, 0\), 0 elements in all"),
    (b"\x1f\x8b\x08" + bytes(7) + b"not deflated", 3, "damaged gzip stream"),
])
def test_the_message_says_what_was_found_and_what_was_expected(content, ndim, said, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_idx(path, ndim)
    assert str(caught.value).startswith(f"{path}: found ")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nowhere", 3)


def test_the_same_array_gives_the_same_bytes(tmp_path):
    write_idx(tmp_path / "a.gz", IMAGES)
    write_idx(tmp_path / "b.gz", IMAGES)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize("array, error", [
    (IMAGES.astype(np.int64), TypeError), (IMAGES > 3, TypeError), (np.uint8(3), ValueError), (IMAGES[:0], ValueError),
])
def test_only_bytes_are_written(array, error, tmp_path):
    with pytest.raises(error, match="array has"):
        write_idx(tmp_path / "file", array)
    assert not list(tmp_path.iterdir())
