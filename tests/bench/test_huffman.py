"""The benchmark of Huffman decoding: that it compares the same symbols and counts every byte, not how fast it is."""

import sys

import numpy as np
import pytest

from minicompress import coding
from minicompress.bench import huffman
from minicompress.equations.coding.huffman import entropy
from minicompress.forms import Codebook


def test_the_report(monkeypatch):
    pytest.importorskip("dahuffman")
    monkeypatch.setattr(huffman, "SYMBOLS", 20_000)
    report = huffman.run(seed=1, repeats=2)
    assert report["ratio"] == report["peer_seconds"] / report["ours_seconds"] > 0
    assert report["zlib_ratio"] == report["zlib_seconds"] / report["ours_seconds"] > 0
    assert report["entropy"] <= report["bits_per_symbol"] < report["entropy"] + 0.1
    assert report["peer_bytes"] <= report["ours_bytes"] < report["zlib_bytes"]


def test_a_missing_peer_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dahuffman", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install minicompress\[bench\]"):
        huffman.run()


def test_the_symbols_and_what_the_lanes_cost():
    codes = huffman.symbols(np.random.default_rng(0))
    assert len(codes) == 10**6 and abs(entropy(np.bincount(codes).tolist()) - 4.5) < 0.01
    sizes = coding.encode(Codebook(codes, np.arange(64.0), 6)).sizes()
    assert 0 < sizes["code tables"] <= 0.01 * sizes["payload"]
    assert 8 * sizes["payload"] / 10**6 < entropy(np.bincount(codes).tolist()) + 0.04
