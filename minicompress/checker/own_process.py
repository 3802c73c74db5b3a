"""Checks a function of a file in a process of its own, so that nothing it does can hold up or harm this one.

Not even a loop in compiled code that never lets go of the interpreter, against which a thread is helpless.
"""

import errno
import importlib.util
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

from .check import TOGETHER, Check, check, misfit_report
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
    task = {"id": entry.id, "path": path, "name": name, "examples": examples, "seed": seed, "seconds": seconds}
    limit = 2 * TOGETHER * seconds + STARTING  # a busy machine may need longer than the processor time that counts
    try:
        told = ask(f"{__name__}:answer", task, limit)
    except subprocess.TimeoutExpired:
        words = f"the check did not end within {limit:g} seconds: a loop that never ends, or far too slow"
        return misfit_report(entry, "endless", words, seed)
    except NoAnswer as ended:
        return misfit_report(entry, "exception", f"it ends Python, with code {ended.code}, before it is checked", seed)
    if "refused" in told:
        raise ValueError(told["refused"])
    return Check(told)


def answer(task):
    """What the other process does: the report."""
    try:
        function = _function(task.pop("path"), task.pop("name"))
        return check(task.pop("id"), function, **task).report
    except ValueError as error:
        return {"refused": str(error)}


class NoAnswer(Exception):
    """A process ended, with exit ``code``, and didn't answer."""

    def __init__(self, code):
        super().__init__(f"the process ended with code {code} and without an answer")
        self.code = code


def ask(function, task, seconds, stderr=None):
    """What a function, named "module:function", returns for a task in a fresh process; both are plain data.

    The process may run code that nobody vouches for: what it prints counts only behind a word made for this one answer.
    Its stdout and stderr both go to ``stderr``, as subprocess.run takes it. Raises `NoAnswer` if there is none, and
    subprocess.TimeoutExpired after so many seconds.
    """
    word, (module, _, name) = secrets.token_hex(16), function.partition(":")
    code = f"from {__name__} import reply; from {module} import {name}; reply({name})"
    environment = os.environ | {"PYTHONPATH": _paths(), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps([word, task]).encode(), timeout=seconds,
                          stdout=subprocess.PIPE, stderr=stderr, env=environment)
    answers = [line.removeprefix(word) for line in done.stdout.decode(errors="replace").splitlines()
               if line.startswith(word)]
    if done.returncode or len(answers) != 1:
        raise NoAnswer(done.returncode)
    return json.loads(answers[0])


def reply(function):
    """What the fresh process runs: answers, behind the word, and ends; what it prints meanwhile goes to stderr."""
    word, task = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr
    out.write(f"\n{word}{json.dumps(function(task))}\n")
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
