"""What a literal function owes to others: every global name that it uses, and those of all that it calls, looked at."""

import builtins
import dis
import inspect
import sys
import types

from minicompress.checker import Page

PAGES = "minicompress.equations."
LEADING_ELSEWHERE = {"__import__", "compile", "eval", "exec", "getattr", "globals", "locals", "open", "vars"}
CONSTANTS = (bool, int, float, str, bytes, type(None), types.EllipsisType)


def debts(function, path=(), seen=None):
    """What a function uses beyond the standard library and other literal functions, in words: "f > g uses numpy"."""
    seen = set() if seen is None else seen
    function = inspect.unwrap(function.literal if isinstance(function, Page) else function)
    if function in seen:
        return []
    seen.add(function)
    path = (*path, function.__name__)
    return [debt for name, value in used_by(function) for debt in _debts_of(name, value, path, seen)]


def used_by(function):
    """(name, value) of all that a function finds outside of its arguments and its own names: globals, and what it
    imports, encloses or has for a default."""
    for code in _codes(function.__code__):
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                yield step.argval, function.__globals__.get(step.argval, getattr(builtins, step.argval, None))
            elif step.opname == "IMPORT_NAME":
                yield step.argval, types.ModuleType(step.argval or ".")
    yield from zip(function.__code__.co_freevars, (cell.cell_contents for cell in function.__closure__ or ()),
                   strict=True)
    yield from (("a default", value) for value in function.__defaults__ or ())
    yield from (function.__kwdefaults__ or {}).items()


def _codes(code):
    """A function's code, and that of the functions, lambdas and comprehensions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _debts_of(name, value, path, seen):
    if isinstance(value, Page) or (inspect.isfunction(value) and value.__module__.startswith(PAGES)):
        return debts(value, path, seen)
    return [] if _is_free(name, value) else [f"{' > '.join(path)} uses {name}"]


def _is_free(name, value):
    if isinstance(value, tuple | list | frozenset | set):
        return all(_is_free(name, part) for part in value)
    if isinstance(value, dict):
        return all(_is_free(name, part) for part in value.values())
    if isinstance(value, CONSTANTS):
        return name not in LEADING_ELSEWHERE
    module = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None) or type(value).__module__
    root = module.partition(".")[0]
    return root in sys.stdlib_module_names and root != "importlib" and name not in LEADING_ELSEWHERE
