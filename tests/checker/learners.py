"""Functions as learners write them, for KD-1: right ones, and ones that never end."""

import math

import numpy as np


def softened(z, T):
    e = np.exp((z - z.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)


def in_plain_python(z, T):
    if np.ndim(z) > 1:
        return [in_plain_python(row, T) for row in z]
    most = max(z)
    powers = [math.exp((x - most) / T) for x in z]
    return [power / sum(powers) for power in powers]


def in_lists_alone(z, T):
    """Lists know no arithmetic, and arrays no `index`."""
    assert z.index(max(z)) >= 0  # also of lists of lists
    return in_plain_python(z, T)


def endless(z, T):
    while True:
        T += 1


def endless_and_deaf(z, T):
    while True:
        try:
            len(z)
        except:  # noqa: E722
            pass


def forever():
    while True:
        pass
