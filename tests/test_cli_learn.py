"""The commands for learners and teachers: what they print, their exit codes, what they refuse."""

import json

import pytest

from minicompress import checker
from minicompress.lessons import grading, notebooks
from tests.test_cli import refused, run

RIGHT = "def mine(x):\n    return float((x == 0).mean())\n"


@pytest.fixture
def mine(tmp_path):
    def write(source=RIGHT):
        (tmp_path / "mine.py").write_text(source, "utf-8")
        return f"{tmp_path / 'mine.py'}:mine"
    return write


def test_the_list_names_every_equation(capsys):
    code, out, _ = run(capsys, "equations")
    assert code == 0 and [line.split()[0] for line in out.splitlines()[1:]] == [e.id for e in checker.equations()]
    assert max(map(len, out.splitlines())) <= 80


def test_one_equation_in_full(capsys):
    code, out, _ = run(capsys, "equations", "kd-1")
    entry = checker.equation("KD-1")
    assert code == 0 and all(words in out for words in (entry.formula, entry.source, entry.implementation,
                                                        entry.signature, *entry.properties))
    assert all(trap.says in " ".join(out.split()) for trap in entry.traps)
    code, out, _ = run(capsys, "equations", "--json", "KD-1")
    found, = json.loads(out)["equations"]
    assert found["id"] == "KD-1" and found["latex"] and found["reference"] and found["traps"]


def test_every_paper_is_printed_once_as_bibtex(capsys):
    code, out, _ = run(capsys, "equations", "--bibtex")
    entries = out.strip().split("\n\n")
    assert code == 0 and entries == [paper.bibtex() for paper in checker.papers()]
    keys = [entry.splitlines()[0].removeprefix("@misc{").rstrip(",") for entry in entries]
    assert len(set(keys)) == len(keys) > 10 and "jacob2018quantization" in keys
    code, out, _ = run(capsys, "equations", "--bibtex", "--json")
    report = json.loads(out)
    assert [paper["bibtex"] for paper in report["papers"]] == entries and len(report["equations"]) > 50
    jacob, = (paper for paper in report["papers"] if paper["key"] == "jacob2018quantization")
    assert jacob["arxiv"] == "1712.05877" and jacob["year"] == 2018 and jacob["authors"][0] == "Jacob, Benoit"
    assert jacob["doi"] and jacob["title"] and jacob["venue"]


def test_papers_of_some_equations_alone(capsys, monkeypatch):
    """QU-1 is of two papers, ME-2 of none."""
    code, out, _ = run(capsys, "equations", "QU-1:dequantize", "ME-2", "--bibtex")
    assert code == 0 and out.count("@misc{") == 1 and "{Jacob, Benoit and " in out
    code, out, _ = run(capsys, "equations", "ME-2", "--bibtex", "--json")
    assert code == 0 and json.loads(out)["papers"] == []
    code, out, _ = run(capsys, "equations", "ME-2", "--json")
    assert code == 0 and json.loads(out).keys() == {"equations"}
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run(capsys, "equations", "--help")
    assert code == 0 and "--bibtex" in out and "key, authors,\ntitle, year, venue, arxiv, doi and bibtex" in out
    assert max(map(len, out.splitlines())) <= 80


def test_verify_says_how_much_was_tried(capsys):
    code, out, _ = run(capsys, "verify", "PR-1", "--examples", "7", "--json")
    report = json.loads(out)
    assert code == 0 and report["passed"] and report["equations"][0]["inputs"] == report["inputs"] >= 7
    _, out, _ = run(capsys, "verify", "PR-1")
    assert "holds" in out and "1 equations hold" in out


def test_verify_fails_with_what_it_finds(capsys, monkeypatch):
    from minicompress import pruning
    monkeypatch.setattr(pruning, "sparsity", lambda x: 0.5)
    code, out, _ = run(capsys, "verify", "PR-1")
    assert code == 1 and "FAILS" in out and "implementation" in out


def test_check_passes_what_is_right(capsys, mine):
    code, out, _ = run(capsys, "check", "PR-1", mine())
    assert code == 0 and "PR-1 sparsity: passed" in out and "inputs tried" in out


def test_check_says_what_is_wrong(capsys, mine):
    code, out, _ = run(capsys, "check", "PR-1", mine(RIGHT.replace("== 0", "!= 0")), "--json")
    report = json.loads(out)
    assert code == 1 and not report["passed"] and report["verdict"] == "wrong" and report["inputs"]
    assert report["expected"] != report["found"]


def test_a_function_may_use_what_lies_beside_it(capsys, mine, tmp_path):
    (tmp_path / "beside_it.py").write_text("def zero(x):\n    return x == 0\n", "utf-8")
    place = mine("from beside_it import zero\n" + RIGHT.replace("(x == 0)", "zero(x)"))
    assert run(capsys, "check", "PR-1", place)[0] == 0


@pytest.mark.parametrize(("argv", "words"), [
    (["equations", "KD-99"], "no equation 'KD-99'"), (["verify", "XY-1"], "no equation 'XY-1'"),
    (["verify", "--examples", "0"], "no whole number from 1 on"), (["check", "KD-99", "a.py:f"], "no equation 'KD-99'"),
    (["check", "PR-1", "a.py"], "as in mine.py:softened"), (["check", "PR-1", "x.py:f"], "x.py: No such file"),
    (["grade", "nowhere"], "expected a notebook"), (["grade", "."], "holds no notebook"),
    (["check", "PR-1"], "FILE.py:FUNCTION"),
])
def test_bad_input_is_refused_in_one_line(argv, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, *argv)


@pytest.mark.slow
@pytest.mark.parametrize(("source", "words"), [
    ("def mine(:", "SyntaxError"), ("1 / 0", "ZeroDivisionError"), ("", "has no function 'mine'"),
    ("mine = 3", "has no function 'mine'"),
])
def test_a_file_that_does_not_run_is_refused(source, words, capsys, mine):
    assert words in refused(capsys, "check", "PR-1", mine(source))


def test_grade_prints_students_by_exercises(capsys, tmp_path, monkeypatch):
    def notebook(name, *cells):
        path = tmp_path / name
        path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}), "utf-8")
        return path
    asked = "# Exercise 1 (PR-1, 2 points)\ndef mine(x):\n    ...\n\n\ncheck('PR-1', mine)"
    own = notebook("09_lesson.ipynb", asked)
    monkeypatch.setattr(grading, "lessons", lambda: {"09_lesson": own})
    solved = notebook("ada_09_lesson.ipynb", "# Exercise 1 (PR-1, 2 points)\n" + RIGHT)
    code, out, _ = run(capsys, "grade", own, solved)
    rows = [line.split() for line in out.splitlines()]
    assert code == 0 and rows[0][-6:] == ["1", "(of", "2)", "sum", "(of", "2)"]
    assert rows[1][-2:] == ["0", "0"] and rows[2][-2:] == ["2", "2"] and "exercise 1 (PR-1): " in out
    code, out, _ = run(capsys, "grade", "--json", solved)
    assert json.loads(out)["submissions"][0]["points"] == 2


def test_the_notebooks_are_copied_out(capsys, tmp_path):
    code, out, _ = run(capsys, "notebooks", tmp_path / "course")
    assert code == 0 and all((tmp_path / "course" / f"{name}.ipynb").exists() for name in notebooks.lessons())
    assert (tmp_path / "course" / "README.md").exists() and str(tmp_path) in out
    assert "is there already" in refused(capsys, "notebooks", tmp_path / "course")
