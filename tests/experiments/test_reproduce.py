"""Bars, medians and tables of what is reproduced; the hardware that it was on; the reports on files."""

import json
import platform
import re
from dataclasses import replace

import numpy as np
import pytest

from minicompress import container, data, models, nn, pruning, training
from minicompress.bench import clustering, csr, xnor
from minicompress.claims import Quantity, percent
from minicompress.cli import tables
from minicompress.experiments import compare, deep_compression, reproduce
from minicompress.experiments.hardware import hardware
from minicompress.quantization import share_weights
from minicompress.recipes import PLANS, Plan, files
from minicompress.training import Training

PLAN = Plan(Training(1, 0.1, 128), Training(2, 0.1, 128), Training(1, 1e-3, 128, adam=True), sparsity=0.7, clusters=4,
            bias_clusters=2)


def table(report):
    return tables.reproduction(report, reproduce.claims()[report["name"]].quantities)


def claimed(monkeypatch, name, **changes):
    """For a while, the claim of a name with something else in it."""
    known = dict(reproduce.claims())
    known[name] = replace(known[name], **changes)
    monkeypatch.setattr(reproduce, "claims", lambda: known)


def test_every_bar_of_a_network_is_reported_and_judged(monkeypatch):
    measure, asked = deep_compression.measure, []

    def small(lab, model, plan):
        asked.append((lab.dataset.name, models.name_of(nn.describe(model)), plan))
        lab.load("digits")
        return measure(lab, models.build("mlp:64,9,10", rng=lab.rng, image_shape=(8, 8)), PLAN)
    monkeypatch.setattr(deep_compression, "measure", small)
    said = []
    report = reproduce.reproduce("lenet-5-plain", [3, 1, 2], say=lambda seed, stage: said.append((seed, stage.name)))
    assert asked == [("mnist", "lenet-5", PLANS["lenet-5-plain"])] * 3
    assert said == [(seed, name) for seed in (3, 1, 2) for name in ("dense", "pruned", "shared")]
    assert [run["seed"] for run in report["runs"]] == report["seeds"] == [3, 1, 2]
    for key, found in report["measured"].items():
        values = [run[key] for run in report["runs"]]
        assert found == {"median": sorted(values)[1], "least": min(values), "most": max(values), "values": values}
        assert report[key] == found["median"]
    assert {"data", "model", "seed", "seconds", "dense_bytes", "compressed_bytes", "ratio", "dense_error",
            "error"} <= report.keys()
    assert report["bars"] == [] and json.loads(json.dumps(report)) == report


def test_what_a_seed_has_measured_is_not_measured_again(tmp_path, monkeypatch):
    asked, failing = [], [1]

    def run(lab):
        asked.append((lab.seed, lab.resume))
        lab.path("train.checkpoint").write_text("half of it")
        if lab.seed in failing:
            raise KeyboardInterrupt
        return {"error": lab.seed / 10}

    claimed(monkeypatch, "bnn-lenet-5", run=run, quantities=(Quantity("error", percent),))

    def measure(*seeds, resume):
        return reproduce.reproduce("bnn-lenet-5", seeds, folder=tmp_path, resume=resume)["runs"]

    with pytest.raises(KeyboardInterrupt):
        measure(0, 1, 2, resume=False)
    failing.clear()
    done = [{"seed": seed, "resumed": seed == 1, "error": seed / 10} for seed in range(3)]
    assert measure(0, 1, 2, resume=True) == done
    assert asked == [(0, False), (1, False), (1, True), (2, False)]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["report.json"] * 3
    report = reproduce.reproduce("bnn-lenet-5", (0, 1, 2), folder=tmp_path, resume=True)
    assert report["runs"] == done and len(asked) == 4
    assert "resumed, so that seconds are the last process's: seed 1\n" in table(report)
    monkeypatch.setattr("minicompress.__version__", "of another day")
    assert measure(2, resume=True) == done[2:] and asked[4:] == [(2, False)]
    assert measure(2, 0, resume=False) == [done[2], done[0]] and asked[5:] == [(2, False), (0, False)]


def test_medians_are_held_against_the_bars(monkeypatch):
    runs = iter([{"results": [*({"network": "lenet-300-100", "inputs": "noise", "threads": n, "ratio": 0.1}
                                for n in (1, 2)),
                              *({"network": network, "inputs": "mnist", "threads": threads, "ratio": ratio}
                                for network, threads, ratio in (("lenet-300-100", 1, a), ("lenet-300-100", 2, 1.6),
                                                                ("lenet-5", 1, 1.0), ("lenet-5", 2, 0.89)))]}
                 for a in (1.4, 1.7, 1.5)])
    monkeypatch.setattr(reproduce, "bench", lambda name, seed: next(runs))
    report = reproduce.reproduce("train")
    assert [(bar["what"], bar["reached"], bar["met"]) for bar in report["bars"]] == [
        ("lenet-300-100 on 1 thread", 1.5, True), ("lenet-300-100 on 2 threads", 1.6, True),
        ("lenet-5 on 1 thread", 1.0, True), ("lenet-5 on 2 threads", 0.89, False)]
    text = table(report)
    assert re.search(r"lenet-300-100 on 1 thread +1\.50× +1\.40× +1\.70× +at least 1\.50× +yes", text)
    assert re.search(r"lenet-5 on 2 threads +0\.89× +0\.89× +0\.89× +at least 0\.90× +no", text)
    assert max(map(len, text.splitlines()[:-2])) <= 80


def test_a_bar_is_met_from_its_own_side():
    ratio, error = (next(q for q in reproduce.claims()["lenet-5"].quantities if q.name == name)
                    for name in ("ratio", "error"))
    assert ratio.met(39.0) and not ratio.met(38.99)
    assert error.met(0.0074) and not error.met(0.0075)


@pytest.mark.usefixtures("in_this_process")
def test_a_comparison_is_measured_method_by_method(tmp_path, fits):
    fits.trains, said = False, []
    report = reproduce.reproduce("compare-digits", [7], folder=tmp_path, progress=False,
                                 say=lambda seed, stage: said.append((seed, stage)))
    rows = {row["method"]: row for row in report["runs"][0]["rows"]}
    assert (report["data"], report["model"]) == ("digits", report["runs"][0]["model"])
    assert report["bars"][0]["reached"] == report["runs"][0]["seconds"] == report["measured"]["seconds"]["median"]
    for method, row in rows.items():
        for what in ("error", "bytes", "ratio") if method != "dense" else ():
            assert report["measured"][f"{method}.{what}"]["values"] == [row[what]]
    assert report["dense_error"] == rows["dense"]["error"] and report["dense_bytes"] == rows["dense"]["bytes"]
    assert len(report["measured"]) == 3 * (len(rows) - 1) + 3
    assert [stage.name for _, stage in said] == [name for name in rows if name != "dense, gzipped"]
    for seed, stage in said:
        assert seed == 7 and stage.path.stat().st_size == stage.bytes == rows[stage.name]["bytes"]
        assert (stage.error, stage.ratio) == (rows[stage.name]["error"], rows[stage.name]["ratio"])
    assert 0 < sum(stage.seconds for _, stage in said) < report["seconds"]
    text = table(report)
    assert re.search(r"deep compression\.bytes +[\d,]+ ", text) and "at most 180" in text
    assert max(map(len, text.splitlines()[:-2])) <= 80


def test_a_comparison_says_which_data():
    for data_name in ("digits", "mnist"):
        claim = compare.CLAIMS[f"compare-{data_name}"]
        assert claim.run.keywords == {"data": data_name} and claim.data == data_name


def test_a_seed_that_stands_twice_is_refused(monkeypatch):
    monkeypatch.setattr(reproduce, "bench", lambda name, seed: {"break_even": []})
    assert reproduce.reproduce("csr", [0, 1])["seeds"] == [0, 1]
    with pytest.raises(ValueError, match=r"seeds are \[0, 1, 0\], expected each once"):
        reproduce.reproduce("csr", [0, 1, 0])


@pytest.mark.parametrize(("name", "seeds"), [("lenet-6", [0]), ("huffman", [])])
def test_what_can_not_be_reproduced_is_refused(name, seeds):
    with pytest.raises(ValueError, match=r"expected one of .*lenet-300-100"):
        reproduce.reproduce(name, seeds)


def test_real_benchmarks_measure_what_the_bars_ask_for(monkeypatch):
    pytest.importorskip("dahuffman")
    from minicompress.bench import huffman
    monkeypatch.setattr(huffman, "SYMBOLS", 20_000)
    report = reproduce.reproduce("huffman", [0])
    assert {bar["what"] for bar in report["bars"]} <= report["measured"].keys()
    assert "dahuffman" in huffman.shown(report["runs"][0]) and "hardware" in report


def test_the_clustering_benchmark_is_read_at_the_peers_fastest():
    def result(comparison, threads, ours, peer):
        return {"comparison": comparison, "threads": threads, "ours_seconds": ours, "peer_seconds": peer,
                "ratio": peer / ours, "ours_error": 1.01, "peer_error": 1.0}
    run = {"results": [result("optimal", 1, 2.0, 4.0), result("optimal", 2, 2.0, 3.0), result("kmeans", 1, 1.0, 20.0),
                       result("kmeans", 2, 1.0, 15.0), result("kmeans, peer stops early", 1, 1.0, 5.0)]}
    assert clustering.measured(run) == {
        "optimal, speed beside kmeans1d": 1.5, "optimal, objective": 1.01,
        "kmeans, speed beside sklearn": 15.0, "kmeans, objective": 1.01}


def test_products_are_read_beside_blas_and_theory_stands_apart():
    result = {"product": "matrix × vector", "sizes": [64, 64, 1], "ours_seconds": 0.001, "peer_seconds": 0.0085,
              "ratio": 8.5, "first_ratio": 9.5, "theoretical_speedup": 32.0}
    other = result | {"product": "matrix × matrix", "ratio": 0.7, "theoretical_speedup": 21.3}
    run = {"benchmark": "xnor", "results": [result, other]}
    assert xnor.measured(run) == {
        "matrix × vector beside BLAS": 8.5, "matrix × vector, cold, beside BLAS": 9.5,
        "matrix × matrix beside BLAS": 0.7, "matrix × matrix, cold, beside BLAS": 9.5}
    measured, theory = xnor.shown(run).split("\n\n")
    assert measured.splitlines()[1].split()[-4:] == ["1.00", "8.50", "8.50×", "9.50×"]
    assert "32.0×" not in measured and "not measured" in theory
    assert theory.splitlines()[1] == "matrix × vector 32.0×, matrix × matrix 21.3×"  # each by its name, as above
    assert all(len(line) <= 80 for line in xnor.shown(run).splitlines())


def test_sparse_rows_are_read_from_where_they_pay():
    def result(batch, sparsity, ours):
        return {"shape": [3, 4], "batch": batch, "sparsity": sparsity, "ours_seconds": ours, "peer_seconds": 0.002,
                "dense_seconds": 0.004, "ratio": 0.002 / ours, "dense_ratio": 0.004 / ours}
    run = {"benchmark": "csr", "results": [result(1, 0.5, 0.008), result(1, 0.9, 0.001), result(16, 0.5, 0.008)],
           "break_even": [{"shape": [3, 4], "batch": 1, "ours": 0.75, "peer": 0.5},
                          {"shape": [3, 4], "batch": 16, "ours": None, "peer": None}]}
    assert csr.measured(run) == {"break-even of 3×4, batch 1": 0.75, "break-even of 3×4, batch 16": 1.0}
    first, second = csr.shown(run).split("\n\n")
    assert first.splitlines()[2].split() == ["90.00", "%", "1.00", "2.00", "4.00", "2.00×", "4.00×"]
    assert first.endswith("from 75.00 % zeros on") and second.endswith("at no sparsity measured")
    assert len(second.splitlines()) == 3


def test_quantities_have_one_bar_at_the_most_and_names_of_their_own():
    for name, claim in reproduce.claims().items():
        assert len({quantity.name for quantity in claim.quantities}) == len(claim.quantities), name
        assert all(quantity.at_least is None or quantity.at_most is None for quantity in claim.quantities), name


def test_the_hardware_is_a_class_and_no_machine(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = hardware()
    assert found["numpy"] == np.__version__ and found["cores"] >= 1 and "OMP_NUM_THREADS=1" in found["blas_threads"]
    assert all(found.values())
    assert platform.node() == "" or platform.node() not in tables.hardware(found)


@pytest.fixture
def file(tmp_path):
    model = models.mlp([64, 12, 10], rng=np.random.default_rng(0))
    nn.project(model.fc1.weight, pruning.MagnitudePruning(0.75))
    share_weights(model, 4, 2)
    container.save(model, tmp_path / "net.mcz")
    return tmp_path / "net.mcz"


def test_a_file_tells_what_it_holds(file, tmp_path):
    report, inspection = files.contents(file)
    container.save(models.mlp([64, 12, 10], rng=np.random.default_rng(5)), tmp_path / "dense.mcz")
    assert report["dense_bytes"] == (tmp_path / "dense.mcz").stat().st_size
    assert report["compressed_bytes"] == file.stat().st_size == inspection.size == sum(report["sizes"].values())
    assert report["model"] == "mlp:64,12,10" and report["error"] is None


def test_a_file_is_evaluated(file):
    report, measured = files.evaluation(file, "digits")
    expected = training.evaluate(container.load(file), data.load("digits").test)
    assert (measured.confusion == expected.confusion).all() and report["confusion"] == expected.confusion.tolist()
    assert report["error"] == expected.error and report["images"] == 359
    assert json.loads(json.dumps(report)) == report


def test_data_that_do_not_fit_are_refused(file):
    with pytest.raises(ValueError, match=r"net\.mcz doesn't fit mnist, 28×28 pixels in 10 classes"):
        files.evaluation(file, "mnist")


def test_the_table_of_arrays_has_the_columns_of_the_papers(file):
    _, inspection = files.contents(file)
    lines = tables.arrays(inspection).splitlines()
    assert lines[0].split() == ["array", "weights", "kept", "w", "bits", "coded", "i", "bits", "coded",
                                "bytes", "rate"]
    name, weights, kept, bits, coded, index, stored, size, rate = lines[1].split()
    array = inspection.arrays[0]
    assert (name, weights, kept, bits) == ("fc1.weight", "768", "25.0%", "2")
    assert float(coded) == pytest.approx(array["weight_bits_huffman"], abs=0.005)
    assert float(index) == pytest.approx(array["index_bits"], abs=0.005) != float(stored)
    assert int(size) == array["bytes"] and float(rate[:-1]) == pytest.approx(100 * array["bytes"] / 768 / 4, abs=0.005)
    assert lines[2].split()[5:7] == ["-", "-"]  # nothing of the bias was pruned, so it has no index
    everything = sum(a["bytes"] for a in inspection.arrays)
    assert lines[5].split()[-2:] == [f"{everything:,}", f"{100 * everything / (4 * 910):.2f}%"]


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5"])
def test_tables_fit_a_terminal(name, tmp_path):
    model = models.build(name, rng=np.random.default_rng(0))
    for _, parameter in model.named_latents():
        if parameter.ndim > 1:
            nn.project(parameter, pruning.MagnitudePruning(0.001))
    share_weights(model, 64, 64)
    inspection = container.save(model, tmp_path / "net.mcz")
    assert max(map(len, tables.arrays(inspection).splitlines())) <= 80


def test_the_table_of_parts_sums_to_the_file(file):
    _, inspection = files.contents(file)
    lines = tables.parts(inspection).splitlines()
    assert sum(int(line.split()[-2].replace(",", "")) for line in lines[1:-1]) == inspection.size
    assert int(lines[-1].split()[1].replace(",", "")) == inspection.size


def test_the_table_of_stages_has_gzip_beside_the_ratio():
    stage = {"stage": "dense", "error": 0.02, "bytes": 1000, "ratio": 1.0}
    report = {"stages": [stage, stage | {"stage": "shared", "bytes": 40, "ratio": 25.0}], "dense_bytes": 1000,
              "gzip_bytes": 800}
    assert [line.split() for line in tables.stages(report).splitlines()[1:]] == [
        ["dense", "2.00", "%", "1,000", "1.0×"], ["dense,", "gzipped", "2.00", "%", "800", "1.2×"],
        ["shared", "2.00", "%", "40", "25.0×"]]
