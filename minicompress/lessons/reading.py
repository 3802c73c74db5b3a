"""What stands in a notebook: its exercises, and what the code of a cell defines, imports, looks up and may not use.

Code is read as a tree, never run.
"""

import ast
import functools
import importlib
import pkgutil
import re
import symtable
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from .notebooks import code_cells

FIRST_LINE = re.compile(r"# Exercise (\d+) \(([A-Z]+-[\w:-]+), (\d+) points?\)")
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
        if match := header(source):
            function = next(node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
            found.append(Exercise(int(match[1]), match[2], int(match[3]), function))
    return found


def header(source):
    """The match of a cell's line that says which exercise it is, above it comments and magics at most."""
    for line in map(str.strip, source.lstrip("\ufeff").splitlines()):
        if match := FIRST_LINE.match(line):
            return match
        if line and line[0] not in "#%!":
            return None
    return None


def modules(cells):
    """The names under which any cell imports something."""
    return {name for cell in cells for node in definitions(cell) if isinstance(node, IMPORTS)
            for name in binds(node)} | {"np", "numpy", "math"}


def barred(nodes):
    """What of the code of these nodes a solution has no use for, and a forged result would need."""
    names, attributes = looked_up(nodes), set()
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


def looked_up(nodes):
    """The names that the code of these nodes looks up outside of its functions."""
    tables, found = [symtable.symtable("\n".join(map(ast.unparse, nodes)), "cell", "exec")], set()
    for table in tables:
        tables += table.get_children()
        found |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()
                  and (symbol.is_global() or table.get_type() != "function")}
    return found


def root(node):
    """The name that a chain of attributes and items begins with, if it begins with one."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def asks(node):
    """Whether it is ``result = check(…)``, which is neither needed nor harmful."""
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and "check" in _names(node.value.func) \
        and not any("check" in _names(target) for target in node.targets)


def needed(kept, others):
    """Those of the other cells' definitions that these nodes look up, or that one of those looks up, and so on."""
    wanted, found = looked_up(kept), []
    while more := [node for node in others if node not in found and binds(node) & wanted]:
        found += more
        wanted |= looked_up(more)
    return [node for node in others if node in found]


def definitions(cell):
    """What another cell defines, its imports one by one, also tried ones; nothing of one with a syntax error."""
    try:
        found = parsed(cell)
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


def parsed(cell):
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


def binds(node):
    """The names that an import, a definition or an assignment makes."""
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        return {"*", *(dir(importlib.import_module(node.module)) if node.module in MODULES else ())}
    if isinstance(node, IMPORTS):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, DEFINING):
        return {node.name}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
