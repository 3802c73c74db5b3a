"""The words that properties are written in."""

import numpy as np


def hold(condition, message):
    """Raises AssertionError with the message unless the condition holds; unlike assert, also under ``python -O``."""
    if not np.all(condition):
        raise AssertionError(message)


def close(f, found, expected, message, ulps=64, size=None):
    """`hold` that two arrays are within so many roundings of f's precision, of the size of the larger numbers."""
    found, expected = np.asarray(found), np.asarray(expected)
    hold(found.shape == expected.shape, f"{message}: the shape is {found.shape}, expected {expected.shape}")
    if ulps == 0 or found.dtype.kind == "U" or expected.dtype.kind == "U":
        return hold(np.array_equal(found, expected), message)
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    finite = expected[np.isfinite(expected)]
    size = np.abs(finite).max(initial=0.0) if size is None else size
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        hold(same | (np.abs(found - expected) <= ulps * f.eps * size), message)


def agrees(reference, ulps=64, size=None):
    """The property that f gives what the formula gives, ``size(*arguments)`` being that of the numbers on the way."""
    def property(f, *inputs):
        found, expected = f(*inputs), reference(*inputs)
        many = len(f.results) > 1
        for name, a, b in zip(f.results, found if many else [found], expected if many else [expected], strict=True):
            close(f, a, b, f"{name} is not what the formula gives", ulps, size and size(*inputs))
    return property
