"""The reports that are kept, the tables made of them, and the README's."""

import json
import re
from pathlib import Path

import pytest

from minicompress.claims import Claim, Quantity, percent
from minicompress.experiments import reproduce, results
from minicompress.recipes.lab import Lab

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_says_what_the_reports_say(tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text(README.read_text("utf-8"), "utf-8")
    assert results.write_readme(copy) >= 6
    assert copy.read_text("utf-8") == README.read_text("utf-8"), "run `minicompress results --readme`"


def test_every_claim_has_a_report_of_quantities_that_it_has():
    assert [report["name"] for report in results.reports()] == list(reproduce.claims())
    for report in results.reports():
        names = {quantity.name for quantity in reproduce.claims()[report["name"]].quantities}
        assert report["measured"].keys() <= names and report["measured"], report["name"]
        assert report["seeds"] and report["hardware"]["cpu"] and report["commit"] and report["date"]
        assert bool(report["bits"]) == (report["name"] not in reproduce.benches())
        for measured in report["measured"].values():
            assert measured["least"] <= measured["median"] <= measured["most"]
            assert report["transcribed"] or len(measured["values"]) == len(report["seeds"])


def test_a_changed_readme_is_written_anew(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- results lenet-5 -->\nold\n<!-- end -->\nafter\n", "utf-8")
    assert results.write_readme(path) == 1
    text = path.read_text("utf-8")
    assert text.startswith("before\n<!-- results lenet-5 -->\n\n|") and text.endswith("\n<!-- end -->\nafter\n")
    assert "old" not in text and "at most 0.74 %" in text


@pytest.mark.parametrize(("text", "message"), [
    ("no marks", "has no marks <!-- results NAME"),
    ("<!-- results lenet-6 -->\n<!-- end -->", "no claim is called 'lenet-6', expected some of")])
def test_a_readme_without_marks_or_with_unknown_names_is_refused(text, message, tmp_path):
    (tmp_path / "README.md").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        results.write_readme(tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text("utf-8") == text


@pytest.fixture
def one_claim(monkeypatch, tmp_path):
    """A single claim, which writes a file of its seed, and a folder of its own for reports."""
    def run(lab):
        lab.path("net.mcz").write_bytes(bytes([lab.seed, 7]))
        return {"error": 0.03 + lab.seed / 100}
    claim = Claim(run, (Quantity("error", percent, "test error", at_most=0.04, paper=0.05),), words="a net")
    for module in (reproduce, results):
        monkeypatch.setattr(module, "claims", lambda: {"one": claim})
    monkeypatch.setattr(results, "REPORTS", tmp_path)
    return claim


def test_what_is_measured_is_recorded_and_shown(one_claim):
    path = results.record(reproduce.reproduce("one", (0, 1, 2)))
    report, = results.reports()
    assert json.loads(path.read_text("utf-8")) == report and not report["transcribed"]
    assert report["measured"]["error"]["values"] == [0.03, 0.04, 0.05] and report["seeds"] == [0, 1, 2]
    text = results.shown(report)
    assert re.search(r"error +4\.00 % \(3\.00–5\.00\) +5\.00 % +at most 4\.00 % +yes", text)
    row = results.markdown(["one"]).splitlines()[2]
    assert row == "| test error | 4.00 % (3.00–5.00) | 5.00 % | at most 4.00 % | `minicompress reproduce one` |"


def test_a_bar_that_is_missed_is_said_so(one_claim):
    results.record(reproduce.reproduce("one", (2,)))
    assert "**not met**" in results.markdown(["one"]) and results.shown(*results.reports()).count("no") == 1


def test_a_row_whose_bits_have_changed_is_stale(one_claim, monkeypatch):
    results.record(reproduce.reproduce("one", (0,)))
    assert results.stale() == []
    monkeypatch.setattr(Lab, "path", lambda lab, name, path=Lab.path: path(lab, f"other-{name}"))
    assert results.stale() == []  # it is the bytes that count
    monkeypatch.setattr(one_claim.run, "__code__", (lambda lab: lab.path("net.mcz").write_bytes(b"x") and {
        "error": 0.03}).__code__)
    assert results.stale() == ["one"]


@pytest.mark.parametrize("name", ["lenet-300-100", "binary-connect"])
def test_a_short_training_gives_the_same_bits_twice(name):
    assert results.bits(name) == results.bits(name)
    assert results.bits("xnor") is None
