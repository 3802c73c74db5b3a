"""A time limit for a call, on every system and inside Jupyter: a thread, and an exception thrown into it from outside.

No signal is needed (Windows has no alarm), and no second process (what a notebook's cell defines can't be sent there).
A loop in Python is stopped this way, also one that swallows exceptions, by throwing again; a call that waits, such as
a sleep, is left behind as a daemon thread. Only compiled code that never lets go of the interpreter can't be stopped
so: where that must be, the whole check runs in a process of its own, see `sheltered`.
"""

import contextlib
import ctypes
import threading
import time

import numpy as np

PATIENCE = 1.0  # seconds in which a thread is told to stop, again and again


class TimeLimit(Exception):
    """A call took longer than it may; ``stopped`` says whether it has ended since."""

    def __init__(self, seconds, stopped):
        super().__init__(f"no answer within {seconds:g} seconds")
        self.stopped = stopped


class Ended(Exception):
    """A call tried to end Python, by ``ended_by``, a SystemExit or the like."""

    def __init__(self, ended_by):
        super().__init__(f"{type(ended_by).__name__} ended the call")
        self.ended_by = ended_by


class _Stop(SystemExit):
    """Thrown into the thread; threads end silently on a SystemExit."""


def limited(call, seconds):
    """The result of ``call()``, made in a thread of its own, or whatever it raised; `TimeLimit` after so many seconds.

    >>> limited(lambda: 6 * 7, seconds=10)
    42
    """
    outcome = {}

    def work():
        try:
            with np.errstate(all="ignore"):
                outcome["result"] = call()
        except _Stop:
            pass
        except BaseException as error:  # whatever it is, it belongs to the caller
            outcome["error"] = error

    thread = threading.Thread(target=work, daemon=True, name="a function under a time limit")
    thread.start()
    try:
        thread.join(seconds)
    except BaseException:  # Ctrl-C while waiting
        _stop(thread)
        raise
    if thread.is_alive():
        raise TimeLimit(seconds, _stop(thread))
    if "error" in outcome:
        error = outcome["error"]
        raise error if isinstance(error, Exception) else Ended(error)  # exit() must not end who called
    if "result" not in outcome:
        raise TimeLimit(seconds, True)
    return outcome["result"]


def _stop(thread):
    """Throw into the thread until it ends; False if it doesn't."""
    end = time.monotonic() + PATIENCE
    while thread.is_alive() and time.monotonic() < end:
        with contextlib.suppress(ValueError):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Stop))
        thread.join(0.003)
    return not thread.is_alive()
