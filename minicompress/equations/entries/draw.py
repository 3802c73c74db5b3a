"""Inputs that are easy to read: eighths, so that sums are exact, and small whole numbers, so that ties abound."""

import copy
import decimal

import numpy as np

from ..ledger import resolve
from ..subject import each_array, fingerprint


def eighths(rng, shape, most=5):
    """Multiples of 1/8 from −most to most."""
    return rng.integers(-8 * most, 8 * most + 1, shape) / 8


def weights(rng, shape):
    """Small whole numbers, full of ties and zeros, or eighths: one or the other."""
    return rng.integers(-3, 4, shape).astype(np.float64) if rng.random() < 0.5 else eighths(rng, shape)


def fraction(rng):
    """A fraction in hundredths."""
    return int(rng.integers(0, 101)) / 100


def one_of(rng, *values):
    """One of the values, a plain number."""
    return values[int(rng.integers(len(values)))]


def tensor(array, **options):
    """An array as a Tensor of the package."""
    return resolve("minicompress.engine.Tensor")(array, **options)


MANY_DIGITS = decimal.Context(prec=40, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


def precisely(reference):
    """A literal reference as a function of arrays, in decimals of 40 digits, which do not overflow; slow, so kept."""
    known = {}

    def function(*inputs):
        key = tuple(map(fingerprint, inputs))
        if key not in known:
            with decimal.localcontext(MANY_DIGITS):
                known[key] = _each(reference(*(_each(value, decimal.Decimal) for value in inputs)), float)
        return copy.deepcopy(known[key])
    function.__module__, function.__qualname__ = reference.__module__, reference.__qualname__
    return function


def _each(value, convert):
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return [_each(part, convert) for part in value] if isinstance(value, list) else convert(value)


def listed(reference):
    """A literal reference, which takes lists, as a function of arrays."""
    as_list = each_array(np.ndarray.tolist)

    def function(*inputs):
        return reference(*map(as_list, inputs))
    function.__module__, function.__qualname__ = reference.__module__, reference.__qualname__
    return function
