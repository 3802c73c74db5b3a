"""The benchmark of clustering: that it compares like with like, not how fast either side is."""

import sys

import pytest

from minicompress.bench import clustering


def test_the_report(monkeypatch):
    pytest.importorskip("kmeans1d")
    pytest.importorskip("sklearn")
    monkeypatch.setattr(clustering, "WEIGHTS", 2000)
    monkeypatch.setattr(clustering, "CLUSTERS", 16)
    report = clustering.run(seed=1, repeats=2, threads=(1,))
    results = {result["comparison"]: result for result in report["results"]}
    assert set(results) == {"optimal", "kmeans", "kmeans, peer stops early"} and report["weights"] == 2000
    for result in results.values():
        assert result["ratio"] == result["peer_seconds"] / result["ours_seconds"] > 0 and result["threads"] == 1
        assert 0 < result["ours_error"] <= 1.01 * result["peer_error"]
    assert results["optimal"]["ours_error"] == pytest.approx(results["optimal"]["peer_error"], rel=1e-9)
    assert results["optimal"]["ours_error"] < results["kmeans"]["ours_error"]


@pytest.mark.parametrize("package", ["kmeans1d", "sklearn"])
def test_a_missing_peer_is_named(monkeypatch, package):
    monkeypatch.setattr(clustering, "find_spec", lambda name: None if name == package else sys)
    with pytest.raises(ModuleNotFoundError, match=rf"{package}: pip install minicompress\[bench\]"):
        clustering.run()
