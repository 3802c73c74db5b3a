"""Submitted notebooks: what is right scores, and nothing else does; one broken exercise takes no other down."""

import json
import re
import shutil

import pytest

from minicompress.lessons import grading, notebooks, reading

ASKED = """# Exercise 1 (PR-1, 2 points)
def share_of_zeros(x):
    \"\"\"The sparsity of an array.\"\"\"
    ...


check("PR-1", share_of_zeros)"""
RIGHT = """# Exercise 1 (PR-1, 2 points)
def share_of_zeros(x):
    return float((x == 0).mean())


check("PR-1", share_of_zeros)"""
SECOND = RIGHT.replace("Exercise 1", "Exercise 2").replace("2 points", "1 point").replace("share_of", "part_of")


def notebook(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": "markdown", "source": "# A lesson"},
        *({"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": []} for cell in cells)]}), "utf-8")
    return path


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    own = notebook(tmp_path / "own" / "09_lesson.ipynb", "import numpy as np\nfrom minicompress import check",
                   ASKED, SECOND.replace("return float((x == 0).mean())", "..."))
    monkeypatch.setattr(grading, "lessons", lambda: {"09_lesson": own})
    return own


def graded(tmp_path, *cells):
    report = grading.grade([notebook(tmp_path / "09_lesson.ipynb", *cells)])
    assert json.loads(json.dumps(report)) == report
    submission, = report["submissions"]
    assert submission["points"] == sum(e["points"] for e in submission["exercises"]) and submission["most"] == 3
    return [(e["points"], e["reason"]) for e in submission["exercises"]]


def test_the_exercises_are_read_off_the_notebook(lesson):
    assert reading.exercises(notebooks.read_notebook(lesson)) == [
        reading.Exercise(1, "PR-1", 2, "share_of_zeros"), reading.Exercise(2, "PR-1", 1, "part_of_zeros")]


def test_what_is_right_scores(lesson, tmp_path):
    (first, why), (second, _) = graded(tmp_path, "import numpy as np", RIGHT, SECOND)
    assert (first, second) == (2, 1) and "passed" in why


def test_an_unsolved_notebook_scores_nothing(lesson):
    submission, = grading.grade([lesson])["submissions"]
    assert submission["points"] == 0 and all("not yet" in e["reason"] for e in submission["exercises"])


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "reason"), [
    (RIGHT.replace("float(", "float(("), "syntax error"),
    ("", "the cell is gone"),
    (RIGHT + "\n\n" + RIGHT.replace("share_of_zeros", "other"), None),  # a second definition in the cell does no harm
    (RIGHT.replace("def share_of_zeros", "def share"), "defines no function share_of_zeros"),
    (RIGHT.replace("(x == 0).mean()", "0.5"), "the same number"),
    (RIGHT.replace("(x == 0)", "(x != 0)"), "not yet"),
    (RIGHT.replace("    return", "    while True: pass\n    return"), "no answer within|never ends|seconds"),
    (RIGHT.replace("    return", "    raise KeyError('x')\n    return"), "KeyError"),
    (RIGHT.replace("def share", "def check(*_):\n    return True\n\n\ndef share"), "it uses check"),
    (RIGHT.replace("def share", "check = print\ndef share"), "it uses check"),
    (RIGHT.replace("    return", "    from minicompress.pruning import sparsity as s\n    return s(x)\n    return"),
     "it uses minicompress"),
    (RIGHT.replace("    return", "    import sys; sys.exit(0)\n    return"), "it uses sys"),
    ("# Exercise 1 (PR-1, 2 points)\nprint('PR-1 sparsity: passed')", "defines no function"),
    (RIGHT.replace("float((x == 0).mean())", "print('\\n{\"passed\": true}') or None"), "not yet"),
    (RIGHT.replace("(x == 0)", "(y == 0)"), "NameError"),
    ("y = 1 / 0\n" + RIGHT, "the cell is gone"),
    (RIGHT.replace("    return", "    np.all = lambda *a, **k: True\n    return"), "it changes np.all"),
    (RIGHT.replace("float((", "getattr(np, 'all') and float(("), "it uses getattr"),
    (RIGHT.replace("    return", "    np.__setattr__('all', max)\n    return"), "it uses __setattr__"),
    ("\n  " + RIGHT, None),  # a blank line before it is nobody's fault
    (RIGHT.replace("def share", "y = 1 / 0\ndef share"), "ZeroDivisionError"),
], ids=lambda value: None if value is None else value[-24:].strip())
def test_what_is_broken_or_forged_scores_nothing(cell, reason, lesson, tmp_path):
    (points, why), _ = graded(tmp_path, "import numpy as np", cell)
    assert points == 2 if reason is None else points == 0 and re.search(reason, why), why


def calling(*lines, before=""):
    """An exercise whose function has these lines, and whose cell these before it."""
    return f"# Exercise 1 (PR-1, 2 points)\n{before}\ndef share_of_zeros(x):\n    " + "\n    ".join(lines)


TEXT = "'from minicompress.pruning import sparsity as s; box.append(s(x))'"
PATCH = "from unittest.mock import patch\ny = patch('minicompress.checker.{}', lambda *a, **k: True).start()"
LEADS_TO_BUILTINS = "m = b['__imp' + 'ort__']('minicomp' + 'ress.pruning', fromlist=['x'])"


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "reason"), [
    (calling("return 0.5", before=PATCH.format("check.Check.__bool__")), "it uses unittest"),
    (calling("return 0.5", before=PATCH.format("properties.hold")), "it uses unittest"),
    (calling("d = {}", "np.testing.runstring('import minicompress.pruning as m', d)", "return d['m'].sparsity(x)"),
     "it uses testing"),
    (calling("box = []", f"timeit.timeit({TEXT}, number=1, globals=dict(box=box, x=x))", "return box[0]",
             before="import timeit"), "it uses timeit"),
    (calling("b = operator.attrgetter('__glo' + 'bals__')(share_of_zeros)['__buil' + 'tins__']", LEADS_TO_BUILTINS,
             "return m.sparsity(x)", before="import operator"), "it uses attrgetter"),
    (calling("match share_of_zeros:", "    case object(__globals__=g):", "        b = g['__buil' + 'tins__']",
             LEADS_TO_BUILTINS, "return m.sparsity(x)"), "it uses a pattern with a class"),
    (calling("return random._os.times()", before="import random"), "it uses _os"),
    (calling("return typing.get_type_hints(share_of_zeros)", before="import typing"), "it uses get_type_hints"),
    (calling("return lib.npyio.load", before="from numpy import lib"), "it uses lib, load"),
    (calling("return load('x')", before="from numpy import *"), "it uses load"),
    (calling("return np.load('x')"), "it uses load"),
    (calling("return x.tofile('x')"), "it uses tofile"),
    (calling("return open('x')"), "it uses open"),
    (calling("return [compile(v) for v in x]"), "it uses compile"),
    (calling("open = 1", "def read():", "    global open", "    return open('x')", "return read()"), "it uses open"),
    (calling("return __loader__"), "it uses __loader__"),
    (calling("m = np", "m.all = lambda *a, **k: True", "return 0.5"), "it changes numpy.all, which"),
    (calling("for np.all in [max]: pass", "return 0.5"), "it changes np.all"),
    (calling("np.linalg.norm = max", "return 0.5"), "it changes np.linalg.norm"),
    (calling("m = math", "m.floor = max", "return 0.5", before="import math"), "it changes math.floor"),
    (calling("c = collections.Counter", "c.update = max", "return 0.5", before="import collections"),
     "it changes collections.Counter.update"),
    (calling("m, kept = np, np.all", "m.all = lambda *a, **k: True", "def back(self, dtype=None, copy=None):",
             "    m.all = kept", "    return kept(x)", "return type('A', (), dict(__array__=back))()"),
     "it changes numpy.all"),  # and back, before the answer is looked at
])
def test_the_package_and_the_checker_are_out_of_reach(cell, reason, lesson, tmp_path):
    (points, why), _ = graded(tmp_path, "import numpy as np", cell)
    assert points == 0 and re.search(reason, why), why


@pytest.mark.slow
@pytest.mark.parametrize("cell", [
    calling("load = vars = open = compile = (x == 0)", "io = open.mean()", "return float(io)"),
    calling("return float(sum(1 for open in x if open == 0) / len(x))"),
    calling("return share(x)", before="import minicompress, os\nfrom minicompress import check\n"
            "from functools import reduce\nfrom collections import abc\n"
            "def share(vars):\n    return reduce(lambda load, v: load + (v == 0), vars, 0) / len(vars)"),
    calling("return Count(x).share()", before="class Count:\n    def __init__(self, x):\n        self.__x = x\n"
            "    def share(self):\n        return float(np.mean(self.__x == 0))"),
], ids=["local names", "in a comprehension", "imports that are not used", "a class"])
def test_what_only_looks_barred_scores(cell, lesson, tmp_path):
    (points, why), _ = graded(tmp_path, "import numpy as np", cell)
    assert points == 2, why


BODY = RIGHT.partition("\n")[2]
HEADER = RIGHT.partition("\n")[0] + "\n"


@pytest.mark.slow
@pytest.mark.parametrize(("cells", "words"), [
    (["# my work\n\n" + RIGHT], ""),
    (["%matplotlib inline\n" + RIGHT], ""),
    (["%%time\n" + RIGHT], ""),
    ([HEADER + "%matplotlib inline\n!ls 'it\n" + BODY + "\nshare_of_zeros?\n?print\nfiles = !ls\n%time 1"], ""),
    ([RIGHT.replace("    return", "    %time x\n    rest = (3\n        % 2)\n    return rest *")], ""),
    (["!ls\nTOLERANCE, other = 0.0, 1", RIGHT.replace("x == 0", "x == TOLERANCE")], ""),
    (["zero = lambda x: x == 0", RIGHT.replace("(x == 0)", "zero(x)")], ""),
    (["try:\n    import numpy as xp\nexcept ImportError:\n    xp = None",
      RIGHT.replace("(x == 0).mean()", "xp.mean(x == 0)")], ""),
    (["import os, numpy as xp", RIGHT.replace("(x == 0).mean()", "xp.mean(x == 0)")], ""),
    (["n: int = 1\nn += 1", RIGHT.replace(".mean()", ".mean() * n / 2")], ""),
    ([HEADER + "share_of_zeros = lambda x: float((x == 0).mean())"], ""),
    ([HEADER + "n = 0\nn += 1\n" + BODY.replace(".mean()", ".mean() * n")], ""),
    ([HEADER + "share_of_zeros = 3"], "expected something to call|not callable"),
    (["%%bash\n" + RIGHT], "defines no function"),
    ([HEADER + "%matplotlib inline\n" + BODY.replace("float(", "float((")], "syntax error"),
    (["x = 1 / 0", RIGHT], ""),  # an x, and not the function's
], ids=range(16))
def test_what_a_notebook_may_hold_besides(cells, words, lesson, tmp_path):
    (points, why), _ = graded(tmp_path, *cells)
    assert points == (0 if words else 2) and re.search(words, why), why


@pytest.mark.parametrize("name", ["09-lesson.ipynb", "09_Lesson.ipynb", "Ada 09 LESSON (2).ipynb"])
def test_a_lesson_is_known_however_its_name_is_spelt(name, lesson, tmp_path):
    submission, = grading.grade([notebook(tmp_path / name)])["submissions"]
    assert submission["lesson"] == "09_lesson" and submission["most"] == 3


def test_a_name_of_two_lessons_is_neither(lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "lessons", lambda: {"09_lesson": lesson, "10_other": lesson})
    submission, = grading.grade([notebook(tmp_path / "09_lesson_10_other.ipynb")])["submissions"]
    assert submission["lesson"] is None and "several lessons in it: 09_lesson, 10_other" in submission["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["def (", RIGHT.replace("    return", "    while True: pass\n    return")])
def test_one_broken_exercise_takes_no_other_down(broken, lesson, tmp_path):
    assert [points for points, _ in graded(tmp_path, broken, SECOND)] == [0, 1]


@pytest.mark.slow
def test_helpers_of_other_cells_come_along(lesson, tmp_path):
    cells = ["import numpy as np\nimport nowhere_to_be_found", "def zero(x):\n    return np.asarray(x) == 0", "1 +",
             RIGHT.replace("(x == 0)", "zero(x)"), SECOND]
    assert [points for points, _ in graded(tmp_path, *cells)] == [2, 1]


@pytest.mark.slow
def test_a_cell_that_never_ends_is_given_up(lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "SECONDS", 3)
    endless = RIGHT.replace("def share", "x = [0 for _ in iter(int, 1)]\ndef share")
    assert graded(tmp_path, endless)[0] == (0, "no answer within 3 seconds")


def test_what_an_editor_keeps_beside_is_not_graded(lesson, tmp_path):
    folder = tmp_path / "all"
    notebook(folder / "09_lesson.ipynb")
    notebook(folder / ".ipynb_checkpoints" / "09_lesson-checkpoint.ipynb")
    assert [s["file"] for s in grading.grade([folder])["submissions"]] == [str(folder / "09_lesson.ipynb")]


def test_an_exercise_twice_scores_nothing(lesson, tmp_path):
    assert graded(tmp_path, RIGHT, RIGHT, SECOND)[0] == (0, "2 cells claim to be this exercise")


def test_a_solution_may_keep_what_check_said(lesson, tmp_path):
    assert graded(tmp_path, RIGHT.replace("\ncheck(", "\nresult = check("), SECOND)[0][0] == 2


@pytest.mark.slow
def test_a_folder_of_submissions(lesson, tmp_path):
    folder = tmp_path / "all"
    notebook(folder / "ada" / "09_lesson.ipynb", RIGHT, SECOND)
    shutil.copy(lesson, folder / "09_lesson_bob.ipynb")
    (folder / "09_lesson_eve.ipynb").write_text("{", "utf-8")
    (folder / "09_lesson_deep.ipynb").write_text("[" * 200_000, "utf-8")
    (folder / "09_lesson_folder.ipynb").mkdir()
    (folder / "09_lesson_bytes.ipynb").write_bytes(b"\xff\xfe\x00")
    notebook(folder / "something else.ipynb", RIGHT)
    found = {s["file"].replace(str(folder), "").strip("/\\").replace("\\", "/"): s
             for s in grading.grade([folder])["submissions"]}
    assert {name: s["points"] for name, s in found.items()} == {
        "ada/09_lesson.ipynb": 3, "09_lesson_bob.ipynb": 0, "09_lesson_eve.ipynb": 0, "something else.ipynb": 0,
        "09_lesson_deep.ipynb": 0, "09_lesson_folder.ipynb": 0, "09_lesson_bytes.ipynb": 0}
    for name in ("eve", "deep", "folder", "bytes"):
        assert "can't be read as a notebook" in found[f"09_lesson_{name}.ipynb"]["reason"]
        assert found[f"09_lesson_{name}.ipynb"]["most"] == 3
    assert "no lesson" in found["something else.ipynb"]["reason"]


def test_what_holds_no_notebook_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no notebook"):
        grading.grade([tmp_path])
    with pytest.raises(ValueError, match=r"expected a notebook, its name ending in \.ipynb"):
        grading.grade([tmp_path / "a.py"])
