"""The comparison as it is: every file computes in a fresh process what the network does."""

import gzip

import pytest

from minicompress import container, data, distillation, training
from minicompress.experiments import compare
from minicompress.recipes import Lab, Settings
from minicompress.training import Training, optim

QUICK = compare.Plan(Training(4, 0.1), Training(4, 5e-3, adam=True), Training(4, 0.1),
                     Settings(training=Training(3, 0.02)))


@pytest.mark.usefixtures("in_this_process")
def test_each_row_is_about_its_own_network(tmp_path, fits, monkeypatch):
    monkeypatch.setattr(compare, "chains", lambda: {"channels cut": ("cut",)})
    fits.trains = False
    plan = compare.Plan(Training(5, 0.2, 32), Training(4, 0.005, 32, adam=True), Training(3, 0.2, 32),
                        Settings(training=Training(2, 0.03, 32)), temperature=6)
    report = compare.run(Lab(0, tmp_path, progress=False), "digits", plan)
    rows = {row["method"]: row for row in report["rows"]}
    macs = {name: row["macs"] for name, row in rows.items()}
    whole = 64 * 300 + 300 * 100 + 100 * 10
    assert macs == {"dense": whole, "dense, gzipped": whole, "channels cut": 64 * 150 + 150 * 50 + 50 * 10,
                    "binary, packed": whole, "distilled": 64 * 75 + 75 * 25 + 25 * 10}
    test = data.load("digits").test
    for row in rows.values():
        if row["file"]:
            path = tmp_path / row["file"]
            assert row["bytes"] == path.stat().st_size and row["ratio"] == rows["dense"]["bytes"] / row["bytes"]
            assert row["error"] == training.evaluate(container.load(path), test).error
    assert {path.name for path in tmp_path.iterdir()} == {row["file"] for row in rows.values() if row["file"]}

    dense, _, binary, distilled = fits
    for call, epochs, lr in zip(fits, (5, 2, 4, 3), (0.2, 0.03, 0.005, 0.2), strict=True):
        assert call.options["epochs"] == epochs and call.follows_cosine(lr)
        assert call.options["batch_size"] == 32 and call.options["augment"] == data.Jitter(1)
    assert isinstance(binary.options["optimizer"], optim.Adam)
    soft = distilled.options["objective"]
    assert isinstance(soft, distillation.SoftTargets) and soft.teachers == [dense.model]
    assert {"temperature": 6, "alpha": 0.1}.items() <= soft.options.items()


def test_unknown_data_leave_no_folder(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        compare.run(Lab(0, tmp_path / "new", progress=False), "nowhere")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_every_method_on_digits(tmp_path):
    said = []
    report = compare.run(Lab(3, tmp_path, progress=False, say=said.append), "digits", QUICK)
    rows = {row["method"]: row for row in report["rows"]}
    assert [stage.name for stage in said] == [name for name in rows if name != "dense, gzipped"]
    test, dense = data.load("digits").test, rows["dense"]
    for row in rows.values():
        assert row["error"] < 0.5
        if row["file"] is not None:
            path = tmp_path / row["file"]
            assert row["bytes"] == path.stat().st_size and row["ratio"] == dense["bytes"] / row["bytes"]
            assert training.evaluate(container.load(path), test).error == row["error"]
            assert all(seconds > 0 for seconds in row["seconds_per_image"].values())
    gzipped = rows["dense, gzipped"]
    assert gzipped["bytes"] == len(gzip.compress((tmp_path / "dense.mcz").read_bytes(), 9, mtime=0))
    assert gzipped["seconds_per_image"] is None
    assert rows["channels cut"]["macs"] < dense["macs"] == rows["int8"]["macs"] == rows["binary, packed"]["macs"]
    assert min(rows.values(), key=lambda row: row["bytes"])["method"] in ("deep compression", "binary, packed")


@pytest.mark.usefixtures("in_this_process")
def test_the_bits_of_a_row_do_not_depend_on_the_others(tmp_path, monkeypatch):
    """So that a new method changes no figure of the known ones."""
    chains = compare.chains()
    files = {}
    for folder, names in (("all", ["pruned", "int8"]), ("one", ["int8"])):
        monkeypatch.setattr(compare, "chains", lambda names=names: {name: chains[name] for name in names})
        compare.run(Lab(0, tmp_path / folder, progress=False), "digits", QUICK)
        files[folder] = {name: (tmp_path / folder / f"{name}.mcz").read_bytes() for name in
                         ("dense", "int8", "binary-packed", "distilled")}
    assert files["all"] == files["one"]
