"""IDX files, the format of the MNIST distribution, plain or gzipped.

    bytes 0, 1   zero
    byte  2      type of the elements: 0x08, unsigned byte (the only one supported here)
    byte  3      number of dimensions d: 3 for images (N, H, W), 1 for labels (N,)
    4·d bytes    the d sizes, big-endian unsigned
    the rest     the elements, the last dimension fastest
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from minicompress import atomic, expect

MAX_BYTES = 2**30  # 20 times MNIST's training images
_CHUNK = 2**20
_KINDS = {1: "labels (1 dimension)", 3: "images (3 dimensions)"}


class DataError(ValueError):
    """A data file or folder is not what it should be: says which (`path`), what was `found`, what was `expected`.

    >>> print(DataError("digits.idx", "3 bytes", "a header of 4"))
    digits.idx: found 3 bytes, expected a header of 4
    """

    def __init__(self, path, found, expected):
        super().__init__(path, found, expected)
        self.path, self.found, self.expected = path, found, expected

    def __str__(self):
        return f"{self.path}: found {self.found}, expected {self.expected}"


def require(holds, path, found, expected):
    """DataError with these words unless something holds."""
    if not holds:
        raise DataError(path, found, expected)


def read_idx(path, ndim, *, max_bytes=MAX_BYTES):
    """The array of unsigned bytes in an IDX file, read-only.

    Whether the file is gzipped is seen from its content, not from its name. Memory grows with what the file really
    holds, never with what it claims to hold.

    Args:
        path: the file.
        ndim: dimensions that the file must have: 3 for images (N, H, W), 1 for labels (N,).
        max_bytes: the largest number of elements accepted.

    Raises:
        DataError: not an IDX file of unsigned bytes with `ndim` dimensions, none of them zero; truncated; bytes
            left over; a damaged gzip stream; more than `max_bytes` elements.
        OSError: the file cannot be read.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, "File formats".

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels.gz", np.array([7, 2, 1], np.uint8))
    ...     read_idx(f"{folder}/labels.gz", 1)
    array([7, 2, 1], dtype=uint8)
    """
    with open(path, "rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            return _parse(gzip.GzipFile(fileobj=file) if gzipped else file, path, ndim, max_bytes)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(path, f"a damaged gzip stream ({error})", "an intact one") from error


def write_idx(path, array):
    """Write an array of unsigned bytes as an IDX file, gzipped if the name ends in ".gz".

    The file appears whole or not at all: it is written under a temporary name, then renamed. The same array gives the
    same bytes (no time stamp).

    Args:
        path: the file; an existing one is replaced.
        array: uint8 of one or more dimensions, none of them zero: images (N, H, W) or labels (N,).

    Raises:
        TypeError: the array is not uint8.
        ValueError: the array is empty or has no dimension.
    """
    path, array = Path(path), np.asarray(array)
    expect.that(array.dtype == np.uint8, f"array has dtype {array.dtype}, expected uint8", TypeError)
    expect.shaped("array", array, "at least one dimension and no empty one", array.ndim and array.size)
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    content = header + array.tobytes()
    with atomic.replacing(path) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _parse(stream, path, ndim, max_bytes):
    head = _read(stream, 4, path)
    start = f"00 00 08 {ndim:02x}, the start of an IDX file of unsigned bytes"
    require(head[:3] == b"\0\0\x08", path, f"first bytes {head.hex(' ')}", start)
    found, expected = (_KINDS.get(d, f"{d} dimensions") for d in (head[3], ndim))
    require(head[3] == ndim, path, found, expected)
    shape = tuple(np.frombuffer(_read(stream, 4 * ndim, path), ">u4").tolist())
    size = math.prod(shape)  # in Python's integers, which do not overflow
    require(0 < size <= max_bytes, path, f"sizes {shape}, {size} elements in all", f"1 to {max_bytes} elements")
    elements = np.frombuffer(_read(stream, size, path), np.uint8).reshape(shape)
    more = stream.read(1)  # in a gzip stream, this also compares the checksum
    require(not more, path, f"bytes after the {size} elements", f"the end of the file after sizes {shape}")
    elements.flags.writeable = False
    return elements


def _read(stream, size, path):
    """Exactly ``size`` bytes, asked for in chunks: a header that lies about terabytes must not allocate them."""
    content = bytearray()
    while chunk := stream.read(min(_CHUNK, size - len(content))):
        content += chunk
    missing = size - len(content)
    require(missing == 0, path, f"the end of the file {missing} bytes early", "an untruncated file")
    return content
