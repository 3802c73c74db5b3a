"""Submitted notebooks against the project's own: which exercises are solved, checked in processes of their own.

What is asked, and for how many points, stands in the project's notebook. Of a submission nothing is run but what
defines the functions asked for: their cells' imports, definitions and constants, and what they need of other cells'.
Whether one is right, the installed checker says.
"""

import ast
import functools
import importlib
import operator
import pkgutil
import re
import subprocess
import symtable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from minicompress.equations.checker import Check, check
from minicompress.equations.sheltered import NoAnswer, ask

from .lessons import code_cells, lessons, read_notebook

FIRST_LINE = re.compile(r"# Exercise (\d+) \(([A-Z]+-[\w:-]+), (\d+) points?\)")
SECONDS = 120  # for one exercise, the process's start included
# What a solution may import. By any other module a forged result could be had, or the package's own function.
MODULES = ("numpy", "numpy.linalg", "numpy.fft", "numpy.random", "numpy.polynomial", "math", "cmath", "heapq",
           "itertools", "collections", "collections.abc", "fractions", "decimal", "statistics", "bisect", "functools",
           "operator", "random", "typing", "dataclasses")
OTHERS = {"check", "minicompress"}  # under whatever name
# Of those modules and of every object: what reads attributes by a text's name, runs text, reads frames and files.
ATTRIBUTES = {
    "attrgetter", "methodcaller", "update_wrapper", "wraps", "singledispatch", "singledispatchmethod", "get_type_hints",
    "ForwardRef", "f_back", "f_builtins", "f_code", "f_globals", "f_locals", "tb_frame", "gi_frame", "cr_frame",
    "ag_frame", "load", "loadtxt", "genfromtxt", "fromregex", "fromfile", "memmap", "DataSource", "save", "savez",
    "savez_compressed", "savetxt", "tofile", "dump"}
BUILTINS = {"exec", "eval", "compile", "globals", "locals", "vars", "open", "getattr", "setattr", "delattr", "help",
            "breakpoint"}
DUNDERS = {"__init__", "__name__"}  # the only ones that a solution may ask for, or have in a name
IMMUTABLE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
IMPORTS = (ast.Import, ast.ImportFrom)
DEFINING = (*IMPORTS, ast.FunctionDef, ast.ClassDef)
TAKEN = (*DEFINING, ast.Assign, ast.AnnAssign, ast.AugAssign)  # of the statements of a cell
MAGIC = re.compile(r"\s*(?:[%!?]|[\w\s,]+=\s*[%!])|.*\?\s*$")


@functools.cache
def _ways_out():
    """The names of modules that the allowed ones hold and that are not allowed themselves, such as sys."""
    held = {name for module in map(importlib.import_module, MODULES) for name, value in vars(module).items()
            if isinstance(value, ModuleType) and value.__name__ not in MODULES}
    submodules = {module.name for module in pkgutil.iter_modules(np.__path__) if f"numpy.{module.name}" not in MODULES}
    return (held | submodules) - {"abc", "copy", "numbers", "keyword", "version", "polynomial"}  # which lead nowhere


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
        if match := _header(source):
            function = next(node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
            found.append(Exercise(int(match[1]), match[2], int(match[3]), function))
    return found


def _header(source):
    """The match of a cell's line that says which exercise it is, above it comments and magics at most."""
    for line in map(str.strip, source.lstrip("\ufeff").splitlines()):
        if match := FIRST_LINE.match(line):
            return match
        if line and line[0] not in "#%!":
            return None
    return None


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
    named = [name for name in lessons() if name in re.sub(r"[-\s]+", "_", path.stem.lower())]
    lesson = named[0] if len(named) == 1 else None
    report = {"file": str(path), "lesson": lesson, "points": 0, "most": 0, "exercises": [], "reason": None}
    if len(named) > 1:
        return report | {"reason": f"its name has those of several lessons in it: {', '.join(named)}"}
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
    mine = [cell for cell in cells if (match := _header(cell)) and int(match[1]) == exercise.number]
    if len(mine) != 1:
        return False, "the cell is gone" if not mine else f"{len(mine)} cells claim to be this exercise"
    try:
        own = _parsed(mine[0])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return False, f"syntax error: {error}"
    if not any(exercise.function in _binds(node) for node in own if isinstance(node, TAKEN)):
        return False, f"it defines no function {exercise.function}"
    kept = [node for node in own if isinstance(node, TAKEN) and not _asks(node)]
    used = _globals([node for node in kept if not isinstance(node, IMPORTS)])
    kept = [node for node in kept if not isinstance(node, IMPORTS) or _binds(node) & {*used, "*"}]
    modules = _modules(cells)
    if changed := sorted({ast.unparse(part) for node in kept for part in ast.walk(node)
                          if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store | ast.Del)
                          and _root(part) in modules}):
        return False, f"it changes {', '.join(changed)}, which is not its own"
    if barred := sorted(_barred(kept)):
        return False, f"it uses {', '.join(barred)}: an exercise is solved without"
    others = [node for cell in cells if cell is not mine[0] for node in _definitions(cell)]
    needed = _needed(kept, [node for node in others if not _barred([node])])
    return _checked(exercise, list(map(ast.unparse, needed)), "\n".join(map(ast.unparse, kept)))


def _modules(cells):
    """The names under which any cell imports something."""
    return {name for cell in cells for node in _definitions(cell) if isinstance(node, IMPORTS)
            for name in _binds(node)} | {"np", "numpy", "math"}


def _barred(nodes):
    """What of the code of these nodes a solution has no use for, and a forged result would need."""
    names, attributes = _globals(nodes), set()
    found = names & BUILTINS | OTHERS.intersection(name for node in nodes for name in _names(node))
    for part in (part for node in nodes for part in ast.walk(node)):
        match part:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                attributes |= {name} if isinstance(part, ast.Attribute) or name.startswith("__") else set()
            case ast.Import(names=aliases):
                for first, *rest in (alias.name.split(".") for alias in aliases):
                    found |= {first} - set(MODULES)
                    attributes |= set(rest)
            case ast.ImportFrom(module=module, names=aliases):
                first, *rest = (module or ".").split(".")
                found |= {first or "."} - set(MODULES)
                attributes |= {*rest, *(alias.name for alias in aliases)}
                attributes |= names if any(alias.name == "*" for alias in aliases) else set()
            case ast.MatchClass():
                found.add("a pattern with a class")
    return found | {name for name in attributes if name in ATTRIBUTES | _ways_out()
                    or (name.startswith("__") and name.endswith("__") and name not in DUNDERS)}


def _globals(nodes):
    """The names that the code of these nodes looks up outside of its functions."""
    tables, found = [symtable.symtable("\n".join(map(ast.unparse, nodes)), "cell", "exec")], set()
    for table in tables:
        tables += table.get_children()
        found |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()
                  and (symbol.is_global() or table.get_type() != "function")}
    return found


def _root(node):
    """The name that a chain of attributes and items begins with, if it begins with one."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _asks(node):
    """Whether it is ``result = check(…)``, which is neither needed nor harmful."""
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and "check" in _names(node.value.func) \
        and not any("check" in _names(target) for target in node.targets)


def _needed(kept, others):
    """Those of the other cells' definitions that these nodes look up, or that one of those looks up, and so on."""
    wanted, found = _globals(kept), []
    while more := [node for node in others if node not in found and _binds(node) & wanted]:
        found += more
        wanted |= _globals(more)
    return [node for node in others if node in found]


def _definitions(cell):
    """What another cell defines, its imports one by one, also tried ones; nothing of one with a syntax error."""
    try:
        found = _parsed(cell)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    for node in found:
        if isinstance(node, ast.Try):
            found += [part for part in ast.walk(node) if isinstance(part, IMPORTS)]
    return [single for node in found if isinstance(node, TAKEN) for single in _singles(node)]


def _singles(node):
    match node:
        case ast.Import(names=names):
            return [ast.Import([name]) for name in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            return [ast.ImportFrom(module, [name], level) for name in names]
    return [node]


def _parsed(cell):
    """The nodes of a cell, its lines of IPython passed over: %magics, !commands, help?; raises what the parser does.

    Such lines are told from Python's by where its parser stumbles: a line of an expression may begin with %, too.
    """
    lines = cell.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), 0)
    if lines[first].startswith("%%"):
        if not re.match(r"%%(time|timeit|capture|prun)\b", lines[first]):
            return []  # in another language
        lines[first] = ""
    while True:
        try:
            tree = ast.parse("\n".join(lines))
            break
        except SyntaxError as error:
            number = (error.lineno or 0) - 1
            if not 0 <= number < len(lines) or not MAGIC.match(line := lines[number]):
                raise
            lines[number] = line[:len(line) - len(line.lstrip())] + "pass"
    compile(tree, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in tree.body:
        ast.unparse(node)  # nested too deeply for that, nothing could be told of it
    return tree.body


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
    """The names that an import, a definition or an assignment makes."""
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        return {"*", *(dir(importlib.import_module(node.module)) if node.module in MODULES else ())}
    if isinstance(node, IMPORTS):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, DEFINING):
        return {node.name}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


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
    modules = {module: vars(importlib.import_module(module)) for module in MODULES}
    kinds = {f"{module}.{name}": vars(kind) for module, holds in modules.items() for name, kind in holds.items()
             if isinstance(kind, type) and not kind.__flags__ & IMMUTABLE}
    return [(of, holds, {name: value for name, value in holds.items() if not name.startswith("__")})
            for of, holds in (modules | kinds).items()]
