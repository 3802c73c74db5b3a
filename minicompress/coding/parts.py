"""Bytes with an account of what they are spent on, written and read; reading never trusts a size that it meets."""

from contextlib import contextmanager
from dataclasses import dataclass, field

from minicompress.coding.bits import CorruptDataError, read_varint, varint

KINDS = ("payload", "codebooks", "code tables", "indices", "header")


@dataclass(frozen=True)
class Encoded:
    """A form as bytes, itemised: ``parts`` are ``(kind, bytes)`` in the order of the file, each kind one of `KINDS`.

    ``stats`` holds the columns of Han's tables, see `minicompress.coding.statistics`.

    >>> encoded = Encoded((("header", b"ab"), ("payload", b"xyz")))
    >>> len(encoded), bytes(encoded), encoded.sizes()["payload"]
    (5, b'abxyz', 3)
    """

    parts: tuple
    stats: dict = field(default_factory=dict)

    def __bytes__(self):
        return b"".join(part for _, part in self.parts)

    def __len__(self):
        return sum(len(part) for _, part in self.parts)

    def sizes(self):
        """Bytes per kind, every kind of `KINDS` present; they sum to the length."""
        return {kind: sum(len(part) for k, part in self.parts if k == kind) for kind in KINDS}


class Writer:
    """Collects parts; ``entropy`` tells whether symbols may be Huffman-coded."""

    def __init__(self, entropy=True):
        self.parts, self.entropy = [], entropy

    def __len__(self):
        return sum(len(part) for _, part in self.parts)

    def put(self, kind, data):
        if data:
            self.parts.append((kind, data))

    def byte(self, value, kind="header"):
        self.put(kind, bytes([value]))

    def number(self, value, kind="header"):
        self.put(kind, varint(value))


class Reader:
    """Takes parts off the front of ``data``, within a memory budget of ``max_bytes``; all else is a CorruptDataError.

    Whoever is about to allocate calls `claim` (for what stays) or `working` (for what is released again) beforehand.
    """

    def __init__(self, data, max_bytes):
        self.data, self.at = memoryview(data), 0
        self.budget, self.parts = max_bytes, []

    def take(self, kind, count):
        if not 0 <= count <= len(self.data) - self.at:
            raise CorruptDataError(f"{count} bytes of {kind} expected, but {len(self.data) - self.at} are left")
        self.claim(count)
        part = bytes(self.data[self.at:self.at + count])
        self.at += count
        if part:
            self.parts.append((kind, part))
        return part

    def byte(self, kind="header"):
        return self.take(kind, 1)[0]

    def number(self, least, most, what, kind="header"):
        value, end = read_varint(self.data, self.at)
        if not least <= value <= most:
            raise CorruptDataError(f"{what} is {value}, expected {least} to {most}")
        self.take(kind, end - self.at)
        return value

    def claim(self, count):
        if count > self.budget:
            raise CorruptDataError(f"decoding takes {count - self.budget} bytes more than max_bytes allows")
        self.budget -= count

    @contextmanager
    def working(self, count):
        self.claim(count)
        yield
        self.budget += count

    def finish(self):
        if self.at != len(self.data):
            raise CorruptDataError(f"{len(self.data) - self.at} bytes follow the end")
