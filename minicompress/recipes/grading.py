"""Submitted notebooks against the project's own: which exercises are solved, checked in processes of their own.

What is asked, and for how many points, stands in the project's notebook. Of a submission nothing is run but what
defines the functions asked for: their cells' imports, definitions and constants, and the definitions of other cells.
Whether one is right, the installed checker says.
"""

import ast
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minicompress.equations.checker import check
from minicompress.equations.sheltered import NoAnswer, ask

from .lessons import code_cells, lessons, read_notebook

FIRST_LINE = re.compile(r"# Exercise (\d+) \(([A-Z]+-[\w:-]+), (\d+) points?\)")
SECONDS = 120  # for one exercise, the process's start included
# What a solution has no use for, and a forged result would need.
BARRED = {"minicompress", "check", "sys", "os", "importlib", "inspect", "gc", "ctypes", "builtins", "subprocess",
          "__import__", "__builtins__", "exec", "eval", "compile", "globals", "open", "setattr", "__dict__",
          "__globals__", "__subclasses__", "__traceback__", "f_globals", "f_locals", "f_back", "tb_frame", "gi_frame",
          "__setattr__", "getattr", "delattr", "vars", "locals", "pydoc", "pkgutil", "runpy", "pickle", "io", "pathlib",
          "FileIO", "threading", "load", "genfromtxt", "fromfile", "memmap"}
DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook: its number, the equation's ID, the points, the name of the function to write."""

    number: int
    id: str
    points: int
    function: str


def exercises(notebook):
    """The `Exercise`s of a notebook, a dict as JSON gives it: of its code cells whose first line says so.

    >>> cell = {"cell_type": "code", "source": "# Exercise 1 (PR-1, 2 points)\\ndef sparsity(x):\\n    ..."}
    >>> exercises({"cells": [cell]})
    [Exercise(number=1, id='PR-1', points=2, function='sparsity')]
    """
    found = []
    for source in code_cells(notebook):
        if match := FIRST_LINE.match(source):
            function = next(node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
            found.append(Exercise(int(match[1]), match[2], int(match[3]), function))
    return found


def grade(paths):
    """Grade notebooks and folders of them; returns a dict ready for JSON.

    ``submissions`` holds for each its ``file``, the ``lesson`` that it answers (by its name), ``points`` of ``most``,
    and per exercise ``number``, ``id``, ``points``, ``most`` and ``reason``, one line on why it scored what it did.
    Raises ValueError for a path without notebooks, OSError for one that can't be read.
    """
    return {"submissions": [_graded(path) for given in paths for path in _notebooks(Path(given))]}


def _notebooks(path):
    if not path.is_dir():
        if path.suffix != ".ipynb":
            raise ValueError(f"{path}: expected a notebook, its name ending in .ipynb, or a folder of them")
        return [path]
    found = sorted(file for file in path.rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts)
    if not found:
        raise ValueError(f"{path} holds no notebook")
    return found


def _graded(path):
    lesson = next((name for name in lessons() if name in path.stem), None)
    report = {"file": str(path), "lesson": lesson, "points": 0, "most": 0, "exercises": [], "reason": None}
    if lesson is None:
        return report | {"reason": f"its name has that of no lesson in it, such as {next(iter(lessons()))}"}
    asked = exercises(read_notebook(lessons()[lesson]))
    report["most"] = sum(exercise.points for exercise in asked)
    try:
        cells = [cell.lstrip("\ufeff \n\r\t") for cell in code_cells(read_notebook(path))]
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError, MemoryError) as error:
        cells, report["reason"] = None, f"it can't be read as a notebook ({type(error).__name__}: {error})"
    for exercise in asked:
        passed, reason = (False, report["reason"]) if cells is None else _judged(exercise, cells)
        report["exercises"].append({"number": exercise.number, "id": exercise.id, "most": exercise.points,
                                    "points": exercise.points * passed, "reason": reason})
    return report | {"points": sum(result["points"] for result in report["exercises"])}


def _judged(exercise, cells):
    """(whether it is solved, why)."""
    mine = [cell for cell in cells if (match := FIRST_LINE.match(cell)) and int(match[1]) == exercise.number]
    if len(mine) != 1:
        return False, "the cell is gone" if not mine else f"{len(mine)} cells claim to be this exercise"
    try:
        own = ast.parse(mine[0]).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return False, f"syntax error: {error}"
    defined = [node for node in own if isinstance(node, ast.FunctionDef) and node.name == exercise.function]
    if not defined:
        return False, f"it defines no function {exercise.function}"
    kept = [node for node in own if isinstance(node, (*DEFINING, ast.Assign, ast.AnnAssign)) and not _asks(node)]
    modules = _modules(cells)
    if changed := sorted({ast.unparse(node) for part in kept for node in ast.walk(part)
                          if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del)
                          and isinstance(node.value, ast.Name) and node.value.id in modules}):
        return False, f"it changes {', '.join(changed)}, which is not its own"
    if barred := sorted({name for node in kept for name in _names(node)} & BARRED):
        return False, f"it uses {', '.join(barred)}: an exercise is solved without"
    others = [node for cell in cells if cell is not mine[0] for node in _definitions(cell)]
    needed = _needed(kept, [node for node in others if not set(_names(node)) & BARRED])
    return _checked(exercise, list(map(ast.unparse, needed)), "\n".join(map(ast.unparse, kept)))


def _modules(cells):
    """The names under which any cell imports something."""
    return {name for cell in cells for node in _definitions(cell) if isinstance(node, ast.Import | ast.ImportFrom)
            for name in _binds(node)} | {"np", "numpy", "math"}


def _asks(node):
    """Whether it is ``result = check(…)``, which is neither needed nor harmful."""
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and "check" in _names(node.value.func) \
        and not any("check" in _names(target) for target in node.targets)


def _needed(kept, others):
    """Those of the other cells' definitions that these nodes mention, or that one of those mentions, and so on."""
    wanted, found = {name for node in kept for name in _names(node)}, []
    while more := [node for node in others if node not in found and _binds(node) & wanted]:
        found += more
        wanted |= {name for node in more for name in _names(node)}
    return [node for node in others if node in found]


def _definitions(cell):
    """The imports and definitions of another cell; none of one with a syntax error."""
    try:
        return [node for node in ast.parse(cell).body if isinstance(node, DEFINING)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _names(node):
    """Every name that the code of a node mentions, also as an attribute, a module or a new name."""
    for part in ast.walk(node):
        match part:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=new):
                yield from [*name.split("."), *([new] if new else [])]
            case ast.ImportFrom(module=module) if module:
                yield from module.split(".")


def _binds(node):
    """The names that an import or definition makes."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return {node.name}


def _checked(exercise, others, own):
    """Let a fresh process run the checker."""
    task = {"id": exercise.id, "function": exercise.function, "others": others, "own": own}
    try:
        answer = ask(f"{__name__}:answer", task, SECONDS, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return False, f"no answer within {SECONDS} seconds"
    except NoAnswer:
        return False, "the process that checked it ended without an answer of its own"
    return answer["passed"], answer["reason"]


def answer(task):
    """What the fresh process does: runs the submission's definitions and checks its function."""
    names, numpys = {"__name__": "submission"}, dict(vars(np))
    for source in task["others"]:
        try:
            exec(source, names)
        except Exception:  # another cell's trouble is none of this exercise's, unless it needs what is missing
            continue
    try:
        exec(task["own"], names)
        result = check(task["id"], names[task["function"]])
        if any(vars(np).get(name) is not known for name, known in numpys.items()):  # it may have loaded more
            return {"passed": False, "reason": "it changes NumPy itself"}
        return {"passed": result.report["passed"], "reason": str(result).splitlines()[0]}
    except Exception as error:
        return {"passed": False, "reason": f"{type(error).__name__}: {error}"}
