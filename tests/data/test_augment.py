"""Jitter against a loop over pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress.data import Jitter, augment
from tests.mutants import mutate

STACKS = hnp.arrays(st.sampled_from([np.uint8, np.float32]), hnp.array_shapes(min_dims=3, max_dims=4, min_side=4,
                    max_side=6), elements=st.integers(0, 255))
EXAMPLE = np.arange(1, 1 + 7 * 2 * 5 * 6).reshape(7, 2, 5, 6).astype(np.uint8)  # non-zero, no two neighbours alike
EXAMPLE.flags.writeable = False  # a mutant must not spoil it for the others


def shifted(image, down, right):
    """One image moved pixel by pixel: what leaves is lost, what enters is 0."""
    height, width = image.shape
    moved = [[0] * width for _ in range(height)]
    for row in range(height):
        for column in range(width):
            if 0 <= row + down < height and 0 <= column + right < width:
                moved[row + down][column + right] = image[row][column]
    return moved


def law_is_the_loop(module, images=EXAMPLE, pixels=2, seed=0):
    result = module.Jitter(pixels)(images, np.random.default_rng(seed))
    assert result.dtype == images.dtype and result.shape == images.shape
    down, right = np.random.default_rng(seed).integers(-pixels, pixels + 1, size=(2, len(images))).tolist()
    for i in range(len(images)):
        channels = zip(result[i], images[i], strict=True) if images.ndim == 4 else [(result[i], images[i])]
        for moved, image in channels:
            assert moved.tolist() == shifted(image, down[i], right[i])


def law_zero_is_the_identity(module, images=EXAMPLE, seed=0):
    result = module.Jitter(0)(images, np.random.default_rng(seed))
    assert np.array_equal(result, images) and not np.shares_memory(result, images)


def law_mass_never_grows(module, images=EXAMPLE % 2, pixels=3, seed=0):
    given = images.copy()
    result = module.Jitter(pixels)(given, np.random.default_rng(seed))
    mass = [a.astype(np.float64).sum(axis=(-2, -1)) for a in (result, images)]
    assert (mass[0] <= mass[1]).all()
    assert np.array_equal(given, images)


def law_shifts_are_uniform_and_independent(module):
    """A dot in the middle of 6 400 images: each of the 25 places gets 256 of them, within 6 standard deviations."""
    images = np.zeros((6400, 5, 5), np.uint8)
    images[:, 2, 2] = 1
    places = module.Jitter(2)(images, np.random.default_rng(0)).sum(axis=0, dtype=int)
    assert places.sum() == 6400 and (abs(places - 256) < 6 * np.sqrt(6400 * 1 / 25 * 24 / 25)).all()


LAWS = [law_is_the_loop, law_zero_is_the_identity, law_mass_never_grows, law_shifts_are_uniform_and_independent]
MUTANTS = [
    (law_is_the_loop, "p - down, p - right", "p + down, p - right"),
    (law_is_the_loop, "p - down, p - right", "p - right, p - down"),
    (law_is_the_loop, "np.zeros((*images", "np.ones((*images"),
    (law_is_the_loop, "width + 2 * p), images.dtype)", "width + 2 * p))"),
    (law_is_the_loop, "size=(2, n), endpoint=True)", "size=(2, 1), endpoint=True)"),
    (law_is_the_loop, "endpoint=True", "endpoint=False"),
    (law_is_the_loop, "p:p + height, p:p + width] = images", "p:p + height, :width] = images"),
    (law_zero_is_the_identity, "windows[np.arange(n)", "windows[np.zeros(n, int)"),
    (law_zero_is_the_identity, "n, p, (height, width) =",
     "if not self.pixels: return images\n        n, p, (height, width) ="),
    (law_mass_never_grows, "np.zeros((*images", "np.ones((*images"),
    (law_mass_never_grows, "= images\n", "= images\n        images[:] = 0\n"),
    (law_shifts_are_uniform_and_independent, "endpoint=True", "endpoint=False"),
    (law_shifts_are_uniform_and_independent, "size=(2, n), endpoint=True)", "size=(1, n), endpoint=True).repeat(2, 0)"),
    (law_shifts_are_uniform_and_independent, "rng.integers(-p, p, size=(2, n), endpoint=True)",
     "rng.binomial(2 * p, 0.5, size=(2, n)) - p"),
]


@pytest.mark.parametrize("law", LAWS)
def test_law(law):
    law(augment)


@pytest.mark.parametrize("law, old, new", MUTANTS)
def test_mutant_is_caught(law, old, new):
    with pytest.raises(AssertionError):
        law(mutate(augment, old, new))


@given(images=STACKS, pixels=st.integers(0, 3), seed=st.integers(0, 2**32))
def test_laws_hold_for_any_images(images, pixels, seed):
    law_is_the_loop(augment, images, pixels, seed)
    law_zero_is_the_identity(augment, images, seed)
    law_mass_never_grows(augment, images, pixels, seed)


def test_wrapping_around_is_caught():
    class Wrapping:
        """The known trap: np.roll instead of a shift."""

        def __init__(self, pixels):
            self.pixels = pixels

        def __call__(self, images, rng):
            shifts = rng.integers(-self.pixels, self.pixels + 1, size=(2, len(images)))
            return np.stack([np.roll(image, shift, (-2, -1)) for image, shift in zip(images, shifts.T, strict=True)])

    trap = type("module", (), {"Jitter": Wrapping})
    with pytest.raises(AssertionError):
        law_is_the_loop(trap)


def test_the_default_is_two_pixels():
    assert Jitter() == Jitter(2)


@pytest.mark.parametrize("pixels", [-1, 1.0, True, "2", None])
def test_pixels_must_be_a_count(pixels):
    with pytest.raises(ValueError, match=r"pixels is .* expected an integer of at least 0"):
        Jitter(pixels)


@pytest.mark.parametrize("shape", [(5, 64), (5, 2, 8), (5, 8, 2), (8,), (1, 1, 1, 8, 8)])
def test_images_must_be_larger_than_the_jitter(shape):
    with pytest.raises(ValueError, match=r"images have shape .* above the 2 pixels"):
        Jitter(2)(np.zeros(shape, np.uint8), np.random.default_rng(0))
