"""Coding: forms to bytes and back, from scratch.

`encode` and `decode` take any Form; what they are made of stands in modules of its own: `bits` (packing, varints),
`huffman`, `csr` and `relative_index`.
"""

from minicompress.coding import bits, csr, huffman, relative_index
from minicompress.coding.bits import CorruptDataError
from minicompress.coding.codecs import CODECS, Codec, decode, encode, itemise, read, statistics
from minicompress.coding.parts import KINDS, Encoded, Reader

__all__ = ["CODECS", "KINDS", "Codec", "CorruptDataError", "Encoded", "Reader", "bits", "csr", "decode", "encode",
           "huffman", "itemise", "read", "relative_index", "statistics"]
