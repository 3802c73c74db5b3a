"""Literal functions, which take numbers and lists, made functions of arrays."""

import copy
import decimal

import numpy as np

from .call import each_array, fingerprint

MANY_DIGITS = decimal.Context(prec=40, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


def precisely(literal):
    """A literal function as one of arrays, in decimals of 40 digits, which do not overflow; slow, so kept.

    Integers stay integers: they index.
    """
    known = {}

    def function(*inputs):
        key = tuple(map(fingerprint, inputs))
        if key not in known:
            with decimal.localcontext(MANY_DIGITS):
                known[key] = _each(literal(*(_each(value, _as_decimal) for value in inputs)), float)
        return copy.deepcopy(known[key])
    return function


def _each(value, convert):
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, tuple):
        return tuple(_each(part, convert) for part in value)
    return [_each(part, convert) for part in value] if isinstance(value, list) else convert(value)


def _as_decimal(number):
    return decimal.Decimal(number) if isinstance(number, float) else number


def listed(literal):
    """A literal function, which takes numbers and lists, as one of arrays."""
    as_list = each_array(np.ndarray.tolist)

    def function(*inputs):
        return literal(*map(as_list, inputs))
    return function
