"""A function under test, as properties call it: its inputs protected, its results arrays, its misfits told apart."""

import copy
import traceback

import numpy as np

from .time_limit import Ended

KINDS = ("nothing", "exception", "shape", "type", "in place", "endless")
SINGLE = float(np.finfo(np.float32).eps)
MOST = 100_000  # numbers of an answer


class Misfit(Exception):
    """A function that gives no answer to look at. ``kind``: nothing, exception, shape, type, in place or endless."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind if kind in KINDS else "exception"  # a function may raise one, too


class Subject:
    """Calls a function on copies of the inputs; returns its result as an array, or several as a tuple of arrays.

    function : takes the arguments of an equation
    results : their names; more than one means that the function returns a tuple of that many
    eps : the relative precision that its numbers are held to, float64's unless told
    run : (thunk) -> result, how a call is made and its answer read, such as `Watch.call`
    offer : turns each input into what the function is given

    Raises `Misfit` for what is no result at all.
    """

    def __init__(self, function, results, *, eps=None, run=lambda call: call(), offer=lambda value: value):
        self.function, self.results, self.run, self.offer = function, results, run, offer
        self.eps = self.least = float(np.finfo(np.float64).eps) if eps is None else eps

    def suit(self, inputs):
        """Hold the numbers to single precision from now on where that is the inputs', else to `eps` as it was told."""
        arrays = [part for value in inputs for part in (value if isinstance(value, list) else [value])]
        single = any(getattr(array, "dtype", None) == np.float32 for array in arrays)
        self.eps = max(self.least, SINGLE) if single else self.least

    def __call__(self, *inputs):
        try:
            return self.run(lambda: self._answer(inputs))
        except Misfit:
            raise
        except Exception as error:  # a call that would end Python; its text, too, is somebody's code, and not asked for
            error = error.ended_by if isinstance(error, Ended) else error
            raise Misfit("exception", f"it raises {type(error).__name__}{self._where(error)}") from error

    def _answer(self, inputs):
        """All that runs code of the function or of what it returns: the call, reading its numbers, wording errors."""
        given = [self.offer(copied(value)) for value in inputs]
        before = [fingerprint(value) for value in given]
        try:
            found = self.function(*given)
        except Exception as error:
            raise Misfit("exception", f"it raises {_told(error)}{self._where(error)}") from error
        try:
            result = self._read(found)
        except Exception as error:
            if type(error) is Misfit:
                raise
            raise Misfit("type", f"it returns {_kind_of(found)}, which can't be read: {_told(error)}") from error
        if before != [fingerprint(value) for value in given]:
            raise Misfit("in place", "it changes its input in place: whoever called it finds other numbers there")
        return result

    def _read(self, found):
        if found is None:
            raise Misfit("nothing", "it returns nothing (None): is there a return?")
        if len(self.results) == 1:
            return as_array(found, self.results[0])
        if not isinstance(found, tuple | list) or len(found) != len(self.results):
            raise Misfit("shape", f"it returns {_kind_of(found)}, expected {len(self.results)} results: "
                                  f"{', '.join(self.results)}")
        return tuple(as_array(part, name) for part, name in zip(found, self.results, strict=True))

    def _where(self, error):
        """The last line of the function's own file that the error went through."""
        file = getattr(getattr(self.function, "__code__", None), "co_filename", None)
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        return f" (line {frames[-1].lineno}: {frames[-1].line})" if frames and frames[-1].line else ""


def fingerprint(value):
    """What tells a value from a changed one: bits, dtype and shape."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if hasattr(value, "detach"):
        return fingerprint(value.detach().numpy())
    return list(map(fingerprint, value)) if isinstance(value, list) else repr(value)


def each_array(convert):
    """Of a value that is an array, or a list of arrays, what ``convert`` makes of each; other values as they are."""
    def converted(value):
        if isinstance(value, list):
            return [converted(part) for part in value]
        return convert(value) if isinstance(value, np.ndarray) else value
    return converted


def copied(value):
    """A copy that keeps an array's gaps in memory, which `copy.deepcopy` closes."""
    if isinstance(value, list):
        return [copied(part) for part in value]
    if isinstance(value, np.ndarray) and not value.flags.forc:
        return strided(value)
    return copy.deepcopy(value)


@each_array
def strided(array):
    """The same numbers with gaps between them in memory, as in a view of every other column; else as it is."""
    return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array


@each_array
def float32(array):
    """Doubles in single precision; other arrays as they are."""
    return array.astype(np.float32) if array.dtype == np.float64 else array


def as_array(value, name):
    """Numbers of any kind as a NumPy array of their own: floats, lists of them, arrays, Tensors."""
    try:
        array = np.asarray(_plain(value))
        if array.size <= MOST:
            # Decimals and Fractions become floats; the copy is made here, as an __array__ asked for one may not.
            array = array.astype(np.float64) if array.dtype == object else array.copy()
    except Exception as error:  # whatever __array__, __float__ or __getattr__ of the value raise
        words = f"{name} is {_kind_of(value)}, expected numbers: reading it raises {_told(error)}"
        raise Misfit("type", words) from error
    if array.size > MOST:
        raise Misfit("shape", f"{name} has {array.size:,} numbers, in shape {array.shape}: no answer is so large")
    if array.dtype.kind not in "biufU":
        raise Misfit("type", f"{name} is {_kind_of(value)} of {array.dtype}, expected real numbers")
    return array


def _plain(value):
    if value is None:
        raise TypeError("None is no number")
    if hasattr(value, "detach"):  # a Tensor, torch's or this package's
        value = value.detach()
        return value.numpy() if not hasattr(value, "cpu") else value.cpu().numpy()
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _kind_of(value):
    kind = type(value)
    return f"a {kind.__name__} of {len(value)}" if kind in (tuple, list) else f"a {kind.__name__}"


def _told(error):
    """``NameError: name 'x' is not defined``; of an error whose text raises another one the name alone."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}".rstrip(": ")
