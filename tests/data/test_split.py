"""A split holds a checked pair, and everything else is refused with a clear error."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress.data import Batch, Split, as_split, load, split
from tests.mutants import mutate

PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
FLOATS = np.linspace(-1, 1, 10, dtype=np.float32).reshape(2, 5)
LABELS = np.array([4, 0])
DISTRIBUTIONS = np.array([[0.25, 0.75], [1.0, 0.0]])


def same(a, b):
    return a.dtype == b.dtype and np.array_equal(a, b)


def law_holds_what_it_was_given(module):
    for x in (PIXELS, PIXELS[:, None], FLOATS, FLOATS[:, None], FLOATS[:, None, None]):
        for y, kept in ((LABELS, LABELS.astype(np.intp)), (LABELS.astype(np.uint8), LABELS.astype(np.intp)),
                        (DISTRIBUTIONS, DISTRIBUTIONS.astype(np.float32))):
            made = module.as_split((x, y))
            images, labels = made
            assert images is made.images and labels is made.labels
            assert same(images, x) and same(labels, kept)
            assert made.scale == (1 / 255 if x.dtype == np.uint8 else 1)
            for array in made:
                with pytest.raises(ValueError, match="read-only"):
                    array[0] = 0
            assert x.flags.writeable and y.flags.writeable
        unlabelled = module.as_split(x)
        assert same(unlabelled.images, x) and unlabelled.labels is None
    assert same(module.Split(FLOATS.astype(np.float64)).images, FLOATS)
    assert np.shares_memory(module.Split(PIXELS).images, PIXELS)
    assert module.Split(PIXELS, None, 1 / 16).scale == 1 / 16
    assert module.as_split(made) is made


BAD = [
    (PIXELS.astype(np.int64), None, TypeError, "images .* dtype int64, expected uint8 or floating"),
    (PIXELS > 3, None, TypeError, "images .* dtype bool"),
    ([["a"]], None, TypeError, "images .* dtype <U1"),
    (PIXELS[0], None, ValueError, r"images .* shape \(3, 4\), expected \(N, H, W\) or \(N, C, H, W\)"),
    (PIXELS[:0], None, ValueError, r"images .* shape \(0, 3, 4\)"),
    (PIXELS[:, :0], None, ValueError, r"images .* shape \(2, 0, 4\)"),
    (FLOATS[0], None, ValueError, r"images .* shape \(5,\), expected \(N, features\) or"),
    (FLOATS[..., None, None, None], None, ValueError, r"images .* shape \(2, 5, 1, 1, 1\)"),
    ([[1.0, np.nan]], None, ValueError, r"images .* in float32 hold 1 NaN or infinite of 2 numbers"),
    ([[1.0, 1e39]], None, ValueError, r"images .* in float32 hold 1 NaN or infinite of 2 numbers"),
    (FLOATS, LABELS[:1], ValueError, "2 images but 1 labels"),
    (FLOATS, DISTRIBUTIONS[[0, 1, 0]], ValueError, "2 images but 3 labels"),
    (FLOATS, LABELS[:, None], ValueError, r"labels .* shape \(2, 1\), expected \(N,\)"),
    (FLOATS, [0, -3], ValueError, "labels .* go down to -3, expected 0 or more"),
    (FLOATS, [True, False], TypeError, "labels .* dtype bool, expected integer or floating"),
    (FLOATS, ["3", "4"], TypeError, "labels .* dtype <U1"),
    (FLOATS, [0.0, 3.0], ValueError, r"labels .* of dtype float64 have shape \(2,\), expected distributions"),
    (FLOATS, [[1.0, 0.0], [np.inf, 0.0]], ValueError, r"labels .* in float32 hold 1 NaN or infinite of 4 numbers"),
    (FLOATS, [[1.0, 0.0], [0.5, 0.6]], ValueError, "labels .* row 1 .* sum 1.1, expected a distribution"),
    (FLOATS, [[1.5, -0.5], [0.5, 0.5]], ValueError, "labels .* row 0 .* expected a distribution: none negative"),
]


def law_bad_data_are_refused(module):
    for x, y, error, said in BAD:
        with pytest.raises(error, match=said):
            module.as_split((x, y))
    for scale in (0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="scale is"):
            module.Split(PIXELS, None, scale)


MUTANTS = [
    (law_holds_what_it_was_given, "1 / 255 if", "1 / 256 if"),
    (law_holds_what_it_was_given, "view.flags.writeable = False", ""),
    (law_holds_what_it_was_given, "view = array.view()", "view = array"),
    (law_holds_what_it_was_given, "labels.astype(np.intp, copy=False)", "labels"),
    (law_holds_what_it_was_given, "array.astype(np.float32, copy=False)", "array"),
    (law_bad_data_are_refused, "len(images) == len(labels)", "len(images) >= len(labels)"),
    (law_bad_data_are_refused, " and array.size", ""),
    (law_bad_data_are_refused, "labels.min() >= 0", "labels.min() >= -5"),
    (law_bad_data_are_refused, "(labels < 0).any(axis=1) |", "False |"),
    (law_bad_data_are_refused, "| (abs(sums - 1) > 1e-3)", "| (sums - 1 < -1e-3)"),
    (law_bad_data_are_refused, 'expect.number("scale", scale, above=0)', "scale"),
    (law_bad_data_are_refused, "finite=True", "finite=False"),
]


@pytest.mark.parametrize("law", [law_holds_what_it_was_given, law_bad_data_are_refused])
def test_law(law):
    law(split)


@pytest.mark.parametrize("law, old, new", MUTANTS)
def test_mutant_is_caught(law, old, new):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        law(mutate(split, old, new))


@pytest.mark.parametrize("data, said", [
    ((PIXELS,), "a tuple of 1"), ((PIXELS, LABELS, LABELS), "a tuple of 3"), ([PIXELS, LABELS], "list"),
    (None, "NoneType"), (Batch(FLOATS, LABELS, LABELS), "a tuple of 4"), ("mnist", "str"),
])
def test_only_a_split_a_pair_or_an_array_is_data(data, said):
    with pytest.raises(TypeError, match=f"data is {said}, expected a Split"):
        as_split(data)


def test_a_whole_data_set_is_refused_with_a_hint():
    with pytest.raises(TypeError, match=r"data is Dataset, expected a Split \(such as dataset.train\)"):
        as_split(load("digits"))


@given(logits=hnp.arrays(np.float32, (3, 40), elements=st.floats(-20, 20, width=32)),
       dtype=st.sampled_from([np.float16, np.float32, np.float64]))
def test_softmax_of_any_precision_is_a_distribution(logits, dtype):
    odds = np.exp(logits.astype(np.float64))
    distribution = (odds / odds.sum(axis=1, keepdims=True)).astype(dtype)
    assert same(Split(np.ones((3, 2)), distribution).labels, distribution.astype(np.float32))


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_clones_are_the_same(clone):
    for original in (Split(PIXELS, LABELS, 1 / 16), Split(FLOATS)):
        cloned = clone(original)
        assert type(cloned) is Split and repr(cloned) == repr(original) and cloned.scale == original.scale
        assert same(cloned.images, original.images) and not cloned.images.flags.writeable


def test_scale_and_parts_cannot_be_replaced():
    for name in ("images", "labels", "scale"):
        with pytest.raises(AttributeError):
            setattr(Split(PIXELS), name, None)
