"""Batches against picking the examples one by one."""

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress.data import Jitter, Split, batches
from tests.mutants import mutate

MODULE = importlib.import_module("minicompress.data.batches")
PIXELS = np.arange(23 * 4 * 5).astype(np.uint8).reshape(23, 4, 5)
LABELS = np.arange(23) % 7
FLOATS = np.linspace(-3, 3, 23 * 6).reshape(23, 6)
SPLITS = [Split(PIXELS, LABELS, 1 / 16), Split(PIXELS), Split(PIXELS[:, None], LABELS), Split(FLOATS, np.eye(23)),
          Split(FLOATS.reshape(23, 2, 3)), Split(FLOATS.reshape(23, 1, 2, 3), LABELS)]


def law_every_example_once_as_it_is(module, split=SPLITS[0], size=5, shuffle=True, drop_last=False, seed=0):
    """The inputs are float32(image) · float32(scale), one example at a time, with its label and index."""
    made = list(module.batches(split, size, rng=np.random.default_rng(seed), shuffle=shuffle, drop_last=drop_last))
    total = len(split.images)
    order = np.random.default_rng(seed).permutation(total) if shuffle else np.arange(total)
    kept = total // size * size if drop_last else total
    assert np.array_equal(np.concatenate([batch.indices for batch in made]), order[:kept])
    assert [len(batch.x) for batch in made] == [min(size, kept - start) for start in range(0, kept, size)]
    assert all(batch.split is split for batch in made)
    for x, y, indices, _ in made:
        assert x.dtype == np.float32 and np.issubdtype(indices.dtype, np.integer)
        for position, index in enumerate(indices):
            image = split.images[index]
            expected = np.float32(split.scale) * image.astype(np.float32)
            assert x[position].shape == ((1, *image.shape) if image.ndim == 2 else image.shape)
            assert np.array_equal(x[position].reshape(image.shape), expected)
            if split.labels is None:
                assert y is None
            else:
                assert y.dtype == split.labels.dtype and np.array_equal(y[position], split.labels[index])


def law_augments_pixels_before_scaling(module):
    seen = []

    def invert_in_place(images, rng):
        seen.append((images.dtype, images.shape, rng))
        images[:] = 255 - images
        return images

    rng = np.random.default_rng(0)
    for x, _, indices, source in module.batches((PIXELS, LABELS), 10, rng=rng, augment=invert_in_place):
        assert source is None
        expected = (255 - PIXELS[indices]).astype(np.float32) * np.float32(1 / 255)
        assert np.array_equal(x[:, 0], expected)
    assert seen == [(np.uint8, (n, 4, 5), rng) for n in (10, 10, 3)]


def law_bad_arguments_are_refused_at_the_call(module):
    rng = np.random.default_rng(0)
    for size in (0, -1, 2.0, True, None):
        with pytest.raises(ValueError, match=r"batch_size is .* expected an integer of at least 1"):
            module.batches(PIXELS, size)
    for options in ({"shuffle": True}, {"augment": Jitter(1)}, {"shuffle": True, "rng": 0}):
        with pytest.raises(TypeError, match=r"rng is .*, expected a np.random.Generator to shuffle and augment with"):
            module.batches(PIXELS, 5, **options)
    with pytest.raises(ValueError, match="batch_size is 24 with drop_last, expected at most the 23 examples"):
        module.batches(PIXELS, 24, drop_last=True)
    with pytest.raises(ValueError, match="23 images but 22 labels"):
        module.batches((PIXELS, LABELS[:22]), 5)
    with pytest.raises(ValueError, match="made 4 images of 5, expected as many"):
        next(module.batches(PIXELS, 5, rng=rng, augment=lambda images, rng: images[1:]))


MUTANTS = [
    (law_every_example_once_as_it_is, "rng.permutation(total)", "rng.integers(total, size=total)"),
    (law_every_example_once_as_it_is, "split.labels.take(indices, axis=0)", "split.labels[start:start + len(indices)]"),
    (law_every_example_once_as_it_is, "x = x[:, None]", "pass"),
    (law_every_example_once_as_it_is, "np.float32(split.scale)", "np.float32(1 / 255)"),
    (law_every_example_once_as_it_is, "images.take(indices, axis=0)", "images.take(np.sort(indices), axis=0)"),
    (law_every_example_once_as_it_is, "total % batch_size if drop_last", "total % batch_size if not drop_last"),
    (law_augments_pixels_before_scaling, "split.images.take(indices, axis=0)", "split.images[indices] * scale"),
    (law_augments_pixels_before_scaling, "images = augment(images, rng)", "augment(images.copy(), rng)"),
    (law_every_example_once_as_it_is, "split if augment is None else None", "None"),
    (law_augments_pixels_before_scaling, "split if augment is None else None", "split"),
    (law_bad_arguments_are_refused_at_the_call, "batch_size, 1)", "batch_size)"),
    (law_bad_arguments_are_refused_at_the_call, 'expect.integer("batch_size", batch_size, 1)', "batch_size"),
    (law_bad_arguments_are_refused_at_the_call, "if shuffle or augment is not None:", "if shuffle:"),
    (law_bad_arguments_are_refused_at_the_call, "batch_size <= total or not drop_last", "True"),
    (law_bad_arguments_are_refused_at_the_call, "len(images) == len(indices)", "True"),
]
LAWS = [law_every_example_once_as_it_is, law_augments_pixels_before_scaling, law_bad_arguments_are_refused_at_the_call]


@pytest.mark.parametrize("law", LAWS)
def test_law(law):
    law(MODULE)


@pytest.mark.parametrize("law, old, new", MUTANTS)
def test_mutant_is_caught(law, old, new):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        law(mutate(MODULE, old, new))


@given(split=st.sampled_from(SPLITS), size=st.integers(1, 23), shuffle=st.booleans(), drop_last=st.booleans(),
       seed=st.integers(0, 2**32))
def test_any_batches_hold_every_example_once(split, size, shuffle, drop_last, seed):
    law_every_example_once_as_it_is(MODULE, split, size, shuffle, drop_last, seed)


def test_a_batch_larger_than_the_data_is_all_of_them():
    assert [batch.x.shape for batch in batches(PIXELS, 1000)] == [(23, 1, 4, 5)]


def test_the_same_seed_gives_the_same_bits():
    def run():
        rng = np.random.default_rng(7)
        epochs = [list(batches((PIXELS, LABELS), 8, rng=rng, shuffle=True, augment=Jitter(2))) for _ in range(2)]
        return [array.tobytes() for epoch in epochs for batch in epoch for array in batch[:3]]

    first = run()
    assert first == run() and first[:9] != first[9:]  # 3 batches of 3 arrays an epoch; the second epoch differs


def test_an_input_may_be_changed_without_changing_the_data():
    split = Split(FLOATS)
    batch = next(batches(split, 23))
    batch.x[:] = 7
    assert np.array_equal(split.images, FLOATS.astype(np.float32))
