"""Checks a function of a file in a process of its own, so that nothing it does can hold up or harm this one.

Not even a loop in compiled code that never lets go of the interpreter, against which a thread is helpless.
"""

import errno
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from .checker import Check, check, misfit_report
from .ledger import equation

STARTING = 20.0  # seconds more than the check itself may take, for Python to start and the file to be imported


def check_file(id, place, *, examples=60, seed=0, seconds=5.0):
    """The `Check` of a function in a file, ``place`` being "file.py:function".

    ``seconds`` as in `check`. Raises ValueError for an unknown ID and a place of another form; for a file that can't be
    read or imported, and for one without such a function.
    """
    entry = equation(id)
    path, _, name = place.rpartition(":")
    if not path.endswith(".py") or not name.isidentifier():
        raise ValueError(f"{place}: expected a file and a function in it, as in mine.py:softened")
    if not Path(path).is_file():
        raise ValueError(f"{path}: {os.strerror(errno.ENOENT)}")
    options = {"id": entry.id, "path": path, "name": name, "examples": examples, "seed": seed, "seconds": seconds}
    command = [sys.executable, "-c", f"from {__name__} import answer; answer()", json.dumps(options)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=6 * seconds + STARTING,
                              env=os.environ | {"PYTHONPATH": _paths(), "PYTHONIOENCODING": "utf-8"})
    except subprocess.TimeoutExpired:
        return misfit_report(entry, "endless", "no answer: a loop that never ends, or far too slow", seed)
    try:
        told = json.loads(done.stdout.decode().rpartition("\n")[2])
    except ValueError:
        return misfit_report(entry, "exception", f"it ends Python, with code {done.returncode}", seed)
    if "refused" in told:
        raise ValueError(told["refused"])
    return Check(told)


def answer():
    """What the other process does: prints the report as one line of JSON, and what the file prints to stderr."""
    options = json.loads(sys.argv[1])
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        function = _function(options.pop("path"), options.pop("name"))
        told = check(options.pop("id"), function, **options).report
    except ValueError as error:
        told = {"refused": str(error)}
    out.write("\n" + json.dumps(told))
    out.flush()
    os._exit(0)  # also past a thread that can't be stopped


def _function(path, name):
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(Path(path).resolve().parent))  # as when the file is run
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        raise ValueError(f"{path}: {type(error).__name__}: {error}") from error
    if not callable(found := getattr(module, name, None)):
        raise ValueError(f"{path} has no function {name!r}")
    return found


def _paths():
    """The path to this package first, so that the other process runs the same one."""
    return os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
