"""A time limit for calls, on every system and inside Jupyter: a thread, and an exception thrown into it from outside.

No signal is needed (Windows has no alarm), and no second process (what a notebook's cell defines can't be sent there).
A loop in Python is stopped this way, also one that swallows exceptions, by throwing again; a call that waits, such as
a sleep, is left behind as a daemon thread. Only compiled code that never lets go of the interpreter can't be stopped
so: where that must be, the whole check runs in a process of its own, see `sheltered`.
"""

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


class _Stop(BaseException):
    """Thrown into the thread."""


class Watch:
    """Watches over work in another thread, in which each call may take so many seconds, and all together so many.

    >>> watch = Watch(each=10, together=60)
    >>> watch.run(lambda: watch.call(lambda: 6 * 7))
    42
    """

    def __init__(self, each, together):
        self.each, self.left, self.deadline = each, together, None

    def call(self, function):
        """``function()``, against the clock: the work makes its calls so."""
        begin = time.monotonic()
        self.deadline = begin + min(self.each, max(self.left, 0.01))
        try:
            return function()
        except (Exception, _Stop):
            raise
        except BaseException as error:  # exit() must not end who called
            raise Ended(error) from error
        finally:
            self.deadline = None
            self.left -= time.monotonic() - begin

    def run(self, work):
        """The result of ``work()``, or what it raises; `TimeLimit` if one of its calls takes too long.

        The work runs in a thread of its own, in which NumPy doesn't warn of overflow and the like.
        """
        thread = _Worker(work)
        thread.start()
        try:
            while thread.is_alive():
                deadline = self.deadline
                left = self.each if deadline is None else deadline - time.monotonic()
                if left <= 0 and deadline == self.deadline:
                    raise TimeLimit(self.each, thread.stop())
                thread.join(max(left, 0.001))
        except KeyboardInterrupt:  # while waiting
            thread.stop()
            raise
        if thread.error is not None:
            raise thread.error
        return thread.result


class _Worker(threading.Thread):
    """Works until it is done or stopped; then it rests, lest a late `_Stop` hit what Python does to end a thread."""

    def __init__(self, work):
        super().__init__(daemon=True, name="work under a time limit")
        self.work, self.result, self.error = work, None, None
        self.throwing = self.resting = False  # plain flags: a `_Stop` could leave a lock of `threading` locked

    def run(self):
        try:
            with np.errstate(all="ignore"):
                self.result = self.work()
        except Exception as error:
            self.error = error
        except _Stop:
            pass
        while True:
            try:
                self.resting = True
                while self.throwing:
                    time.sleep(0.001)
                return
            except _Stop:
                pass

    def stop(self):
        """Throw into the work until it ends; False if it doesn't."""
        end, self.throwing = time.monotonic() + PATIENCE, True
        while self.is_alive() and not self.resting and time.monotonic() < end:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(_Stop))
            self.join(0.003)
        self.throwing = False
        if self.resting:
            self.join()
        return self.resting
