"""The notebooks: as they are committed (fast), and executed from top to bottom in a fresh kernel (slow)."""

import ast
import builtins
import contextlib
import copy
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from minicompress.checker import equation
from minicompress.lessons import grading, reading

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FIRST, LAST = "## What you will learn", "## What you should now be able to do"
MOST_BYTES = 1_000_000
LIBRARIES = {"minicompress", "matplotlib", "numpy", *sys.stdlib_module_names}
MACHINE_PATH = re.compile(r"/(home|Users|root|tmp|var|work|private|opt|usr|mnt)/|\b[A-Z]:\\|site-packages")
# A notebook promises three minutes on two ordinary cores. On a slow or busy machine it may take many times as long, and
# is no less right for it; so the clock stops a cell that hangs, and nothing else.
CELL_TIMEOUT = 30 * 60

SOLUTIONS = {path.stem: path for path in sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))}
LESSONS = [path for path in NOTEBOOKS if reading.exercises(json.loads(path.read_text(encoding="utf-8")))]

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def text(field):
    """The format allows a string or a list of lines."""
    return field if isinstance(field, str) else "".join(field)


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def images(notebook):
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


def check_outputs(notebook):
    """Each code cell ran once, in order, and shows something; nothing failed, and nothing was written to stderr."""
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert cell["outputs"], f"no output of {text(cell['source'])[:80]!r}"
    for output in outputs(notebook):
        assert output["output_type"] != "error", text(output["traceback"])
        assert output.get("name") != "stderr", text(output["text"])


def check_names(notebook):
    """Plain Python that imports what the extra brings along, and reaches for public names only."""
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(text(cell["source"]))):
            match node:
                case ast.Import(names=names):
                    used = [alias.name for alias in names]
                    assert {name.split(".")[0] for name in used} <= LIBRARIES, used
                case ast.ImportFrom(module=module, names=names, level=level):
                    used = [module or "", *(alias.name for alias in names)]
                    assert level == 0 and used[0].split(".")[0] in LIBRARIES, used
                case ast.Attribute(attr=name) | ast.Name(id=name):
                    used = [name]
                case _:
                    continue
            for part in ".".join(used).split("."):
                assert part == "_" or not part.startswith("_") or part.endswith("__"), f"{part} is private"


def check_frame(notebook):
    """It says at the start what is to be learned, at the end what was, and with which kernel: no one's own."""
    cells = notebook["cells"]
    assert cells[0]["cell_type"] == cells[-1]["cell_type"] == "markdown"
    assert text(cells[0]["source"]).startswith("# ") and FIRST in text(cells[0]["source"])
    assert text(cells[-1]["source"]).startswith(LAST)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["metadata"].keys() == {"kernelspec", "language_info"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    assert not any(cell["metadata"] for cell in cells)


def check_paths(notebook):
    """No folder of the machine that ran it, in sources or outputs (images apart, whose base64 is full of slashes)."""
    shown = [text(cell["source"]) for cell in notebook["cells"]]
    for output in outputs(notebook):
        shown += [text(value) for key, value in output.get("data", {}).items() if not key.startswith("image/")]
        shown += [text(output.get("text", "")), *map(text, output.get("traceback", []))]
    for part in shown:
        assert not MACHINE_PATH.search(part), MACHINE_PATH.search(part)


CHECKS = check_outputs, check_names, check_frame, check_paths


def test_the_first_notebook_is_there():
    assert "01_from_mnist_to_a_small_file.ipynb" in [path.name for path in NOTEBOOKS]


@every_notebook
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_committed(check, path):
    check(read(path))


@every_notebook
def test_size(path):
    assert path.stat().st_size < MOST_BYTES


def test_every_lesson_has_its_solutions():
    assert [path.stem for path in LESSONS] == list(SOLUTIONS)


@every_lesson
def test_exercises_are_three_and_stand_in_the_ledger(path):
    notebook, cells = read(path), code_cells(read(path))
    asked = reading.exercises(notebook)
    assert [exercise.number for exercise in asked] == [1, 2, 3]
    assert [exercise.points for exercise in asked] == sorted(exercise.points for exercise in asked)  # ever harder
    assert "from minicompress import check" in text(cells[0]["source"])
    for exercise in asked:
        cell, = (text(cell["source"]) for cell in cells
                 if text(cell["source"]).startswith(f"# Exercise {exercise.number} "))
        stub, call = ast.parse(cell).body
        assert ast.unparse(call) == f"check('{exercise.id}', {exercise.function})"
        assert ast.get_docstring(stub) and ast.unparse(stub.body[-1]) == "..."
        assert [a.arg for a in stub.args.args] == list(equation(exercise.id).arguments)
    assert reading.exercises(read(SOLUTIONS[path.stem])) == asked


def test_no_two_lessons_ask_for_the_same():
    asked = [exercise.id for path in LESSONS for exercise in reading.exercises(read(path))]
    assert len(asked) == len(set(asked))


def test_the_readme_lists_the_exercises_with_their_points():
    table = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    rows = [", ".join(f"**{exercise.id}** {exercise.points}" for exercise in reading.exercises(read(path)))
            for path in LESSONS]
    assert re.findall(r"^\| \d \| (\*\*[A-Z].*?) \|", table, re.MULTILINE) == rows


def stale(notebook):
    """The cells that show the package's source, or what its checker says, and would show something else today.

    Looked at are the cells that need no other one but the first, which imports.
    """
    first, *others = code_cells(notebook)
    imports = ast.Module([node for node in ast.parse(text(first["source"])).body
                          if isinstance(node, ast.Import | ast.ImportFrom)], [])
    known = {}
    exec(compile(imports, "imports", "exec"), known)
    for cell in others:
        tree = ast.parse(source := text(cell["source"]))
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        made |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        made |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        if not {"inspect", "check"} & {node.id for node in names} or not {
                node.id for node in names} <= made | known.keys() | vars(builtins).keys():
            continue
        last, printed, scope = tree.body.pop(), io.StringIO(), dict(known)
        with contextlib.redirect_stdout(printed):
            exec(compile(tree, "cell", "exec"), scope)
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), scope)
        shown = ["".join(text(output.get("text", "")) for output in cell["outputs"]),
                 "".join(text(output["data"]["text/plain"]) for output in cell["outputs"] if "data" in output)]
        if shown != [printed.getvalue(), "" if value is None else repr(value)]:
            yield source


@every_notebook
def test_source_and_answers_shown_are_those_of_today(path):
    """After a change of what a lesson shows, execute it anew."""
    assert not list(stale(read(path)))


@pytest.mark.parametrize("begin", ["print(inspect.getsource(Tensor.backward))", "# Exercise 1 ", "trap = next("])
def test_what_is_stale_is_seen(begin):
    notebook = read(ROOT / "notebooks" / "00_engine.ipynb")
    cell, = (cell for cell in code_cells(notebook) if text(cell["source"]).startswith(begin))
    for output in cell["outputs"]:
        shown = output["data"] if "data" in output else output
        key = "text/plain" if "data" in output else "text"
        shown[key] = text(shown[key]).replace("the", "a", 1)
    assert [source[:len(begin)] for source in stale(notebook)] == [begin]


def _edit(source):
    return lambda nb: code_cells(nb)[0].update(source=source)


def _show(**output):
    return lambda nb: code_cells(nb)[-1]["outputs"].append(output)


PLANTED = [
    (check_outputs, lambda nb: code_cells(nb)[1].update(outputs=[])),
    (check_outputs, lambda nb: code_cells(nb)[1].update(execution_count=None)),
    (check_outputs, lambda nb: nb["cells"].reverse()),
    (check_outputs, _show(output_type="error", ename="E", evalue="", traceback=["E"])),
    (check_outputs, _show(output_type="stream", name="stderr", text=["a warning"])),
    (check_names, _edit("from minicompress.engine.ops import _take")),
    (check_names, _edit("from minicompress._hidden import take")),
    (check_names, _edit("import minicompress as mc\nmc.engine.ops._take")),
    (check_names, _edit("import torch")),
    (check_names, _edit("from torch import nn")),
    (check_names, _edit("from . import local")),
    (check_names, _edit("%matplotlib inline")),
    (check_frame, lambda nb: nb["cells"].pop(0)),
    (check_frame, lambda nb: nb["cells"].pop()),
    (check_frame, lambda nb: nb["metadata"]["kernelspec"].update(name="my-env")),
    (check_frame, lambda nb: nb["metadata"]["language_info"].update(version="3.11.9")),
    (check_frame, lambda nb: nb["cells"][3]["metadata"].update(execution={"iopub.status.busy": "2000-01-01"})),
    (check_paths, _show(output_type="stream", name="stdout", text=["saved ", "/home/me/small.mcz"])),
    (check_paths, _show(output_type="stream", name="stdout", text=[r"saved C:\me\small.mcz"])),
    (check_paths, _show(output_type="display_data", data={"text/plain": "/tmp/x"})),
    (check_paths, _edit("open('/root/data')")),
]


@pytest.mark.parametrize("check, plant", PLANTED, ids=[f"{check.__name__}-{i}" for i, (check, _) in enumerate(PLANTED)])
def test_the_checks_see_planted_faults(check, plant):
    notebook = copy.deepcopy(read(NOTEBOOKS[0]))
    plant(notebook)
    with pytest.raises((AssertionError, SyntaxError)):
        check(notebook)


def executed(path):
    """A notebook as it comes out of a fresh kernel."""
    nbformat, nbclient = (pytest.importorskip(name, reason="needs the extra `notebooks`")
                          for name in ("nbformat", "nbclient"))
    notebook = nbformat.read(path, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    environment = os.environ | {"PYTHONPATH": str(ROOT)}  # this tree's package, in the kernel and in what it starts
    environment.pop("MPLBACKEND", None)  # another backend than the notebook's own would show no figure
    nbclient.NotebookClient(notebook, timeout=CELL_TIMEOUT, kernel_name="python3", record_timing=False,
                            resources={"metadata": {"path": str(path.parent)}}).execute(env=environment)
    return notebook


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Jupyter's own are not ours to mend; the notebook's end up in its stderr
@every_notebook
def test_runs_from_top_to_bottom(path):
    notebook = executed(path)
    check_outputs(notebook)
    check_paths(notebook)
    assert images(notebook) == images(read(path)) > 0


@pytest.mark.slow
@every_lesson
def test_only_solutions_score(path):
    """What students are given passes no exercise, and what the teacher has passes all."""
    given, solved = grading.grade([path, SOLUTIONS[path.stem]])["submissions"]
    assert given["points"] == 0 < solved["points"] == solved["most"] == given["most"], solved["exercises"]
    assert all("not yet" in exercise["reason"] for exercise in given["exercises"])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", SOLUTIONS.values(), ids=SOLUTIONS)
def test_solutions_run(path):
    notebook = executed(path)
    check_paths(notebook)
    for cell in code_cells(notebook):
        assert not any(o["output_type"] == "error" or o.get("name") == "stderr" for o in cell["outputs"])
        assert "# Exercise" not in text(cell["source"]) or "passed" in str(cell["outputs"])
