"""Submitted notebooks against the project's own: which exercises are solved, checked in processes of their own.

What is asked, and for how many points, stands in the project's notebook. Of a submission nothing is run but what
defines the functions asked for: their cells' imports, definitions and constants, and what they need of other cells'.
Whether one is right, the installed checker says.
"""

import ast
import importlib
import operator
import re
import subprocess
from pathlib import Path

from minicompress import expect
from minicompress.checker import Check, check
from minicompress.checker.own_process import NoAnswer, ask

from . import reading
from .notebooks import code_cells, lessons, read_notebook

SECONDS = 120  # for one exercise, the process's start included


def grade(paths):
    """Grade notebooks and folders of them; returns a dict ready for JSON.

    ``submissions`` holds for each its ``file``, the ``lesson`` that it answers (by its name), ``points`` of ``most``,
    and per exercise ``number``, ``id``, ``points``, ``most`` and ``reason``, one line on why it scored what it did.
    Raises ValueError for a path without notebooks, OSError for one that can't be read.
    """
    return {"submissions": [_graded(path) for given in paths for path in _notebooks(Path(given))]}


def _notebooks(path):
    if not path.is_dir():
        expect.that(path.suffix == ".ipynb",
                    f"{path}: expected a notebook, its name ending in .ipynb, or a folder of them")
        return [path]
    found = sorted(file for file in path.rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts)
    expect.that(found, f"{path} holds no notebook")
    return found


def _graded(path):
    named = [name for name in lessons() if name in re.sub(r"[-\s]+", "_", path.stem.lower())]
    lesson = named[0] if len(named) == 1 else None
    report = {"file": str(path), "lesson": lesson, "points": 0, "most": 0, "exercises": [], "reason": None}
    if len(named) > 1:
        return report | {"reason": f"its name has those of several lessons in it: {', '.join(named)}"}
    if lesson is None:
        return report | {"reason": f"its name has that of no lesson in it, such as {next(iter(lessons()))}"}
    asked = reading.exercises(read_notebook(lessons()[lesson]))
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
    mine = [cell for cell in cells if (match := reading.header(cell)) and int(match[1]) == exercise.number]
    if len(mine) != 1:
        return False, "the cell is gone" if not mine else f"{len(mine)} cells claim to be this exercise"
    try:
        own = reading.parsed(mine[0])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return False, f"syntax error: {error}"
    if not any(exercise.function in reading.binds(node) for node in own if isinstance(node, reading.TAKEN)):
        return False, f"it defines no function {exercise.function}"
    kept = [node for node in own if isinstance(node, reading.TAKEN) and not reading.asks(node)]
    used = reading.looked_up([node for node in kept if not isinstance(node, reading.IMPORTS)])
    kept = [node for node in kept if not isinstance(node, reading.IMPORTS) or reading.binds(node) & {*used, "*"}]
    modules = reading.modules(cells)
    if changed := sorted({ast.unparse(part) for node in kept for part in ast.walk(node)
                          if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store | ast.Del)
                          and reading.root(part) in modules}):
        return False, f"it changes {', '.join(changed)}, which is not its own"
    if barred := sorted(reading.barred(kept)):
        return False, f"it uses {', '.join(barred)}: an exercise is solved without"
    others = [node for cell in cells if cell is not mine[0] for node in reading.definitions(cell)]
    needed = reading.needed(kept, [node for node in others if not reading.barred([node])])
    return _checked(exercise, list(map(ast.unparse, needed)), "\n".join(map(ast.unparse, kept)))


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
    names, held, changed = {"__name__": "submission"}, _held(), set()
    for source in task["others"]:
        try:
            exec(source, names)
        except Exception:  # another cell's trouble is none of this exercise's, unless it needs what is missing
            continue

    def look():
        for of, now, known in held:
            if not all(map(operator.is_, map(now.get, known), known.values())):
                changed.update(f"{of}.{name}" for name, value in known.items() if now.get(name) is not value)

    def function(*given):
        look()
        try:
            return names[task["function"]](*given)
        finally:
            look()
    try:
        exec(task["own"], names)
        report = check(task["id"], function).report
        found = {"passed": report["passed"], "reason": str(Check(report)).splitlines()[0]}
    except Exception as error:
        found = {"passed": False, "reason": f"{type(error).__name__}: {error}"}
    look()
    if changed:
        return {"passed": False, "reason": f"it changes {', '.join(sorted(changed))}, which is not its own"}
    return found


def _held():
    """(dotted name, what it holds now and later, a copy) of what a solution may import: modules and their classes."""
    modules = {module: vars(importlib.import_module(module)) for module in reading.MODULES}
    kinds = {f"{module}.{name}": vars(kind) for module, holds in modules.items() for name, kind in holds.items()
             if isinstance(kind, type) and not kind.__flags__ & reading.IMMUTABLE}
    return [(of, holds, {name: value for name, value in holds.items() if not name.startswith("__")})
            for of, holds in (modules | kinds).items()]
