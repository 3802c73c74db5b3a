"""The command line: what it says where, its exit codes, and that it ends the same however often it is killed."""

import contextlib
import json
import os
import random
import shlex
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minicompress
from minicompress import cli, container, data, models, nn, quantization, training
from minicompress.experiments import deep_compression
from minicompress.recipes import PLANS, Plan, Settings, fresh, plans
from minicompress.training import Training

ROOT = Path(__file__).parents[1]


def plan(*epochs, sparsity, lr=0.1, **options):
    train, prune, share = (Training(count, lr, 128) for count in epochs)
    return Plan(train, prune, replace(share, lr=1e-3, adam=True), sparsity, **options)


PLAN = plan(2, 3, 2, sparsity=0.7, clusters=4, bias_clusters=2)
KEYS = {"data", "model", "seed", "seconds", "dense_bytes", "compressed_bytes", "ratio", "dense_error", "error"}


@pytest.fixture(autouse=True)
def short_plans(monkeypatch):
    """Epochs enough to see that everything runs, and no more."""
    monkeypatch.setitem(PLANS, "digits", PLAN)


def run(capsys, *argv):
    """(exit code, stdout, stderr) of a command in this process."""
    try:
        code = cli.main([str(word) for word in argv])
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


# A shell's background job ignores Ctrl-C, and so would its children: listen to it again.
LISTENING = """import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("minicompress", run_name="__main__")"""


def start(*argv, **options):
    """The same in a process of its own, not yet waited for."""
    return subprocess.Popen([sys.executable, "-c", LISTENING, *map(str, argv)], cwd=ROOT, text=True,
                            encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=os.environ | {"PYTHONIOENCODING": "utf-8"}, **options)


def refused(capsys, *argv):
    """The one line that a command is refused with."""
    code, out, err = run(capsys, *argv)
    assert code == 2 and out == "" and err.count("\n") == 1 and "error: " in err, err
    return err


@pytest.fixture
def file(tmp_path):
    container.save(models.mlp([64, 12, 10], rng=np.random.default_rng(0)), tmp_path / "net.mcz")
    return tmp_path / "net.mcz"


def compress(capsys, file, *more, model="mlp:64,20,10"):
    return run(capsys, "compress", "--data", "digits", "--model", model, "--out", file, *more)


# --- what the commands do


def test_tour(capsys, tmp_path):
    folder = tmp_path / "new" / "tour"
    code, out, err = run(capsys, "tour", "--out", folder)
    assert code == 0 and "Traceback" not in err
    assert {path.name for path in folder.iterdir()} == {"dense.mcz", "pruned.mcz", "compressed.mcz", "tour.png"}
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    test = data.load("digits").test
    for name, file in (("dense", "dense.mcz"), ("pruned", "pruned.mcz"), ("shared", "compressed.mcz")):
        size = (folder / file).stat().st_size
        error = training.evaluate(container.load(folder / file), test).error
        ratio = (folder / "dense.mcz").stat().st_size / size
        assert rows[name] == [name, f"{100 * error:.2f}", "%", f"{size:,}", f"{ratio:.1f}×"]
    assert out.count("gzipped") == 1 and "same logits in a fresh process" in out and str(folder) in out
    png = (folder / "tour.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n") and struct.unpack(">II", png[16:24])[0] > 800
    assert max(map(len, out.replace(str(folder), "").splitlines())) <= 80


def test_the_tour_has_a_default_folder_and_leaves_what_it_does_not_know(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / cli.TOUR_FOLDER).mkdir()
    (tmp_path / cli.TOUR_FOLDER / "mine.txt").write_text("mine")
    code, out, _ = run(capsys, "tour", "--json")
    report = json.loads(out)
    assert code == 0 and report.keys() >= KEYS | {"files", "stages", "gzip_bytes"}
    assert all((tmp_path / file).is_file() for file in report["files"]) and len(report["files"]) == 4
    assert (tmp_path / cli.TOUR_FOLDER / "mine.txt").read_text() == "mine"


def test_compress_evaluate_and_inspect_agree(capsys, tmp_path):
    file, note = tmp_path / "a net.mcz", tmp_path / "report.json"
    code, out, err = compress(capsys, file, "--seed", 3, "--json", note)
    report = json.loads(note.read_text("utf-8"))
    assert code == 0 and err.startswith("training mlp:64,20,10 on digits")
    assert KEYS | {"gzip_bytes", "stages", "sizes", "plan", "resumed", "logits_sha256", "file"} == report.keys()
    assert (report["data"], report["model"], report["seed"]) == ("digits", "mlp:64,20,10", 3)
    assert f"{report['compressed_bytes']:,}" in out and f"{report['gzip_bytes']:,}" in out
    assert {path.name for path in tmp_path.iterdir()} == {"a net.mcz", "report.json"}

    code, out, _ = run(capsys, "evaluate", file, "--data", "digits", "--json")
    evaluated = json.loads(out)
    assert code == 0 and evaluated.keys() >= KEYS
    assert {key: evaluated[key] for key in KEYS - {"seed", "seconds", "dense_error"}} == {
        key: report[key] for key in KEYS - {"seed", "seconds", "dense_error"}}
    code, out, _ = run(capsys, "inspect", file, "--json", "-")
    inspected = json.loads(out)
    assert code == 0 and inspected.keys() >= KEYS and inspected["sizes"] == report["sizes"]
    assert sum(inspected["sizes"].values()) == inspected["compressed_bytes"] == file.stat().st_size
    assert f"the same network dense {inspected['dense_bytes']:,} bytes" in run(capsys, "inspect", file)[1]
    assert (inspected["dense_bytes"], inspected["ratio"]) == (report["dense_bytes"], report["ratio"])

    _, out, _ = run(capsys, "evaluate", file, "--data", "digits")
    assert f"test error {100 * report['error']:.2f} %" in out and "precision" in out
    _, out, _ = run(capsys, "inspect", file)
    assert "fc1.weight" in out and "payload" in out and "mlp:64,20,10" in out


def test_the_same_seed_gives_the_same_file(capsys, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        compress(capsys, tmp_path / f"{name}.mcz", "--seed", seed)
    a, b, c = ((tmp_path / f"{name}.mcz").read_bytes() for name in "abc")
    assert a == b != c


def test_a_folder_of_idx_files_is_data(capsys, tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 60), ("t10k", 20)):
        data.write_idx(tmp_path / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (n, 5, 4), dtype=np.uint8))
        data.write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", np.arange(n).astype(np.uint8) % 3)
    code, out, _ = run(capsys, "compress", "--data", tmp_path, "--model", "mlp:20,9,3", "--out", tmp_path / "net.mcz",
                       "--json")
    assert code == 0 and json.loads(out)["data"] == str(tmp_path)
    assert "mlp:20,9,3 would fit" in refused(capsys, "compress", "--data", tmp_path, "--model", "mlp:64,9,10", "--out",
                                             tmp_path / "net.mcz")


def test_quick_is_a_tenth(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(PLANS, "digits", plan(20, 11, 1, sparsity=0.5))
    _, out, _ = compress(capsys, tmp_path / "net.mcz", "--quick", "--json")
    shortened = json.loads(out)["plan"]
    assert [shortened[name]["epochs"] for name in ("train", "prune", "share")] == [2, 2, 1]


def test_reproduce_prints_the_bars(capsys, monkeypatch):
    measure = deep_compression.measure

    def small(lab, model, plan):
        lab.load("digits")
        return measure(lab, models.build("mlp:64,9,10", rng=lab.rng, image_shape=(8, 8)), PLAN)
    monkeypatch.setattr(deep_compression, "measure", small)
    code, out, err = run(capsys, "reproduce", "lenet-300-100", "--seeds", "4,5")
    assert code == 0 and "seed 4: dense" in err and "seed 5: pruned" in err
    assert "at least 40.0×" in out and "at most 1.58 %" in out and "at most 300" in out
    assert "seeds 4, 5" in out and "NumPy" in out and max(map(len, out.splitlines()[:-2])) <= 80
    code, out, _ = run(capsys, "reproduce", "lenet-300-100", "--seeds", "4", "--json")
    report = json.loads(out)
    assert report.keys() >= KEYS | {"bars", "measured", "runs", "seeds", "hardware"} and report["seeds"] == [4]
    assert {bar["what"]: bar["bar"] for bar in report["bars"]} == {"ratio": 40, "error": 0.0158, "seconds": 300}


def test_bench_prints_both_sides(capsys, monkeypatch):
    pytest.importorskip("dahuffman")
    from minicompress.bench import huffman
    monkeypatch.setattr(huffman, "SYMBOLS", 20_000)
    code, out, _ = run(capsys, "bench", "--json", "huffman")
    report = json.loads(out)
    assert code == 0 and report["ratio"] == report["peer_seconds"] / report["ours_seconds"] and report["hardware"]
    _, out, _ = run(capsys, "bench", "huffman")
    assert "minicompress" in out and "dahuffman" in out and "zlib" in out


def test_a_peer_that_is_missing_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "dahuffman", None)
    for module in ("train", "clustering", "csr", "xnor"):
        monkeypatch.setattr(f"minicompress.bench.{module}.find_spec", lambda name: None)
    for name in ("train", "huffman", "clustering", "csr", "xnor"):
        for command in ("bench", "reproduce"):
            assert "pip install minicompress[bench]" in refused(capsys, command, name)


# --- what it refuses


@pytest.mark.parametrize(("content", "message"), [
    (None, "No such file"), (b"", "expected b'MCZ"), (b"# a README", "not a file of this kind"),
])
@pytest.mark.parametrize("command", [["inspect"], ["evaluate", "--data", "digits"]])
def test_what_is_no_network(command, content, message, capsys, tmp_path):
    if content is not None:
        (tmp_path / "net.mcz").write_bytes(content)
    assert message in refused(capsys, *command, tmp_path / "net.mcz")
    assert "net.mcz" in refused(capsys, *command, tmp_path / "net.mcz")


def test_a_truncated_or_changed_file(capsys, file):
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert "promises" in refused(capsys, "inspect", file)
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "checksum" in refused(capsys, "evaluate", file, "--data", "digits")


def test_a_folder_is_no_file(capsys, tmp_path):
    assert str(tmp_path) in refused(capsys, "inspect", tmp_path)


@pytest.mark.parametrize(("argv", "message"), [
    ([], "COMMAND"),
    (["deflate"], "invalid choice: 'deflate'"),
    (["inspect"], "FILE"),
    (["inspect", "--colour"], "FILE"),
    (["evaluate", "net.mcz"], "--data"),
    (["compress", "--data", "digits", "--model", "mlp:64,10"], "--out"),
    (["reproduce", "lenet-6"], "invalid choice: 'lenet-6'"),
    (["reproduce", "huffman", "--seeds", "0,x"], "'x' is no whole number"),
    (["reproduce", "huffman", "--seeds", ""], "'' is no whole number"),
    (["reproduce", "huffman", "--seeds", "0,1,0"], "seeds are [0, 1, 0], expected each once"),
    (["bench", "sorting"], "invalid choice: 'sorting'"),
    (["tour", "--seed", "-1"], "'-1' is no whole number"),
    (["tour", "--seed", "1.5"], "'1.5' is no whole number"),
])
def test_bad_words(argv, message, capsys):
    assert message in refused(capsys, *argv)


@pytest.mark.parametrize(("changed", "message"), [
    ({"--data": "mist"}, "'digits', 'mnist' or a folder"),
    ({"--data": "."}, "train-images-idx3-ubyte"),
    ({"--model": "lenet-5"}, "mlp:64,300,100,10 would fit"),
    ({"--model": "lenet-300-100"}, "mlp:64,300,100,10 would fit"),
    ({"--model": "mlp:784,30,10"}, "mlp:64,30,10 would fit"),
    ({"--model": "mlp:64,0,10"}, "as in mlp:784,300,10"),
    ({"--model": "mlp:64,99999999,10"}, "expected at most"),
    ({"--model": "resnet"}, "no model is called 'resnet'"),
    ({"--seed": "zero"}, "'zero' is no whole number"),
    ({"--out": "net.bin"}, "ends in .mcz"),
    ({"--out": "missing/net.mcz"}, "there is no folder missing"),
    ({"--out": "folder.mcz"}, "is a folder"),
    ({"--json": "missing/report.json"}, "there is no folder missing"),
    ({"--json": "folder.mcz.work"}, "is a folder"),
])
def test_bad_arguments_of_compress(changed, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.mcz").mkdir()
    (tmp_path / "folder.mcz.work").mkdir()
    options = {"--data": "digits", "--model": "mlp:64,9,10", "--out": "net.mcz"} | changed
    assert message in refused(capsys, "compress", *(word for pair in options.items() for word in pair))
    assert not (tmp_path / "net.mcz").exists() and not (tmp_path / "net.mcz.work").exists()


def test_too_few_images_to_hold_some_out(capsys, tmp_path):
    for part in ("train", "t10k"):
        data.write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.full((3, 8, 8), 9, np.uint8))
        data.write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(3, dtype=np.uint8))
    line = refused(capsys, "compress", "--data", tmp_path, "--model", "mlp:64,9,3", "--out", tmp_path / "net.mcz")
    assert "too few training images" in line and "at least 7" in line


def test_data_that_do_not_fit_the_file(capsys, file):
    assert "doesn't fit mnist" in refused(capsys, "evaluate", file, "--data", "mnist")


@pytest.mark.parametrize(("layer", "reason"), [
    (lambda rng: quantization.Dequantize(0.5, 0), "takes codes, got float32"),
    (lambda rng: quantization.QuantizedReLU(0), "takes codes, got float32"),
    (lambda rng: nn.Conv2d(1, 1, 3, padding=10**6, rng=rng), "Unable to allocate"),
])
def test_a_network_that_loads_and_cannot_be_computed(layer, reason, capsys, tmp_path):
    container.save(layer(np.random.default_rng(0)), tmp_path / "net.mcz")
    line = refused(capsys, "evaluate", tmp_path / "net.mcz", "--data", "digits")
    assert "doesn't fit digits" in line and reason in line


def test_a_network_of_float64_is_evaluated(capsys, tmp_path):
    model, test = models.mlp([64, 10], rng=np.random.default_rng(0)), data.load("digits").test
    x = test.images.reshape(-1, 64).astype(np.float64) / 16
    for p in model.parameters():
        p.data = p.data.astype(np.float64)
    wrong = np.mean((x @ model.fc1.weight.data.T + model.fc1.bias.data).argmax(axis=1) != test.labels)
    container.save(model, tmp_path / "net.mcz")
    code, out, _ = run(capsys, "evaluate", tmp_path / "net.mcz", "--data", "digits", "--json")
    assert code == 0 and json.loads(out)["error"] == wrong
    container.save(nn.Sequential(model, nn.Linear(10, 10, rng=np.random.default_rng(0))), tmp_path / "net.mcz")
    assert "float64 and float32" in refused(capsys, "evaluate", tmp_path / "net.mcz", "--data", "digits")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0,
                    reason="root, and Windows, may write anywhere")
def test_an_unwritable_folder(capsys, tmp_path):
    tmp_path.chmod(0o500)
    assert "can't be written" in compress(capsys, tmp_path / "net.mcz")[2]


def test_a_folder_that_is_a_file(capsys, file):
    assert str(file) in refused(capsys, "tour", "--out", file)


# --- where it says what


def test_a_report_is_never_written_over_a_network(capsys, file):
    before = file.read_bytes()
    code, out, _ = run(capsys, "inspect", "--json", file)
    assert code == 0 and json.loads(out)["compressed_bytes"] == len(before) and file.read_bytes() == before


def test_a_report_in_a_file_leaves_the_text_on_stdout(capsys, file, tmp_path):
    code, out, err = run(capsys, "inspect", file, "--json", tmp_path / "report.json")
    assert code == 0 and out == run(capsys, "inspect", file)[1] and err == ""
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["model"] == "mlp:64,12,10"


def test_the_version_and_the_help_fit_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(capsys, "--version") == (0, f"minicompress {minicompress.__version__}\n", "")
    for command in ([], ["tour"], ["compress"], ["evaluate"], ["inspect"], ["reproduce"], ["bench"]):
        code, out, err = run(capsys, *command, "--help")
        assert code == 0 and err == "" and max(map(len, out.splitlines())) <= 80
        if command not in ([], ["bench"]):
            words = set(out.replace(",", " ").replace(";", " ").replace("(", " ").split())
            assert words >= KEYS, KEYS - words


def test_a_process_of_its_own(file):
    with start("inspect", file) as process:
        out, err = process.communicate()
    assert process.returncode == 0 and err == "" and "fc1.weight" in out and "×" in out
    with start("inspect", "missing.mcz") as process:
        out, err = process.communicate()
    assert (process.returncode, out, err) == (2, "", "minicompress: error: missing.mcz: No such file or directory\n")


def test_a_terminal_that_knows_no_multiplication_sign_gets_its_table(file):
    finished = subprocess.run([sys.executable, "-m", "minicompress", "inspect", str(file)], cwd=ROOT, check=False,
                              capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert finished.returncode == 0 and finished.stderr == b"" and b"fc1.weight" in finished.stdout


@pytest.mark.skipif(os.name == "nt", reason="pipes end differently there")
def test_a_reader_that_has_seen_enough(file):
    with start("inspect", file) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert err == "" and process.returncode == 1


# --- what goes wrong on the way


def test_a_file_that_computes_something_else(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(fresh, "in_fresh_process", lambda *_: "0" * 64)
    code, out, err = compress(capsys, tmp_path / "net.mcz")
    assert code == 1 and out == "" and "error: " in err.splitlines()[-1] and "other logits" in err.splitlines()[-1]
    assert not (tmp_path / "net.mcz").exists()


def test_a_loss_that_explodes(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(PLANS, "digits", plan(2, 2, 1, sparsity=0, lr=1e9))
    code, out, err = compress(capsys, tmp_path / "net.mcz")
    assert code == 1 and out == "" and "not finite" in err.splitlines()[-1]


def interrupt(monkeypatch, at):
    """Ctrl-C during the ``at``-th forward pass."""
    calls, forward = iter(range(10**9)), nn.Sequential.forward

    def pressed(self, x):
        if next(calls) == at:
            raise KeyboardInterrupt
        return forward(self, x)
    monkeypatch.setattr(nn.Sequential, "forward", pressed)


def test_an_interrupted_run_says_how_to_go_on_and_does(capsys, tmp_path, monkeypatch):
    whole, file = tmp_path / "whole.mcz", tmp_path / "a net.mcz"
    compress(capsys, whole)
    for at, more in ((5, []), (30, ["--resume"]), (25, ["--resume"])):
        with monkeypatch.context() as patch:
            interrupt(patch, at)
            code, out, err = compress(capsys, file, *more)
        assert code == 130 and out == "" and not file.exists()
        last = err.splitlines()[-1]
        assert last.startswith("minicompress: interrupted; to go on: minicompress compress ")
    argv = shlex.split(last.partition("to go on: minicompress ")[2])
    assert argv.count("--resume") == 1
    code, out, err = run(capsys, *argv)
    assert code == 0 and "resuming" in err
    assert file.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"whole.mcz", "a net.mcz"}


def test_other_arguments_do_not_resume(capsys, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 40)
        compress(capsys, tmp_path / "net.mcz")
    for more, words in ((["--seed", 1], "seed 0, not 1"), (["--quick"], "plan.train.epochs 2, not 1")):
        code, _, err = compress(capsys, tmp_path / "net.mcz", "--resume", *more)
        assert code == 2 and words in err.splitlines()[-1]
    code, _, err = compress(capsys, tmp_path / "net.mcz", "--resume", model="mlp:64,21,10")
    assert code == 2 and "model mlp:64,20,10, not mlp:64,21,10" in err.splitlines()[-1]


def test_nothing_to_resume_is_said_and_no_error(capsys, tmp_path):
    code, _, err = compress(capsys, tmp_path / "net.mcz", "--resume")
    assert code == 0 and "nothing to resume" in err
    assert compress(capsys, tmp_path / "again.mcz")[0] == 0
    assert (tmp_path / "net.mcz").read_bytes() == (tmp_path / "again.mcz").read_bytes()


def test_starting_over_is_said(capsys, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 40)
        compress(capsys, tmp_path / "net.mcz", "--seed", 7)
    code, _, err = compress(capsys, tmp_path / "net.mcz")
    assert code == 0 and "starting over" in err


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C can't be sent to one process alone there")
def test_a_real_interrupt(tmp_path):
    command = ["compress", "--data", "digits", "--model", "mlp:64,300,100,10", "--out", tmp_path / "net.mcz"]
    with start(*command) as process:
        process.stderr.readline()  # training …
        while not (tmp_path / "net.mcz.work" / "train.checkpoint").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130 and out == "" and "Traceback" not in err
    assert err.splitlines()[-1].startswith("minicompress: interrupted; to go on: ")


@pytest.mark.slow
def test_compare_prints_a_row_for_each_method(capsys, monkeypatch, tmp_path):
    from minicompress.experiments import compare
    monkeypatch.setattr(compare, "DIGITS", compare.Plan(Training(2, 0.05), Training(1, 5e-3, adam=True),
                                                        Training(1, 0.05), Settings(training=Training(1, 0.02))))
    monkeypatch.setattr(fresh, "in_fresh_process", lambda path, name: fresh.logits_digest(path, data.load(name).test))
    code, out, err = run(capsys, "compare", "--data", "digits", "--out", tmp_path, "--json", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert code == 0 and report.keys() >= KEYS | {"rows", "hardware", "files"}
    names = [row["method"] for row in report["rows"]]
    assert {"dense", "dense, gzipped", "pruned", "clustered", "deep compression", "int8", "int4", "channels cut",
            "binary weights", "binary, packed", "distilled"} <= set(names)
    assert all(name in out and (name in err or "gzip" in name) for name in names)
    assert max(len(line) for line in out.splitlines() if str(tmp_path) not in line) <= 90 and "NumPy" in out
    for row in report["rows"]:
        if row["file"]:
            assert (tmp_path / row["file"]).stat().st_size == row["bytes"]
            assert row["ratio"] == report["dense_bytes"] / row["bytes"]
            assert row["seconds_per_image"].keys() == {"1", "256"}
    assert all(Path(path).stat().st_size > 0 for path in report["files"]) and len(report["files"]) == len(names)
    assert "nowhere" in refused(capsys, "compare", "--data", "nowhere", "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists()


# --- the whole, slowly


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed(tmp_path):
    common = ["compress", "--data", "digits", "--model", plans.DIGITS_MODEL, "--quick", "--out"]
    with start(*common, tmp_path / "whole.mcz") as process:
        process.stderr.readline()  # training …
        begin = time.perf_counter()
        assert process.wait() == 0
    whole, moments, kills = time.perf_counter() - begin, random.Random(11), 0
    for _ in range(40):
        with start(*common, tmp_path / "net.mcz", "--resume") as process:
            process.stderr.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):  # at most 0.3 of the work each time: at least 3 kills
                process.wait(moments.uniform(0.05, 0.3) * whole if kills < 12 else None)
            if process.poll() is not None:
                break
            process.kill()
            kills += 1
    assert process.returncode == 0 and kills >= 3
    assert (tmp_path / "net.mcz").read_bytes() == (tmp_path / "whole.mcz").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"net.mcz", "whole.mcz"}


@pytest.mark.slow
def test_the_tour_keeps_its_promise(tmp_path):
    with start("tour", "--out", tmp_path, "--json") as process:
        report = json.loads(process.communicate()[0])
    assert process.returncode == 0
    assert report["ratio"] >= 15 and report["error"] <= report["dense_error"] + 0.01 and report["dense_error"] < 0.04
