"""Inputs that are easy to read: eighths, so that sums are exact, and small whole numbers, so that ties abound."""

import numpy as np


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
