"""The benchmark of sparse rows: that it compares like with like and finds the break-even, not how fast any side is."""

import pytest

from minicompress.bench import csr


def test_the_report(monkeypatch):
    pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(csr, "SHAPES", ((20, 30),))
    monkeypatch.setattr(csr, "SPARSITIES", (0.0, 0.9, 1.0))
    monkeypatch.setattr(csr, "BATCHES", (1, 3))
    report = csr.run(seed=1, repeats=2, seconds=1e-5)
    assert [(r["sparsity"], r["batch"]) for r in report["results"]] == \
           [(s, batch) for batch in (1, 3) for s in (0.0, 0.9, 1.0)]
    for result in report["results"]:
        assert result["ratio"] == result["peer_seconds"] / result["ours_seconds"] > 0
        assert result["dense_ratio"] == result["dense_seconds"] / result["ours_seconds"] > 0
        assert result["deviation"] <= 1e-4
    assert [(b["shape"], b["batch"]) for b in report["break_even"]] == [([20, 30], 1), ([20, 30], 3)]
    assert report["threads"] == 1 and report["peer"] == "scipy.sparse"


@pytest.mark.parametrize(("packed", "expected"), [
    ([4, 3, 1], 0.7 + 0.2 / 2), ([4, 4, 4], None), ([1, 1, 1], 0.5), ([1, 3, 1], 0.8), ([3, 1, 3], None),
    ([4, 2, 1], 0.7), ([2, 2, 1], 0.7), ([1, 2, 1], 0.7), ([3, 3, 2], None),  # as fast is not yet faster
])
def test_break_even_is_where_the_gain_lasts(packed, expected):
    found = csr.break_even([0.5, 0.7, 0.9], packed, [2, 2, 2])
    assert found == (expected if expected is None else pytest.approx(expected))


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(csr, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"threadpoolctl: pip install minicompress\[bench\]"):
        csr.run()
