"""The comparison as it is: every file computes in a fresh process what the network does."""

import gzip

import pytest

from minicompress import container, data, nn
from minicompress.recipes import compare
from minicompress.recipes.combinations import Settings

QUICK = compare.Plan(4, 4, 4, Settings(epochs=3))


@pytest.mark.slow
def test_every_method_on_digits(tmp_path):
    said = []
    report = compare.compare("digits", tmp_path, seed=3, plan=QUICK, progress=False, say=said.append)
    rows = {row["method"]: row for row in report["rows"]}
    assert [row["method"] for row in said] == [name for name in rows if name != "dense, gzipped"]
    test, dense = data.load("digits").test, rows["dense"]
    for row in rows.values():
        assert row["error"] < 0.5
        if row["file"] is not None:
            path = tmp_path / row["file"]
            assert row["bytes"] == path.stat().st_size and row["ratio"] == dense["bytes"] / row["bytes"]
            assert nn.evaluate(container.load(path), test).error == row["error"]
            assert all(seconds > 0 for seconds in row["seconds_per_image"].values())
    gzipped = rows["dense, gzipped"]
    assert gzipped["bytes"] == len(gzip.compress((tmp_path / "dense.mcz").read_bytes(), 9, mtime=0))
    assert gzipped["seconds_per_image"] is None
    assert rows["channels cut"]["macs"] < dense["macs"] == rows["int8"]["macs"] == rows["binary, packed"]["macs"]
    assert min(rows.values(), key=lambda row: row["bytes"])["method"] in ("deep compression", "binary, packed")
