"""The benchmark of packed products: that it compares equal results, not how fast either side is."""

import pytest

from minicompress.bench import xnor


def test_the_report(monkeypatch):
    pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(xnor, "PRODUCTS", {"vector": (100, 256, 1, 2), "matrix": (10, 576, 30, 1)})
    report = xnor.run(seed=1, repeats=2)
    assert [result["product"] for result in report["results"]] == ["vector", "matrix"]
    for result, k in zip(report["results"], (256, 576), strict=True):
        assert result["equal"] and result["threads"] == 1 and result["packing_seconds"] > 0
        assert result["ratio"] == result["peer_seconds"] / result["ours_seconds"] > 0 and result["first_ratio"] > 0
        assert result["theoretical_speedup"] == 64 * k / (k + 64)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(xnor, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"threadpoolctl: pip install minicompress\[bench\]"):
        xnor.run()
