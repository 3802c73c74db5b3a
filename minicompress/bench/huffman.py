"""Huffman decoding beside the package dahuffman and beside zlib, on the bytes that a file would hold."""

import importlib
import statistics
import time
import zlib

import numpy as np

from minicompress import coding
from minicompress.claims import Claim, Quantity, milliseconds, percent, precise_times
from minicompress.columns import table
from minicompress.equations.coding.huffman import entropy
from minicompress.forms import Codebook

SYMBOLS, ALPHABET, BITS = 10**6, 64, 4.5


def symbols(rng):
    """A million weights' codes: a bell curve over 64 centroids, as wide as makes 4.5 bits of entropy, (10^6,) uint8."""
    width = 2**BITS / np.sqrt(2 * np.pi * np.e)  # a normal distribution has log₂(σ·√(2πe)) bits
    return np.clip(np.rint(rng.normal(ALPHABET / 2 - 0.5, width, SYMBOLS)), 0, ALPHABET - 1).astype(np.uint8)


def run(*, seed=0, repeats=9):
    """Time decoding in one process, the three taking turns; returns medians in seconds, and the sizes.

    ``ours`` decodes the whole of what the container stores for this array: header, centroids, code table, lanes and
    payload, checked, to a Form. ``peer`` is dahuffman's ``decode``, ``zlib`` its decompression at level 9.
    ``lane_table_share`` is the size of the lane table and the code table as a fraction of the payload.

    Raises ModuleNotFoundError, with what to install, if dahuffman is missing.
    """
    try:
        peer = importlib.import_module("dahuffman")
    except ModuleNotFoundError:
        raise ModuleNotFoundError("dahuffman is not installed: pip install minicompress[bench]") from None
    codes = symbols(np.random.default_rng(seed))
    form = Codebook(codes, np.arange(ALPHABET, dtype=np.float32), 6)
    encoded = coding.encode(form)
    counts = np.bincount(codes, minlength=ALPHABET)
    codec = peer.HuffmanCodec.from_frequencies({symbol: int(n) for symbol, n in enumerate(counts) if n})
    packed, squeezed, data = codec.encode(codes.tolist()), zlib.compress(codes.tobytes(), 9), bytes(encoded)
    sides = {"ours": lambda: coding.decode(data), "peer": lambda: codec.decode(packed),
             "zlib": lambda: zlib.decompress(squeezed)}
    assert sides["ours"]() == form and sides["peer"]() == codes.tolist() and sides["zlib"]() == codes.tobytes()
    seconds = {side: [] for side in sides}
    for _ in range(repeats):
        for side, decode in sides.items():
            begin = time.perf_counter()
            decode()
            seconds[side].append(time.perf_counter() - begin)
    medians = {side: statistics.median(times) for side, times in seconds.items()}
    sizes = encoded.sizes()
    return {
        "benchmark": "huffman", "seed": seed, "symbols": SYMBOLS, "entropy": entropy(counts.tolist()),
        "bits_per_symbol": 8 * sizes["payload"] / SYMBOLS,
        "ours_bytes": len(data), "peer_bytes": len(packed), "zlib_bytes": len(squeezed),
        "ours_seconds": medians["ours"], "peer_seconds": medians["peer"], "zlib_seconds": medians["zlib"],
        "ratio": medians["peer"] / medians["ours"], "zlib_ratio": medians["zlib"] / medians["ours"],
        "lane_table_share": sizes["code tables"] / sizes["payload"], "repeats": repeats,
    }


def shown(report):
    """The three sides in a table."""
    sides = [("minicompress, to a checked form", "ours"), ("dahuffman", "peer"), ("zlib, level 9", "zlib")]
    rows = [[words, f"{report[f'{side}_bytes']:,}", milliseconds(report[f"{side}_seconds"]),
             precise_times(report[f"{side}_seconds"] / report["ours_seconds"])] for words, side in sides]
    return table([f"{report['symbols']:,} symbols of {report['entropy']:.2f} bits", "bytes", "ms", "ratio"], rows)


CLAIMS = {"huffman": Claim(lambda lab: run(seed=lab.seed), (
    Quantity("speed beside dahuffman", precise_times, "Huffman decode, 10⁶ symbols of 4.5 bits, beside dahuffman",
             at_least=50),
    Quantity("speed beside zlib", precise_times, "the same beside zlib's inflate"),
    Quantity("tables beside payload", percent, "its tables, of the payload", at_most=0.01)),
    lambda report: {"speed beside dahuffman": report["ratio"], "speed beside zlib": report["zlib_ratio"],
                    "tables beside payload": report["lane_table_share"]}, shown)}
