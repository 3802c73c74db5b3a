"""A time limit for calls, on every system and inside Jupyter: a thread, and an exception thrown into it from outside.

No signal is needed (Windows has no alarm), and no second process (what a notebook's cell defines can't be sent there).
A loop in Python is stopped this way, also one that swallows exceptions, by throwing again; a call that waits, such as
a sleep, is left behind as a daemon thread. Only compiled code that never lets go of the interpreter can't be stopped
so: where that must be, the whole check runs in a process of its own, see `own_process`.
"""

import ctypes
import sys
import threading
import time

import numpy as np

PATIENCE = 1.0  # seconds in which a thread is told to stop, again and again
LOAD = 4  # times longer than alone that a call may take on a busy machine
IMPORTING = 60.0  # seconds that all imports together may take besides


class TimeLimit(Exception):
    """A call took longer than it may, or all together did; ``stopped`` says whether it has ended since."""

    def __init__(self, message, stopped):
        super().__init__(message)
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

    What a call imports is let through, and doesn't count where it would exceed the limit.

    >>> watch = Watch(each=10, together=60)
    >>> watch.run(lambda: watch.call(lambda: 6 * 7))
    42
    """

    def __init__(self, each, together):
        self.each, self.together, self.left, self.importing, self.clock = each, together, together, IMPORTING, None

    def call(self, function):
        """``function()``, against the clock: the work makes its calls so."""
        clock = self.clock = _Clock()
        try:
            return function()
        except (Exception, _Stop):
            raise
        except BaseException as error:  # exit() must not end who called
            raise Ended(error) from error
        finally:
            self.clock = None
            self.left -= clock.spent()

    def run(self, work):
        """The result of ``work()``, or what it raises; `TimeLimit` if one of its calls takes too long.

        The work runs in a thread of its own, in which NumPy doesn't warn of overflow and the like.
        """
        thread = _Worker(work)
        thread.start()
        try:
            while thread.is_alive():
                clock, most = self.clock, min(self.each, max(self.left, 0.01))
                left = self.each if clock is None else most - clock.spent()
                if left <= 0 and clock is self.clock and not self._has_imported(thread, clock):
                    raise TimeLimit(f"no answer within {self.each:g} seconds" if most == self.each else
                                    f"its calls took more than {self.together:g} seconds together", thread.stop())
                thread.join(max(left, 0.001))
        except KeyboardInterrupt:  # while waiting
            thread.stop()
            raise
        if thread.error is not None:
            raise thread.error
        return thread.result

    def _has_imported(self, thread, clock):
        """Wait for the import that the call is in, and set the clock back; false if it is in none that may go on."""
        if not thread.imports() or self.importing <= 0:
            return False
        while thread.imports() and time.monotonic() < clock.begin + self.importing:
            thread.join(0.01)
        self.importing -= time.monotonic() - clock.begin
        clock.start()
        return True


class _Clock:
    """How long the thread that makes it works: its processor time, as others may want the machine too.

    At least 1/`LOAD` of the time that passes, for a call that only waits; all of it where threads aren't timed.
    """

    def __init__(self):
        timed = hasattr(time, "pthread_getcpuclockid")
        self.thread = time.pthread_getcpuclockid(threading.get_ident()) if timed else None
        self.start()

    def start(self):
        self.begin, self.worked = time.monotonic(), self._worked()

    def spent(self):
        """Seconds since the start."""
        passed = time.monotonic() - self.begin
        return passed if self.thread is None else max(self._worked() - self.worked, passed / LOAD)

    def _worked(self):
        try:
            return 0.0 if self.thread is None else time.clock_gettime(self.thread)
        except OSError:  # the thread has ended
            return self.worked


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

    def imports(self):
        """Whether the work is in an import."""
        frame = sys._current_frames().get(self.ident)
        while frame is not None and "importlib._bootstrap" not in frame.f_code.co_filename:
            frame = frame.f_back
        return frame is not None

    def stop(self):
        """Throw into the work until it ends; False if it doesn't.

        Not into an import: a compiled module that is half imported takes Python down when it is used. Between looking
        and throwing no other thread gets to run, as the interpreter changes threads every few milliseconds only.
        """
        end, self.throwing = time.monotonic() + PATIENCE, True
        while self.is_alive() and not self.resting and time.monotonic() < end:
            if not self.imports():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(_Stop))
            self.join(0.003)
        self.throwing = False
        if self.resting:
            self.join()
        return self.resting
